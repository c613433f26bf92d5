"""A seed without a network-config: a lease for one card, unless the image configures that card by itself.

That is the third meaning of "nothing" (platforms: CloudStack's and Nova's `{}`, a NoCloud seed without the document). A
machine that had a network-config and whose seed has none any more keeps what it has.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from guestinit import rooms
from guestinit.model.facts import Facts, Nic
from guestinit.model.hardware import by_bus
from guestinit.model.identity import SAME
from guestinit.model.network import CONFIGURED, PHYSICAL, RENDERERS, Dhcp, Link, Match, Network
from guestinit.model.problem import NOTE, Position, Problem

NAME = "fallback"  # of the link, and so in the names of files
_AT = Position("network-config")


class Choice(NamedTuple):
    """What is done about the missing document, and one sentence about it."""

    network: Optional[Network]
    said: Problem


def is_wanted(facts: Facts) -> bool:
    """Whether a machine without a network-config may get a lease from us at all."""
    if not facts.live or facts.identity.kind == SAME or facts.renderer not in RENDERERS:
        return False
    if facts.option("network.fallback", "dhcp") != "dhcp" or facts.option("network.config") == "disabled":
        return False
    # What a clone inherited is not its own; what an earlier run gave this machine stays.
    return facts.identity.is_new or all(_is_of_a_fallback(path) for path in facts.written)


def undecided(facts: Facts) -> tuple[Nic, ...]:
    """The cards among which only a carrier can tell, and none has one as far as can be seen: none of them is up."""
    cards = by_bus(facts.nics)
    if len(cards) < 2 or not is_wanted(facts) or any(nic.carrier or nic.up for nic in cards):
        return ()
    return () if all(_configuring(nic, facts) for nic in cards) else tuple(cards)


def card(facts: Facts) -> Nic | None:
    """The first one with a carrier, as far as is known; else the first one."""
    cards = by_bus(facts.nics)
    return next((nic for nic in cards if nic.carrier), cards[0]) if cards else None


def choose(facts: Facts) -> Choice | None:
    """The card and what it gets; None: there is nothing to do and nothing to say."""
    nic = card(facts)
    if nic is None or not is_wanted(facts):
        return None
    path = _configuring(nic, facts)
    if path:
        return Choice(None, _note(f"the seed has none; {nic.name} keeps what the image has for it in {path}"))
    which = (
        "the only card"
        if len(by_bus(facts.nics)) == 1
        else "the first card" + (" with a carrier" if nic.carrier else "")
    )
    link = Link(PHYSICAL, NAME, _AT, match=Match(mac=nic.mac), dhcp4=Dhcp(_AT), accept_ra=True)
    said = _note(f"the seed has none; {nic.name} ({nic.mac}) asks for a lease and listens to routers: it is {which}")
    return Choice(Network(CONFIGURED, _AT, (link,)), said)


def _configuring(nic: Nic, facts: Facts) -> str:
    managers = (facts.renderer, *facts.managers)
    found: str = rooms.one("renderers", "rivals").configuring(managers, nic, facts.network_files)
    return found


def _is_of_a_fallback(path: str) -> bool:
    return NAME in path.rpartition("/")[2]


def _note(message: str) -> Problem:
    return Problem(NOTE, _AT, "", message, "the image may switch this off: network.fallback: none", 0)
