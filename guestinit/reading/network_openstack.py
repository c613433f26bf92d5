"""OpenStack's network_data.json, as Nova, Ironic, oVirt and CloudStack write it (platforms.md 5.2, 6.2, 8.4).

It is turned into network-config version 1, value by value with its place, and read as that.
"""

from __future__ import annotations

from collections.abc import Iterable

from guestinit.model.fields import describe
from guestinit.model.network import BOND, PHYSICAL, VLAN, Network
from guestinit.model.problem import Position, Problems
from guestinit.model.value import LIST, MAP, SCALAR, Value
from guestinit.reading import network_v1
from guestinit.reading import network_values as values

# What a network's type means; `True` in the second place: the address in the document is the router's business.
_TYPES = {
    "ipv4": ("static", False),
    "ipv6": ("static6", False),
    "ipv4_dhcp": ("dhcp4", False),
    "dhcp4": ("dhcp4", False),
    "ipv6_dhcp": ("dhcp6", False),
    "dhcp6": ("dhcp6", False),
    "ipv6_dhcpv6-stateful": ("ipv6_dhcpv6-stateful", True),
    "ipv6_dhcpv6-stateless": ("ipv6_dhcpv6-stateless", True),
    "ipv6_slaac": ("ipv6_slaac", True),
}
# Apart from bonds and VLANs only the hypervisor can tell them apart.
_LINK_TYPES = frozenset((
    "phy", "vif", "ovs", "bridge", "tap", "dvs", "hw_veb", "hyperv", "vhostuser", "ethernet", "bgpovs", "cascading",
    "macvtap", "vrouter", "other", BOND, VLAN,
))  # fmt: skip


def is_openstack(value: Value, expected: bool = False) -> bool:
    """Whether a mapping is this format: KubeVirt hands over netplan where it is `expected`."""
    given = {key.text for key, _ in value.pairs}
    is_other = bool(given & {"version", "ethernets", "config", "network"})
    return not is_other and (expected or bool(given & {"links", "networks", "services"}))


def read(value: Value, problems: Problems) -> Network | None:
    """The model of a network_data.json; None if it says nothing, which is Nova's and CloudStack's `{}`."""
    links, networks = _items(value, "links", problems), _items(value, "networks", problems)
    services = _items(value, "services", problems)
    if not links and not networks and not services:
        return None
    names = _names(links)
    links_by_id = {_id(link): _link(link, names, problems) for link in links}
    subnets: dict[str, list[Value]] = {}
    fixed: dict[str, bool] = {}  # by link: only fixed IPv6 addresses, so that no router is listened to
    for index, network in enumerate(networks):
        link_id, path = _text(network, "link"), f"networks.{index}"
        if not link_id or link_id not in links_by_id:
            problems.error(network.at, path, f"no link '{link_id[:40]}' in this document", "this network is left out")
            continue
        kind = _text(network, "type")
        if kind not in _TYPES:
            message = f"expected one of {', '.join(_TYPES)}; got '{kind[:40]}'"
            problems.error(network.at, f"{path}.type", message, "this network is left out")
            continue
        if kind in ("ipv4", "ipv6") and not _text(network, "ip_address"):
            problems.note(network.at, path, "no address", "this network is left out")
            continue
        _say_services(_services(network), problems)
        subnets.setdefault(link_id, []).append(_subnet(network, kind))
        if _TYPES[kind][0] not in ("static", "dhcp4"):
            fixed[link_id] = fixed.get(link_id, True) and kind == "ipv6"
    config = []
    for id_, item in links_by_id.items():
        if item is None:
            continue
        pairs = item.pairs
        if id_ in subnets:
            pairs += ((_word("subnets", item.at), Value(LIST, item.at, items=tuple(subnets[id_]))),)
        if fixed.get(id_):
            pairs += ((_word("accept-ra", item.at), _word("false", item.at)),)
        config.append(item._replace(pairs=pairs))
    config += [
        _mapping(service, (("type", _word("nameserver", service.at)), ("address", service.get("address"))))
        for service in services
        if _text(service, "type") == "dns"
    ]
    _say_services(services, problems)
    said = Problems()
    items = Value(LIST, value.at, items=tuple(config))
    version1 = _mapping(value, (("version", _word("1", value.at)), ("config", items)))
    found = network_v1.read(version1, said)
    for problem in said.found:  # the path would be the translation's; the place in the document says it all
        problems.add(problem._replace(path="" if problem.path.startswith("config") else problem.path))
    return found


def _items(value: Value, name: str, problems: Problems) -> tuple[Value, ...]:
    """The mappings of a list; null lists occur in third-party clones."""
    found = value.get(name)
    if found is None or found.is_null:
        return ()
    if found.kind != LIST:
        problems.error(found.at, name, f"expected a list, got {describe(found)}", "left out")
        return ()
    for index, item in enumerate(found.items):
        if item.kind != MAP and not item.is_null:
            problems.error(item.at, f"{name}.{index}", f"expected a mapping, got {describe(item)}", "left out")
    return tuple(item for item in found.items if item.kind == MAP)


