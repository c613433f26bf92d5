"""Calling shadow-utils (useradd, usermod, groupadd, chpasswd, chage): for this system, or for another root."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Optional

from guestinit.system.failed import Failed

if TYPE_CHECKING:
    from guestinit.model.secret import Secret
    from guestinit.system.process import Finished
    from guestinit.system.system import System

DATABASES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
TIMEOUT = 120.0  # the tools wait 15 s for a lock by themselves; what hangs longer will hang for ever
# Those who hold the locks, as /proc/PID/comm has them. A lock whose owner is anything else was left by a power cut.
HOLDERS = (
    "chage", "chfn", "chgpasswd", "chpasswd", "chsh", "gpasswd", "groupadd", "groupdel", "groupmems", "groupmod",
    "grpck", "grpconv", "grpunconv", "newusers", "passwd", "pwck", "pwconv", "pwunconv", "useradd", "userdel",
    "usermod", "vigr", "vipw",
)  # fmt: skip
_NAME = re.compile(r"[^\s:,/=\x00-\x1f\x7f-][^\s:,/\x00-\x1f\x7f]*")


def check_name(name: str) -> None:
    """Refuse what cannot be a name: it could end a line of /etc/passwd, or be an option."""
    if not _NAME.fullmatch(name):
        raise Failed(f"{name!r} cannot be the name of a user or group")


def prefix(system: System) -> tuple[str, ...]:
    """The option for another root, for the tools that have it."""
    return () if system.root.path == "/" else ("--prefix", os.path.realpath(system.root.path))


def chroot(system: System) -> tuple[str, ...]:
    """The option for another root of chpasswd and chage, which have no prefix: they enter it."""
    return () if system.root.path == "/" else ("-R", os.path.realpath(system.root.path))


def prepare(system: System) -> None:
    """Before the first change: nothing on the way leads out of the root, no dead lock is in the way."""
    if system.root.path != "/":
        # --prefix only glues names together: a link in the tree would lead the tools to the host's own files.
        info = system.root.lstat("/etc")
        if info is None or not stat.S_ISDIR(info.st_mode):
            raise Failed("/etc is not a directory of this root; accounts are left alone")
        for name in DATABASES:
            info = system.root.lstat(f"/etc/{name}")
            if info is not None and not stat.S_ISREG(info.st_mode):
                raise Failed(f"/etc/{name} is not an ordinary file of this root; accounts are left alone")
    for name in DATABASES:
        path = f"/etc/{name}.lock"
        if system.root.lstat(path) is not None and _is_dead(system.root.read(path) or b""):
            system.root.remove(path)


def run(system: System, argv: Sequence[str], stdin: Optional[bytes] = None, secrets: Sequence[Secret] = ()) -> Finished:
    """Run one tool to its success; raises Failed with what it said."""
    finished = system.process.run(argv, stdin=stdin, timeout=TIMEOUT, secrets=secrets)
    if finished.code != 0:
        raise Failed(finished.reason(argv[0]), finished.code)
    return finished


def half_made(names: Sequence[str], groups: Collection[str], system: System) -> tuple[str, ...]:
    """Those of these groups that are in /etc/group and not in /etc/gshadow: the power went between the two."""
    try:
        content = system.root.read("/etc/gshadow")
    except PermissionError:
        return ()  # a dry run of an ordinary user
    if content is None:
        return ()
    known = {line.partition(b":")[0] for line in content.splitlines()}
    return tuple(name for name in dict.fromkeys(names) if name in groups and name.encode() not in known)


def complete_groups(system: System) -> None:
    """Write the lines that /etc/gshadow lacks."""
    run(system, ("grpconv", *chroot(system)))


def complete_subids(name: str, system: System) -> None:
    """Give a user the ranges of subordinate ids that useradd writes last, where it was cut off before that."""
    from guestinit.system.kinds.home import login_defs  # delayed: after a power cut only

    defs = login_defs(system.root)
    for kind, option in (("UID", "--add-subuids"), ("GID", "--add-subgids")):
        count, first = (
            int(text) if (text := defs.get(f"SUB_{kind}_{what}", "")).isdecimal() else default
            for what, default in (("COUNT", 65536), ("MIN", 100000))  # the defaults of login.defs(5)
        )
        content = system.root.read(f"/etc/sub{kind.lower()}")
        if content is None or not count:
            continue  # not in use here
        lines = [line.split(":") for line in content.decode("utf-8", "replace").splitlines()]
        if any(fields[0] == name for fields in lines):
            continue
        for fields in lines:
            if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
                first = max(first, int(fields[1]) + int(fields[2]))
        run(system, ("usermod", *prefix(system), option, f"{first}-{first + count - 1}", name))


def sync(system: System) -> None:
    """Bring the databases' new names to the disk: the tools only do that for the content."""
    system.root.sync("/etc")


def _is_dead(content: bytes) -> bool:
    """Whether nobody holds the lock: it is empty, or its process is gone or is somebody else by now.

    The tools themselves wait in vain for a lock that is empty or whose number has been given to another process since.
    """
    pid = content.rstrip(b"\0\n ").decode("ascii", "replace")
    if not pid.isdecimal():
        return True
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip() not in HOLDERS
    except OSError:
        return True
