"""netplan: addresses, leases, routes and name servers."""

from __future__ import annotations

from typing import Optional

from guestinit.model.network import Dhcp, Link, Route, Rule
from guestinit.model.problem import Problems
from guestinit.model.yaml_text import Tree
from guestinit.renderers import use_domains

MOST = 2**31 - 1  # netplan hands greater numbers on as negative ones
_ANYWHERE = ("0.0.0.0/0", "::/0")


def of(link: Link, problems: Problems) -> dict[str, Tree]:
    """What a definition says of addresses, in a fixed order."""
    found: dict[str, Tree] = {}
    if link.dhcp4 is not None:
        found["dhcp4"] = True
    if link.dhcp6 is not None:
        found["dhcp6"] = True
    lease = link.dhcp4 or link.dhcp6
    if lease is not None and lease.identifier:
        found["dhcp-identifier"] = lease.identifier
    found.update(_overrides(link, problems))
    if link.link_local is not None:
        found["link-local"] = [f"ipv{family}" for family in link.link_local]
    if link.accept_ra is not None:
        found["accept-ra"] = link.accept_ra
    addresses = _addresses(link, problems)
    if addresses:
        found["addresses"] = addresses
    found.update(_routing(link, problems))
    servers: dict[str, Tree] = {}
    if link.dns:
        servers["addresses"] = [given.value for given in link.dns]
    if link.search:
        servers["search"] = [given.value for given in link.search]
    if servers:
        found["nameservers"] = servers
    if link.ipv6_mtu is not None:
        found["ipv6-mtu"] = link.ipv6_mtu
    if link.ipv6_privacy:
        found["ipv6-privacy"] = True
    # One excludes the other. What 0.106 refuses stands beside: "stable-privacy".
    if link.ipv6_token:
        found["ipv6-address-token"] = link.ipv6_token
    elif link.ipv6_generation == "eui64":
        found["ipv6-address-generation"] = "eui64"
    return found


def say_lost(link: Link, problems: Problems) -> None:
    """What a VRF cannot have: before 1.0 it has nothing but routes and rules, and 0.106 crashes at its routes. So what
    else it has stands beside, but for this.
    """
    lost = {
        "dhcp4": link.dhcp4, "dhcp6": link.dhcp6, "ipv6-mtu": link.ipv6_mtu, "ipv6-privacy": link.ipv6_privacy,
        "ipv6-address-generation": link.ipv6_generation, "ipv6-address-token": link.ipv6_token,
    }  # fmt: skip
    for name, value in lost.items():
        if value:
            problems.warning(link.at, f"{link.path}.{name}", "netplan has no such setting for a VRF", "left out")


def _addresses(link: Link, problems: Problems) -> list[Tree]:
    found: list[Tree] = []
    for address in link.addresses:
        options: dict[str, Tree] = {}
        if address.label:
            options["label"] = address.label
        if address.deprecated:
            options["lifetime"] = 0
        if address.prefix:
            found.append({str(address): options} if options else str(address))
        else:
            message = f"netplan takes no address with the prefix length 0, got {address}"
            problems.error(address.at, f"{link.path}.addresses", message, "this address is left out")
    return found


def _overrides(link: Link, problems: Problems) -> dict[str, Tree]:
    """What is taken from leases.

    netplan writes one section for both families for networkd, and refuses a file in which they differ. So IPv4's
    choices stand for both, and what is different for IPv6 stands beside.
    """
    lease = link.dhcp4 or link.dhcp6
    if lease is None:
        return {}
    chosen = _choices(link, lease)
    if link.dhcp4 is not None and link.mtu is not None:
        chosen["use-mtu"] = False
    metric = link.dhcp4.route_metric if link.dhcp4 is not None else link.ra_metric
    if metric is not None and _fits(metric, "metric of a lease", link, problems, "left out"):
        chosen["route-metric"] = metric
    if link.dhcp6 is not None and (link.dhcp6.hostname or link.dhcp6.send_hostname is not None):
        message = "systemd-networkd has no hostname settings for DHCPv6"
        problems.warning(link.dhcp6.at, f"{link.path}.dhcp6-overrides", message, "left to its own choice")
    asked = (("dhcp4-overrides", link.dhcp4), ("dhcp6-overrides", link.dhcp6))
    return {name: chosen for name, dhcp in asked if dhcp is not None}


