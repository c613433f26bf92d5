"""An account: made in one call, later only what differs is changed.

A power cut may leave any part of it unmade (useradd writes passwd, shadow, group, gshadow and the home one after the
other), so looking at it means looking at all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Optional

from guestinit.model.action import Step, User
from guestinit.model.plan import CREATE, MODIFY, UNCHANGED, Change
from guestinit.system import passwd
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, group, home, shadow

if TYPE_CHECKING:
    from guestinit.system.passwd import Accounts, PasswdEntry
    from guestinit.system.system import System

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


class Difference(NamedTuple):
    """One thing about an existing account that is not as asked."""

    label: str
    now: str
    wanted: str
    options: tuple[str, ...] = ()  # for usermod; empty: something else mends it


def observe(step: Step, system: System) -> Change:
    """What all the databases and the home say of the account."""
    action = _action(step)
    accounts = passwd.read(system.root)
    entry = accounts.users.get(action.name)
    if entry is None:
        lines = "".join(f"{line}\n" for line in _describe(action, system))
        return Change(step, CREATE, "", lines, _adopts(action, system))
    found = [*_lacking(action, entry, accounts, system), *_differences(action, entry, accounts)]
    note = ""
    if action.uid not in (None, entry.uid):
        found.append(Difference("uid", str(entry.uid), str(action.uid)))
        note = "the uid of an existing account is not changed"
    if not found:
        return Change(step, UNCHANGED)
    before = "".join(f"{one.label} {one.now}\n" for one in found if one.now)
    return Change(step, MODIFY, before, "".join(f"{one.label} {one.wanted}\n" for one in found if one.wanted), note)


def apply(change: Change, system: System) -> Done:
    """Make the account, or complete and change it."""
    action = _action(change.step)
    shadow.check_name(action.name)
    shadow.prepare(system)
    accounts = passwd.read(system.root)
    wanted_groups = (*action.groups, *((action.primary_group,) if action.primary_group else ()))
    for name in dict.fromkeys(wanted_groups):
        if name not in accounts.groups and passwd.number(name) is None:
            group.add(name, system)  # a user must not be lost over a group that nobody made
    entry = accounts.users.get(action.name)
    message = _create(action, system) if entry is None else _change(action, entry, system)
    shadow.sync(system)
    if entry is not None and action.uid not in (None, entry.uid):
        raise Failed(f"{action.name} has uid {entry.uid}; the uid of an existing account is not changed", usable=True)
    return Done(message)


def day_of(text: str) -> int | None:
    """`YYYY-MM-DD` as days since 1970-01-01; None for "never"."""
    if text == "never":
        return None
    match = _DATE.fullmatch(text)
    if match is None:
        raise Failed(f"{text!r} is no date (YYYY-MM-DD)")
    import datetime  # delayed: few accounts expire

    try:
        day = datetime.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise Failed(f"{text!r} is no date (YYYY-MM-DD)") from None
    return (day - datetime.date(1970, 1, 1)).days


# a new account


def _create(action: User, system: System) -> str:
    accounts = passwd.read(system.root)
    path = action.home or home.default_path(system.root, action.name)
    there = system.root.exists(path)
    live = system.root.path == "/"
    argv = ["useradd", *shadow.prefix(system)]
    if action.gecos is not None:
        argv += ["--comment", action.gecos]
    if action.home:
        argv += ["--home-dir", action.home]
    if action.primary_group:
        argv += ["--gid", action.primary_group]
    elif action.user_group and action.name in accounts.groups:
        argv += ["--gid", action.name]  # a group of this name was made before, by hand or by a run that was cut off
    else:
        argv += ["--user-group"] if action.user_group else ["--no-user-group"]
    if action.groups:
        argv += ["--groups", ",".join(dict.fromkeys(action.groups))]
    if action.shell:
        argv += ["--shell", action.shell]
    uid = action.uid if action.uid is not None else _uid_of_home(action, system)
    if uid is not None:
        argv += ["--uid", str(uid)]
    if action.system:
        argv += ["--system"]
    if not action.log_init:
        argv += ["--no-log-init"]
    if action.expires and action.expires != "never":
        day_of(action.expires)
        argv += ["--expiredate", action.expires]
    if action.inactive is not None:
        argv += ["--inactive", str(action.inactive)]
    message = ""
    if action.selinux_user:
        if live and system.root.exists("/sys/fs/selinux/enforce"):
            argv += ["--selinux-user", action.selinux_user]
        else:
            message = "without an SELinux user: SELinux is not running here"
    # Offline useradd would copy the host's skeleton, and follow links of the tree out of it.
    argv.append("--create-home" if action.create_home and live and not there else "--no-create-home")
    shadow.run(system, (*argv, action.name))
    entry = passwd.read(system.root).users.get(action.name)
    if entry is None:
        raise Failed(f"useradd said nothing, but there is no user {action.name}")
    if action.create_home:
        if live and not there:
            home.sync(system.root, entry.home)
        else:
            message = home.complete(system.root, entry) or message
    return message


def _uid_of_home(action: User, system: System) -> int | None:
    """The uid of a home that outlived its user (a volume of its own), if that is free: its files stay the user's."""
    if action.system or not action.create_home:
        return None
    info = system.root.stat(action.home or home.default_path(system.root, action.name))
    if info is None or info.st_uid < home.lowest_uid(system.root) or info.st_uid > 60000:
        return None
    return None if passwd.read(system.root).user_of(info.st_uid) else info.st_uid


