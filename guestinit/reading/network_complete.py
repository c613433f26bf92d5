"""What all network formats have in common once their links are read: the links are checked against each other, and what
the document leaves open is decided, so that every renderer makes the same network of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    EMPTY,
    HARDWARE,
    LOOPBACK,
    VLAN,
    VRF,
    Link,
    Network,
    Route,
)
from guestinit.model.problem import Position, Problems
from guestinit.model.value import Given
from guestinit.reading import network_gateways, network_metrics
from guestinit.reading import network_values as values

HIGHEST = 8  # MAX_NEST_DEV of linux/netdevice.h


class Loose(NamedTuple):
    """What a document says beside its links."""

    dns: tuple[Given[str], ...] = ()
    search: tuple[Given[str], ...] = ()
    routes: tuple[tuple[Route, str], ...] = ()  # with the path of each, for messages


def network(at: Position, links: Sequence[Link], loose: Loose, problems: Problems) -> Network:
    """The finished model."""
    chosen = _without_doubles(links, problems)
    chosen = _without_circles(chosen, problems)
    chosen = _with_relations(chosen, problems)
    if any(link.mtu or link.ipv6_mtu for link in chosen):
        from guestinit.reading import network_mtu  # delayed: most documents say nothing of it

        chosen = network_mtu.settled(chosen, problems)
    _say_double_addresses(chosen, problems)
    chosen = network_gateways.settled(chosen, loose.routes, problems)
    chosen = network_metrics.with_metrics(chosen, problems)
    chosen = _share_dns(chosen, loose)
    return Network(CONFIGURED if chosen else EMPTY, at, tuple(chosen), unique(loose.dns), unique(loose.search))


# links among each other


def _without_doubles(links: Sequence[Link], problems: Problems) -> list[Link]:
    """No two links of one name, no two for the same hardware, and no VLAN twice."""
    names: dict[str, Link] = {}
    meant: dict[object, Link] = {}
    for link in links:
        other = names.get(link.name)
        message = f"the name '{link.name}' is taken"
        if other is None:
            key, what = _meant(link)
            first = meant.setdefault(key, link) if what else link
            if first is link:
                names[link.name] = link
                continue
            other, message = first, f"{what} is '{first.name}' already"
        hint = "this interface is left out, the first one stays"
        problems.error(link.at, link.path, f"{message}, line {other.at.line}", hint)
    return list(names.values())


def _meant(link: Link) -> tuple[object, str]:
    """What only one link can be, for the machine and in words; nothing if several may."""
    if link.kind == VLAN:
        return (link.parent, link.vlan_id), f"the VLAN {link.vlan_id} on '{link.parent}'"
    if link.kind not in HARDWARE:
        return None, ""
    mac, name = link.match.mac, link.match.exact_name
    return link.match, f"the MAC {mac}" if mac else f"the interface {name}" if name else "whatever matches this"


def _without_circles(links: list[Link], problems: Problems) -> list[Link]:
    """Nothing stands on itself, be it a VLAN on a bond that has this VLAN for a member, nor too high."""
    names = {link.name for link in links}
    below = {link.name: {member.value for member in link.members} - {link.name} for link in links}
    above: dict[str, set[str]] = {name: set() for name in names}
    for link in links:
        below[link.name] = (below[link.name] | {link.parent}) & names
        for name in below[link.name]:
            above[name].add(link.name)
    order = _in_order(names, below, above)
    levels: dict[str, int] = {}
    for name in order:
        levels[name] = 1 + max((levels[each] for each in below[name]), default=0)
    circles = names - set(order)
    circles -= set(_in_order(circles, above, below))  # what only stands on a circle
    kept = []
    for link in links:
        if link.name in circles:
            message = f"stands on itself: {', '.join(sorted(below[link.name] & circles))}"
            problems.error(link.at, link.path, message, values.LEFT_OUT)
        elif levels.get(link.name, 0) > HIGHEST:
            message = f"{levels[link.name]} interfaces on top of each other; the kernel takes {HIGHEST}"
            problems.error(link.at, link.path, message, values.LEFT_OUT)
        else:
            kept.append(link)
    return kept


def _in_order(names: set[str], needs: dict[str, set[str]], needed: dict[str, set[str]]) -> list[str]:
    """Each name after all that it needs; what is in a circle, or needs one, is not among them."""
    missing = {name: len(needs[name] & names) for name in names}
    found = [name for name, count in missing.items() if not count]
    for name in found:  # grows
        for other in needed[name] & names:
            missing[other] -= 1
            if not missing[other]:
                found.append(other)
    return found


def _without_orphans(links: list[Link], problems: Problems) -> list[Link]:
    """A VLAN or tunnel without its link goes, and with it a VLAN on that VLAN."""
    names = {link.name for link in links}
    labels = _labels(links)
    above: dict[str, list[Link]] = {}
    for link in links:
        if link.parent:
            above.setdefault(link.parent, []).append(link)
    orphans = [link for link in links if link.parent and link.parent not in names]
    gone = set()
    for link in orphans:  # grows
        message = f"its link '{link.parent}' is not in this document, or was left out"
        problems.error(link.at, link.path, message, labels.get(link.parent, "") + values.LEFT_OUT)
        gone.add(link.name)
        orphans += above.get(link.name, [])
    return [link for link in links if link.name not in gone]


def _labels(links: list[Link]) -> dict[str, str]:
    """For hints: what the document calls an interface that somebody names as the kernel does, or will."""
    found = {}
    for link in links:
        for name in (link.set_name, link.match.exact_name) if link.kind in HARDWARE else ():
            if name and name != link.name:
                found[name] = f"write '{link.name}', as this document calls {name}; "
    return found


def _with_relations(links: list[Link], problems: Problems) -> list[Link]:
    """Members and parents exist; what belongs to a bond or a bridge has no addresses of its own."""
    links = _without_orphans(links, problems)
    labels = _labels(links)
    known = {link.name for link in links}
    owner: dict[str, Link] = {}
    checked = []
    for link in links:
        members = []
        for member in link.members:
            other = owner.get(member.value)
            if member.value not in known or member.value == link.name:
                message = f"'{member.value}' is no other interface of this document, or was left out"
            elif other is not None:
                message = f"'{member.value}' belongs to '{other.name}' already"
            else:
                owner[member.value] = link
                members.append(member)
                continue
            hint = labels.get(member.value, "") + "this member is left out"
            problems.error(member.at, link.path, message, hint, len(member.value))
        checked.append(_without_strangers(link._replace(members=tuple(members)), problems))
    for index, link in enumerate(checked):
        if link.port and (link.name not in owner or owner[link.name].kind != BRIDGE):
            names = ", ".join(name for name, _ in link.port)
            problems.error(link.at, link.path, f"is no member of a bridge, so that it has no {names}", "left out")
            checked[index] = link._replace(port=())
    return [_as_member(link, owner[link.name], problems) if link.name in owner else link for link in checked]


def _without_strangers(link: Link, problems: Problems) -> Link:
    """What a bond or a bridge says of its members is about its members."""
    members = {member.value for member in link.members}
    primary = dict(link.parameters).get("primary") if link.kind == BOND else None
    if primary is not None and primary not in members:
        message = f"'{primary[:40]}' is no member, so it cannot be the primary one"
        problems.error(link.at, link.path, message, "left out")
        link = link._replace(parameters=tuple(each for each in link.parameters if each[0] != "primary"))
    strangers = {name for name, _ in (*link.costs, *link.priorities)} - members
    if not strangers:
        return link
    message = f"cost or priority of what is no member: {', '.join(sorted(strangers))}"
    problems.error(link.at, link.path, message, "left out")
    return link._replace(
        costs=tuple(each for each in link.costs if each[0] in members),
        priorities=tuple(each for each in link.priorities if each[0] in members),
    )


def _as_member(link: Link, master: Link, problems: Problems) -> Link:
    if master.kind == VRF:
        return link
    bare = link._replace(
        addresses=(), dhcp4=None, dhcp6=None, accept_ra=False, ra_metric=None, link_local=(), ipv6_privacy=None,
        ipv6_generation="", ipv6_token="", ipv6_mtu=None, routes=(), rules=(), dns=(), search=(),
    )  # fmt: skip
    # To have neither router advertisements nor a link-local address is no loss.
    if link._replace(accept_ra=link.accept_ra or False, link_local=()) != bare:
        message = f"belongs to the {master.kind} '{master.name}' and can have no addresses or routes itself"
        problems.error(link.at, link.path, message, f"they are left out; give them to '{master.name}'")
    return bare


def _say_double_addresses(links: list[Link], problems: Problems) -> None:
    """One address, or one subnet, on two links. A VRF is a world of its own."""
    world = {member.value: link.name for link in links if link.kind == VRF for member in link.members}
    seen: dict[tuple[str, str], Link] = {}
    subnets: dict[tuple[str, str], Link] = {}
    for link in links:
        for address in link.addresses:
            if values.is_link_local6(address.ip):
                continue  # each link has its own
            here = world.get(link.name, "")
            other = seen.setdefault((here, address.ip), link)
            if other is not link:
                message = f"{address.ip} is an address of '{other.name}' too"
                problems.warning(address.at, link.path, message, "both get it", len(address.ip))
            elif not values.is_host(address.prefix, address.family):
                subnet = str(values.network(str(address)))
                other = subnets.setdefault((here, subnet), link)
                if other is not link:
                    message = f"{subnet} is a subnet of '{other.name}' too"
                    problems.note(address.at, link.path, message, "answers may leave by either", len(address.ip))


# name servers


def _share_dns(links: list[Link], loose: Loose) -> list[Link]:
    """Every link that has addresses gets the global servers and domains: there is where resolvers look."""
    members = {member.value for link in links if link.kind != VRF for member in link.members}
    takers = {link.name for link in links if link.has_addressing and link.kind != LOOPBACK}
    takers = takers or {link.name for link in links if link.kind != LOOPBACK and link.name not in members}
    names = {link.name for link in links}
    shared = []
    for link in links:
        dns, search = link.dns, link.search
        if link.name in takers:
            # `fe80::1%eth0` is for eth0 alone, if that is one of ours.
            dns += tuple(given for given in loose.dns if _zone(given) in ("", link.name) or _zone(given) not in names)
            search += loose.search
        # Which link it is about is clear from here on, and no manager takes the name of a link that is not there.
        dns = tuple(Given(given.value.partition("%")[0], given.at) for given in dns)
        shared.append(link._replace(dns=unique(dns), search=unique(search)))
    return shared


def _zone(given: Given[str]) -> str:
    return given.value.partition("%")[2]


def unique(givens: tuple[Given[str], ...]) -> tuple[Given[str], ...]:
    """Each text once, where it is first."""
    first: dict[str, Given[str]] = {}
    for given in givens:
        first.setdefault(given.value, given)
    return tuple(first.values())
