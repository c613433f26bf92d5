"""Home directories as useradd makes them, where useradd cannot: another root, or what a power cut left half made."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestinit.system.passwd import PasswdEntry
    from guestinit.system.root import Root

# What may be in a home that nobody has used yet, beside the skeleton.
_UNUSED = (".ssh", ".cache", "lost+found")


def login_defs(root: Root, path: str = "/etc/login.defs") -> dict[str, str]:
    """The settings of login.defs(5); with `=` between name and value those of /etc/default/useradd."""
    found = {}
    for line in (root.read(path) or b"").decode("utf-8", "replace").split("\n"):
        words = line.replace("=", " ", 1).split() if "default" in path else line.split()
        if len(words) >= 2 and not words[0].startswith("#"):
            found[words[0]] = words[1]
    return found


def mode_of_homes(root: Root) -> int:
    """HOME_MODE of login.defs, else what its UMASK leaves of 0777."""
    defs = login_defs(root)
    try:
        if "HOME_MODE" in defs:
            return int(defs["HOME_MODE"], 8) & 0o777
        return 0o777 & ~int(defs.get("UMASK", "022"), 8)
    except ValueError:
        return 0o700


def lowest_uid(root: Root) -> int:
    """Where the uids of people begin."""
    value = login_defs(root).get("UID_MIN", "")
    return int(value) if value.isdecimal() else 1000


def default_path(root: Root, name: str) -> str:
    """Where useradd puts the home of a new user."""
    return f"{login_defs(root, '/etc/default/useradd').get('HOME', '/home')}/{name}"


def skeleton(root: Root) -> str:
    """The directory that new homes are copied from."""
    return login_defs(root, "/etc/default/useradd").get("SKEL", "/etc/skel")


def lack(root: Root, entry: PasswdEntry) -> str:
    """What is wrong with a user's home, in a few words; empty if nothing is. A home that is in use lacks nothing."""
    info = root.stat(entry.home)
    if info is None:
        return "missing"
    if not stat.S_ISDIR(info.st_mode) or entry.uid == 0:
        return ""
    if info.st_uid == entry.uid:
        try:
            return "incomplete" if _is_unused(root, entry.home) and _missing(root, entry.home) else ""
        except PermissionError:
            return ""  # a dry run of an ordinary user
    if info.st_uid == 0 and (not stat.S_IMODE(info.st_mode) or not _used_names(root, entry.home, ())):
        return "still root's"  # made by a useradd that did not get further, or a fresh file system mounted there
    return ""


def complete(root: Root, entry: PasswdEntry) -> str:
    """Make a user's home, or what is missing of it. Returns what people should know, or nothing.

    A home that belongs to somebody else stays as it is.
    """
    info = root.stat(entry.home)
    if info is not None and lack(root, entry) == "":
        if info.st_uid == entry.uid and stat.S_ISDIR(info.st_mode):
            return ""
        return f"{entry.home} belongs to uid {info.st_uid} and is left as it is"
    mode = mode_of_homes(root)
    if info is None or info.st_uid != entry.uid:
        root.make_directory(entry.home, mode, entry.uid, entry.gid)
    _copy(root, skeleton(root), entry.home, entry)
    return ""


def sync(root: Root, home: str) -> None:
    """Bring a home that useradd has made to the disk."""
    for path in (*(f"{home}/{name}" for name in root.listdir(home)), home, os.path.dirname(home)):
        info = root.lstat(path)
        if info is not None and (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
            root.sync(path)


def _used_names(root: Root, home: str, more: tuple[str, ...]) -> list[str]:
    return [name for name in root.listdir(home) if name not in (*more, "lost+found")]


def _is_unused(root: Root, home: str) -> bool:
    return not _used_names(root, home, (*root.listdir(skeleton(root)), *_UNUSED))


def _missing(root: Root, home: str) -> bool:
    """Whether a file of the skeleton is absent, or empty as power cuts leave files."""
    source = skeleton(root)
    for name in root.listdir(source):
        wanted, there = root.lstat(f"{source}/{name}"), root.lstat(f"{home}/{name}")
        if there is None:
            return True
        if wanted is not None and stat.S_ISREG(there.st_mode) and wanted.st_size and not there.st_size:
            return True
    return False


def _copy(root: Root, source: str, target: str, entry: PasswdEntry) -> None:
    for name in root.listdir(source):
        here, there = f"{source}/{name}", f"{target}/{name}"
        info, old = root.lstat(here), root.lstat(there)
        if info is None:
            continue
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISDIR(info.st_mode):
            if old is None:
                root.make_directory(there, mode, entry.uid, entry.gid)
            if old is None or stat.S_ISDIR(old.st_mode):
                _copy(root, here, there, entry)
        elif stat.S_ISLNK(info.st_mode):
            if old is None:
                root.link(there, root.readlink(here) or "", entry.uid, entry.gid)
        elif stat.S_ISREG(info.st_mode) and (old is None or (stat.S_ISREG(old.st_mode) and not old.st_size)):
            root.write(there, root.read(here) or b"", mode, entry.uid, entry.gid)