def _adopts(action: User, system: System) -> str:
    uid = None if action.uid is not None else _uid_of_home(action, system)
    return "" if uid is None else f"uid {uid}, which its home has already"


def _describe(action: User, system: System) -> list[str]:
    """A new account, line by line."""
    lines = [f"user {action.name}"]
    if action.uid is not None:
        lines.append(f"uid {action.uid}")
    if action.gecos:
        lines.append(f"comment {action.gecos}")
    if action.primary_group:
        lines.append(f"primary group {action.primary_group}")
    if action.groups:
        lines.append(f"groups {', '.join(sorted(set(action.groups)))}")
    path = action.home or home.default_path(system.root, action.name)
    lines.append(f"home {path}" + ("" if action.create_home else " (not made)"))
    if action.shell:
        lines.append(f"shell {action.shell}")
    if action.system:
        lines.append("a system account")
    if action.expires and action.expires != "never":
        lines.append(f"expires {action.expires}")
    if action.inactive is not None:
        lines.append(f"inactive after {action.inactive} days")
    return lines


def mend(step: Step, system: System) -> None:
    """After a power cut in the middle of this step: what observing could not tell from the image's own choice."""
    action = _action(step)
    entry = passwd.read(system.root).users.get(action.name)
    if entry is not None and not action.system and entry.uid >= home.lowest_uid(system.root):
        shadow.prepare(system)
        shadow.complete_subids(action.name, system)


# an existing one


def _lacking(action: User, entry: PasswdEntry, accounts: Accounts, system: System) -> list[Difference]:
    """What every account has, and this one, of which a power cut left only a part, does not."""
    found = []
    if accounts.shadow is not None and action.name not in accounts.shadow:
        found.append(Difference("shadow", "has no entry", "entry, locked"))
    if accounts.group_of(entry.gid) is None and not action.primary_group:
        found.append(Difference("primary group", f"{entry.gid}, which has no name", _name_of_group(action, entry)))
    if _half_made_group(action, entry, accounts, system):
        found.append(Difference("gshadow", "has no entry", "entry of its group"))
    if action.create_home and _wants_home(action, entry, system):
        path = entry._replace(home=action.home) if action.home else entry
        lack = home.lack(system.root, path)
        if lack:
            found.append(Difference("home", f"{path.home} {lack}", f"{path.home} complete"))
    return found


