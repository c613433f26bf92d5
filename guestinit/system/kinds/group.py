"""A group with at least these members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.action import Group, Step
from guestinit.model.plan import CREATE, MODIFY, UNCHANGED, Change
from guestinit.system import passwd
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, shadow

if TYPE_CHECKING:
    from guestinit.system.system import System


def observe(step: Step, system: System) -> Change:
    """What /etc/group says of it."""
    action = _action(step)
    accounts = passwd.read(system.root)
    entry = accounts.groups.get(action.name)
    if entry is None:
        words = [f"group {action.name}" + (f", gid {action.gid}" if action.gid is not None else "")]
        words += [f"members {', '.join(action.members)}"] if action.members else []
        return Change(step, CREATE, "", "".join(word + "\n" for word in words))
    before, after, note = [], [], ""
    missing = _missing(action, accounts)
    if missing:
        before.append(f"members {', '.join(entry.members)}")
        after.append(f"members {', '.join((*entry.members, *missing))}")
    if shadow.half_made((action.name,), accounts.groups, system):
        before.append("gshadow has no entry")
        after.append("gshadow entry")
    if action.gid not in (None, entry.gid):
        before.append(f"gid {entry.gid}")
        after.append(f"gid {action.gid}")
        note = "the gid of an existing group is not changed"
    if not after:
        return Change(step, UNCHANGED)
    return Change(step, MODIFY, "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after), note)


def apply(change: Change, system: System) -> Done:
    """Make it, then add who is missing."""
    action = _action(change.step)
    shadow.check_name(action.name)
    shadow.prepare(system)
    accounts = passwd.read(system.root)
    entry = accounts.groups.get(action.name)
    if entry is None:
        add(action.name, system, action.gid, action.system)
    elif shadow.half_made((action.name,), accounts.groups, system):
        shadow.complete_groups(system)
    strangers = []
    for member in _missing(action, accounts):
        if member in accounts.users:
            shadow.run(system, ("usermod", *shadow.prefix(system), "--append", "--groups", action.name, member))
        else:
            strangers.append(member)
    shadow.sync(system)
    if strangers:
        raise Failed(f"there is no user {', '.join(strangers)}; the others are members", usable=True)
    if entry is not None and action.gid not in (None, entry.gid):
        raise Failed(f"{action.name} has gid {entry.gid}; the gid of an existing group is not changed", usable=True)
    return Done()


def add(name: str, system: System, gid: int | None = None, is_system: bool = False) -> None:
    """Make a group."""
    shadow.check_name(name)
    options = (*(("--gid", str(gid)) if gid is not None else ()), *(("--system",) if is_system else ()))
    shadow.run(system, ("groupadd", *shadow.prefix(system), *options, name))


def _missing(action: Group, accounts: passwd.Accounts) -> tuple[str, ...]:
    return tuple(member for member in dict.fromkeys(action.members) if action.name not in accounts.groups_of(member))


def _action(step: Step) -> Group:
    assert isinstance(step.action, Group)
    return step.action
