"""Secrets of every sort go where they belong, and not into output, status, logs, state or argument lists."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from guestinit import checking, cli, pipeline
from guestinit.model.action import STAGES
from guestinit.model.network import RENDERERS
from guestinit.model.problem import Problems
from guestinit.model.secret import Secret
from guestinit.show import document as documents
from guestinit.show import problems as show_problems
from guestinit.show import status as show_status
from guestinit.system.media import Media
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System

TOP = Path(__file__).parents[1]
BASE = TOP / "examples" / "root"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")


def hash_of(word: str) -> str:
    """A text with the shape of a SHA-512 hash."""
    return "$6$" + "Zk3PqVb1" + "$" + (word * 43)[:86]


# What must not be seen. Each is one of a kind, so that finding it says where it came from.
SECRETS: dict[str, str] = {
    "the default user's hash": hash_of("hA"),
    "a hash in chpasswd.list": hash_of("hB"),
    "a clear text in chpasswd.list": "clear-chpasswd-list-7Qz",
    "a hash in chpasswd.users": hash_of("hC"),
    "a clear text in chpasswd.users": "clear-chpasswd-users-8Wx",
    "passwd of a user": hash_of("hD"),
    "hashed_passwd of a user": hash_of("hE"),
    "plain_text_passwd of a user": "clear-user-9Ec",
    "the vendor's hash": hash_of("hF"),
    "a private host key": "c2VjcmV0IGhvc3Qga2V5IGJvZHkgb2YgdGhlIHRlc3Q0",
    "a file": "file-content-token-1Rv",
    "a packed file": "packed-content-token-2Tb",
    "an appended line": "appended-token-3Yn",
    "a deferred file": "deferred-token-4Um",
    "a command": "runcmd-token-5Ik",
    "an argument of a command": "runcmd-argument-6Ol",
    "an early command": "bootcmd-token-7Pa",
    "a failing command": "failing-token-8Sd",
    "a package's address": "repository-password-9Df",
    "a script": "script-token-0Gh",
    "an unknown field": "unknown-field-1Jk",
    "an unknown key": "unknown-key-2Lz",
    "a field of meta-data": "admin-pass-3Xc",
    "a list in the place of a hash": "list-for-hash-4Vb",
    "a wrong hash": "no-hash-at-all-5Nm",
    "a line without a colon": "no-colon-6Qw",
    "a wrong private key": "no-private-key-7Er",
    "content with a wrong encoding": "!!bad-base64-8Ty",
    "a wireless network's password": "wifi-password-9Ui",
    "a key of WireGuard": "4GgaQCy68nzNsUE5aJ9fuLzHhB65tAlwbmA72MWnOm8=",
    "a preshared key": "7voRZ/ojfXgfPOlswo3Lpma1RJq7qijIEEUEMShQFV8=",
    "a key of WireGuard that is none": "wireguard-not-a-key-1Pb",
    "a preshared key that is none": "wireguard-not-shared-2Vm",
    "a key of WireGuard in a wrong place": "wireguard-misplaced-3Kx",
}
# The user asked for these words to be the arguments of a program.
IN_ARGUMENTS = {
    "a command", "an argument of a command", "an early command", "a failing command", "a package's address",
}  # fmt: skip
PACKED = base64.b64encode((SECRETS["a packed file"] + "\n").encode()).decode()
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRETS['a private host key']}\n-----END OPENSSH PRIVATE KEY-----\n"
# Where it is right that they are found, in the tree.
RIGHTLY = {
    "/etc/shadow", "/etc/shadow-", "/etc/ssh/ssh_host_ed25519_key", "/root/token", "/root/packed", "/root/log",
    "/root/deferred", "/etc/systemd/network/10-guestinit-wg0.netdev",
}  # fmt: skip


def user_data() -> str:
    s = SECRETS
    return f"""\
#cloud-config
user: ops
password: {s["the default user's hash"]}
chpasswd:
  expire: false
  list: |
    bob:{s["a hash in chpasswd.list"]}
    carol:{s["a clear text in chpasswd.list"]}
    {s["a line without a colon"]}
  users:
    - {{name: dave, password: {s["a hash in chpasswd.users"]}}}
    - {{name: erin, password: {s["a clear text in chpasswd.users"]}, type: text}}
    - {{name: erin, password: {s["a wrong hash"]}}}
