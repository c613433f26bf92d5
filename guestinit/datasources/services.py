"""Metadata services: which one this machine's platform has, and asking it before the network is configured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestinit import rooms
from guestinit.datasources import SERVICES, Search
from guestinit.model import platform as rules

if TYPE_CHECKING:
    from guestinit.model.image import Image
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

LIMIT = 60.0  # seconds for a service on a platform that has one: a router in OpenStack may still be coming up
SETTLED_LIMIT = 10.0  # a machine that is settled goes on without an answer


def identify(system: System, image: Image) -> Search:
    """The first service whose platform this is, with the reason of each."""
    if not system.live:
        return Search(None, ("metadata services: never asked for another root",))
    from guestinit.system import platform_facts

    platform = platform_facts.gather(system, image)
    reasons: tuple[str, ...] = ()
    for name in image.datasources:
        if name not in SERVICES:
            continue
        holds, reason = rules.evidence(name, platform)
        if holds:
            return Search(None, (*reasons, f"{name}: {reason}"), name)
        reasons += (f"{name}: not asked: {reason}",)
    return Search(None, reasons)


def fetch(service: str, system: System, settled: bool) -> Search:
    """What a service answers over whichever uplink brings an answer first."""
    limit = SETTLED_LIMIT if settled else LIMIT
    deadline = time.monotonic() + limit
    ask = rooms.one("datasources", service).fetch
    reasons: list[str] = []

    def over(uplink: Uplink) -> Search | None:
        search: Search = ask(uplink, system, deadline)
        reasons.extend(search.reasons)
        return search if search.seed is not None else None

    from guestinit.system import uplink as uplinks

    search, seen = uplinks.first(over, system, deadline)
    told = (*(f"{service}: {line}" for line in seen), *reasons)
    if search is not None:
        return Search(search.seed, told)
    end = f"no answer within {limit:.0f} s" if time.monotonic() >= deadline else "no seed"
    return Search(None, (*told, f"{service}: {end}"), service)


def has_news(service: str, system: System) -> bool:
    """Whether a service may say something that a settled machine has not heard yet."""
    from guestinit.system import facts, seed_line

    settled = system.state.settled
    if settled is None or rooms.one("datasources", service).RENEWS:
        return True
    said = system.state.digest(seed_line.words(system.root.path))
    return (settled.instance.uuid, settled.instance.line) != (facts.machine_uuid(system), said)
