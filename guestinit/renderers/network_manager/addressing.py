"""Addresses, routes and name servers of one family: the sections [ipv4] and [ipv6] of a keyfile."""

from __future__ import annotations

from collections.abc import Iterable

from guestinit.model.network import Link, Network, Route, Rule
from guestinit.model.problem import Problems
from guestinit.model.tunnel import MODES
from guestinit.renderers import Section

EUI64 = 0
STABLE_PRIVACY = 1
IPV4_LINK_LOCAL = 3  # "enabled": beside the other addresses
_WITHOUT_DNS = ("disabled", "link-local", "ignore")  # methods beside which NetworkManager takes no name servers


def listed(values: Iterable[str]) -> str:
    """Values as a keyfile lists them."""
    return "".join(value + ";" for value in values)


def _method(link: Link, family: int) -> str:
    """Where the addresses of a family come from."""
    static = any(address.family == family for address in link.addresses)
    local = 6 in link.link_local if link.link_local is not None else True
    if family == 4:
        if link.dhcp4:
            return "auto"
        if static:
            return "manual"
        return "link-local" if link.link_local and 4 in link.link_local else "disabled"
    if link.kind == "loopback":
        return "manual" if static else "auto"  # it takes no other
    if link.accept_ra is False:
        return "dhcp" if link.dhcp6 else "manual" if static else "link-local" if local else "disabled"
    if not local and not static and not link.dhcp6 and link.accept_ra is None:
        return "disabled"
    if not link.has_addressing and not any(route.family == 6 for route in link.routes):
        # Only up: the kernel may take an advertised address, but nothing fails if none comes.
        return "ignore"
    return "auto"


def section(link: Link, family: int, problems: Problems) -> Section:
    """[ipv4] or [ipv6] of a link."""
    found = Section(f"ipv{family}", "true", "false")
    way = _method(link, family)
    found.set("method", way)
    if family == 4 and way in ("auto", "manual") and link.link_local and 4 in link.link_local:
        found.set("link-local", IPV4_LINK_LOCAL)
    for number, address in enumerate([each for each in link.addresses if each.family == family], 1):
        found.set(f"address{number}", str(address))
        if address.label or address.deprecated:
            problems.warning(
                address.at, f"{link.path}.addresses", f"NetworkManager has no label or lifetime for {address}",
                "the address is set without",
            )  # fmt: skip
    routes = [route for route in link.routes if route.family == family]
    if way in _WITHOUT_DNS and routes:
        for route in routes:
            message = f"NetworkManager takes no IPv{family} route on an interface without such addresses"
            problems.error(route.at, f"{link.path}.routes", message, f"the route to {route.to} is left out")
        routes = []
    _routes(found, routes)
    for number, rule in enumerate([rule for rule in link.rules if _is_of(rule, family)], 1):
        found.set(f"routing-rule{number}", _rule(rule, family))
    if way == "auto" and family == 6 and not (link.dhcp6 or link.accept_ra):
        for given in link.dns:
            if _family(given.value) == 6:
                message = "NetworkManager asks no IPv6 name server before a router has announced itself"
                problems.note(given.at, link.path, message, f"{given.value} may be left out", len(given.value))
    if way not in _WITHOUT_DNS:
        found.set("dns", listed(given.value for given in link.dns if _family(given.value) == family))
        if family == 4 or _method(link, 4) in _WITHOUT_DNS:
            found.set("dns-search", listed(given.value for given in link.search))
    if family == 4:
        _lease4(found, link, problems)
    else:
        _lease6(found, link, problems)
        _details6(found, link)
        if way == "ignore":
            _say_left_to_kernel(link, problems)
    return found


def say_lost_servers(network: Network, problems: Problems) -> None:
    """Name servers that no connection can carry, because none has addresses of their family."""
    carried = {
        given.value
        for link in network.links
        for given in link.dns
        if _method(link, _family(given.value)) not in _WITHOUT_DNS and link.kind != "loopback"
    }
    said = set()
    for link in network.links:
        for given in link.dns:
            if given.value not in carried and given.value not in said:
                said.add(given.value)
                message = f"NetworkManager takes no such name server: no interface has IPv{_family(given.value)}"
                problems.warning(given.at, link.path, message, f"{given.value} is left out", len(given.value))


def _routes(found: Section, routes: list[Route]) -> None:
    for number, route in enumerate(routes, 1):
        via = route.via or ("0.0.0.0" if route.family == 4 else "::")
        text = f"{route.to},{via}" + (f",{route.metric}" if route.metric is not None else "")
        found.set(f"route{number}", text if route.via or route.metric is not None else route.to)
        options = []
        if route.on_link:
            options.append("onlink=true")
        if route.table is not None:
            options.append(f"table={route.table}")
        if route.type:
            options.append(f"type={route.type}")
        if route.source:
            options.append(f"src={route.source}")
        if route.mtu is not None:
            options.append(f"mtu={route.mtu}")
        for name, value in (
            ("initcwnd", route.congestion_window), ("initrwnd", route.receive_window), ("advmss", route.advertised_mss),
        ):  # fmt: skip
            if value is not None:
                options.append(f"{name}={value}")
        if route.scope and route.family == 4:
            options.append(f"scope={ {'global': 0, 'link': 253, 'host': 254}[route.scope] }")
        found.set(f"route{number}_options", ",".join(options))


