"""network-config version 2: netplan's grammar, as CAPMOX, KubeVirt's users and many people write it.

The format is netplan's YAML reference; `renderer` is not followed, the image decides that. What guestinit does not do
is an error with its place, never silence.
"""

from __future__ import annotations

from guestinit.model.fields import Fields, Key, describe, shorten
from guestinit.model.network import (
    BOND,
    BRIDGE,
    DISABLED,
    DUMMY,
    INFINIBAND,
    LOOPBACK,
    PHYSICAL,
    TUNNEL,
    VLAN,
    VRF,
    Link,
    Match,
    Network,
)
from guestinit.model.problem import Problems
from guestinit.model.value import MAP, SCALAR, Value
from guestinit.reading import network_complete as complete
from guestinit.reading import network_parameters, network_tunnels, network_v2_addressing
from guestinit.reading import network_values as values

SECTIONS = {
    "ethernets": PHYSICAL,
    "bonds": BOND,
    "bridges": BRIDGE,
    "vlans": VLAN,
    "vrfs": VRF,
    "dummy-devices": DUMMY,
    "tunnels": TUNNEL,
}
UNSUPPORTED_SECTIONS = ("wifis", "modems", "virtual-ethernets", "nm-devices")
TOP_KEYS = (
    Key("version", "2", "the version of this format"),
    Key("config", "disabled", "leave the network alone"),
    Key("renderer", "text", "guestinit takes the renderer that the image uses", ignored=True),
    *(Key(name, "mapping", f"interfaces of the kind {kind}", secret=kind == TUNNEL) for name, kind in SECTIONS.items()),
    *(Key(name, "mapping", "not supported") for name in UNSUPPORTED_SECTIONS),
    Key("openvswitch", "mapping", "guestinit sets up no Open vSwitch", ignored=True),
)
_UNSUPPORTED = ("auth", "ra-overrides", "openvswitch")
_UNSUPPORTED_OF_HARDWARE = (
    "link", "virtual-function-count", "embedded-switch-mode", "delay-virtual-functions-rebind",
)  # fmt: skip
# By netplan's name, the one of systemd.link(5).
_OFFLOADS = {
    "receive-checksum-offload": "ReceiveChecksumOffload",
    "transmit-checksum-offload": "TransmitChecksumOffload",
    "tcp-segmentation-offload": "TCPSegmentationOffload",
    "tcp6-segmentation-offload": "TCP6SegmentationOffload",
    "generic-segmentation-offload": "GenericSegmentationOffload",
    "generic-receive-offload": "GenericReceiveOffload",
    "large-receive-offload": "LargeReceiveOffload",
}
# As a member of a bridge: by netplan's name, the kernel's.
_PORT = {"hairpin": "hairpin", "port-mac-learning": "learning", "neigh-suppress": "neigh_suppress"}
_COMMON_KEYS = (
    Key("dhcp4", "true or false", "whether an IPv4 lease is asked for"),
    Key("dhcp6", "true or false", "whether an IPv6 lease is asked for"),
    Key("dhcp4-overrides", "mapping", "what is taken from the lease", aliases=("dhcp4_overrides",)),
    Key("dhcp6-overrides", "mapping", "what is taken from the lease", aliases=("dhcp6_overrides",)),
    Key("dhcp-identifier", "text", "mac or duid"),
    Key("accept-ra", "true or false", "whether router advertisements are used", aliases=("accept_ra",)),
    Key("addresses", "list of addresses", "in CIDR form"),
    Key("gateway4", "address", "of the IPv4 default route"),
    Key("gateway6", "address", "of the IPv6 default route"),
    Key("routes", "list", "routes through this interface"),
    Key("routing-policy", "list", "rules that choose a routing table"),
    Key("nameservers", "mapping", "addresses and search"),
    Key("macaddress", "MAC", "the address to set"),
    Key("mtu", "number", "largest packet, in bytes"),
    Key("ipv6-mtu", "number", "largest IPv6 packet, in bytes"),
    Key("ipv6-privacy", "true or false", "temporary addresses"),
    Key("ipv6-address-generation", "text", "eui64 or stable-privacy"),
    Key("ipv6-address-token", "address", "the interface part of a stateless address"),
    Key("link-local", "list of text", "ipv4, ipv6: which families have a link-local address"),
    Key("optional", "true or false", "whether being online does not wait for it"),
    Key("activation-mode", "text", "manual or off"),
    Key("ignore-carrier", "true or false", "whether it is configured without a cable"),
    Key("optional-addresses", "list of text", "being online waits for the interface as a whole", ignored=True),
    Key("critical", "true or false", "guestinit never takes addresses away at shutdown", ignored=True),
    Key("renderer", "text", "guestinit takes the renderer that the image uses", ignored=True),
    Key("networkmanager", "mapping", "for one renderer only", ignored=True),
    Key("hairpin", "true or false", "whether a bridge may send back by the member that it came from"),
    Key("port-mac-learning", "true or false", "whether a bridge learns MACs behind this member"),
    Key("neigh-suppress", "true or false", "whether a bridge keeps ARP and neighbour discovery from this member"),
    *(Key(name, "anything", "not supported") for name in _UNSUPPORTED),
)
_OWN_KEYS = {
    PHYSICAL: (
        Key("match", "mapping", "which hardware is meant; without it the name is the kernel's"),
        Key("set-name", "text", "what the kernel shall call it; one that is up is renamed at the next boot"),
        Key("wakeonlan", "true or false", "whether a magic packet wakes the machine"),
        Key("emit-lldp", "true or false", "whether it tells its neighbours who it is"),
        Key("infiniband-mode", "text", "datagram or connected; makes it an InfiniBand interface"),
        *(Key(name, "true or false", "whether the hardware does this") for name in _OFFLOADS),
        *(Key(name, "anything", "not supported") for name in _UNSUPPORTED_OF_HARDWARE),
    ),
    BOND: (Key("interfaces", "list of text", "the members"), Key("parameters", "mapping", "of the bond")),
    BRIDGE: (Key("interfaces", "list of text", "the members"), Key("parameters", "mapping", "of the bridge")),
    VLAN: (Key("id", "number", "the tag"), Key("link", "text", "the interface below")),
    VRF: (Key("interfaces", "list of text", "the members"), Key("table", "number", "its routing table")),
    DUMMY: (),
    TUNNEL: network_tunnels.KEYS,
}
_MATCH_KEYS = (
    Key("macaddress", "MAC", "of the hardware"),
    Key("name", "text", "the kernel's name, with wildcards"),
    Key("driver", "list of text", "the kernel's driver, with wildcards"),
)


