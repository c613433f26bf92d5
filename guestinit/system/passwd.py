"""Who is who inside a root: passwd(5), shadow(5), group(5), gshadow(5).

Python's `pwd` and `grp` ask the host, which is the wrong machine for a mounted image. Lines that do not have the format
(NIS entries, editors' leftovers) are skipped as the C library skips them; of two entries of one name the first counts.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from guestinit.system.root import Root

HIGHEST_ID = 2**32 - 2  # -1 means "leave alone" to chown(2)


class PasswdEntry(NamedTuple):
    """A line of /etc/passwd."""

    name: str
    password: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


class ShadowEntry(NamedTuple):
    """A line of /etc/shadow, as far as it is used here. Days count from 1970-01-01; None: the field is empty."""

    name: str
    password: str
    changed: Optional[int]  # 0: must be changed at the next login
    inactive: Optional[int]
    expires: Optional[int]


class GroupEntry(NamedTuple):
    """A line of /etc/group."""

    name: str
    gid: int
    members: tuple[str, ...]


class Owner(NamedTuple):
    """A user and a group as numbers."""

    uid: int
    gid: int


class Accounts(NamedTuple):
    """The accounts of one root at one moment."""

    users: dict[str, PasswdEntry]
    groups: dict[str, GroupEntry]
    shadow: Optional[dict[str, ShadowEntry]]  # None: there is none, or it may not be read

    def uid(self, name: str) -> int | None:
        """The uid of a name, or of a number that is no name."""
        entry = self.users.get(name)
        return entry.uid if entry else number(name)

    def gid(self, name: str) -> int | None:
        """The gid of a name, or of a number that is no name."""
        entry = self.groups.get(name)
        return entry.gid if entry else number(name)

    def owner(self, user: str, group: str = "") -> Owner | None:
        """Both as numbers; without a group the user's primary one (root's for a bare number). None: not known (yet)."""
        uid = self.uid(user)
        if uid is None:
            return None
        if group:
            gid = self.gid(group)
            return None if gid is None else Owner(uid, gid)
        entry = self.users.get(user) or self.user_of(uid)
        return Owner(uid, entry.gid if entry else 0)

    def home(self, name: str) -> str | None:
        """The home directory of a user, where there is one."""
        entry = self.users.get(name)
        return entry.home or None if entry else None

    def user_of(self, uid: int) -> PasswdEntry | None:
        """The first user with this uid."""
        return next((entry for entry in self.users.values() if entry.uid == uid), None)

    def group_of(self, gid: int) -> GroupEntry | None:
        """The first group with this gid."""
        return next((entry for entry in self.groups.values() if entry.gid == gid), None)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The groups that list this user, sorted, and the primary one, if it has a name."""
        found = {entry.name for entry in self.groups.values() if name in entry.members}
        user = self.users.get(name)
        primary = self.group_of(user.gid) if user else None
        if primary:
            found.add(primary.name)
        return tuple(sorted(found))

    def user_name(self, uid: int) -> str:
        """A name for people, else the number."""
        entry = self.user_of(uid)
        return entry.name if entry else str(uid)

    def group_name(self, gid: int) -> str:
        """A name for people, else the number."""
        entry = self.group_of(gid)
        return entry.name if entry else str(gid)


def read(root: Root) -> Accounts:
    """The accounts of a root as they are now; files that are missing are empty."""
    try:
        shadow = root.read("/etc/shadow")
    except PermissionError:
        shadow = None  # a dry run of an ordinary user
    return _parse(root.read("/etc/passwd") or b"", root.read("/etc/group") or b"", shadow)


@functools.lru_cache(maxsize=1)  # every step asks, and most of them change no account
def _parse(passwd: bytes, group: bytes, shadow: Optional[bytes]) -> Accounts:
    return Accounts(parse_passwd(passwd), parse_group(group), None if shadow is None else parse_shadow(shadow))


def parse_passwd(content: bytes) -> dict[str, PasswdEntry]:
    """The entries of /etc/passwd by name."""
    found: dict[str, PasswdEntry] = {}
    for fields in _lines(content):
        if len(fields) != 7:
            continue
        uid, gid = number(fields[2]), number(fields[3])
        if uid is not None and gid is not None:
            found.setdefault(fields[0], PasswdEntry(fields[0], fields[1], uid, gid, *fields[4:]))
    return found


def parse_shadow(content: bytes) -> dict[str, ShadowEntry]:
    """The entries of /etc/shadow by name."""
    found: dict[str, ShadowEntry] = {}
    for fields in _lines(content):
        if len(fields) == 9:
            entry = ShadowEntry(fields[0], fields[1], number(fields[2]), number(fields[6]), number(fields[7]))
            found.setdefault(fields[0], entry)
    return found


def parse_group(content: bytes) -> dict[str, GroupEntry]:
    """The entries of /etc/group by name."""
    found: dict[str, GroupEntry] = {}
    for fields in _lines(content):
        if len(fields) != 4:
            continue
        gid = number(fields[2])
        if gid is not None:
            members = tuple(member for member in fields[3].split(",") if member)
            found.setdefault(fields[0], GroupEntry(fields[0], gid, members))
    return found


def number(text: str) -> int | None:
    """A uid, gid or day in decimal; None for anything else."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) > HIGHEST_ID:
        return None
    return int(text)


def _lines(content: bytes) -> list[list[str]]:
    # Not splitlines(): that also breaks lines at characters which other programs take as part of a name.
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return [line.split(":") for line in lines if line and line[0] not in ":+-#"]
