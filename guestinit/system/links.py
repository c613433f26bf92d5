"""Network cards that are up for a moment, and what the kernel says about them as events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from guestinit.model.facts import Nic
    from guestinit.system.system import System

# What to listen to: rtnetlink(7).
LINKS = 1  # RTMGRP_LINK
IPV6_ADDRESSES = 0x100  # RTMGRP_IPV6_IFADDR
TIMEOUT = 5.0  # of ip(8)


@contextlib.contextmanager
def raised(cards: Sequence[Nic], system: System) -> Iterator[None]:
    """What is down is up meanwhile, and down again afterwards: the network manager finds the cards as without us."""
    names = []
    try:
        for nic in cards:
            if not nic.up and system.process.run(_set(nic.name, "up"), timeout=TIMEOUT).code == 0:
                names.append(nic.name)
        yield
    finally:
        for name in names:
            system.process.run(_set(name, "down"), timeout=TIMEOUT)


def _set(name: str, state: str) -> tuple[str, ...]:
    return ("ip", "link", "set", "dev", name, state)


def listen(groups: int) -> socket.socket:
    """Readable at every change of these; closed by whoever asked for it."""
    import socket

    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    found.bind((0, groups))
    return found


def drain(events: socket.socket) -> None:
    """What they say is looked up in /sys and /proc; also where there were more than the kernel keeps (ENOBUFS)."""
    try:
        while events.recv(65536):
            pass
    except OSError:
        return
