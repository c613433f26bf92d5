"""network-config version 1: a list of typed items, as Proxmox VE, MAAS and many people write it.

The format is cloud-init's "Networking config Version 1"; what really occurs stands in platforms.md 2.2, 13 and 14.
`name` of hardware with a MAC is a label: Proxmox VE calls its NICs eth0, eth1, ... whatever the kernel calls them.
"""

from __future__ import annotations

from guestinit.model.fields import Fields, Key, describe
from guestinit.model.network import (
    BOND,
    BRIDGE,
    DISABLED,
    HARDWARE,
    INFINIBAND,
    LOOPBACK,
    PHYSICAL,
    VLAN,
    Address,
    Dhcp,
    Link,
    Match,
    Network,
    Route,
)
from guestinit.model.problem import Problems
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value
from guestinit.reading import network_complete as complete
from guestinit.reading import network_parameters, network_routes
from guestinit.reading import network_values as values

TOP_KEYS = (
    Key("version", "1", "the version of this format"),
    Key("config", "list", "interfaces, name servers and routes"),
    Key("renderer", "text", "guestinit takes the renderer that the image uses", ignored=True),
)
_LINK_KEYS = (
    Key("type", "text", "what the item is"),
    Key("id", "text", "a label, which MAAS writes; of a VLAN without `vlan_id`, that number"),
    Key("name", "text", "a label; the kernel's name of virtual interfaces, and of hardware without a MAC"),
    Key("mac_address", "MAC", "which hardware is meant; the address to set on virtual interfaces", aliases=("mac",)),
    Key("mtu", "number", "largest packet, in bytes"),
    Key("subnets", "list", "the addresses"),
    Key("accept-ra", "true or false", "whether router advertisements are used", aliases=("accept_ra",)),
    Key("keep_configuration", "true or false", "guestinit never takes addresses away at shutdown", ignored=True),
    Key("wakeonlan", "true or false", "whether a magic packet wakes the machine"),
    Key("optional", "true or false", "whether being online does not wait for it"),
)
_VIRTUAL_KEYS = {
    PHYSICAL: (),
    INFINIBAND: (),
    LOOPBACK: (),
    BOND: (
        Key("bond_interfaces", "list of text", "the members", aliases=("bond-interfaces", "interfaces")),
        Key("params", "mapping", "parameters of the bond", aliases=("parameters",)),
    ),
    BRIDGE: (
        Key("bridge_interfaces", "list of text", "the members", aliases=("bridge-interfaces", "interfaces")),
        Key("params", "mapping", "parameters of the bridge", aliases=("parameters",)),
    ),
    VLAN: (
        Key("vlan_link", "text", "the interface below", aliases=("link",)),
        Key("vlan_id", "number", "the tag"),
    ),
}
_NAMESERVER_KEYS = (
    Key("type", "text", "what the item is"),
    Key("address", "list of addresses", "the servers", aliases=("addresses",)),
    Key("search", "list of domains", "where short names are looked up", aliases=("search_domains",)),
    Key("interface", "text", "the one interface that they are for"),
    Key("name", "text", "a label", ignored=True),
)
_SUBNET_KEYS = (
    Key("type", "text", "where the address comes from"),
    Key("address", "address", "with or without a prefix length"),
    Key("netmask", "netmask or prefix length", "of the address"),
    Key("prefix", "number", "of the address"),
    Key("gateway", "address", "of the default route"),
    Key("metric", "number", "of the default route"),
    Key("dns_nameservers", "list of addresses", "name servers", aliases=("dns-nameservers", "nameservers")),
    Key("dns_search", "list of domains", "search domains", aliases=("dns-search",)),
    Key("routes", "list", "routes through this interface"),
    Key("control", "text", "auto, or manual: not brought up by itself"),
    Key("mtu", "number", "largest packet, in bytes"),
    Key("pointopoint", "address", "of the other end, which is reached on the link"),
    Key("broadcast", "address", "follows from the netmask", ignored=True),
    Key("scope", "text", "follows from the address", ignored=True),
    Key("network", "address", "follows from the address and the netmask", ignored=True),
    Key("ipv4", "true or false", "follows from the address", ignored=True),
    Key("ipv6", "true or false", "follows from the address", ignored=True),
    Key("name", "text", "a label", ignored=True),
    Key("id", "text", "a label", ignored=True),
)
_DHCP4 = ("dhcp", "dhcp4")
_DHCP6 = ("dhcp6", "ipv6_dhcpv6-stateful")
_SLAAC = ("ipv6_slaac", "ipv6_dhcpv6-stateless")
_STATIC = ("static", "static6")
_NO_ADDRESS = ("manual", "loopback")
SUBNET_TYPES = (*_DHCP4, *_DHCP6, *_SLAAC, *_STATIC, *_NO_ADDRESS)