def _names(links: tuple[Value, ...]) -> dict[str, str]:
    """What each link will be called, by its id: bonds by their order, VLANs by what they stand on."""
    names: dict[str, str] = {}
    bonds = 0
    for link in links:
        id_, name = _id(link), _text(link, "name")
        if _text(link, "type") == BOND and values.interface_name(name):
            name, bonds = f"bond{bonds}", bonds + 1
        names[id_] = name or id_
    for link in links:
        id_ = _id(link)
        if _text(link, "type") == VLAN and values.interface_name(_text(link, "name")):
            below, tag = _text(link, "vlan_link"), _text(link, "vlan_id")
            name = f"{names.get(below, below)}.{tag}"
            names[id_] = f"vlan.{tag}" if values.interface_name(name) else name
    return names


def _link(link: Value, names: dict[str, str], problems: Problems) -> Value | None:
    """A link as an item of version 1. `bridge`, `ovs`, `tap`, ... are the hypervisor's side of a plain NIC."""
    kind = _text(link, "type")
    kind = kind if kind in (BOND, VLAN) else PHYSICAL
    id_ = _id(link)
    if not id_:
        problems.error(link.at, "links", "a link needs an id", "left out")
        return None
    at = link.at
    if _text(link, "type") not in _LINK_TYPES:
        message = f"unknown type '{_text(link, 'type')[:40]}'"
        problems.note(at, f"links.{id_[:40]}", message, "taken as a plain NIC, which is what most types are")
    pairs: list[tuple[str, Value | None]] = [
        ("type", _word(kind, at)),
        ("name", _word(names[id_], at)),
        ("mac_address", link.get("vlan_mac_address" if kind == VLAN else "ethernet_mac_address")),
        ("mtu", link.get("mtu")),
    ]
    if kind == VLAN:
        below = _text(link, "vlan_link")
        pairs += [("vlan_link", _word(names.get(below, below), at)), ("vlan_id", link.get("vlan_id"))]
    if kind == BOND:
        members = link.get("bond_links")
        listed = members.items if members is not None and members.kind == LIST else ()
        renamed = tuple(_word(names.get(each.text, each.text), each.at) for each in listed)
        parameters = tuple((key, each) for key, each in link.pairs if key.text.startswith("bond_") and each != members)
        pairs += [
            ("bond_interfaces", Value(LIST, at, items=renamed)),
            ("params", Value(MAP, at, pairs=parameters)),
        ]
    return _mapping(link, pairs)


def _subnet(network: Value, kind: str) -> Value:
    """A network as a subnet of version 1."""
    theirs, is_routers = _TYPES[kind]
    pairs: list[tuple[str, Value | None]] = [("type", _word(theirs, network.at))]
    if theirs in ("static", "static6"):
        pairs += [("address", network.get("ip_address")), ("netmask", network.get("netmask"))]
    if not is_routers:
        pairs += [("gateway", network.get("gateway")), ("routes", _routes(network))]
    given = [each.get("address") for each in _services(network) if _text(each, "type") == "dns"]
    servers = [address for address in given if address is not None]
    more = network.get("dns_nameservers")
    servers += more.items if more is not None and more.kind == LIST else [more] if more is not None else []
    pairs += [
        ("dns_nameservers", Value(LIST, network.at, items=tuple(servers)) if servers else None),
        ("dns_search", network.get("dns_search")),
    ]
    return _mapping(network, pairs)


def _services(network: Value) -> tuple[Value, ...]:
    found = network.get("services")
    return tuple(each for each in found.items if each.kind == MAP) if found is not None and found.kind == LIST else ()


def _say_services(services: Iterable[Value], problems: Problems) -> None:
    for service in services:
        kind = _text(service, "type")
        if kind != "dns":
            problems.note(service.at, "services", f"a service of the type '{kind[:40]}'", "not set up")


def _routes(network: Value) -> Value | None:
    """The routes, with the keys that version 1 has too."""
    routes = network.get("routes")
    if routes is None or routes.kind != LIST:
        return None
    kept = []
    for route in routes.items:
        names = ("network", "netmask", "gateway", "metric")
        kept.append(_mapping(route, [(name, route.get(name)) for name in names]) if route.kind == MAP else route)
    return routes._replace(items=tuple(kept))


def _id(link: Value) -> str:
    return _text(link, "id") or _text(link, "name")


def _text(value: Value, name: str) -> str:
    found = value.get(name) if value.kind == MAP else None
    return "" if found is None or found.is_null or found.kind != SCALAR else found.text.strip()


def _word(text: str, at: Position) -> Value:
    return Value(SCALAR, at, text, plain=False)


def _mapping(source: Value, pairs: Iterable[tuple[str, Value | None]]) -> Value:
    given = tuple((_word(name, source.at), each) for name, each in pairs if each is not None)
    return Value(MAP, source.at, pairs=given)
