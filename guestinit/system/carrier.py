"""Which of several network cards has a carrier: only one that is up can tell, so they are up for a moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guestinit.system import facts, links

if TYPE_CHECKING:
    import socket

    from guestinit.model.facts import Nic
    from guestinit.system.system import System

LIMIT = 5.0  # seconds in all: hardware agrees on a speed within three
GRACE = 1.0  # seconds that a card which comes earlier in the order may take longer than another one


def find(cards: Sequence[Nic], system: System, limit: float = LIMIT, grace: float = GRACE) -> str:
    """The name of the first of these that has a carrier; "" if none has within the limit."""
    with links.listen(links.LINKS) as events, links.raised(cards, system):
        return _first([nic.name for nic in cards], events, system, limit, grace)


def _first(names: list[str], events: socket.socket, system: System, limit: float, grace: float) -> str:
    import select

    deadline = time.monotonic() + limit
    best = ""
    while True:
        found = next((name for name in names if facts.has_carrier(system, name)), "")
        if found and not best:
            deadline = min(deadline, time.monotonic() + grace)
        best = found
        left = deadline - time.monotonic()
        if best == names[0] or left <= 0:
            return best
        if select.select([events], [], [], left)[0]:
            links.drain(events)
