"""Which of several network cards has a carrier: only one that is up can tell, so they are up for a moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guestinit.system import facts

if TYPE_CHECKING:
    import socket

    from guestinit.model.facts import Nic
    from guestinit.system.system import System

LIMIT = 5.0  # seconds in all: hardware agrees on a speed within three
GRACE = 1.0  # seconds that a card which comes earlier in the order may take longer than another one
_TIMEOUT = 5.0  # of ip(8)
_RTMGRP_LINK = 1  # rtnetlink(7)


def find(cards: Sequence[Nic], system: System, limit: float = LIMIT, grace: float = GRACE) -> str:
    """The name of the first of these that has a carrier; "" if none has within the limit.

    What is down is up meanwhile, and down again afterwards: the network manager finds the cards as without us.
    """
    raised = []
    with _listen() as events:
        try:
            for nic in cards:
                if not nic.up and system.process.run(_set(nic.name, "up"), timeout=_TIMEOUT).code == 0:
                    raised.append(nic.name)
            return _first([nic.name for nic in cards], events, system, limit, grace)
        finally:
            for name in raised:
                system.process.run(_set(name, "down"), timeout=_TIMEOUT)


def _set(name: str, state: str) -> tuple[str, ...]:
    return ("ip", "link", "set", "dev", name, state)


def _listen() -> socket.socket:
    """Every change of a link is an event here."""
    import socket

    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    found.bind((0, _RTMGRP_LINK))
    return found


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
            _drain(events)


def _drain(events: socket.socket) -> None:
    """What they say is looked up in /sys; also where there were more than the kernel keeps (ENOBUFS)."""
    try:
        while events.recv(65536):
            pass
    except OSError:
        return
