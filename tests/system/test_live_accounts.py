"""The kinds on "/" itself, with the tools and PAM of this system: in a namespace, on a throw-away layer over it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from machine import as_root

pytestmark = as_root

# All mounts are private to the namespace and go with it; what is written goes to memory.
STAGE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mkdir -p "$1/root$3"
mount --bind "$3" "$1/root$3"
mount -t tmpfs tmpfs "$1/root/dev"
mknod -m 666 "$1/root/dev/null" c 1 3
mknod -m 666 "$1/root/dev/urandom" c 1 9
mknod -m 666 "$1/root/dev/random" c 1 8
echo staged
exec chroot "$1/root" "$2" -c "$4"
"""

PROGRAM = """
import os, subprocess, sys
os.chdir({here!r})
sys.path[:0] = [{here!r}, {here!r} + "/tests/system"]
from pathlib import Path
from machine import *
from guestinit.model.action import *
from guestinit.model.secret import Secret
system = machine(Path("/"), Process())
{body}
print("fine")
"""

USER = """
action = User("gi-alice", gecos="Al Ice", groups=("sudo", "gi-made"), shell="/bin/bash")
do(action, system)
entry = field(Path("/"), "passwd", "gi-alice")
assert entry[5] == "/home/gi-alice", entry
home = Path(entry[5])
assert home.stat().st_uid == int(entry[2])
assert (home / ".profile").read_text() == Path("/etc/skel/.profile").read_text()
assert "gi-alice" in field(Path("/"), "group", "gi-made")[3]
assert field(Path("/"), "subuid", "gi-alice")[2] == "65536"
do(User("gi-alice", shell="/bin/sh"), system)
# A power cut after the databases and in the middle of the home.
(home / ".bashrc").write_text("")
(home / ".profile").unlink()
do(action, system)
assert (home / ".bashrc").read_text() == Path("/etc/skel/.bashrc").read_text()
# A lock that no process holds any more.
Path("/etc/passwd.lock").write_bytes(b"")
do(User("gi-bob", create_home=False), system)
assert not Path("/home/gi-bob").exists()
do(Lines("~gi-alice/.ssh/authorized_keys", ("key",), mode=0o600, owner="gi-alice", directory_mode=0o700), system)
assert (home / ".ssh").stat().st_uid == int(entry[2])
"""

PASSWORD = """
do(User("gi-alice"), system)
action = Password("gi-alice", Secret("correct horse"), locked=None)
done = kinds.apply(look(action, system), system)
hash = field(Path("/"), "shadow", "gi-alice")[1]
assert hash.startswith("$"), hash
again = subprocess.run(
    ["perl", "-e", "print crypt('correct horse', $ARGV[0])", hash], capture_output=True, text=True, check=True
).stdout
assert again == hash, (again, hash)
do(Password("gi-alice", locked=True), system)
do(Password("gi-alice", locked=False), system)
assert field(Path("/"), "shadow", "gi-alice")[1] == hash
do(Password("gi-alice", Secret("$6$salt$" + "a" * 86), hashed=True, expire=True), system)
assert field(Path("/"), "shadow", "gi-alice")[2] == "0"
kinds.apply(look(Password("gi-alice", random=True), system), system)
assert field(Path("/"), "shadow", "gi-alice")[1] not in (hash, "$6$salt$" + "a" * 86)
"""

CHROOT = """
os.mkdir("/other")
subprocess.run(["mount", "--bind", "/", "/other"], check=True)
inside = machine(Path("/other"), Process(), live=False)
action = Command(("sh", "-c", "echo inside; pwd"), "x", needs_live=False)
kinds.apply(look(action, inside), inside)
assert Path("/other/var/log/guestinit.log").read_text().splitlines()[1:3] == ["inside", "/"]
"""


def run(body: str, tmp_path: Path) -> None:
    here = str(Path(__file__).resolve().parents[2])
    program = PROGRAM.format(here=here, body=body)
    command = ["unshare", "--mount", "sh", "-c", STAGE, "sh", str(tmp_path), sys.executable, here, program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if "staged" not in ran.stdout:
        pytest.skip(f"no layer over this system: {ran.stderr.strip()}")
    assert ran.stdout.endswith("fine\n"), ran.stdout + ran.stderr


def _accounts() -> dict[str, str]:
    return {name: Path("/etc", name).read_text() for name in ("passwd", "shadow", "group")}


@pytest.mark.parametrize("body", [USER, PASSWORD, CHROOT], ids=["user", "password", "chroot"])
def test_on_this_system(body: str, tmp_path: Path) -> None:
    before = _accounts()
    run(body, tmp_path)
    assert _accounts() == before
    assert not Path("/home/gi-alice").exists()