users:
  - default
  - name: bob
  - name: carol
  - name: dave
  - name: erin
  - name: frank
    lock_passwd: false
    passwd: {s["passwd of a user"]}
  - {{name: grace, lock_passwd: false, hashed_passwd: {s["hashed_passwd of a user"]}}}
  - name: heidi
    lock_passwd: false
    plain_text_passwd: {s["plain_text_passwd of a user"]}
  - name: ivan
    paswd: {s["an unknown field"]}
  - name: judy
    passwd: [{s["a list in the place of a hash"]}]
ssh_keys:
  ed25519_private: |
    {KEY.replace(chr(10), chr(10) + "    ").rstrip()}
  ecdsa_private: {s["a wrong private key"]}
write_files:
  - path: /root/token
    permissions: "0600"
    content: {s["a file"]}
  - path: /root/packed
    permissions: "0600"
    encoding: b64
    content: {PACKED}
  - path: /root/log
    permissions: "0600"
    append: true
    content: "{s["an appended line"]}\\n"
  - {{path: /root/deferred, permissions: "0600", content: {s["a deferred file"]}, defer: true}}
  - {{path: /root/wrong, encoding: b64, content: "{s["content with a wrong encoding"]}"}}
runcmd:
  - ": --token {s["a command"]}"
  - [true, {s["an argument of a command"]}]
  - "exit 3 # {s["a failing command"]}"
bootcmd:
  - ": {s["an early command"]}"
packages:
  - "https://user:{s["a package's address"]}@repository.example.test/agent.deb"
pasword: {s["an unknown key"]}
"""


def network_config() -> str:
    s, public = SECRETS, "M9nt4YujIOmNrRmpIRTmYSfMdrpvE7u6WkG8FY8WjG4="
    return f"""\
version: 2
ethernets:
  eth0: {{dhcp4: true}}
wifis:
  wlan0: {{access-points: {{home: {{password: {s["a wireless network's password"]}}}}}}}
tunnels:
  wg0:
    mode: wireguard
    key: {s["a key of WireGuard"]}
    peers:
    - keys:
        public: {public}
        shared: {s["a preshared key"]}
      allowed-ips: [10.0.0.0/8]
    - {{keys: {{public: {public}, shared: {s["a preshared key that is none"]}}}}}
    - {{keys: {s["a preshared key that is none"]}, keepalive: often}}
    - {s["a preshared key that is none"]}
  wg1: {{mode: wireguard, keys: {{private: {s["a key of WireGuard that is none"]}}}, ports: 5}}
  wg2: {{mode: wireguard, keys: {{privat: {s["a key of WireGuard in a wrong place"]}}}}}
  wg3: {s["a key of WireGuard in a wrong place"]}
  gre2: {{mode: gre, remote: 192.0.2.1, key: {s["a key of WireGuard in a wrong place"]}}}
  gre1: {{mode: gre, remote: 192.0.2.1, peers: {s["a key of WireGuard in a wrong place"]}}}
