"""A symbolic link."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from guestinit.model.action import Link, Step
from guestinit.model.plan import CREATE, MODIFY, UNCHANGED, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, binding

if TYPE_CHECKING:
    from guestinit.system.system import System


def observe(step: Step, system: System) -> Change:
    """Where it points now."""
    action = _action(step)
    path = binding.bind_path(action.path, system)
    info = system.root.lstat(path) if path is not None else None
    after = f"-> {action.target}\n"
    missing = _missing(action, system)
    if path is None or info is None:
        return Change(step, CREATE, "", after, missing)
    target = system.root.readlink(path)
    if target == action.target:
        return Change(step, UNCHANGED)
    if target is None:
        note = "a directory is in the way" if stat.S_ISDIR(info.st_mode) else f"replaces a file of {info.st_size} bytes"
        return Change(step, MODIFY, "", after, missing or note)
    return Change(step, MODIFY, f"-> {target}\n", after, missing)


def apply(change: Change, system: System) -> Done:
    """Put it there in one step."""
    action = _action(change.step)
    missing = _missing(action, system)
    if missing:
        raise Failed(missing)
    system.root.link(binding.require_path(action.path, system), action.target)
    return Done()


def _missing(action: Link, system: System) -> str:
    """Why the link cannot be made, if its target has to be there and is not."""
    if not action.must_exist or system.root.exists(os.path.join(os.path.dirname(action.path), action.target)):
        return ""
    return f"there is no {action.target}"


def _action(step: Step) -> Link:
    assert isinstance(step.action, Link)
    return step.action