def read(value: Value, problems: Problems) -> Network | None:
    """The model of a version 2 mapping; None, with a problem, if the document as a whole cannot be used."""
    fields = Fields(value, "", TOP_KEYS, problems)
    config = fields.raw("config")
    if config is not None:
        if config.text.lower() == "disabled":
            return Network(DISABLED, config.at)
        fields.wrong("config", config, "disabled")
    for name in UNSUPPORTED_SECTIONS:
        if fields.raw(name) is not None:
            problems.error(fields.key_at(name), name, "not supported", "these interfaces are left out", len(name))
    links: list[Link] = []
    for section, kind in SECTIONS.items():
        found = fields.raw(section)
        if found is None:
            continue
        if found.kind != MAP:
            fields.wrong(section, found, "a mapping of interfaces", "these interfaces are left out")
            continue
        for key, each in _last(found, section, problems):
            try:
                links.append(_link(kind, key, each, f"{section}.{key.text}", problems))
            except values.Unusable:
                continue
    if not links:
        _say_lost(value, problems)
    return complete.network(value.at, links, complete.Loose(), problems)


def _say_lost(value: Value, problems: Problems) -> None:
    """An unknown key is a warning; not so where all interfaces stand below it (`ethernet:`)."""
    known = {key.name for key in TOP_KEYS}
    for key, each in value.pairs:
        if each.kind == MAP and key.text not in known and not key.text.startswith("x-"):
            hint = "the image's own configuration stays"
            problems.error(key.at, shorten(key.text), "so this document configures no interface", hint, len(key.text))


