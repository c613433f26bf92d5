"""NetworkManager: a keyfile for each link.

Formats: nm-settings-keyfile(5); every property here is known to NetworkManager 1.42 (Debian 12, EL 9). They may hold
keys, and NetworkManager reads none that others may read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guestinit import rooms
from guestinit.model import hardware
from guestinit.model.action import Check, Gentler, Step
from guestinit.model.facts import Facts, Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    HARDWARE,
    INFINIBAND,
    LOOPBACK,
    PHYSICAL,
    TUNNEL,
    VLAN,
    VRF,
    Link,
    Network,
    Port,
    Rendered,
    Route,
    Rule,
    file_ids,
    masters,
    ports,
)
from guestinit.model.problem import Problems
from guestinit.model.tunnel import MODES, VXLAN
from guestinit.renderers import Section, link_file, tell, text

DIRECTORY = "/etc/NetworkManager/system-connections"
PRIORITY = 120  # above any profile of the image, which has 0 unless somebody chose otherwise
MAGIC_PACKET = 0x40  # wake-on-lan
EUI64 = 0
STABLE_PRIVACY = 1
IPV4_LINK_LOCAL = 3  # "enabled": beside the other addresses
_WITHOUT_DNS = ("disabled", "link-local", "ignore")  # methods beside which NetworkManager takes no name servers
_NAMESPACE = b"guestinit network connection\0"
# Without a running NetworkManager, from 1.40 on: a change that changes nothing, of the profile on standard input.
CHECK = Check(
    ("nmcli", "--offline", "connection", "modify", "connection.zone", ""),
    b"[connection]\nid=guestinit\ntype=ethernet\n[ethernet]\n",
)
_TYPES = {PHYSICAL: "ethernet"}  # otherwise the kind itself


def connection_uuid(name: str) -> str:
    """The UUID of a link's connection: always the same for the same name (RFC 9562, version 8: a digest)."""
    import hashlib

    digits = bytearray(hashlib.sha256(_NAMESPACE + name.encode("utf-8", "surrogateescape")).digest()[:16])
    digits[6] = digits[6] & 0x0F | 0x80
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def render(network: Network, nics: tuple[Nic, ...], problems: Problems) -> tuple[Rendered, ...]:
    """The files of NetworkManager."""
    if network.state != CONFIGURED:
        if network.dns or network.search:
            at = (network.dns or network.search)[0].at
            message = "name servers without any interface: NetworkManager knows them by connection only"
            problems.note(at, "", message, "they are left out; the image's own configuration stays")
        return ()
    ids, owners, of_bridges = file_ids(network), masters(network), ports(network)
    _say_lost_servers(network, owners, problems)
    kernel_names = hardware.kernel_names(network, nics)
    found = []
    for link in network.links:
        if link.kind == LOOPBACK and not link.addresses:
            continue
        if link.kind in HARDWARE:
            name_file = link_file(link, ids[link.name], wake_on_lan=False)
            found += [name_file] if name_file else []
            if link.activation:
                message = "NetworkManager switches on every interface that it manages"
                problems.note(link.at, link.path, message, "it is up, but has no addresses")
        path = f"{DIRECTORY}/guestinit-{ids[link.name]}.nmconnection"
        port = of_bridges.get(link.name, Port())
        content = _content(link, owners.get(link.name), port, kernel_names, problems)
        owner = owners.get(link.name)
        is_port = owner is not None and owner.kind != VRF
        stays_down = link.activation or (owner is not None and owner.activation)
        activate = "" if stays_down else connection_uuid(link.name)
        is_one = link.kind not in HARDWARE or not link.match.is_broad
        device = kernel_names.get(link.name, link.name) if is_one else ""
        file = Rendered(path, content, 0o600, link.at, link.name, check=CHECK)
        found.append(file._replace(activate=activate, device=device, port=is_port))
    return tuple(found)


def reload(files: tuple[Rendered, ...], changed: tuple[str, ...], facts: Facts) -> Iterator[Step]:
    """NetworkManager reads all profiles again, and brings up those that changed; it leaves the others alone.

    A profile that is in use already is applied anew without taking the interface down: what stays the same (the address
    of the session that somebody works in) is not touched. What cannot be changed so, such as a MAC, needs an "up".
    """
    unit = "NetworkManager.service"
    yield tell("nmcli connection reload", ("nmcli", "connection", "reload"), changed, unit)
    for each in sorted(files, key=lambda each: each.port):
        if each.activate:
            # Asked for and not awaited: a lease may take its time, and nobody is to wait for that here.
            up = ("nmcli", "--wait", "0", "connection", "up", "uuid", each.activate)
            label = f"nmcli connection up {each.path.rpartition('/')[2][: -len('.nmconnection')]}"
            gentler = _reapply(each.device, each.activate) if each.device else None
            yield tell(label, up, (f"file:{each.path}",), unit, gentler)


def _reapply(device: str, uuid: str) -> Gentler:
    question = ("nmcli", "--get-values", "GENERAL.CON-UUID", "device", "show", device)
    return Gentler(("nmcli", "device", "reapply", device), question, uuid)