def read(value: Value, problems: Problems) -> Network | None:
    """The model of a version 1 mapping; None, with a problem, if the document as a whole cannot be used."""
    fields = Fields(value, "", TOP_KEYS, problems)
    config = fields.raw("config")
    if config is not None and config.kind not in (LIST, MAP) and config.text.lower() == "disabled":
        return Network(DISABLED, config.at)
    if config is not None and config.kind != LIST:
        fields.wrong("config", config, "a list of interfaces", "taken as no network-config at all")
        return None
    links: list[Link] = []
    loose = complete.Loose()
    of_interface: list[tuple[str, complete.Loose, Value]] = []
    for index, item in enumerate(config.items if config else ()):
        path = f"config.{index}"
        kind = _type_of(item, path, problems)
        if kind == "nameserver":
            nameserver = Fields(item, path, _NAMESERVER_KEYS, problems)
            found = _nameserver(nameserver)
            interface = nameserver.text("interface")
            if interface is not None:
                of_interface.append((interface.value, found, item))
            else:
                loose = loose._replace(dns=loose.dns + found.dns, search=loose.search + found.search)
        elif kind == "route":
            route = network_routes.read_v1(Fields(item, path, network_routes.V1_ITEM_KEYS, problems))
            if route is not None:
                loose = loose._replace(routes=(*loose.routes, (route, path)))
        elif kind:
            try:
                links.append(_link(kind, item, path, index, problems))
            except values.Unusable:
                continue
    links = _with_nameservers(links, of_interface, problems)
    lo = next((link for link in links if link.kind == LOOPBACK), None)
    if lo is not None:  # name servers that ifupdown had on lo are everybody's
        loose = loose._replace(dns=loose.dns + lo.dns, search=loose.search + lo.search)
        links[links.index(lo)] = lo._replace(dns=(), search=())
    return complete.network(value.at, links, loose, problems)


def _type_of(item: Value, path: str, problems: Problems) -> str:
    """The type of an item, empty if there is none that can be used."""
    if item.kind != MAP:
        if not item.is_null:
            problems.error(item.at, path, f"expected a mapping with a type, got {describe(item)}", "left out")
        return ""
    value = item.get("type")
    known = (*_VIRTUAL_KEYS, "nameserver", "route")
    if value is not None and value.text in known:
        return value.text
    at = value.at if value is not None else item.at
    got = f"got '{value.text[:40]}'" if value is not None else "there is none"
    message = f"expected one of {', '.join(known)}; {got}"
    problems.error(at, f"{path}.type", message, "this item is left out, the others go on")
    return ""


def _nameserver(fields: Fields) -> complete.Loose:
    return complete.Loose(values.servers(fields, "address"), values.domains(fields, "search"))


def _with_nameservers(
    links: list[Link], of_interface: list[tuple[str, complete.Loose, Value]], problems: Problems
) -> list[Link]:
    places = {link.name: index for index, link in reversed(list(enumerate(links)))} if of_interface else {}
    for name, found, item in of_interface:
        if name in places:
            link = links[places[name]]
            links[places[name]] = link._replace(dns=link.dns + found.dns, search=link.search + found.search)
        else:
            message = f"no interface '{name[:40]}' in this document"
            problems.error(item.at, "", message, "these name servers are left out")
    return links


