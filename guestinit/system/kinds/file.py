"""A whole file."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Optional

from guestinit.model.action import File, Step
from guestinit.model.plan import CREATE, MODIFY, UNCHANGED, Change
from guestinit.model.secret import Secret
from guestinit.system.kinds import Done, binding

if TYPE_CHECKING:
    from guestinit.system.system import System

LONGEST_SHOWN = 64 * 1024


def observe(step: Step, system: System) -> Change:
    """Content, mode and owner beside what is there; where the content differs, what its checker says of it."""
    change = _compare(step, system)
    action = _action(step)
    if change.change == UNCHANGED or action.check is None or not system.live:
        return change
    from guestinit.system import checker  # delayed: few files have one

    refused = checker.refusal(action.path, _bytes(action), action.check, system.process)
    if not refused:
        return change
    note = f"{change.note}, refused: {refused}" if change.note else f"refused: {refused}"
    return change._replace(refused=refused, note=note)


def _compare(step: Step, system: System) -> Change:
    action = _action(step)
    content = _bytes(action)
    path = binding.bind_path(action.path, system)
    info = system.root.stat(path) if path is not None else None
    if path is None or info is None:
        return _shown(step, CREATE, b"", content, action.mode or 0o644, None, _who(action, system))
    if stat.S_ISDIR(info.st_mode):
        return Change(step, MODIFY, note="a directory is in the way")
    system.root.check_change(path)
    old = system.root.read(path) or b""
    new = _with(old, action)
    notes = binding.differences(info, action.mode, action.owner, action.group, system)
    if new == old and not notes:
        return Change(step, UNCHANGED)
    if new == old:
        return Change(step, MODIFY, note=", ".join(notes))
    return _shown(step, MODIFY, old, new, _mode(action, info), info, notes)


def apply(change: Change, system: System) -> Done:
    """Write it, all or nothing."""
    action = _action(change.step)
    path = binding.require_path(action.path, system)
    owner = binding.require_owner(action.owner, action.group, system) if action.owner else None
    uid, gid = (owner.uid, owner.gid) if owner is not None else (None, None)
    if action.append:
        system.root.update(path, lambda old: _with(old or b"", action), action.mode, uid, gid)
    else:
        system.root.write(path, _bytes(action), action.mode, uid, gid)
    return Done()


def text_of(content: bytes) -> str | None:
    """Content as people can read it; None if they cannot."""
    if len(content) > LONGEST_SHOWN or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def is_hidden(mode: int, info: Optional[os.stat_result]) -> bool:
    """Whether others may not read the file, as it is or as it shall be: then plans must not show it either."""
    return not mode & stat.S_IROTH or (info is not None and not info.st_mode & stat.S_IROTH)


def _action(step: Step) -> File:
    assert isinstance(step.action, File)
    return step.action


def _bytes(action: File) -> bytes:
    return action.content.reveal() if isinstance(action.content, Secret) else action.content


def _with(old: bytes, action: File) -> bytes:
    content = _bytes(action)
    if not action.append:
        return content
    return old if content in old else old + content


def _mode(action: File, info: os.stat_result) -> int:
    return stat.S_IMODE(info.st_mode) if action.mode is None else action.mode


def _who(action: File, system: System) -> tuple[str, ...]:
    """For a new file: what is not the ordinary case."""
    notes = [f"mode {action.mode:04o}"] if action.mode not in (None, 0o644) else []
    if action.owner and (action.owner, action.group) not in (("root", ""), ("root", "root")):
        notes.append(f"owner {action.owner}" + (f":{action.group}" if action.group else ""))
        if binding.bind_owner(action.owner, action.group, system) is None:
            notes.append("which is not there yet")
    return tuple(notes)


def _shown(
    step: Step, change: str, old: bytes, new: bytes, mode: int, info: Optional[os.stat_result], notes: tuple[str, ...]
) -> Change:
    before, after = text_of(old), text_of(new)
    action = _action(step)
    # Without a mode of its own the content is as secret as the file that it goes into.
    secret = isinstance(action.content, Secret) and action.mode is not None
    hidden = secret or is_hidden(mode, info)
    if hidden or before is None or after is None:
        return Change(step, change, None, None, ", ".join((f"{len(new)} bytes, not shown", *notes)))
    return Change(step, change, before, after, ", ".join(notes))
