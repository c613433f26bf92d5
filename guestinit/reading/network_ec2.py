"""The network of an EC2 instance, from `network/interfaces/macs/` of its metadata (platforms.md 9).

Each card is matched by its MAC and asks for its addresses by DHCP; cards are in the order of their device numbers, and
the earlier one is the way out. Further private IPv4 addresses of a card, which DHCP does not hand out, are added to it.

What is not done: further IPv6 addresses (which one a lease brings cannot be known beforehand), delegated prefixes, and
routing by source for cards after the first (answers to what came in through them leave through the first one; where
that matters, a network-config in the image or routes in user-data have to say so).
"""

from __future__ import annotations

from collections.abc import Mapping

from guestinit.model.network import CONFIGURED, PHYSICAL, Address, Dhcp, Link, Match, Network
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document
from guestinit.reading import network_metrics

MACS = "network/interfaces/macs/"


def read(leaves: Mapping[str, Document], problems: Problems) -> Network | None:
    """The model; None where the tree has no cards, as Nova's and other imitations: then any card asks for a lease."""
    cards: dict[str, dict[str, Document]] = {}
    for path, leaf in leaves.items():
        mac, slash, name = path[len(MACS) :].partition("/") if path.startswith(MACS) else ("", "", "")
        if slash:
            cards.setdefault(mac, {})[name] = leaf
    ordered = sorted(cards.items(), key=lambda card: (_device_number(card[1]), card[0]))
    links = [link for link in (_link(mac, card, problems) for mac, card in ordered) if link is not None]
    if not links:
        return None
    links = [link._replace(name=f"nic{number}") for number, link in enumerate(links)]
    return Network(CONFIGURED, links[0].at, tuple(network_metrics.with_metrics(links, problems)))


def _link(given: str, card: Mapping[str, Document], problems: Problems) -> Link | None:
    mac = given.strip().lower().replace("-", ":")
    leaf = next(iter(card.values()))
    at = Position(leaf.label.partition(f"/{given}/")[0] + f"/{given}")
    digits = mac.split(":")
    if len(digits) != 6 or not all(len(each) == 2 and set(each) <= set("0123456789abcdef") for each in digits):
        problems.error(at, "", f"'{given[:40]}' is no MAC address", "this card is left out, the others go on", 0)
        return None
    ipv4, ipv6 = _lines(card.get("local-ipv4s")), _lines(card.get("ipv6s"))
    lease = Dhcp(at)
    return Link(
        PHYSICAL,
        "",
        at,
        match=Match(mac=mac),
        addresses=_further(ipv4, card, problems),
        dhcp4=lease if ipv4 or not ipv6 else None,
        dhcp6=lease if ipv6 else None,
        accept_ra=True if ipv6 else None,
    )


def _further(ipv4: list[str], card: Mapping[str, Document], problems: Problems) -> tuple[Address, ...]:
    """The addresses after the first one, which is the lease's; all are in the one subnet of the card."""
    import ipaddress  # delayed: nearly every card has one address

    if len(ipv4) < 2:
        return ()
    at = Position(card["local-ipv4s"].label)
    found: dict[str, Address] = {}
    try:
        subnet = ipaddress.IPv4Network((_lines(card.get("subnet-ipv4-cidr-block")) or [""])[0], strict=False)
    except ValueError:
        problems.error(at, "", "addresses without the subnet that they are in", "only the first one, by DHCP", 0)
        return ()
    for text in ipv4[1:]:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            problems.error(at, "", f"'{text[:40]}' is no IPv4 address", "this address is left out", 0)
            continue
        if address not in subnet:
            problems.error(at, "", f"{address} is not in {subnet}", "this address is left out", 0)
        elif text != ipv4[0]:
            found[text] = Address(str(address), subnet.prefixlen, at)
    return tuple(found.values())


def _device_number(card: Mapping[str, Document]) -> int:
    text = "".join(_lines(card.get("device-number"))[:1])
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1 << 20


def _lines(leaf: Document | None) -> list[str]:
    text = leaf.content.decode("utf-8", "replace") if leaf else ""
    return [line.strip() for line in text.splitlines() if line.strip()]
