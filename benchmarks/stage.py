"""A throw-away machine for the benchmark: an overlay over this one, with a drive, in namespaces of its own.

This kernel need not know iso9660: mount(8) and umount(8) inside are stand-ins that copy the seed's files. They are children,
and children are not what is measured; everything that guestinit's own process does is real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEED = os.path.join(REPOSITORY, "examples", "proxmox")
BARE = ("-I", "-S", "-c", "pass")
LAUNCHER = """\
import sys
sys.path[:0] = {paths!r}
from guestinit.fastpath import main
sys.exit(main(["run", "--stage", "local"]))
"""


class Cost(NamedTuple):
    """One run: milliseconds of the process itself, and how many children it started."""

    cpu: float
    wall: float
    processes: int


def run(case: str, directory: str, python: str) -> Cost:
    """One run of a case, in a machine made for it."""
    return Cost(*json.loads(_inside(case, directory, python, ())))


def imports(case: str, directory: str, python: str) -> list[str]:
    """The modules that a case imports, as `-X importtime` lists them."""
    text = _inside(case, directory, python, ("-X", "importtime"))
    return json.loads(text)


def _inside(case: str, directory: str, python: str, flags: tuple[str, ...]) -> str:
    command = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child",
               sys.executable, os.path.abspath(__file__), case, directory, python, *flags]  # fmt: skip
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# inside the namespaces


def main(case: str, directory: str, python: str, flags: list[str]) -> None:
    """Make the machine, run the case in it, print what it cost."""
    machine = make_machine(directory, with_drive=case in ("same", "first boot"))
    paths = [REPOSITORY, os.path.dirname(os.path.dirname(_yaml(python)))]
    with open(machine + "/launcher", "w", encoding="utf-8") as file:
        file.write(LAUNCHER.format(paths=paths))
    os.chroot(machine)
    os.chdir("/")
    words = [python, *BARE] if case == "bare" else [python, "-I", "-S", *flags, "/launcher"]
    errors = os.open("/tmp/errors", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    if case == "same":
        settle(python, errors)
    os.ftruncate(errors, 0)
    os.lseek(errors, 0, os.SEEK_SET)
    cost = measure(words, errors)
    if flags:
        with open("/tmp/errors", encoding="utf-8", errors="replace") as file:
            lines = [line.rsplit("|", 1)[1].strip() for line in file if line.startswith("import time:")]
        print(json.dumps(sorted(set(lines[1:]))))
    else:
        print(json.dumps(cost))


def make_machine(directory: str, with_drive: bool) -> str:
    """An overlay whose changes live in memory, with a /sys and a /dev that show one optical drive, or none."""
    def mount(*words: str) -> None:
        subprocess.run(["mount", *words], check=True)

    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "none", directory)
    machine = directory + "/machine"
    for name in ("upper", "work", "machine"):
        os.mkdir(f"{directory}/{name}")
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={directory}/upper,workdir={directory}/work", machine)
    mount("-t", "proc", "proc", machine + "/proc")
    for name in ("/sys", "/dev", "/run", "/tmp"):
        mount("-t", "tmpfs", "none", machine + name)
    for device, minor in (("null", 3), ("zero", 5), ("urandom", 9), ("random", 8)):
        os.mknod(f"{machine}/dev/{device}", 0o20666, os.makedev(1, minor))
    os.makedirs(machine + "/sys/class/block/sr0")
    os.makedirs(machine + "/sys/class/dmi/id")
    os.makedirs(machine + "/sys/class/net")
    with open(machine + "/sys/class/dmi/id/product_uuid", "w", encoding="ascii") as file:
        file.write("5a0c0f4b-8c2f-4d7b-9e3c-9a6d4f2e1b0a\n")
    if with_drive:
        iso = machine + "/dev/sr0"
        subprocess.run(["genisoimage", "-quiet", "-iso-level", "3", "-J", "-R", "-V", "cidata", "-o", iso, SEED], check=True)
        with open(machine + "/sys/class/block/sr0/size", "w", encoding="ascii") as file:
            file.write(f"{os.path.getsize(iso) // 512}\n")
    _stand_in(machine + "/usr/bin/mount", f'for point; do :; done\ncp {SEED}/* "$point"')
    _stand_in(machine + "/usr/bin/umount", 'rm -f "$1"/*')
    return machine


def _stand_in(path: str, text: str) -> None:
    os.unlink(path)
    with open(path, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)


def settle(python: str, errors: int) -> None:
    """Everything that a first boot does, so that the next one finds nothing changed."""
    for stage in ("local", "late", "final"):
        with open("/launcher", encoding="utf-8") as file:
            text = file.read().replace('"local"', f'"{stage}"')
        subprocess.run([python, "-I", "-S", "-c", text], stdout=errors, stderr=errors, check=False)
    if not os.path.exists("/var/lib/guestinit/fast"):
        with open("/tmp/errors", encoding="utf-8", errors="replace") as file:
            sys.exit(f"the first boot did not settle:\n{file.read()}")


def measure(words: list[str], errors: int) -> Cost:
    """Run it and read the scheduler's own account of the process while it is a zombie: its children are not in it."""
    started = _processes_started()
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, errors, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
    pid = os.posix_spawn(words[0], words, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, file_actions=actions)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - start
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        cpu = int(file.read().split()[0])
    _, status = os.waitpid(pid, 0)
    if status:
        with open("/tmp/errors", encoding="utf-8", errors="replace") as file:
            sys.exit(f"{words} ended with {status}:\n{file.read()}")
    return Cost(cpu / 1e6, wall * 1000, _processes_started() - started)


def _processes_started() -> int:
    """How many processes this pid namespace has started: the last pid that was given."""
    with open("/proc/sys/kernel/ns_last_pid", encoding="ascii") as file:
        return int(file.read())


def _yaml(python: str) -> str:
    """Where this interpreter finds PyYAML."""
    words = [python, "-c", "import yaml; print(yaml.__file__)"]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
