"""Names that bind late: whose uid, whose home. An earlier step of the same run may have made the account."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Optional

from guestinit.system.failed import Failed

if TYPE_CHECKING:
    from guestinit.system.passwd import Owner
    from guestinit.system.system import System


def bind_path(path: str, system: System) -> str | None:
    """The path itself; for `~alice/...` the one below her home, or None as long as nobody has that name."""
    if not path.startswith("~"):
        return path
    from guestinit.system import passwd  # delayed: most paths need no accounts

    name, _, rest = path[1:].partition("/")
    home = passwd.read(system.root).home(name)
    return None if home is None else f"{home.rstrip('/')}/{rest}"


def bind_owner(user: str, group: str, system: System) -> Owner | None:
    """The numbers of an owner, or None as long as they are not known."""
    from guestinit.system import passwd

    if user == "root" and group in ("", "root"):
        return passwd.Owner(0, 0)
    return passwd.read(system.root).owner(user, group)


def require_path(path: str, system: System) -> str:
    """The path for a change. A home that was never made is made now, or it would become root's."""
    bound = bind_path(path, system)
    if bound is None:
        raise Failed(f"there is no user {path[1:].partition('/')[0]}")
    if path.startswith("~"):
        from guestinit.system import passwd
        from guestinit.system.kinds import home

        entry = passwd.read(system.root).users[path[1:].partition("/")[0]]
        if not system.root.exists(entry.home):
            mode = home.mode_of_homes(system.root) if entry.uid else 0o700
            system.root.make_directory(entry.home, mode, entry.uid, entry.gid)
    return bound


def require_owner(user: str, group: str, system: System) -> Owner:
    """The numbers of an owner for a change."""
    owner = bind_owner(user, group, system)
    if owner is None:
        raise Failed(f"there is no user {user}" + (f" or no group {group}" if group else ""))
    return owner


def differences(info: os.stat_result, mode: Optional[int], user: str, group: str, system: System) -> tuple[str, ...]:
    """What is different about mode and owner of something that exists, as words."""
    from guestinit.system import passwd

    found = []
    if mode is not None and stat.S_IMODE(info.st_mode) != mode:
        found.append(f"mode {stat.S_IMODE(info.st_mode):04o} -> {mode:04o}")
    # A tree that somebody without root rights unpacked for a look is all theirs, which says nothing of the image.
    is_own_copy = not system.live and info.st_uid == os.geteuid() != 0
    if not user or is_own_copy:
        return tuple(found)
    owner = bind_owner(user, group, system)
    if owner is None:
        found.append(f"owner {user}{':' if group else ''}{group}, not there yet")
        return tuple(found)
    if info.st_uid != owner.uid:
        now = passwd.read(system.root).user_name(info.st_uid)
        found.append(f"owner {now} -> {user}")
    if info.st_gid != owner.gid:
        accounts = passwd.read(system.root)
        found.append(f"group {accounts.group_name(info.st_gid)} -> {accounts.group_name(owner.gid)}")
    return tuple(found)
