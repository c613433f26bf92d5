"""A path that is not there."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from guestinit.model.action import Absence, Step
from guestinit.model.plan import REMOVE, UNCHANGED, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, binding

if TYPE_CHECKING:
    from guestinit.system.system import System


def observe(step: Step, system: System) -> Change:
    """Whether it is there all the same."""
    path = binding.bind_path(_action(step).path, system)
    info = system.root.lstat(path) if path is not None else None
    if path is None or info is None:
        return Change(step, UNCHANGED)
    if stat.S_ISLNK(info.st_mode):
        return Change(step, REMOVE, f"-> {system.root.readlink(path)}\n", "")
    if stat.S_ISDIR(info.st_mode):
        names = len(system.root.listdir(path))
        return Change(step, REMOVE, note=f"a directory with {names} entries is not removed" if names else "a directory")
    return Change(step, REMOVE, note=f"{info.st_size} bytes")


def apply(change: Change, system: System) -> Done:
    """Remove a file, a link or an empty directory."""
    path = binding.bind_path(_action(change.step).path, system)
    if path is None:
        return Done()
    info = system.root.lstat(path)
    if info is not None and stat.S_ISDIR(info.st_mode) and system.root.listdir(path):
        raise Failed(f"{path} is a directory with content; it is not removed")
    system.root.remove(path)
    return Done()


def _action(step: Step) -> Absence:
    assert isinstance(step.action, Absence)
    return step.action