def _half_made_group(action: User, entry: PasswdEntry, accounts: Accounts, system: System) -> tuple[str, ...]:
    """The account's own group, if the power went while it was made; other groups are the image's business."""
    names = (action.name,) if accounts.group_name(entry.gid) == action.name else ()
    return shadow.half_made(names, accounts.groups, system)


def _wants_home(action: User, entry: PasswdEntry, system: System) -> bool:
    if action.home:
        return True
    return entry.uid >= home.lowest_uid(system.root) and entry.home not in ("", "/", "/nonexistent")


def _name_of_group(action: User, entry: PasswdEntry) -> str:
    return action.name if action.user_group else f"group{entry.gid}"


def _differences(action: User, entry: PasswdEntry, accounts: Accounts) -> list[Difference]:
    """What usermod can change."""
    found = []
    # adduser(8) fills the other fields of a comment with commas.
    if action.gecos is not None and action.gecos.rstrip(",") != entry.gecos.rstrip(","):
        found.append(Difference("comment", entry.gecos, action.gecos, ("--comment", action.gecos)))
    if action.primary_group and accounts.gid(action.primary_group) != entry.gid:
        now = accounts.group_name(entry.gid)
        found.append(Difference("primary group", now, action.primary_group, ("--gid", action.primary_group)))
    now_in = accounts.groups_of(action.name)
    missing = [name for name in dict.fromkeys(action.groups) if name not in now_in]
    if missing:
        every = ", ".join(sorted({*now_in, *missing}))
        found.append(Difference("groups", ", ".join(now_in), every, ("--append", "--groups", ",".join(missing))))
    if action.home and action.home != entry.home:
        found.append(Difference("home", entry.home, action.home, ("--home", action.home)))
    if action.shell and action.shell != entry.shell:
        found.append(Difference("shell", entry.shell, action.shell, ("--shell", action.shell)))
    return [*found, *_ageing(action, accounts)]


def _ageing(action: User, accounts: Accounts) -> list[Difference]:
    entry = accounts.shadow.get(action.name) if accounts.shadow is not None else None
    if entry is None:
        return []
    found = []
    if action.expires and day_of(action.expires) != entry.expires:
        text = "" if action.expires == "never" else action.expires
        now = "never" if entry.expires is None else f"on day {entry.expires} since 1970-01-01"
        found.append(Difference("expires", now, action.expires, ("--expiredate", text)))
    if action.inactive is not None and action.inactive != (-1 if entry.inactive is None else entry.inactive):
        now = "never" if entry.inactive is None else str(entry.inactive)
        found.append(Difference("inactive", now, str(action.inactive), ("--inactive", str(action.inactive))))
    return found


def _change(action: User, entry: PasswdEntry, system: System) -> str:
    accounts = passwd.read(system.root)
    if accounts.shadow is not None and action.name not in accounts.shadow:
        # An expiry date makes usermod write the entry that is missing; its password field is no hash, so it is locked.
        shadow.run(system, ("usermod", *shadow.prefix(system), "--expiredate", "", action.name))
        accounts = passwd.read(system.root)
    if accounts.group_of(entry.gid) is None and not action.primary_group:
        _name_group(action, entry, accounts, system)
        accounts = passwd.read(system.root)
    if _half_made_group(action, entry, accounts, system):
        shadow.complete_groups(system)
    options = [option for one in _differences(action, entry, accounts) for option in one.options]
    if options:
        shadow.run(system, ("usermod", *shadow.prefix(system), *options, action.name))
    now: Optional[PasswdEntry] = passwd.read(system.root).users.get(action.name)
    if now is not None and action.create_home and _wants_home(action, now, system):
        return home.complete(system.root, now)
    return ""


def _name_group(action: User, entry: PasswdEntry, accounts: Accounts, system: System) -> None:
    """Give the primary group the entry that it lacks."""
    name = _name_of_group(action, entry)
    if name in accounts.groups:
        shadow.run(system, ("usermod", *shadow.prefix(system), "--gid", name, action.name))
    else:
        group.add(name, system, entry.gid)


def _action(step: Step) -> User:
    assert isinstance(step.action, User)
    return step.action
