"""Single lines in a file that others edit too."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Optional

from guestinit.model.action import Lines, Step
from guestinit.model.plan import CREATE, MODIFY, UNCHANGED, Change
from guestinit.system.kinds import Done, binding
from guestinit.system.kinds.file import is_hidden, text_of

if TYPE_CHECKING:
    from guestinit.system.system import System


def observe(step: Step, system: System) -> Change:
    """The file as it is beside what it would be."""
    action = _action(step)
    path = binding.bind_path(action.path, system)
    info = system.root.stat(path) if path is not None else None
    if path is None or info is None:
        if not action.add:
            return Change(step, UNCHANGED)  # nothing to add to what is not there
        return Change(step, CREATE, "", "".join(line + "\n" for line in _wanted(action)), _note_of_new(action))
    if stat.S_ISDIR(info.st_mode):
        return Change(step, MODIFY, note="a directory is in the way")
    system.root.check_change(path)
    old = system.root.read(path) or b""
    new = merge(old, action, system.state.managed_lines(step.id))
    notes = binding.differences(info, action.mode, action.owner, action.group, system)
    if new == old:
        return Change(step, MODIFY, note=", ".join(notes)) if notes else Change(step, UNCHANGED)
    mode = stat.S_IMODE(info.st_mode) if action.mode is None else action.mode
    before, after = text_of(old), text_of(new)
    if is_hidden(mode, info) or before is None or after is None:
        # Other people's lines are theirs; the plan shows what comes and what goes.
        then, now = _split(old), _split(new)
        before = "".join(line + "\n" for line in then if line not in now)
        after = "".join(line + "\n" for line in now if line not in then)
        notes = ("only the lines that change are shown", *notes)
    return Change(step, MODIFY, before, after, ", ".join(notes))


def apply(change: Change, system: System) -> Done:
    """Read, change and replace the file in one step."""
    step = change.step
    action = _action(step)
    path = binding.require_path(action.path, system)
    owner = binding.require_owner(action.owner, action.group, system)
    parent = path.rpartition("/")[0] or "/"
    if action.directory_mode is not None and not system.root.exists(parent):
        system.root.make_directory(parent, action.directory_mode, owner.uid, owner.gid)
    managed = system.state.managed_lines(step.id)
    wanted = _wanted(action)
    ours = managed

    def edit(old: Optional[bytes]) -> bytes:
        nonlocal ours
        there = _split(old or b"")
        added = tuple(line for line in wanted if line not in there)
        ours = (*managed, *(line for line in added if line not in managed))
        if action.managed:
            # Before the write: after a power cut, what it added must still be known as ours.
            system.state.remember_lines(step.id, ours)
        return merge(old or b"", action, managed)

    system.root.update(path, edit, action.mode, owner.uid, owner.gid)
    if action.managed:
        system.state.remember_lines(step.id, tuple(line for line in ours if line in wanted))
    return Done()


def merge(old: bytes, action: Lines, managed: tuple[str, ...]) -> bytes:
    """The content after the change (model.action.Lines says what that means)."""
    wanted = _wanted(action)
    lines = _split(old)
    kept: list[str] = []
    place = -1
    pattern = re.compile(action.replace) if action.replace else None
    gone = {line for line in managed if line not in wanted} if action.managed else set()
    for line in lines:
        if pattern is not None and pattern.search(line):
            place = len(kept) if place < 0 else place
        elif line not in gone:
            kept.append(line)
    missing = [line for line in wanted if line not in kept]
    if place < 0:
        place = len(kept)
    result = [*kept[:place], *missing, *kept[place:]]
    if result == lines:
        return old  # as it is, with whatever ending its last line has
    return "".join(line + "\n" for line in result).encode("utf-8", "surrogateescape")


def _action(step: Step) -> Lines:
    assert isinstance(step.action, Lines)
    return step.action


def _wanted(action: Lines) -> tuple[str, ...]:
    """The lines to have, each once; what holds a line break is several."""
    return tuple(dict.fromkeys(line for text in action.add for line in text.rstrip("\n").split("\n")))


def _split(content: bytes) -> list[str]:
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _note_of_new(action: Lines) -> str:
    notes = [f"mode {action.mode:04o}"] if action.mode not in (None, 0o644) else []
    if action.owner != "root":
        notes.append(f"owner {action.owner}")
    return ", ".join(notes)
