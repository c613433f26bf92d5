"""Which link reaches the next hop of a route, and whether the kernel will take the route.

One route that is refused is not all that is lost: systemd-networkd gives up the whole link for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from guestinit.model.network import VRF, Address, Link, Route
from guestinit.model.problem import Position, Problems
from guestinit.reading import network_values as values

_NOWHERE = Position("")


def settled(links: list[Link], loose: tuple[tuple[Route, str], ...], problems: Problems) -> list[Link]:
    """The links with their routes as all managers can set them. `loose`: those of no link, with the path of each."""
    links = _routes_of_vrfs(_attach_routes(links, loose, problems))
    links = _with_known_sources(links, problems)
    return [_check_gateways(link, problems) for link in links]


class _Subnets:
    """What the addresses and gateway-less routes of some links make reachable."""

    def __init__(self, links: Sequence[Link]) -> None:
        import ipaddress

        self._first: dict[tuple[int, int, int], int] = {}  # by family, prefix length and network: place of the link
        for place, link in enumerate(links):
            texts = [str(address) for address in link.addresses] + [route.to for route in link.routes if not route.via]
            for text in texts:
                net = ipaddress.ip_network(text, strict=False)
                if net.prefixlen:
                    self._first.setdefault((net.version, net.prefixlen, int(net.network_address)), place)
        self._lengths = {key[:2] for key in self._first}

    def place(self, text: str) -> int | None:
        """Of the first link that reaches an address."""
        found = values.ip(text)
        if found is None:
            return None
        places = []
        for family, length in self._lengths:
            if family == found.version:
                host = found.max_prefixlen - length
                places.append(self._first.get((family, length, int(found) >> host << host)))
        return min((place for place in places if place is not None), default=None)

    def hold(self, text: str) -> bool:
        """Whether an address is in one of them."""
        return self.place(text) is not None


def _attach_routes(links: list[Link], routes: tuple[tuple[Route, str], ...], problems: Problems) -> list[Link]:
    """A route that the document gives to no interface goes to the one that reaches its gateway."""
    if not routes:
        return links
    subnets = _Subnets(links)
    leased = {
        4: next((place for place, link in enumerate(links) if link.dhcp4), None),
        6: next((place for place, link in enumerate(links) if link.dhcp6 or link.accept_ra), None),
    }
    added: dict[int, list[Route]] = {}
    for route, path in routes:
        index = subnets.place(route.via) if route.via else None
        if index is None:
            index = leased[route.family]
        if index is None:
            message = f"no interface of this document reaches {route.via}" if route.via else "has no gateway"
            problems.error(route.at, path, message, "this route is left out")
            continue
        added.setdefault(index, []).append(route)
    return [link._replace(routes=(*link.routes, *added.get(index, ()))) for index, link in enumerate(links)]


def _routes_of_vrfs(links: list[Link]) -> list[Link]:
    """A VRF has no subnets: its routes go to the member that reaches the gateway, in the VRF's table."""
    places = {link.name: index for index, link in enumerate(links)}
    for index, vrf in enumerate(links):
        if vrf.kind != VRF:
            continue
        stay = []
        members = [places[member.value] for member in vrf.members]
        subnets = _Subnets([links[place] for place in members] if vrf.routes else ())
        for route in vrf.routes:
            number = subnets.place(route.via) if route.via else None
            if number is None:
                stay.append(route)
            else:
                place = members[number]
                links[place] = links[place]._replace(routes=(*links[place].routes, route))
        links[index] = vrf._replace(routes=tuple(stay))
    return links


def _check_gateways(link: Link, problems: Problems) -> Link:
    """A gateway outside the subnets is asked for on the link (OVH and Hetzner: `/32` and a gateway elsewhere)."""
    if not any(route.via for route in link.routes):
        return link._replace(routes=_without_repeats(link.routes))
    subnets = _Subnets((link,))
    own = {address.ip for address in link.addresses}
    broadcasts = {values.broadcast(str(address)) for address in link.addresses if address.family == 4}
    routes = []
    for route in _without_repeats(link.routes):
        if route.via in own:
            message = f"the gateway {route.via} is the interface's own address"
            problems.error(route.at, link.path, message, "this route is left out", len(route.via))
            continue
        if route.via and route.via in broadcasts:
            message = f"the gateway {route.via} is the broadcast address of its subnet"
            problems.error(route.at, link.path, message, "this route is left out", len(route.via))
            continue
        if route.via and not route.on_link and not subnets.hold(route.via) and not values.is_link_local6(route.via):
            family = 6 if ":" in route.via else 4
            static = [address for address in link.addresses if address.family == family]
            leased = link.dhcp4 is not None if family == 4 else bool(link.dhcp6 or link.accept_ra is not False)
            if static or not leased:
                _say_outside(link, route, static, problems)
                route = route._replace(on_link=True)
        routes.append(route)
    return link._replace(routes=tuple(routes))


def _without_repeats(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Two addresses of one subnet both name its gateway: the second time says nothing new."""
    first: dict[Route, Route] = {}
    for route in routes:
        first.setdefault(route._replace(at=_NOWHERE), route)
    return tuple(first.values())


def _say_outside(link: Link, route: Route, static: list[Address], problems: Problems) -> None:
    if static and all(values.is_host(address.prefix, address.family) for address in static):
        return  # a host address has no subnet: that its gateway is elsewhere is how it is meant
    if static:
        message = f"the gateway {route.via} is outside {', '.join(map(str, static))}"
    else:
        message = f"the gateway {route.via} is of a family in which the interface has no address"
    problems.warning(route.at, link.path, message, "taken as reachable on the link", len(route.via))


def _with_known_sources(links: list[Link], problems: Problems) -> list[Link]:
    """The kernel takes no preferred source that no interface has. A lease may bring any."""
    if not any(route.source for link in links for route in link.routes):
        return links
    known = {address.ip for link in links for address in link.addresses}
    leased = {4: any(link.dhcp4 for link in links), 6: any(link.accept_ra is not False for link in links)}
    found = []
    for link in links:
        routes = []
        for route in link.routes:
            if route.source and route.source not in known and not leased[route.family]:
                message = f"no interface of this document has the address {route.source}"
                problems.error(route.at, link.path, message, f"the route to {route.to} is set without it as its source")
                route = route._replace(source="")
            routes.append(route)
        found.append(link._replace(routes=tuple(routes)))
    return found
