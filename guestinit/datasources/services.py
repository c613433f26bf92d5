"""Metadata services: which one this machine's platform has, and asking it before the network is configured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestinit import rooms
from guestinit.datasources import LINED, SERVICES, Search
from guestinit.model import platform as rules

if TYPE_CHECKING:
    from guestinit.model.image import Image
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

LIMIT = 60.0  # seconds for a service on a platform that has one: a router in OpenStack may still be coming up
SETTLED_LIMIT = 10.0  # a machine that is settled goes on without an answer
RENEWAL_LIMIT = 30.0  # at the end of the boot, when nobody waits any more
SHARE = 10.0  # of that for one way at least: with less, a machine of many cards would ask over none of them


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


def renews(service: str) -> bool:
    """Whether this is a service that may have news for a machine that is settled."""
    return service in SERVICES and bool(rooms.one("datasources", service).RENEWS)


def renew(service: str, system: System) -> Search:
    """What a service that was identified answers at the end of a boot, over the network that the machine has by then.

    The way out is asked first: where a machine is in several networks, the first one's router has the password.
    """
    from guestinit.system import uplink as uplinks

    deadline = time.monotonic() + RENEWAL_LIMIT
    reasons: list[str] = []
    ways = sorted(uplinks.configured(system), key=lambda uplink: not uplink.gateway)
    for number, uplink in enumerate(ways):
        now = time.monotonic()
        share = max(SHARE, (deadline - now) / (len(ways) - number))
        search: Search = rooms.one("datasources", service).fetch(uplink, system, min(deadline, now + share))
        reasons += search.reasons
        if search.seed is not None:
            return Search(search.seed, tuple(reasons))
    return Search(None, tuple(reasons) or (f"{service}: no network card has an address",), service)


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

    if needs_names(service, system) and uplinks.may_prepare(system):
        return Search(None, (f"{service}: names can be resolved when the machine's own network is up",), service)
    search, seen = uplinks.first(over, system, deadline)
    told = (*(f"{service}: {line}" for line in seen), *reasons)
    if search is not None:
        return Search(search.seed, told, service)
    end = f"no answer within {limit:.0f} s" if time.monotonic() >= deadline else "no seed"
    return Search(None, (*told, f"{service}: {end}"), service)


def has_news(service: str, system: System) -> bool:
    """Whether a service may say something that a settled machine has not heard yet.

    The local stage only comes to this question where something is due (a bootcmd, a disk that has grown). A platform's
    own service is there for that at every boot. Who served a NoCloud seed for an installation is mostly gone, and is
    not waited for because a machine without a uuid looks like its template.
    """
    return service in SERVICES or not _is_as_settled(system, True)


def renews_later(service: str, system: System) -> bool:
    """Whether what a service may have to say to this machine is nothing that its boot has to wait for."""
    return renews(service) and system.state.unfinished() is None and _is_as_settled(system)


def _is_as_settled(system: System, without_uuid: bool = False) -> bool:
    """Whether this is the machine that was settled here, and is told the same by who operates it.

    That is certain where it has a uuid; `without_uuid`: probable is enough.
    """
    from guestinit.system import facts, seed_line

    settled = system.state.settled
    if settled is None or settled.offline:
        return False
    uuid, said = facts.machine_uuid(system), system.state.digest(seed_line.words(system.root.path))
    return (uuid != "" or without_uuid) and (settled.instance.uuid, settled.instance.line) == (uuid, said)


def comes_later(service: str, system: System) -> bool:
    """Whether the machine's own network, when it is up, may bring what could not be had before it."""
    from guestinit.system import lease, uplink

    if not uplink.may_prepare(system) or not system.root.exists("/run/systemd/system"):
        return False
    return needs_names(service, system) or not lease.find_client(system)


def needs_names(service: str, system: System) -> bool:
    """Whether the server has a name: a lease for a moment brings nobody who resolves it."""
    return service == LINED and bool(rooms.one("datasources", LINED).has_name(system))