"""


def vendor_data() -> str:
    """Two parts: cloud-config that user-data overrules, and a script."""
    return (
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=xx\n\n"
        "--xx\nContent-Type: text/cloud-config\n\n#cloud-config\n"
        f"password: {SECRETS[chr(116) + 'he vendor' + chr(39) + 's hash']}\n"
        f"--xx\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n: {SECRETS['a script']}\n--xx--\n"
    )


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    directory = tmp_path / "seed"
    directory.mkdir()
    (directory / "meta-data").write_text(f"instance-id: one\nadmin_pass: {SECRETS['a field of meta-data']}\n")
    (directory / "user-data").write_text(user_data())
    (directory / "vendor-data").write_text(vendor_data())
    (directory / "network-config").write_text(network_config())
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    target = tmp_path / "root"
    shutil.copytree(BASE, target, symlinks=True)
    for name in ("shadow", "gshadow"):
        (target / "etc" / name).chmod(0o640)  # git keeps no such modes
    return target


def seen_in(text: str, allowed: Sequence[str] = ()) -> list[str]:
    """The names of the secrets in a text. The body of a hash counts too, without its method and salt."""
    found = []
    for name, secret in SECRETS.items():
        body = secret.rpartition("$")[2]
        if body in text or base64.b64encode(secret.encode()).decode()[:-4] in text or secret in text:
            found.append(name)
    if PACKED in text:
        found.append("a packed file")
    return [name for name in found if name not in allowed]


def run(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """A command line, in this process: exit code, and all that it printed."""
    capsys.readouterr()
    code = cli.main(list(words))
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_every_secret_is_in_the_seed(seed: Path) -> None:
    text = "".join(path.read_text() for path in seed.iterdir())
    assert [name for name in SECRETS if name not in seen_in(text)] == []


# what is printed


@pytest.mark.parametrize("more", [[], ["--format", "json"], ["--strict"], ["--text"]], ids=" ".join)
def test_dry_run_shows_none(more: list[str], seed: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output = run(["--dry-run", "--seed", str(seed), "--root", str(root), *more], capsys)
    assert code in (1, 2)
    assert "token" in output  # the file's path: something was planned
    # --text is asked for to see the texts of commands.
    assert seen_in(output, tuple(IN_ARGUMENTS) if more == ["--text"] else ()) == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_check_shows_none(form: str, seed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (seed, *sorted(seed.iterdir())):
        _, output = run(["check", "--format", form, str(path)], capsys)
        assert seen_in(output) == [], path
        assert "Traceback" not in output
    assert run(["check", str(seed)], capsys)[0] == 1


WRONG = {
    "an unclosed quote": 'password: "{}\nhostname: web1\n',
    "a reserved character": "password: @{}\n",
    "a tab": "chpasswd:\n\tlist: 'root:{}'\n",
    "an unclosed bracket": "chpasswd: {{users: [{{name: root, password: {}}}\n",
    "a colon too many": "password: x: {}\n",
    "an unknown alias": "password: *{}\n",
    "an unknown tag": "password: !{} x\n",
    "a wrong indentation": "users:\n  - name: a\n   passwd: {}\n",
    "a mapping for a text": "password: {{a: {}}}\n",
    "a list for a text": "password: [{}]\n",
    "a list for a mapping": "chpasswd: [{}]\n",
    "a text for a mapping": "chpasswd: {}\n",
    "a mapping for a list": "chpasswd: {{list: {{root: {}}}}}\n",
    "a mapping in a list": "chpasswd:\n  list:\n    - root: {}\n",
    "a name that is none": "chpasswd: {{list: 'r oot:{}'}}\n",
    "no name": "chpasswd: {{users: [{{password: {}, type: text}}]}}\n",
    "no such user": "chpasswd: {{users: [{{name: nobody-here, password: {}, type: text}}]}}\n",
    "a wrong type of password": "chpasswd: {{users: [{{name: root, password: {}, type: base64}}]}}\n",
    "a text for a list of passwords": "chpasswd: {{users: {}}}\n",
    "given twice": "password: a{0}\npassword: b{0}\n",
    "given twice in a user": "users:\n  - name: a\n    passwd: {0}\n    passwd: {0}\n",
    "a misspelled key": "pasword: {}\n",
    "a misspelled key of a user": "users: [{{name: a, pasword: {}, shel: x}}]\n",
    "another key on the line": "users: [{{name: a, plain_text_passwd: {}, uid: minus}}]\n",
    "a password behind the name": "users: ['a:{}']\n",
    "a password behind a user's name": "users: [{{name: 'a:{}'}}]\n",
    "a clear text for a hash": "users: [{{name: a, passwd: {}}}]\n",
    "a user without a name": "users: [{{passwd: {}}}]\n",
    "users as a mapping of texts": "users: {{a: {}}}\n",
    "a host key that is none": "ssh_keys: {{rsa_private: {}}}\n",
    "host keys that are a text": "ssh_keys: {}\n",
    "a host key of a lost type": "ssh_keys: {{dsa_private: {}}}\n",
    "a host key of an unknown type": "ssh_keys: {{rsa1_private: {}}}\n",
    "a file that is a text": "write_files: [{}]\n",
    "files that are a text": "write_files: {}\n",
    "content that is a list": "write_files: [{{path: /x, content: [{}]}}]\n",
    "content without a path": "write_files: [{{content: {}, permissions: '0600'}}]\n",
    "content with a wrong mode": "write_files: [{{path: /x, content: {}, permissions: rw}}]\n",
    "content under a wrong name": "write_files: [{{path: /x, contents: {}}}]\n",
    "two files with one path": (
        "write_files: [{{path: /x, content: {0}, permissions: '0600'}}, "
        "{{path: /x, content: {0}{0}, permissions: '0600'}}]\n"
    ),
    "a command that is a mapping": "runcmd: [{{curl: {}}}]\n",
    "a command with a mapping": "runcmd: [[curl, {{a: {}}}]]\n",
    "commands that are a text": "runcmd: {}\n",
    "a control character": 'password: "{}\\u0000"\n',
    "a raw control character": "password: {}\x01\n",
    "a line break in a password": 'users: [{{name: a, plain_text_passwd: "{}\\nroot:x"}}]\n',
    "a template that fails": "password: {} {{{{ v1.nothing }}}}\n",
    "an assignment": "password = {}\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_show_none(name: str, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "S3cret-Word-In-The-Wrong-Place"
    path = tmp_path / "user-data"
    head = "## template: jinja\n#cloud-config\n" if name == "a template that fails" else "#cloud-config\n"
    path.write_text(head + WRONG[name].format(secret))
    (tmp_path / "seed").mkdir()
    shutil.copy(path, tmp_path / "seed" / "user-data")
    for words in (
        ["check", str(path)], ["check", "--format", "json", str(path)],
        ["--dry-run", "--seed", str(tmp_path / "seed"), "--root", str(root)],
        ["--dry-run", "--seed", str(tmp_path / "seed"), "--root", str(root), "--format", "json"],
    ):  # fmt: skip
        code, output = run(words, capsys)
        assert secret not in output, words
        assert secret[:12] not in output, words
        assert code in (0, 1, 2)
    # It was a mistake, so that something was said of it: of two files with one path in a plan, too.
    problems = Problems()
    checking.check(str(path), problems)
    assert problems.found or name in ("no such user", "a clear text for a hash")


# applied to a tree


class Recorder(Process):
    """Remembers what was started."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[str] = []

    def run(
        self, argv: Sequence[str], stdin: Optional[bytes] = None, environment: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None, output_to: Optional[int] = None, secrets: Sequence[Secret] = (),
        label: str = "", working_directory: str = "/",
    ) -> Finished:  # fmt: skip
        self.started.append(" ".join((*argv, *(f"{name}={value}" for name, value in (environment or {}).items()))))
        return super().run(argv, stdin, environment, timeout, output_to, secrets, label, working_directory)


