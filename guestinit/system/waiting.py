"""`guestinit status --wait`: until this boot's run has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Optional

from guestinit.model.report import RUNNING
from guestinit.system import announce

if TYPE_CHECKING:
    from guestinit.system.system import System

# People and scripts wait here, no boot does, so looking again is good enough and needs no library.
INTERVAL = 0.2


def for_end(system: System, timeout: Optional[float]) -> dict[str, Any]:
    """The status once it is final, or as it stands when the time is up; empty if there is none."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        document = announce.read_status(system)
        if document and document["state"] != RUNNING:
            return document
        if not document and not _may_still_start(system):
            return document
        if deadline is not None and time.monotonic() >= deadline:
            return document
        time.sleep(INTERVAL)


def _may_still_start(system: System) -> bool:
    """Whether a status can still appear: the units are installed, and this boot has not passed them."""
    finished = system.process.run(("systemctl", "is-active", "guestinit.target"), timeout=10)
    if finished.output.strip() == "active":
        return False
    running = system.process.run(("systemctl", "is-system-running"), timeout=10)
    return running.output.strip() in ("initializing", "starting")