def _link(kind: str, item: Value, path: str, index: int, problems: Problems) -> Link:
    """One interface. Raises Unusable."""
    fields = Fields(item, path, (*_LINK_KEYS, *_VIRTUAL_KEYS[kind]), problems)
    mac = values.mac(fields, "mac_address") if kind in HARDWARE else values.mac_to_set(fields, "mac_address")
    given = fields.text("name")
    label = given.value.strip() if given is not None else ""
    at = given.at if given is not None else item.at
    link = Link(kind, label or f"{kind}{index}", item.at, path)
    if kind in HARDWARE:
        if not mac:
            name = values.made_name(label, at, fields.path_of("name"), problems)
            link = link._replace(match=Match(names=(name,)))
        else:
            link = link._replace(match=Match(mac=mac))
        if not label.isprintable():
            link = link._replace(name=f"{kind}{index}")
    elif kind == LOOPBACK:
        link = link._replace(name="lo", match=Match(names=("lo",)))
    else:
        link = _virtual(link._replace(name=label or _default_name(fields, kind), mac=mac), fields)
    mtu = fields.number("mtu", 68, 2**31 - 1)
    accept_ra = fields.flag("accept-ra")
    wake, optional = fields.flag("wakeonlan"), fields.flag("optional")
    link = link._replace(
        mtu=mtu.value if mtu else None,
        accept_ra=accept_ra.value if accept_ra else None,
        wake_on_lan=bool(wake and wake.value),
        optional=bool(optional and optional.value),
    )
    for number, subnet in enumerate(fields.items("subnets") or ()):
        where = f"{path}.subnets.{number}"
        if subnet.kind != MAP:
            problems.error(subnet.at, where, f"expected a mapping, got {describe(subnet)}", values.LEFT_OUT)
            raise values.Unusable
        link = _with_subnet(link, Fields(subnet, where, _SUBNET_KEYS, problems))
    static6 = any(address.family == 6 for address in link.addresses)
    gateway6 = any(route.family == 6 and route.is_default for route in link.routes)
    if link.accept_ra is None and static6 and gateway6 and not link.dhcp6:
        # Address and gateway are given: what a router announces would only compete with them.
        link = link._replace(accept_ra=False)
    return link


def _default_name(fields: Fields, kind: str) -> str:
    if kind != VLAN:
        return ""
    below, tag = fields.text("vlan_link"), fields.text(_tag(fields))
    return f"{below.value}.{tag.value}" if below and tag else ""


def _tag(fields: Fields) -> str:
    return "id" if fields.raw("vlan_id") is None else "vlan_id"


def _virtual(link: Link, fields: Fields) -> Link:
    """What is special about a bond, a bridge or a VLAN."""
    problems = fields.problems
    values.made_name(link.name, fields.key_at("name"), fields.path_of("name"), problems)
    if link.kind == VLAN:
        below, tag = fields.text("vlan_link"), fields.number(_tag(fields), 0, 4094)
        if below is None or tag is None:
            problems.error(fields.at, fields.path, "a VLAN needs vlan_link and vlan_id", values.LEFT_OUT)
            raise values.Unusable
        return link._replace(parent=below.value, vlan_id=tag.value)
    members = values.texts(fields, f"{link.kind}_interfaces")
    parameters, costs, priorities = network_parameters.read(
        fields.raw("params"), link.kind, fields.path_of("params"), problems
    )
    return link._replace(members=members, parameters=parameters, costs=costs, priorities=priorities)


