"""Ways to a metadata service: what this machine can reach before, or beside, its final network configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional, TypeVar

if TYPE_CHECKING:
    from guestinit.system.system import System

Answer = TypeVar("Answer")


class Uplink(NamedTuple):
    """One NIC with one kind of address, over which something may answer."""

    nic: str  # "eth0": the zone of a link-local address
    family: int  # 4 or 6; 6 is link-local at least
    addresses: tuple[str, ...]  # "10.0.0.5/24" or "fe80::1/64": what the NIC has, or has for a moment
    gateway: str = ""  # the default gateway of this family
    dhcp_server: str = ""  # the server identifier of the lease
    domain: str = ""  # the domain name of the lease


def first(
    ask: Callable[[Uplink], Optional[Answer]], system: System, deadline: float
) -> tuple[Optional[Answer], tuple[str, ...]]:
    """Ask over every uplink until one brings an answer, at most until this time.monotonic().

    Returns the answer, and what was done and seen on the way, a line each.
    """
    reasons: list[str] = []
    for uplink in configured(system):
        if time.monotonic() >= deadline:
            break
        answer = ask(uplink)
        if answer is not None:
            return answer, tuple(reasons)
        reasons.append(f"no answer over {uplink.nic} (IPv{uplink.family})")
    return None, tuple(reasons) or ("no network card has an address",)


def configured(system: System) -> tuple[Uplink, ...]:
    """The cards that have an address already: after the network manager's work, and all that a dry run may use."""
    import json

    from guestinit.system.failed import Failed

    try:
        finished = system.process.run(("ip", "-j", "address", "show"), timeout=10)
        links = json.loads(finished.output) if finished.code == 0 else []
    except (Failed, OSError, ValueError):
        return ()
    found = []
    for family, name in ((6, "inet6"), (4, "inet")):
        for link in links:
            entries = [entry for entry in link.get("addr_info", ()) if entry.get("family") == name]
            addresses = tuple(f"{entry['local']}/{entry['prefixlen']}" for entry in entries if "local" in entry)
            if addresses and link.get("ifname") != "lo":
                found.append(Uplink(link["ifname"], family, addresses))
    return tuple(found)