@needs_root
def test_apply_to_a_tree_keeps_all(seed: Path, root: Path) -> None:
    process, said = Recorder(), []
    base = Root(str(root))
    system = System(base, process, Media(), State(base), False)
    ended = pipeline.run(pipeline.Order(STAGES, str(seed)), system, said.append)
    assert isinstance(ended, pipeline.Ended)
    status = documents.build(ended.report, documents.Boot("", 0.0, 1.0), {})
    printed = [
        *said, *process.started, json.dumps(status), show_status.text(status, long=True),
        *(show_problems.format(problem, ended.report.sources) for problem in ended.report.problems),
    ]  # fmt: skip
    assert any("chpasswd" in line for line in process.started)
    assert any("useradd" in line for line in process.started)
    assert [(line, seen_in(line)) for line in printed if seen_in(line)] == []
    assert SECRETS["the default user's hash"] in (root / "etc/shadow").read_text()  # or nothing was tested
    assert SECRETS["a file"] in (root / "root/token").read_text()
    check_tree(root)


@needs_root
@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_prints_none(form: str, seed: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["apply", "--seed", str(seed), "--root", str(root), "--format", form]
    code, output = run(words, capsys)
    assert code == 2
    assert seen_in(output) == []
    # A second one sees what the first one remembered and wrote.
    code, output = run(["--dry-run", *words[1:]], capsys)
    assert seen_in(output) == []
    check_tree(root)


WRONG_TUNNELS = {
    "an unclosed quote": 'key: "{}\n',
    "a reserved character": "key: @{}\n",
    "a tab": "keys:\n\t  private: {}\n",
    "an unclosed bracket": "keys: {{private: {}\n",
    "a reserved character in a preshared key": "peers:\n    - keys:\n        shared: @{}\n",
    "given twice": "key: {0}x\n    key: {0}y\n",
    "a list for a key": "key: [{}]\n",
    "a mapping for peers": "peers: {{keys: {{shared: {}}}}}\n",
    "another key on the line": "keys: {{private: {}}}\n    port: many\n",
    "a misspelled key": "keys: {{privat: {}}}\n",
    "a key of another kind of tunnel": "private-key: {}\n",
}


@pytest.mark.parametrize("name", WRONG_TUNNELS)
def test_mistakes_in_tunnels_show_none(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = SECRETS["a key of WireGuard"][:-4]
    path = tmp_path / "network-config"
    for head in ("version: 2\ntunnels:\n  wg0:\n    mode: wireguard\n    ", "version: 2\ntunnels:\n  wg0:\n    "):
        path.write_text(head + WRONG_TUNNELS[name].format(secret))
        for form in ("text", "json"):
            code, output = run(["check", "--format", form, str(path)], capsys)
            assert secret not in output
            assert code == 1


@needs_root
@pytest.mark.parametrize("renderer", RENDERERS)
def test_no_renderer_shows_the_keys_of_a_tunnel(
    renderer: str, seed: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "etc/guestinit").mkdir(parents=True, exist_ok=True)
    (root / "etc/guestinit/guestinit.yaml").write_text(f"network: {{renderer: {renderer}}}\n")
    (seed / "user-data").write_text("#cloud-config\n{}\n")
    (seed / "vendor-data").unlink()
    words = ["--seed", str(seed), "--root", str(root)]
    for form in ("text", "json"):
        _, output = run(["--dry-run", *words, "--format", form], capsys)
        assert seen_in(output) == []
    _, output = run(["apply", *words], capsys)
    assert seen_in(output) == []
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and "pending" not in path.parts:
            names = seen_in(path.read_bytes().decode("utf-8", "replace"))
            if names:
                found[path] = (names, stat.S_IMODE(path.stat().st_mode))
    assert [names for names, _ in found.values()] == [["a key of WireGuard", "a preshared key"]], found
    assert all(not mode & 0o007 for _, mode in found.values())


def check_tree(root: Path) -> None:
    """Secrets are in the files that they are for, and where the first boot finds its input, which is for root alone."""
    state = root / "var/lib/guestinit"
    waiting = [state / "pending", state / "scripts"]
    assert {f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in (state, state / "pending")} == {"0700"}
    files = [path for directory in waiting for path in directory.iterdir()]
    assert {f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in files} == {"0600", "0700"}
    found = {}
    for path in root.rglob("*"):
        name = f"/{path.relative_to(root)}"
        if path.is_file() and not path.is_symlink() and path not in files and name not in RIGHTLY:
            names = seen_in(path.read_bytes().decode("utf-8", "replace"))
            if names:
                found[name] = names
    assert found == {}
    for name in RIGHTLY:
        path = root / name[1:]
        assert not path.exists() or not path.stat().st_mode & 0o007, name


# a whole boot


def why_no_machine() -> str:
    if os.geteuid() != 0:
        return "an overlay and namespaces need root"
    for program in ("unshare", "genisoimage"):
        if shutil.which(program) is None:
            return f"no {program}"
    made = subprocess.run(["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "true"])
    return "namespaces are forbidden here" if made.returncode else ""


@pytest.mark.skipif(bool(why_no_machine()), reason=why_no_machine())
def test_boot_leaves_none_behind(seed: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("stage", TOP / "benchmarks" / "stage.py")
    assert spec is not None and spec.loader is not None
    stage = importlib.util.module_from_spec(spec)
    sys.modules["stage"] = stage
    spec.loader.exec_module(stage)
    stage.install(str(tmp_path), sys.executable)
    argv = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", sys.executable,
            str(TOP / "tests" / "live_machine.py"), str(tmp_path), str(seed), sys.executable]  # fmt: skip
    texts = {**{name: secret.rpartition("$")[2] for name, secret in SECRETS.items()}, "packed": PACKED}
    done = subprocess.run(argv, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True)
    seen: dict[str, Any] = json.loads(done.stdout)

    assert seen["codes"] == [0, 0, 0], seen["output"]
    assert seen["status"]["result"] == "degraded"  # the mistakes, and the command that fails
    assert "command:runcmd.3" in seen["output"]
    assert seen_in(seen["output"]) == []
    assert seen_in(json.dumps(seen["status"])) == []
    if shutil.which("strace"):
        assert "chpasswd" in seen["argv"] and "useradd" in seen["argv"]
    assert seen_in(seen["argv"], tuple(IN_ARGUMENTS)) == []
    assert "pending" not in seen["state"] and "scripts" not in seen["state"]
    assert "settled.json" in seen["state"]
    assert {path: names for path, names in seen["files"].items() if path not in RIGHTLY} == {}
    assert RIGHTLY - {"/etc/shadow-"} <= set(seen["files"])
    assert {path for path in RIGHTLY if int(seen["modes"].get(path, "0"), 8) & 0o007} == set()
