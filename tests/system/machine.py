"""A small machine in a directory: a root with accounts, a memory, and a process that only does what it may."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from guestinit.model.action import KINDS, Because, Step
from guestinit.model.plan import UNCHANGED, Change
from guestinit.system import kinds
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.system import System

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it makes files of other users")

LOGIN_DEFS = """\
UID_MIN 1000
UID_MAX 60000
GID_MIN 1000
GID_MAX 60000
SUB_UID_COUNT 65536
SUB_GID_COUNT 65536
UMASK 022
HOME_MODE 0750
USERGROUPS_ENAB yes
ENCRYPT_METHOD SHA512
"""
FILES = {
    "passwd": ("root:x:0:0:root:/root:/bin/bash\n", 0o644),
    "shadow": ("root:*:19000:0:99999:7:::\n", 0o640),
    "group": ("root:x:0:\nadm:x:4:\nsudo:x:27:\n", 0o644),
    "gshadow": ("root:*::\nadm:*::\nsudo:*::\n", 0o640),
    "subuid": ("", 0o644),
    "subgid": ("", 0o644),
    "login.defs": (LOGIN_DEFS, 0o644),
}


class Unexpected(BaseException):
    """A test started a program that it did not announce. Not an Exception: nothing may swallow it."""


class FakeProcess(Process):
    """Answers the announced argument lists, and blows up at any other."""

    def __init__(self, answers: Mapping[tuple[str, ...], Finished]) -> None:
        super().__init__()
        self.answers = dict(answers)
        self.started: list[tuple[str, ...]] = []

    def run(self, argv: Sequence[str], *_: Any, **__: Any) -> Finished:
        self.started.append(tuple(argv))
        if tuple(argv) not in self.answers:
            raise Unexpected(tuple(argv))
        return self.answers[tuple(argv)]


class Memory:
    """What the state remembers of lines, without a disk."""

    def __init__(self) -> None:
        self.lines: dict[str, tuple[str, ...]] = {}
        self.history: list[tuple[str, ...]] = []

    def managed_lines(self, step_id: str) -> tuple[str, ...]:
        return self.lines.get(step_id, ())

    def remember_lines(self, step_id: str, lines: tuple[str, ...]) -> None:
        self.lines[step_id] = lines
        self.history.append(lines)


def machine(
    directory: Path, process: Optional[Process] = None, live: bool = True, writable: bool = True, memory: Any = None
) -> System:
    """A system on this directory; without a process of the test's own, no program may be started."""
    root = Root(str(directory), writable=writable)
    unused: Any = None
    return System(root=root, process=process or FakeProcess({}), media=unused, state=memory or Memory(), live=live)


def make_accounts(directory: Path) -> Path:
    """The files that shadow-utils work on."""
    (directory / "etc/skel").mkdir(parents=True)
    (directory / "etc/default").mkdir()
    (directory / "home").mkdir()
    for name, (content, mode) in FILES.items():
        (directory / "etc" / name).write_text(content)
        (directory / "etc" / name).chmod(mode)
    (directory / "etc/skel/.profile").write_text("# of this root\n")
    (directory / "etc/skel/.config").mkdir()
    (directory / "etc/skel/.config/empty").write_text("")
    return directory


def add_user(
    directory: Path, name: str, uid: int, shadow: str = "!", home: bool = True, shell: str = "/bin/sh"
) -> None:
    """An account with everything that belongs to it."""
    for file, line in (
        ("passwd", f"{name}:x:{uid}:{uid}::/home/{name}:{shell}"),
        ("shadow", f"{name}:{shadow}:19000:0:99999:7:::"),
        ("group", f"{name}:x:{uid}:"),
        ("gshadow", f"{name}:!::"),
    ):
        with (directory / "etc" / file).open("a") as out:
            out.write(line + "\n")
    if home:
        (directory / "home" / name).mkdir(mode=0o750)
        (directory / "home" / name / ".profile").write_text("# hers\n")
        (directory / "home" / name / ".bash_history").write_text("ls\n")
        (directory / "home" / name / ".config").mkdir()
        for path in (directory / "home" / name, *(directory / "home" / name).iterdir()):
            os.chown(path, uid, uid)


def field(directory: Path, file: str, name: str) -> list[str]:
    """The fields of a name's line; a test fails if it is there twice or not at all."""
    lines = [line.split(":") for line in (directory / "etc" / file).read_text().splitlines()]
    found = [line for line in lines if line[0] == name]
    assert len(found) == 1, (file, name, found)
    return found[0]


def step(action: Any, id: str = "") -> Step:
    return Step(id or f"{KINDS[type(action)]}:test", "test", action, Because(None, "the test"))


def look(action: Any, system: System, id: str = "") -> Change:
    return kinds.observe(step(action, id), system)


def do(action: Any, system: System, id: str = "") -> kinds.Done:
    """Look, apply, and look again: what was applied must not be found different afterwards."""
    done = kinds.apply(look(action, system, id), system)
    after = look(action, system, id)
    assert after.change == UNCHANGED, after
    return done


def snapshot(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every path with mode, owner, group and content: to show that nothing was touched."""
    found = {}
    for path in sorted(directory.rglob("*")):
        info = path.lstat()
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(directory))] = (info.st_mode, info.st_uid, info.st_gid, content)
    return found