def _content(link: Link, master: Link | None, port: Port, kernel_names: dict[str, str], problems: Problems) -> bytes:
    """One keyfile."""
    if link.emit_lldp:
        problems.error(link.at, link.path, "NetworkManager sends no LLDP", "left out")
    is_port = master is not None and master.kind in (BOND, BRIDGE)
    return text((
        _connection(link, master),
        _match(link),
        _hardware(link),
        *_virtual(link, kernel_names, problems),
        _port(link, port, problems) if master is not None and master.kind == BRIDGE else None,
        None if is_port else _ip(link, 4, problems),
        None if is_port else _ip(link, 6, problems),
    ))  # fmt: skip


def _connection(link: Link, master: Link | None) -> Section:
    section = Section("connection", "true", "false")
    section.set("id", f"guestinit {link.name}")
    section.set("uuid", connection_uuid(link.name))
    is_tunnel = link.kind == TUNNEL
    kind = rooms.one("renderers", "tunnels").network_manager_type(link) if is_tunnel else link.kind
    section.set("type", _TYPES.get(kind, kind))
    section.set("interface-name", link.match.exact_name if link.kind in (*HARDWARE, LOOPBACK) else link.name)
    section.set("autoconnect", False if link.activation else None)
    is_broad = link.kind in HARDWARE and link.match.is_broad
    section.set("autoconnect-priority", PRIORITY - 1 if is_broad else PRIORITY)
    if link.kind in (BOND, BRIDGE):
        section.set("autoconnect-slaves", 1)
    if master is not None:
        section.set("master", master.name)
        section.set("slave-type", master.kind)
    if is_broad:
        section.set("multi-connect", 3)  # multiple: the match may hold for several interfaces
    return section


def _match(link: Link) -> Section | None:
    if link.kind not in HARDWARE or link.match.exact_name:
        return None
    section = Section("match")
    names = (*link.match.names, link.set_name) if link.match.names and link.set_name else link.match.names
    section.set("interface-name", _list(names))
    section.set("driver", _list(link.match.drivers))
    return section


def _hardware(link: Link) -> Section:
    """What is said about the interface itself; it also names its type, so it stands there even if it says nothing."""
    infiniband = link.kind == INFINIBAND
    section = Section("infiniband" if infiniband else "ethernet")
    if link.kind in HARDWARE:
        section.set("mac-address", link.match.mac.upper())
    if infiniband:
        section.set("transport-mode", link.infiniband_mode or "datagram")
    elif link.kind != LOOPBACK:
        section.set("cloned-mac-address", link.mac.upper())
        section.set("wake-on-lan", MAGIC_PACKET if link.wake_on_lan else None)
    if link.kind != LOOPBACK and (link.tunnel is None or link.tunnel.mode == VXLAN):
        section.set("mtu", link.mtu)  # tunnels without Ethernet have it in their own section
    return section


def _virtual(link: Link, kernel_names: dict[str, str], problems: Problems) -> list[Section]:
    if link.kind == TUNNEL:
        parent = connection_uuid(link.parent) if link.parent else ""
        found: list[Section] = rooms.one("renderers", "tunnels").network_manager(link, parent, problems)
        return found
    if link.kind == VLAN:
        section = Section("vlan")
        section.set("id", link.vlan_id)
        section.set("parent", connection_uuid(link.parent))
        return [section]
    if link.kind == VRF:
        section = Section("vrf")
        section.set("table", link.table)
        return [section]
    parameters = dict(link.parameters)
    if link.kind == BOND:
        section = Section("bond")
        for name in sorted(parameters):
            value = parameters[name]
            section.set(name, kernel_names.get(value, value) if name == "primary" else value)
        return [section]
    if link.kind == BRIDGE:
        section = Section("bridge", "true", "false")
        for name in ("forward_delay", "hello_time", "max_age", "ageing_time", "priority"):
            section.set(name.replace("_", "-"), parameters.get(name))
        if parameters.get("forward_delay") in ("0", "1"):
            message = f"NetworkManager sets no forward delay of {parameters['forward_delay']} s"
            problems.note(link.at, link.path, message, "without the spanning tree it has no effect")
        # NetworkManager's own default is yes, which keeps a new bridge silent for half a minute; the kernel's is no.
        section.set("stp", parameters.get("stp") == "1")
        return [section]
    return []


def _port(link: Link, port: Port, problems: Problems) -> Section:
    section = Section("bridge-port", "true", "false")
    section.set("path-cost", port.cost)
    section.set("priority", port.priority)
    for name, is_on in link.port:
        if name == "hairpin":
            section.set("hairpin-mode", is_on)
        else:
            message = f"NetworkManager has no setting '{name}' for the port of a bridge"
            problems.error(link.at, link.path, message, "the kernel's default is used")
    return section


def _list(values: Iterable[str]) -> str:
    return "".join(value + ";" for value in values)


# addresses, routes and name servers of one family: the sections [ipv4] and [ipv6]


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


def _ip(link: Link, family: int, problems: Problems) -> Section:
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
        found.set("dns", _list(given.value for given in link.dns if _family(given.value) == family))
        if family == 4 or _method(link, 4) in _WITHOUT_DNS:
            found.set("dns-search", _list(given.value for given in link.search))
    if family == 4:
        _lease4(found, link, problems)
    else:
        _lease6(found, link, problems)
        _details6(found, link)
    return found


def _say_lost_servers(network: Network, owners: dict[str, Link], problems: Problems) -> None:
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
    # The domains of the document always take the place of those of a lease.
    other_domains = ("route", "true") if link.search else ("route", "false" if dhcp.use_dns is not False else "route")
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


def _family(text: str) -> int:
    return 6 if ":" in text else 4
