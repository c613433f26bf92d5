"""ifupdown: one file below /etc/network/interfaces.d with the stanzas of every link.

Format: interfaces(5) of ifupdown 0.8.41 (Debian 12) and 0.8.44 (Debian 13). Why it looks as it does is told in
docs/explanation/network.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

from guestinit.model.action import Because, Step
from guestinit.model.facts import Facts, Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    HARDWARE,
    LOOPBACK,
    VRF,
    Address,
    Dhcp,
    Link,
    Network,
    Rendered,
    Route,
    file_ids,
    masters,
)
from guestinit.model.problem import Problem, Problems
from guestinit.model.shell import is_plain
from guestinit.model.tunnel import WIREGUARD
from guestinit.renderers import HEADER, link_file, resolved_file, restart_resolved
from guestinit.renderers.ifupdown import commands, leases, limits, live, names, rivals, tunnels

PATH = "/etc/network/interfaces.d/50-guestinit"
_INET, _INET6 = "inet", "inet6"
_COMMANDS = ("pre-up", "up", "down", "post-down")


def render(network: Network, nics: tuple[Nic, ...], problems: Problems) -> tuple[Rendered, ...]:
    """The file of ifupdown, and the .link files with which udev names interfaces."""
    if network.state != CONFIGURED:
        return ()
    machine = _Machine(network, nics, problems)
    ids = machine.ids
    found = []
    for link in network.links:
        if link.kind in HARDWARE:
            name_file = link_file(link, ids[link.name], wake_on_lan=True)
            found += [name_file] if name_file else []
        elif link.tunnel is not None and link.tunnel.mode == WIREGUARD and link.name in machine.targets:
            found.append(tunnels.wireguard_file(link, ids[link.name]))
    parts = [HEADER]
    for link in _in_order(network):
        if link.name in machine.targets and (link.kind != LOOPBACK or link.addresses):
            parts += _text(link, machine)
    if len(parts) > 1:
        found.append(Rendered(PATH, "\n".join(parts).encode(), 0o644, network.at))
    return tuple(found)


def for_resolver(network: Network, facts: Facts) -> tuple[Rendered, ...]:
    """Files that bring name servers to whoever answers; `network.dns` and `network.search` are those of all links.

    In Debian 12 the hook that ifupdown has for systemd-resolved does nothing.
    """
    return resolved_file(network) if facts.resolver == "resolved" else leases.hook(network, facts)


def keep_servers(network: Network, facts: Facts) -> Iterator[Step]:
    """Steps after which a lease does not replace the name servers in a plain /etc/resolv.conf."""
    yield from leases.lines(network, facts)


def reload(files: tuple[Rendered, ...], changed: tuple[str, ...], facts: Facts) -> Iterator[Step]:
    """Interfaces whose stanzas changed go down as they were and come up as they are."""
    now = next((each.content.decode() for each in files if each.path == PATH), "")
    yield from live.reload(now, changed, facts.ifupdown)
    yield from restart_resolved(changed)


def settle(
    network: Optional[Network], files: tuple[Rendered, ...], nics: tuple[Nic, ...], facts: Facts, why: Because
) -> Iterator[Union[Step, Problem]]:
    """What the image says about the same interfaces is disabled, and our file is read. `nics`: as they are called now;
    those of the facts as they shall be called.
    """
    ours = PATH if any(each.path == PATH for each in files) else ""
    links = network.links if network is not None and ours else ()
    text = "".join(each.content.decode() for each in files if each.path == PATH)
    claimed = {**rivals.claimed(links, text), **rivals.known(links, nics), **rivals.known(links, facts.nics)}
    hardware = [link for link in links if link.kind in HARDWARE and link.match.mac]
    unsure = next((link for link in hardware if not nics), None)
    yield from rivals.settle(ours, claimed, unsure, facts.ifupdown, why)


class _Machine:
    """What the stanzas of one link have to know of the others."""

    def __init__(self, network: Network, nics: tuple[Nic, ...], problems: Problems) -> None:
        self.targets = names.resolve(network, nics, problems)
        self.owners = masters(network)
        self.ids = file_ids(network)
        self.problems = problems
        self.ports = {link.name: link.port for link in network.links}

    def table(self, link: Link) -> Optional[int]:
        """The routing table of the VRF that a link is or is in."""
        owner = link if link.kind == VRF else self.owners.get(link.name)
        return owner.table if owner is not None and owner.kind == VRF else None

    def kernel_names(self, name: str, asking: Link) -> list[str]:
        """What the kernel calls the interfaces of another link, that this one is made with."""
        targets = self.targets.get(name, ())
        for target in targets:
            if not target.is_known:
                message = f"which interface '{name}' is cannot be told here, and ifupdown must have its name"
                self.problems.error(asking.at, asking.path, message, f"'{target.kernel}' is taken for its name")
        return [target.kernel for target in targets]


def _in_order(network: Network) -> list[Link]:
    """As `ifup -a` can bring them up, one after the other: what others are made with first, leases last.

    An interface that waits for a lease that never comes keeps those after it waiting.
    """
    links = {link.name: link for link in network.links}
    owners = masters(network)
    found: dict[str, Link] = {}

    def visit(link: Link) -> None:
        if link.name in found or link.name in visiting:
            return
        visiting.add(link.name)
        needed = [member.value for member in link.members] if link.kind in (BOND, BRIDGE) else []
        needed += [link.parent] if link.parent else []
        if link.name in owners and owners[link.name].kind == VRF:
            needed.append(owners[link.name].name)
        for name in needed:
            if name in links:
                visit(links[name])
        found[link.name] = link

    visiting: set[str] = set()
    for link in sorted(network.links, key=lambda link: link.dhcp4 is not None):
        visit(link)
    return list(found.values())


# one link


class _Stanza:
    """`iface NAME FAMILY METHOD` and its lines."""

    def __init__(self, family: str, method: str) -> None:
        self.family, self.method = family, method
        self.lines: list[tuple[str, str]] = []

    def add(self, keyword: str, *texts: object) -> None:
        """A line for each text."""
        self.lines += [(keyword, str(text)) for text in texts if text not in (None, "")]

    def text(self, name: str) -> str:
        """The stanza, its commands after its options in the order in which ifupdown runs them."""
        lines = sorted(self.lines, key=lambda line: _COMMANDS.index(line[0]) if line[0] in _COMMANDS else -1)
        body = "".join(f"    {keyword} {text}\n" for keyword, text in lines)
        return f"iface {name} {self.family} {self.method}\n{body}"


def _text(link: Link, machine: _Machine) -> list[str]:
    """What stands in the file for a link: once for each interface that it means."""
    stanzas = _stanzas(link, machine)
    found = []
    for target in machine.targets[link.name]:
        starts = ""
        if not link.activation and link.kind != LOOPBACK:  # ifupdown brings up `lo` in any case
            starts = f"auto {target.selector}\n"
            if link.kind in HARDWARE and link.name not in machine.owners and not target.pattern:
                # A card that comes later; ifupdown takes care that nothing is brought up twice.
                starts += f"allow-hotplug {target.selector}\n"
        found.append(starts + "".join(stanza.text(target.logical) for stanza in stanzas))
    return found


def _stanzas(link: Link, machine: _Machine) -> list[_Stanza]:
    stanzas = _methods(link)
    first, last = stanzas[0], stanzas[-1]
    _prepare(link, first, machine)
    table = machine.table(link)
    limits.say(link, table, machine.problems)
    first.add("dns-nameservers", " ".join(given.value for given in link.dns))
    first.add("dns-search", " ".join(given.value for given in link.search))
    for address in link.addresses:
        if not _has_method(link, address):
            first.add("up", commands.address(_with_good_label(link, address, machine)))
            if link.kind == LOOPBACK:
                first.add("down", f"ip address delete {address} dev $IFACE")
    first.add("up", commands.sysctl6("mtu", link.ipv6_mtu) if link.ipv6_mtu is not None else "")
    _routes(link, stanzas, table)
    for rule in link.rules:
        for family in (4, 6) if not (rule.source or rule.to) else (rule.family,):
            up, down = commands.rule(rule, family)
            home = _home(stanzas, family)
            home.add("up", up)
            home.add("down", down)
    if link.dhcp4 and table is not None:
        last.add("up", *commands.subnet_of_lease(table))
    if link.kind not in HARDWARE and link.kind != LOOPBACK:
        last.add("post-down", *commands.unmake(link))
    return stanzas


def _methods(link: Link) -> list[_Stanza]:
    """A stanza for each way in which the link gets addresses, those that may fail at the end: it stops there."""
    if link.kind == LOOPBACK:
        return [_Stanza(_INET, "loopback")]
    found = []
    for address in link.addresses:
        if _has_method(link, address):
            stanza = _Stanza(_INET if address.family == 4 else _INET6, "static")
            stanza.add("address", str(address))
            if address.family == 6:
                # Otherwise it waits for the check for duplicates, which there is none of without a carrier, and gives
                # up: the routes and addresses that follow would never come.
                stanza.add("dad-attempts", 0)
                stanza.add("preferred-lifetime", 0 if address.deprecated else "")
                if link.accept_ra is not False:  # without a word, this method would switch both off
                    stanza.add("accept_ra", 2 if link.accept_ra else 1)
                    stanza.add("autoconf", 1)
            found.append(stanza)
    found.sort(key=lambda stanza: stanza.family)
    has_static6 = any(stanza.family == _INET6 for stanza in found)
    if link.dhcp6 or (link.accept_ra and not has_static6):
        stanza = _Stanza(_INET6, "auto")
        stanza.add("accept_ra", {True: "", False: 0, None: 1}[link.accept_ra])
        if link.dhcp6:
            up, down = commands.lease6(only=link.dhcp4 is None)
            stanza.add("up", up)
            stanza.add("down", down)
        found.append(stanza)
    if link.dhcp4:
        found.append(_lease4(link, link.dhcp4))
    return found or [_Stanza(_INET, "manual")]


def _has_method(link: Link, address: Address) -> bool:
    """Whether the method `static` can set it: not with a label of its own, nor on the loopback, which it takes down."""
    return link.kind != LOOPBACK and not address.label and not (address.deprecated and address.family == 4)


def _with_good_label(link: Link, address: Address, machine: _Machine) -> Address:
    """ip-address(8) takes a label only if it begins with the name of the interface."""
    if all(address.label.startswith(target.kernel) for target in machine.targets[link.name]):
        return address
    if address.label:
        message = f"ifupdown sets no label that does not begin with the interface's name, like {address.label}"
        machine.problems.warning(address.at, f"{link.path}.addresses", message, f"{address} is set without")
    return address._replace(label="")


def _lease4(link: Link, dhcp: Dhcp) -> _Stanza:
    stanza = _Stanza(_INET, "dhcp")
    stanza.add("metric", dhcp.route_metric)
    stanza.add("hostname", dhcp.hostname if is_plain(dhcp.hostname) else "")
    # The lease may say otherwise.
    stanza.add("up", commands.mtu(link.mtu) if link.mtu is not None else "")
    return stanza


def _prepare(link: Link, first: _Stanza, machine: _Machine) -> None:
    """Everything before the interface is up: it is made, gets its members and its settings."""
    owner = machine.owners.get(link.name)
    if link.kind not in HARDWARE and link.kind != LOOPBACK:
        parent = (machine.kernel_names(link.parent, link) or [link.parent])[0] if link.parent else ""
        kind = tunnels.kind(link, parent) if link.tunnel else commands.kind(link)
        first.add("pre-up", *commands.make(link, kind, parent))
        first.add("pre-up", *commands.parameters(link))
        if link.tunnel:
            first.add("pre-up", *tunnels.wireguard(link, machine.ids[link.name]))
    if link.kind in (BOND, BRIDGE):
        _join_members(link, first, machine)
    if owner is not None and owner.kind == VRF:
        first.add("pre-up", f"ip link set dev $IFACE master {owner.name}")
    first.add("pre-up", commands.mac(link.mac) if link.mac else "")
    first.add("pre-up", commands.mtu(link.mtu) if link.mtu is not None else "")
    if link.infiniband_mode:
        first.add("pre-up", f"echo {link.infiniband_mode} >/sys/class/net/$IFACE/mode || true")
    first.add("pre-up", *_settings6(link))


def _join_members(link: Link, first: _Stanza, machine: _Machine) -> None:
    costs, priorities = dict(link.costs), dict(link.priorities)
    for member in link.members:
        for name in machine.kernel_names(member.value, link):
            first.add("pre-up", *commands.join(link, name))
            cost, priority = costs.get(member.value), priorities.get(member.value)
            first.add("pre-up", *commands.port(name, cost, priority, machine.ports[member.value]))
    primary = dict(link.parameters).get("primary", "")
    for name in machine.kernel_names(primary, link)[:1] if link.kind == BOND and primary else ():
        first.add("pre-up", commands.primary(name))


def _settings6(link: Link) -> list[str]:
    found = []
    if link.accept_ra is False:
        found.append(commands.sysctl6("accept_ra", 0))
    if link.link_local is not None and 6 not in link.link_local:
        found.append(commands.sysctl6("addr_gen_mode", commands.ADDRESS_NONE))
    elif link.ipv6_generation == "stable-privacy":
        found.append(commands.stable_secret())
    elif link.ipv6_generation == "eui64":
        found.append(commands.sysctl6("addr_gen_mode", commands.ADDRESS_EUI64))
    if link.ipv6_privacy is not None:
        found.append(commands.sysctl6("use_tempaddr", 2 if link.ipv6_privacy else 0))
    if link.ra_metric is not None:
        found.append(commands.sysctl6("ra_defrtr_metric", link.ra_metric))
    if link.ipv6_token:
        found.append(f"ip token set {link.ipv6_token} dev $IFACE || true")
    return found


# routes


def _home(stanzas: list[_Stanza], family: int) -> _Stanza:
    """The stanza after which everything of a family is there that does not come from a server."""
    name = _INET6 if family == 6 else _INET
    of_family = [stanza for stanza in stanzas if stanza.family == name]
    static = [stanza for stanza in of_family if stanza.method == "static"]
    return (static or of_family or stanzas)[-1]


def _routes(link: Link, stanzas: list[_Stanza], table: Optional[int]) -> None:
    """`table`: of the VRF, if the link is in one."""
    has_gateway = set()
    for route in link.routes:
        home = _home(stanzas, route.family)
        if table is None and route.family not in has_gateway and _is_gateway(route) and home.method == "static":
            has_gateway.add(route.family)
            home.add("gateway", route.via)
            home.add("metric", route.metric)
            if route.family == 4 and link.dhcp4:  # dhcpcd takes the other default routes of its interface away
                stanzas[-1].add("up", commands.route(route._replace(on_link=True), table)[0])
            continue
        # dhcpcd may go on before it has an IPv4 lease: nothing says yet that a gateway in its subnet can be reached.
        is_early = home.method == "dhcp" and bool(route.via)
        up, down = commands.route(route._replace(on_link=True) if is_early else route, table)
        home.add("up", up)
        home.add("down", down)


def _is_gateway(route: Route) -> bool:
    """Whether the option `gateway` says all of it. (It always asks for the gateway on the link.)"""
    same_family = (":" in route.via) == (route.family == 6)
    more = (route.source, route.scope, route.mtu, route.congestion_window, route.receive_window, route.advertised_mss)
    return route.is_default and bool(route.via) and same_family and not any(more)