def _with_subnet(link: Link, fields: Fields) -> Link:
    """The link with one more of its subnets. Raises Unusable."""
    problems = fields.problems
    given = fields.text("type")
    kind = given.value.strip().lower() if given is not None else ("static" if fields.raw("address") else "")
    if kind not in SUBNET_TYPES:
        at = given.at if given is not None else fields.at
        got = f"got '{kind[:40]}'" if kind else "there is none"
        message = f"expected one of {', '.join(SUBNET_TYPES)}; {got}"
        problems.error(at, fields.path_of("type"), message, values.LEFT_OUT, max(1, len(kind)))
        raise values.Unusable
    if kind not in _STATIC and fields.raw("address") is not None:
        message = f"a subnet of the type {kind} has no address of its own"
        problems.warning(fields.key_at("address"), fields.path_of("address"), message, "it is ignored; write static", 7)
    metric = fields.number("metric")
    number = metric.value if metric is not None else None
    at = given.at if given is not None else fields.at
    if kind in _DHCP4:
        link = link._replace(dhcp4=Dhcp(at, route_metric=number))
    elif kind in _DHCP6:
        link = link._replace(dhcp6=Dhcp(at), accept_ra=True if link.accept_ra is None else link.accept_ra)
    elif kind in _SLAAC:
        link = link._replace(accept_ra=True if link.accept_ra is None else link.accept_ra)
    elif kind in _STATIC:
        link = link._replace(addresses=link.addresses + _static(link, kind, fields))
    if kind in (*_DHCP6, *_SLAAC) and number is not None:
        link = link._replace(ra_metric=number)
    control, mtu = fields.text("control"), fields.number("mtu", 68, 2**31 - 1)
    if control is not None and control.value == "manual":
        link = link._replace(activation="manual")
    elif control is not None and control.value not in ("auto", "hotplug"):
        fields.wrong("control", Value(SCALAR, control.at, control.value), "auto or manual")
    if mtu is not None and link.mtu is None:
        link = link._replace(mtu=mtu.value)
    return link._replace(
        routes=link.routes + _routes(fields, number),
        dns=link.dns + values.servers(fields, "dns_nameservers"),
        search=link.search + values.domains(fields, "dns_search"),
    )


def _static(link: Link, kind: str, fields: Fields) -> tuple[Address, ...]:
    given = fields.text("address")
    if given is None:
        fields.problems.error(fields.at, fields.path, f"a {kind} subnet needs an address", values.LEFT_OUT)
        raise values.Unusable
    mask = fields.text("netmask") or fields.text("prefix")
    address = values.address(given, mask, fields.path_of("address"), fields.problems)
    if link.kind == LOOPBACK and address.ip in ("127.0.0.1", "::1"):
        return ()  # the kernel's own
    if any(each.ip == address.ip for each in link.addresses):
        message = f"{address.ip} is given twice"
        fields.problems.warning(given.at, fields.path_of("address"), message, "it is taken once", len(given.value))
        return ()
    return (address,)


def _routes(fields: Fields, metric: int | None) -> tuple[Route, ...]:
    """The default route of the `gateway` key, and the list `routes`."""
    found: list[Route] = []
    given = fields.text("gateway")
    if given is not None and given.value.strip():
        via = values.gateway(Given(given.value, given.at), fields.path_of("gateway"), fields.problems)
        if via is not None:
            found.append(Route("::/0" if ":" in via else "0.0.0.0/0", given.at, via, metric))
    peer = fields.text("pointopoint")
    if peer is not None and peer.value.strip():
        to = values.network(peer.value) if values.ip(peer.value) else None
        if to is None:
            fields.wrong("pointopoint", Value(SCALAR, peer.at, peer.value), "an address")
        else:
            found.append(Route(to, peer.at))
    for index, item in enumerate(fields.items("routes") or ()):
        where = f"{fields.path}.routes.{index}"
        if item.kind != MAP:
            fields.problems.error(item.at, where, f"expected a mapping, got {describe(item)}", "left out")
            continue
        route = network_routes.read_v1(Fields(item, where, network_routes.V1_KEYS, fields.problems))
        if route is not None:
            found.append(route)
    return tuple(found)
