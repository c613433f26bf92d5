"""A directory."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from guestinit.model.action import Directory, Step
from guestinit.model.plan import CREATE, MODIFY, UNCHANGED, Change
from guestinit.system.kinds import Done, binding

if TYPE_CHECKING:
    from guestinit.system.system import System


def observe(step: Step, system: System) -> Change:
    """Whether it is there, with this mode and owner."""
    action = _action(step)
    path = binding.bind_path(action.path, system)
    info = system.root.stat(path) if path is not None else None
    if path is None or info is None:
        return Change(step, CREATE, note=f"mode {action.mode:04o}, owner {action.owner}")
    if not stat.S_ISDIR(info.st_mode):
        return Change(step, MODIFY, note="something that is no directory is in the way")
    notes = binding.differences(info, action.mode, action.owner, action.group, system)
    return Change(step, MODIFY, note=", ".join(notes)) if notes else Change(step, UNCHANGED)


def apply(change: Change, system: System) -> Done:
    """Make it, or give it its mode and owner."""
    action = _action(change.step)
    path = binding.require_path(action.path, system)
    owner = binding.require_owner(action.owner, action.group, system)
    system.root.make_directory(path, action.mode, owner.uid, owner.gid)
    return Done()


def _action(step: Step) -> Directory:
    assert isinstance(step.action, Directory)
    return step.action