def _last(section: Value, path: str, problems: Problems) -> list[tuple[Value, Value]]:
    """The interfaces of a section; where a name stands twice the last one wins, as everywhere in YAML."""
    last: dict[str, tuple[Value, Value]] = {}
    for key, each in section.pairs:
        if key.text in last:
            message = f"given twice, first in line {last[key.text][0].at.line}"
            problems.warning(key.at, f"{path}.{key.text}", message, "the last one is taken", max(1, len(key.text)))
        last[key.text] = (key, each)
    return list(last.values())


def _link(kind: str, key: Value, value: Value, path: str, problems: Problems) -> Link:
    """One interface. Raises Unusable."""
    name = key.text.strip()
    if value.is_null:
        value = Value(MAP, key.at)
    if value.kind != MAP:
        got = f"a {value.kind}" if kind == TUNNEL else describe(value)  # somebody's key, perhaps
        problems.error(value.at, path, f"expected a mapping, got {got}", values.LEFT_OUT, 0)
        raise values.Unusable
    fields = Fields(value, path, (*_COMMON_KEYS, *_OWN_KEYS[kind]), problems)
    link = Link(kind, name, key.at, path)
    for unsupported in (*_UNSUPPORTED, *(_UNSUPPORTED_OF_HARDWARE if kind == PHYSICAL else ())):
        if fields.raw(unsupported) is not None:
            problems.error(fields.key_at(unsupported), fields.path_of(unsupported), "not supported", "left out")
    link = _hardware(link, fields) if kind == PHYSICAL else _virtual(link, fields)
    link = network_v2_addressing.read(link, fields)
    link = _details(link, fields)
    if kind == TUNNEL:
        link = network_tunnels.addressing(link, fields)
    if link.kind == LOOPBACK:
        own = ("127.0.0.1", "::1")  # which it has in any case
        link = link._replace(addresses=tuple(each for each in link.addresses if each.ip not in own))
    if kind == VRF:
        link = link._replace(routes=tuple(route._replace(table=route.table or link.table) for route in link.routes))
    return link


def _hardware(link: Link, fields: Fields) -> Link:
    problems = fields.problems
    found = fields.raw("match")
    if found is not None and found.kind != MAP:
        fields.wrong("match", found, "a mapping", values.LEFT_OUT)
        raise values.Unusable
    match = fields.mapping("match", _MATCH_KEYS)
    if match is None:
        link = link._replace(match=Match(names=(values.made_name(link.name, link.at, fields.path, problems),)))
    else:
        names, drivers = _globs(match, "name"), _globs(match, "driver")
        mac = values.mac(match, "macaddress")
        if match.value.pairs and not (names or drivers or mac):  # a template whose variable was empty, perhaps
            message = "says nothing of which hardware is meant, and an interface for all is 'match: {}'"
            problems.error(match.value.at, match.path, message, values.LEFT_OUT)
            raise values.Unusable
        link = link._replace(match=Match(mac, names if names or drivers or mac else ("*",), drivers))
        if not values.is_word(link.name):
            problems.error(link.at, fields.path, f"{link.name[:40]!r} is no name for an interface", values.LEFT_OUT)
            raise values.Unusable
    if link.match.exact_name == "lo":
        return link._replace(kind=LOOPBACK, name="lo")
    given, wake = fields.text("set-name"), fields.flag("wakeonlan")
    if given is not None:
        reason = values.interface_name(given.value)
        if reason:
            message = f"{given.value[:40]!r} is {reason}"
            problems.error(given.at, fields.path_of("set-name"), message, "the name stays", len(given.value))
        elif link.match.mac or link.match.drivers:
            link = link._replace(set_name=given.value)
        elif given.value != link.match.exact_name:
            hint = "the name stays; write match.macaddress"
            problems.error(given.at, fields.path_of("set-name"), "needs a match by MAC or driver", hint)
    mode, lldp = values.choice(fields, "infiniband-mode", ("datagram", "connected")), fields.flag("emit-lldp")
    return link._replace(
        kind=INFINIBAND if mode else link.kind,
        infiniband_mode=mode,
        emit_lldp=lldp.value if lldp else None,
        wake_on_lan=bool(wake and wake.value),
        offloads=_flags(fields, _OFFLOADS),
    )


