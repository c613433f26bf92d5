"""Sizes of packets: what links that stand on each other need of each other, and what IPv6 needs.

The kernel refuses what does not fit, some network managers raise a number by themselves, and with others the interface
never comes up. So it is decided here, for all of them.
"""

from __future__ import annotations

from guestinit.model.network import BOND, VLAN, Link
from guestinit.model.problem import Problems

USUAL = 1500  # of Ethernet, bytes
LEAST_OF_IPV6 = 1280  # RFC 8200; with less the kernel has no IPv6 on an interface


def settled(links: list[Link], problems: Problems) -> list[Link]:
    """The links with sizes that go together."""
    links = [_with_ipv6(link, problems) for link in links]
    names = {link.name: link for link in links}
    links = [_of_members(link, names) if link.kind == BOND else link for link in links]
    return [_with_ipv6_mtu(link, problems) for link in _with_vlans(links, problems)]


def _with_ipv6(link: Link, problems: Problems) -> Link:
    asks = link.dhcp6 or link.accept_ra or any(address.family == 6 for address in link.addresses)
    if link.mtu is None or link.mtu >= LEAST_OF_IPV6 or not asks:
        return link
    message = f"IPv6 needs an mtu of {LEAST_OF_IPV6} at least, got {link.mtu}"
    problems.error(link.at, f"{link.path}.mtu", message, f"taken as {LEAST_OF_IPV6}")
    return link._replace(mtu=LEAST_OF_IPV6)


def _of_members(bond: Link, links: dict[str, Link]) -> Link:
    """A bond gives its members its own MTU: where only they have one, the bond is to have it."""
    mtus = {links[member.value].mtu for member in bond.members if member.value in links}
    return bond._replace(mtu=mtus.pop()) if bond.mtu is None and len(mtus) == 1 else bond


def _with_vlans(links: list[Link], problems: Problems) -> list[Link]:
    """A VLAN has at most the MTU of the link below. Where that has none, it gets what the VLAN needs."""
    names = {link.name: link for link in links}
    chosen: dict[str, int] = {}
    for vlan in links:
        if vlan.kind != VLAN or vlan.mtu is None:
            continue
        mtu, open_ones = vlan.mtu, []
        for link in _below(vlan, names):
            if link.mtu is None:
                open_ones.append(link)
            elif link.mtu < mtu:
                message = f"the mtu {mtu} is more than the {link.mtu} of '{link.name}' below"
                problems.error(vlan.at, f"{vlan.path}.mtu", message, f"taken as {link.mtu}")
                mtu = chosen[vlan.name] = link.mtu
        for link in open_ones:
            if mtu > max(USUAL, chosen.get(link.name, 0)):
                chosen[link.name] = mtu
                message = f"the mtu {mtu} needs as much of '{link.name}' below, of which nothing is said"
                problems.note(vlan.at, f"{vlan.path}.mtu", message, f"'{link.name}' gets it too")
    return [link._replace(mtu=chosen.get(link.name, link.mtu)) for link in links]


def _below(link: Link, links: dict[str, Link]) -> list[Link]:
    """What a VLAN stands on, down to what is none."""
    found: list[Link] = []
    while link.kind == VLAN and link.parent in links:
        link = links[link.parent]
        found.append(link)
    return found


def _with_ipv6_mtu(link: Link, problems: Problems) -> Link:
    if link.ipv6_mtu is None or link.ipv6_mtu <= (link.mtu or USUAL):
        return link
    path = f"{link.path}.ipv6-mtu"
    if link.mtu is None:
        message = f"without an mtu of as much for the interface, {link.ipv6_mtu} may have no effect"
        problems.warning(link.at, path, message, "write mtu too")
        return link
    problems.error(link.at, path, f"{link.ipv6_mtu} is more than the interface's own mtu, {link.mtu}", "left out")
    return link._replace(ipv6_mtu=None)
