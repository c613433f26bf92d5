"""The network's files as they were before the last run that changed any of them, below /var/lib/guestinit/earlier.

    record      one JSON object a line: the run, then for each path what was there
    files/...   the files themselves (0600), each under its own path

One generation only: the first change of the next run begins anew. A file is here, and on the disk, before it is
replaced or removed; a run that a power cut ended goes on with its generation, so that the first state stays. What
holds a key or a password is not kept: there is one place where secrets rest, and this is not it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from guestinit.model.action import Absence, Because, File, Link, Step
from guestinit.system.state import EARLIER

if TYPE_CHECKING:
    from guestinit.system.root import Root

DIRECTORY = EARLIER
RECORD = DIRECTORY + "/record"
FILES = DIRECTORY + "/files"
_LARGEST = 1024 * 1024  # bytes; no file of a network manager is larger

ABSENT = "absent"
FILE = "file"
LINK = "link"
LOST = "not kept"


class Entry(NamedTuple):
    """What was at a path."""

    path: str
    was: str
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    target: str = ""  # of a link
    why: str = ""  # it is not kept


class Earlier:
    """The generation of one run. `run`, in whichever boot, tells whether it goes on; empty: it is one by itself."""

    def __init__(self, root: Root, run: dict[str, Any]) -> None:
        self._root = root
        self._run = {key: value for key, value in run.items() if key != "boot"}
        self._known: Optional[set[str]] = None  # paths of this run's generation; None: nothing kept in this process

    def keep(self, path: str, follow: bool) -> str:
        """Keep what is there now, once a run; returns a remark where that is not possible. Errors are OSError.

        `follow`: what a link points to is about to be replaced, not the link.
        """
        if self._known is None:
            self._known = self._begin()
        if path in self._known:
            return ""
        entry = self._copy(path, follow)
        self._append(entry._asdict())
        self._known.add(path)
        return f"its content before cannot be kept: {entry.why}" if entry.was == LOST else ""

    def entries(self) -> tuple[Entry, ...]:
        """What was there before the last change, in the order of the changes."""
        found = []
        for line in self._lines():
            if "path" in line and set(line) <= set(Entry._fields):
                found.append(Entry(**line))
        return tuple(found)

    def steps(self) -> Iterator[Step]:
        """What brings it all back, the last change first. What is not kept is left out."""
        because = Because(None, "it was so before the last change")
        for path, was, mode, owner, group, target, _ in reversed(self.entries()):
            if was == ABSENT:
                yield Step(f"undo:{path}", "network", Absence(path), because, vital=True)
            elif was == LINK:
                yield Step(f"undo:{path}", "network", Link(path, target), because, vital=True)
            elif was == FILE:
                content = self._root.read(FILES + path)
                if content is not None:
                    action = File(path, content, mode, owner, group)
                    yield Step(f"undo:{path}", "network", action, because, vital=True)

    def forget(self) -> None:
        """Nothing is kept any more."""
        self._root.remove(RECORD)  # first: what it does not name is never put back
        self._root.remove_tree(DIRECTORY)
        self._known = None

    def _begin(self) -> set[str]:
        lines = self._lines()
        if self._run and lines and lines[0].get("run") == self._run:
            return {entry.path for entry in self.entries()}
        self.forget()
        self._root.make_directory(DIRECTORY, 0o700)
        self._append({"run": self._run})
        return set()

    def _copy(self, path: str, follow: bool) -> Entry:
        info = self._root.lstat(path)
        if info is not None and stat.S_ISLNK(info.st_mode):
            if not follow:
                return Entry(path, LINK, target=self._root.readlink(path) or "")
            info = self._root.stat(path)
        if info is None:
            return Entry(path, ABSENT)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _LARGEST:
            return Entry(path, LOST, why="it is no file of a usual size")
        from guestinit.model import key_material  # delayed: a first boot has nothing to keep
        from guestinit.system import passwd

        content = self._root.read(path) or b""
        if key_material.holds_any(content.decode("utf-8", "replace")):
            return Entry(path, LOST, why="it holds a key or a password")
        self._root.write(FILES + path, content, 0o600, os.geteuid(), os.getegid())
        accounts = passwd.read(self._root)
        owner, group = accounts.user_name(info.st_uid), accounts.group_name(info.st_gid)
        return Entry(path, FILE, stat.S_IMODE(info.st_mode), owner, group)

    def _append(self, line: dict[str, Any]) -> None:
        text = self._root.read(RECORD) or b""
        start = b"" if not text or text.endswith(b"\n") else b"\n"  # a line that a power cut left half
        self._root.append(RECORD, start + json.dumps(line).encode() + b"\n", 0o600)

    def _lines(self) -> list[dict[str, Any]]:
        found = []
        for line in (self._root.read(RECORD) or b"").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found