def _flags(fields: Fields, names: dict[str, str]) -> tuple[tuple[str, bool], ...]:
    given = ((theirs, fields.flag(name)) for name, theirs in names.items())
    return tuple(sorted((theirs, flag.value) for theirs, flag in given if flag is not None))


def _globs(match: Fields, name: str) -> tuple[str, ...]:
    found = []
    for given in values.texts(match, name):
        plain = given.value.replace("[", "").replace("]", "")
        if not values.is_word(plain) or "!" in given.value[:1]:
            match.wrong(name, Value(SCALAR, given.at, given.value), "a name with or without wildcards", values.LEFT_OUT)
            raise values.Unusable
        found.append(given.value)
    return tuple(found)


def _virtual(link: Link, fields: Fields) -> Link:
    problems = fields.problems
    values.made_name(link.name, link.at, fields.path, problems)
    if link.kind == VLAN:
        below, tag = fields.text("link"), fields.number("id", 0, 4094)
        if below is None or tag is None:
            problems.error(fields.at, fields.path, "a VLAN needs 'id' and 'link'", values.LEFT_OUT)
            raise values.Unusable
        return link._replace(parent=below.value, vlan_id=tag.value)
    if link.kind == DUMMY:
        return link
    if link.kind == TUNNEL:
        return network_tunnels.read(link, fields)
    link = link._replace(members=values.texts(fields, "interfaces"))
    if link.kind == VRF:
        table = fields.number("table", 1, 2**32 - 1)
        if table is None:
            problems.error(fields.at, fields.path, "a VRF needs a table", values.LEFT_OUT)
            raise values.Unusable
        return link._replace(table=table.value)
    parameters, costs, priorities = network_parameters.read(
        fields.raw("parameters"), link.kind, fields.path_of("parameters"), problems
    )
    return link._replace(parameters=parameters, costs=costs, priorities=priorities)


def _details(link: Link, fields: Fields) -> Link:
    """What is left: sizes, IPv6 details, when it is brought up."""
    mtu, mtu6 = fields.number("mtu", 68, 2**31 - 1), fields.number("ipv6-mtu", 1280, 2**31 - 1)
    privacy, optional = fields.flag("ipv6-privacy"), fields.flag("optional")
    carrier = fields.flag("ignore-carrier")
    token = fields.text("ipv6-address-token")
    parsed = values.ip(token.value) if token is not None else None
    if token is not None and (parsed is None or parsed.version != 6):
        fields.wrong("ipv6-address-token", Value(SCALAR, token.at, token.value), "an address like ::1")
        parsed = None
    generation = values.choice(fields, "ipv6-address-generation", ("eui64", "stable-privacy"))
    if parsed is not None and generation:
        if generation != "eui64":  # which goes without saying
            at = fields.key_at("ipv6-address-generation")
            fields.wrong("ipv6-address-generation", Value(SCALAR, at, generation), "nothing beside a token")
        generation = ""
    return link._replace(
        mac=_mac_to_set(fields),
        mtu=mtu.value if mtu else None,
        ipv6_mtu=mtu6.value if mtu6 else None,
        ipv6_privacy=privacy.value if privacy else None,
        ipv6_generation=generation,
        ipv6_token=str(parsed) if parsed else "",
        optional=bool(optional and optional.value),
        ignore_carrier=bool(carrier and carrier.value),
        activation=values.choice(fields, "activation-mode", ("manual", "off")),
        port=_flags(fields, _PORT),
    )


def _mac_to_set(fields: Fields) -> str:
    """netplan also knows words, for NetworkManager only; the NIC is none the worse without."""
    given = fields.text("macaddress")
    if given is not None and given.value in ("permanent", "preserve", "random", "stable", "stable-ssid"):
        path, message = fields.path_of("macaddress"), f"'{given.value}' is not supported"
        hint = "the MAC of the hardware stays" if given.value in ("permanent", "preserve") else "left out"
        fields.problems.error(given.at, path, message, hint, len(given.value))
        return ""
    return values.mac_to_set(fields, "macaddress")
