"""A server is told something over HTTP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestinit.model.action import Request, Step
from guestinit.model.plan import LEFT, RUN, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done

if TYPE_CHECKING:
    from guestinit.system.system import System

ATTEMPTS = 3
_EACH = 5.0  # seconds for one
_BETWEEN = 2.0


def observe(step: Step, system: System) -> Change:
    """What a server was told cannot be looked at."""
    action = _action(step)
    if not system.live:
        return Change(step, LEFT, note="it needs the running system")
    said = ", ".join(f"{name}: {value}" for name, value in action.headers)
    return Change(step, RUN, note=f"GET {action.url} with {said}" if said else f"GET {action.url}")


def apply(change: Change, system: System) -> Done:
    """Tell it, when everything that was done before would survive a power cut."""
    from urllib.parse import urlsplit

    from guestinit.system import http, lenient

    action = _action(change.step)
    system.root.sync_all()
    server = urlsplit(action.url)
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(_BETWEEN if attempt else 0)
        try:
            deadline = time.monotonic() + _EACH
            line = lenient.ask(server.hostname or "", server.port or 80, action.headers, deadline)
        except http.NoAnswer as no_answer:
            reason = no_answer.reason
            continue
        if line == action.answer.encode():
            return Done()
        reason = "it answered something else"  # which may be a secret: not told
    raise Failed(f"{server.netloc}: {reason} ({ATTEMPTS} attempts)")


def _action(step: Step) -> Request:
    assert isinstance(step.action, Request)
    return step.action