def _choices(link: Link, dhcp: Dhcp) -> dict[str, Tree]:
    domains = use_domains(link, dhcp)
    found: dict[str, Tree] = {"use-domains": domains if domains == "route" else domains == "yes"}
    for name, value in (
        ("use-dns", dhcp.use_dns), ("use-routes", dhcp.use_routes), ("use-mtu", dhcp.use_mtu),
        ("use-ntp", dhcp.use_ntp), ("use-hostname", dhcp.use_hostname), ("send-hostname", dhcp.send_hostname),
        ("hostname", dhcp.hostname or None),
    ):  # fmt: skip
        if value is not None:
            found[name] = value
    return found


def _routing(link: Link, problems: Problems) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    routes = [each for each in (_route(route, link, problems) for route in link.routes) if each]
    if routes:
        found["routes"] = routes
    rules = [each for rule in link.rules for each in _rules(rule, link, problems)]
    if rules:
        found["routing-policy"] = rules
    return found


def _route(route: Route, link: Link, problems: Problems) -> dict[str, Tree]:
    """A route; empty, with a problem, if netplan does not take it."""
    found: dict[str, Tree] = {"to": "default" if route.via and route.to in _ANYWHERE else route.to}
    numbers = (
        ("metric", route.metric), ("table", route.table), ("mtu", route.mtu),
        ("congestion-window", route.congestion_window), ("advertised-receive-window", route.receive_window),
    )  # fmt: skip
    hint = f"the route to {route.to} is left out"
    if not all(_fits(number, f"{name} of a route", link, problems, hint) for name, number in numbers):
        return {}
    # What has no gateway is on the link: the kernel has it so too, and netplan takes nothing else.
    is_direct = not route.via and route.type in ("", "unicast")
    scope = "link" if is_direct and route.scope in ("", "global") else route.scope
    if route.scope and scope != route.scope:
        message = "netplan takes no route of the scope global without a gateway"
        problems.warning(route.at, link.path, message, f"the route to {route.to} has the scope link")
    if route.advertised_mss is not None:
        message = "netplan 0.106 knows no advertised-mss of a route"
        problems.error(route.at, link.path, message, f"the route to {route.to} is set without")
    for name, value in (
        ("via", route.via or None), ("on-link", route.on_link or None), ("scope", scope or None),
        ("type", route.type or None), ("from", route.source or None), *numbers,
    ):  # fmt: skip
        if value is not None:
            found[name] = value
    return found


def _rules(rule: Rule, link: Link, problems: Problems) -> list[dict[str, Tree]]:
    """A rule; one for each family if it names no address, because netplan wants one."""
    numbers: dict[str, Tree] = {}
    for name, number in (
        ("table", rule.table), ("priority", rule.priority), ("mark", rule.mark), ("type-of-service", rule.tos),
    ):  # fmt: skip
        if not _fits(number, f"{name} of a rule", link, problems, "this rule is left out"):
            return []
        if number is not None:
            numbers[name] = number
    if not rule.source and not rule.to:
        return [{"from": anywhere, **numbers} for anywhere in _ANYWHERE]
    sides: dict[str, Tree] = {name: value for name, value in (("from", rule.source), ("to", rule.to)) if value}
    return [{**sides, **numbers}]


def _fits(number: Optional[int], what: str, link: Link, problems: Problems, hint: str) -> bool:
    """Whether netplan can hand a number on; a problem if not."""
    if number is None or number <= MOST:
        return True
    problems.error(link.at, link.path, f"netplan takes no {what} above {MOST}, got {number}", hint)
    return False