def _rule(rule: Rule, family: int) -> str:
    anywhere = "0.0.0.0/0" if family == 4 else "::/0"
    # NetworkManager wants a priority; 30000 is looked at before the main table (32766).
    parts = [f"priority {rule.priority if rule.priority is not None else 30000}"]
    if rule.source or not rule.to:
        parts.append(f"from {_short(rule.source) or anywhere}")
    if rule.to:
        parts.append(f"to {_short(rule.to)}")
    if rule.tos is not None:
        parts.append(f"tos {rule.tos:#x}")
    if rule.mark is not None:
        parts.append(f"fwmark {rule.mark:#x}")
    parts.append(f"table {rule.table}")
    return " ".join(parts)


def _short(cidr: str) -> str:
    """As NetworkManager writes it itself: one host without its length."""
    host = "/128" if ":" in cidr else "/32"
    return cidr[: -len(host)] if cidr.endswith(host) else cidr


def _is_of(rule: Rule, family: int) -> bool:
    return rule.family == family or not (rule.source or rule.to)


def _lease4(found: Section, link: Link, problems: Problems) -> None:
    dhcp = link.dhcp4
    if dhcp is None:
        return
    found.set("route-metric", dhcp.route_metric)
    found.set("ignore-auto-dns", True if dhcp.use_dns is False else None)
    found.set("ignore-auto-routes", True if dhcp.use_routes is False else None)
    found.set("dhcp-send-hostname", dhcp.send_hostname)
    found.set("dhcp-hostname", dhcp.hostname)
    found.set("dhcp-client-id", dhcp.identifier)
    _say_inexpressible(link, 4, problems)


def _lease6(found: Section, link: Link, problems: Problems) -> None:
    found.set("route-metric", link.ra_metric)
    dhcp = link.dhcp6
    if dhcp is None:
        return
    found.set("ignore-auto-dns", True if dhcp.use_dns is False else None)
    found.set("ignore-auto-routes", True if dhcp.use_routes is False else None)
    found.set("dhcp-send-hostname", dhcp.send_hostname)
    found.set("dhcp-hostname", dhcp.hostname)
    _say_inexpressible(link, 6, problems)


def _say_inexpressible(link: Link, family: int, problems: Problems) -> None:
    dhcp = link.dhcp4 if family == 4 else link.dhcp6
    assert dhcp is not None
    # The domains of the document always take the place of those of a lease, which come with its name servers.
    takes_domains = not link.search and dhcp.use_dns is not False
    other_domains = ("route", "false" if takes_domains else "true")
    for name, lost in (
        ("use-mtu", dhcp.use_mtu is False),
        ("use-domains", dhcp.use_domains in other_domains),
        ("use-hostname", dhcp.use_hostname is False),
    ):
        if lost:
            path = f"{link.path}.dhcp{family}-overrides.{name}"
            problems.warning(dhcp.at, path, "NetworkManager has no such setting", "left to its own choice")


def _details6(found: Section, link: Link) -> None:
    way = _method(link, 6)
    if way in ("disabled", "ignore"):
        return
    # The address that everybody else makes of the MAC, and that OpenStack's port security expects; NetworkManager's
    # own default differs by distribution.
    # A tunnel without Ethernet has no MAC, and NetworkManager gives up where it cannot make an address of one.
    without_mac = link.tunnel is not None and not MODES[link.tunnel.mode].ethernet
    is_stable = link.ipv6_generation == "stable-privacy" or without_mac
    found.set("addr-gen-mode", STABLE_PRIVACY if is_stable else EUI64)
    found.set("token", link.ipv6_token if way == "auto" and link.ipv6_generation != "stable-privacy" else None)
    found.set("ip6-privacy", {True: 2, False: 0, None: None}[link.ipv6_privacy])
    found.set("mtu", link.ipv6_mtu)


def _say_left_to_kernel(link: Link, problems: Problems) -> None:
    for name, is_given in (
        ("ipv6-privacy", link.ipv6_privacy is not None),
        ("ipv6-address-generation", bool(link.ipv6_generation)),
        ("ipv6-address-token", bool(link.ipv6_token)),
        ("ipv6-mtu", link.ipv6_mtu is not None),
    ):
        if is_given:
            message = "NetworkManager leaves IPv6 to the kernel where an interface has no addresses"
            problems.warning(link.at, f"{link.path}.{name}", message, "left out; with 'accept-ra: true' it is set")


def _family(text: str) -> int:
    return 6 if ":" in text else 4
