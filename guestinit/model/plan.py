"""What would be done, what was done."""

from __future__ import annotations

from typing import NamedTuple, Optional

from guestinit.model.action import Step

# What comparing a step with the machine found.
UNCHANGED = "unchanged"
CREATE = "create"
MODIFY = "modify"
REMOVE = "remove"
RUN = "run"
LEFT = "left for the first boot"  # offline: it needs the running system

# How a step ended.
OK = "ok"
FAILED = "failed"
SKIPPED = "skipped"  # something that it needs failed
INTERRUPTED = "interrupted"  # a command that had begun when the power went; not run again


class Change(NamedTuple):
    """A step beside what the machine has. `before` and `after` are for people; None where they must not be shown."""

    step: Step
    change: str
    before: Optional[str] = None
    after: Optional[str] = None
    note: str = ""  # one line: "512 bytes, not shown", "mode 0644 -> 0600"
    refused: str = ""  # why the new content would not work, in the words of the program that was asked


class Outcome(NamedTuple):
    """How applying one change went."""

    change: Change
    result: str
    message: str = ""
    seconds: float = 0.0
    code: Optional[int] = None  # exit status, of a command
