"""The journal of a run that has not finished: one JSON object a line, on disk before the next thing happens.

    {"run": {...}}                          what the run is about
    {"begun": "file:/etc/hostname"}         intent, before acting
    {"done": "...", "result": "ok"}         completion, after the machine was looked at again

The run continues over stages and reboots until everything is settled; then the file goes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guestinit.system.root import Root


class Journal:
    """What a run has begun and what it has completed."""

    def __init__(self, root: Root, path: str) -> None:
        self._root = root
        self._path = path
        self.run: dict[str, Any] = {}
        self._entries: list[dict[str, Any]] = []
        self._last: dict[str, dict[str, Any]] = {}  # of each step: its last entry
        self._results: dict[str, str] = {}
        self._forgotten = False
        text = root.read(path) or b""
        self._half_line = bool(text) and not text.endswith(b"\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that was being written when the power went
            if isinstance(entry, dict):
                self._take(entry)

    def _take(self, entry: dict[str, Any]) -> None:
        if "run" in entry:
            self.run = entry["run"]
            return
        self._entries.append(entry)
        self._last[str(entry.get("begun", entry.get("done")))] = entry
        if "done" in entry:
            self._results[entry["done"]] = str(entry["result"])

    def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry).encode() + b"\n"
        self._root.append(self._path, b"\n" + line if self._half_line else line, 0o600)
        self._half_line = False
        self._take(entry)

    def begin_run(self, run: dict[str, Any]) -> None:
        """A run begins; one that is resumed keeps its entries."""
        if self._forgotten:
            self._root.remove(self._path)
            self._forgotten = False
        if self.run != run:
            self._write({"run": run})

    def begin(self, step_id: str) -> None:
        """This step is about to act."""
        self._write({"begun": step_id})

    def complete(self, step_id: str, result: str) -> None:
        """This step has ended."""
        self._write({"done": step_id, "result": result})

    def end_run(self) -> None:
        """Everything is settled."""
        self._root.remove(self._path)
        self.forget()

    def forget(self) -> None:
        """Nothing that stands here counts (in memory: the file goes when the next run begins)."""
        self.run = {}
        self._entries = []
        self._last = {}
        self._results = {}
        self._forgotten = True

    def interrupted(self, step_id: str) -> bool:
        """Whether the step had begun and never ended: the power went, or we were killed."""
        return "begun" in self._last.get(step_id, ())

    def result(self, step_id: str) -> str:
        """How the step ended in this run, or an empty text."""
        return self._results.get(step_id, "")

    def changed_since(self, step_id: str, triggers: tuple[str, ...]) -> bool:
        """Whether one of these steps acted after the given one last succeeded: then it is due, over reboots too."""
        due = False
        for entry in self._entries:
            if entry.get("begun") in triggers:
                due = True
            elif entry.get("done") == step_id and entry["result"] == "ok":
                due = False
        return due
