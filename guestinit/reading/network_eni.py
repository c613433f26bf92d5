"""interfaces(5) text, as Proxmox VE's configdrive2, oVirt and old meta-data (`network-interfaces`) carry it.

It is turned into network-config version 1, value by value with its place, and read as that. `_` and `-` are the same in
the names of options. Commands (`up`, `post-up`, ...) are not run: one that sets a route or makes an interface is taken
for what it means, any other is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.network import BOND, BRIDGE, LOOPBACK, PHYSICAL, VLAN, Network
from guestinit.model.problem import Position, Problems
from guestinit.model.value import LIST, MAP, SCALAR, Value
from guestinit.reading import network_v1
from guestinit.reading.network_values import interface_name

if TYPE_CHECKING:
    from guestinit.reading.network_eni_commands import Effect

_AUTOMATIC = ("auto", "allow-auto", "allow-hotplug")
_STANZAS = (*_AUTOMATIC, "iface", "mapping", "source", "source-directory", "no-auto-down", "rename")
_METHODS = {
    ("inet", "loopback"): "loopback",
    ("inet", "dhcp"): "dhcp4",
    ("inet", "static"): "static",
    ("inet", "manual"): "manual",
    ("inet", "none"): "manual",  # oVirt's word, which ifupdown does not know
    ("inet6", "loopback"): "loopback",
    ("inet6", "dhcp"): "dhcp6",
    ("inet6", "auto"): "ipv6_slaac",
    ("inet6", "static"): "static6",
    ("inet6", "manual"): "manual",
    ("inet6", "none"): "manual",
}
_OF_SUBNET = {
    "address": "address", "netmask": "netmask", "gateway": "gateway", "metric": "metric",
    "dns-nameservers": "dns_nameservers", "dns-nameserver": "dns_nameservers", "dns-search": "dns_search",
    "dns-domain": "dns_search", "pointopoint": "pointopoint",
}  # fmt: skip
_COMMANDS = ("up", "pre-up", "post-up", "down", "pre-down", "post-down")
_NOTHING = ("broadcast", "network", "scope", "autoconf", "dad-attempts", "dad-interval", "description")


class _Interface:
    """Everything that the stanzas of one interface say."""

    def __init__(self, name: str, at: Position) -> None:
        self.name = name
        self.at = at
        self.subnets: list[tuple[Position, list[tuple[str, Value]]]] = []
        self.own: dict[str, Value] = {}  # options that are about the interface, not about one of its addresses
        self.mac = ""  # by which `auto` finds it
        self.routes: dict[int, list[Value]] = {}  # that commands set, by the subnet in whose stanza they stand
        self.more: list[tuple[Position, list[tuple[str, Value]]]] = []  # addresses that commands set

    def take(self, effect: Effect, at: Position) -> None:
        """What a command means."""
        for key, text in effect.options:
            self.own[key] = _word(text, at)
        for key, text in effect.items:
            before = self.own.get(key)
            items = () if before is None else before.items if before.kind == LIST else (before,)
            self.own[key] = Value(LIST, at, items=(*items, _word(text, at)))
        if effect.route:
            route = _mapping(at, [(key, _word(text, at)) for key, text in effect.route])
            self.routes.setdefault(len(self.subnets) - 1, []).append(route)
        if effect.address:
            kind = "static6" if ":" in effect.address else "static"
            self.more.append((at, [("type", _word(kind, at)), ("address", _word(effect.address, at))]))


def looks_like(text: str) -> bool:
    """Whether a text is interfaces(5): its first line that says anything begins a stanza."""
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[0] in _STANZAS and len(words) > 1 and not words[0].endswith(":")
    return False


def read(text: str, label: str, problems: Problems) -> Network | None:
    """The model of a text; None if it has no interfaces."""
    start = Position(label, 1, 1)
    said = Problems()
    interfaces, automatic = _parse(text, label, said)
    masters: dict[str, list[Value]] = {name: [] for name in interfaces}
    for interface in interfaces.values():
        master = interface.own.pop("bond-master", None)
        if master is not None:
            masters.setdefault(master.text, []).append(_word(interface.name, master.at))
    for name, members in masters.items():
        if name not in interfaces:
            message = f"there is no stanza for the bond '{name[:40]}'"
            said.error(members[0].at, f"iface {members[0].text}", message, "the interface stays without")
    for name, at in _mentioned(interfaces):
        interfaces.setdefault(name, _Interface(name, at))
    config = [_item(each, automatic, masters.get(each.name, []), said) for each in interfaces.values()]
    version1: list[tuple[str, Value]] = [
        ("version", _word("1", start)),
        ("config", Value(LIST, start, items=tuple(config))),
    ]
    network = network_v1.read(_mapping(start, version1), said) if config else None
    for problem in said.found:
        # The path would be the translation's; the place in the text says it all.
        problems.add(problem._replace(path="" if problem.path.startswith("config") else problem.path))
    return network


def _parse(text: str, label: str, problems: Problems) -> tuple[dict[str, _Interface], set[str]]:
    interfaces: dict[str, _Interface] = {}
    automatic: set[str] = set()
    macs: dict[str, str] = {}
    current: _Interface | None = None
    begun = False
    for at, line in _lines(text, label):
        words = line.split()
        key = words[0].replace("_", "-")
        if words[0] in _STANZAS:
            begun, current = True, None
            if words[0] in _AUTOMATIC:
                for word in words[1:]:
                    pattern, _, name = word.rpartition("=")
                    if pattern.startswith("mac/"):
                        macs[name] = pattern.split("/")[1]
                    elif "/" in word:
                        problems.error(
                            at, words[0], f"no interface is looked up by '{word}'", "left out", len(words[0])
                        )
                    automatic.add(name)
            elif words[0] == "iface":
                current = _begin(words, at, interfaces, problems)
            elif words[0] in ("source", "source-directory"):
                hint = "it is ignored; ifupdown reads the machine's own files by itself"
                problems.warning(at, words[0], "a document of its own has no other files", hint, len(words[0]))
            elif words[0] != "no-auto-down":
                problems.error(at, words[0], "not supported", "left out", len(words[0]))
        elif not begun:
            problems.error(at, "", f"'{words[0]}' belongs to no stanza", "left out; begin with 'iface'", len(words[0]))
        elif current is None:
            continue  # of a stanza that was left out
        elif key in _COMMANDS:
            from guestinit.reading import network_eni_commands  # delayed: few texts have any

            effect = network_eni_commands.understand(words[0], " ".join(words[1:]), current.name)
            if effect is not None:
                current.take(effect, at)
                continue
            problems.error(at, f"iface {current.name}", f"'{key}' commands are not run", "left out", len(key))
        elif key in _NOTHING or len(words) < 2:
            continue
        else:
            value = _word(" ".join(words[1:]), at)
            if key in _OF_SUBNET:
                current.subnets[-1][1].append((_OF_SUBNET[key], value))
            else:
                current.own[key] = value
    for name, mac in macs.items():
        if name in interfaces:
            interfaces[name].mac = mac
    return interfaces, automatic


def _mentioned(interfaces: dict[str, _Interface]) -> list[tuple[str, Position]]:
    """What bridges, bonds and VLANs stand on. ifupdown needs no stanza for hardware of which no more is to be said."""
    found = []
    for each in interfaces.values():
        own, (base, _, tag) = each.own, each.name.rpartition(".")
        words = [word for key in ("bridge-ports", "bond-slaves", "slaves", "members") for word in _split(own.get(key))]
        below = own.get("vlan-raw-device")
        if below is not None:
            words.append(below)
        elif base and tag.isdecimal() and "bridge-ports" not in own:
            words.append(_word(base, each.at))
        found += [(word.text, word.at) for word in words if word.text != "all" and not interface_name(word.text)]
    return found


def _lines(text: str, label: str) -> list[tuple[Position, str]]:
    """The lines that say something, continued ones joined."""
    found: list[tuple[Position, str]] = []
    joined = False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not joined and (not stripped or stripped.startswith("#")):
            continue
        part = stripped[:-1].rstrip() if stripped.endswith("\\") else stripped
        if joined and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {part}".strip())
        elif part:
            found.append((Position(label, number, line.index(stripped) + 1), part))
        joined = stripped.endswith("\\")
    return found


def _begin(words: list[str], at: Position, interfaces: dict[str, _Interface], problems: Problems) -> _Interface | None:
    if len(words) < 4:
        problems.error(at, "iface", "expected 'iface NAME inet|inet6 METHOD'", "this stanza is left out")
        return None
    name = words[1].partition(":")[0]  # eth0:1 is a second address of eth0
    method = _METHODS.get((words[2], words[3]))
    if method is None:
        message = f"expected a method that gives addresses, got '{words[2]} {words[3]}'"
        problems.error(at, f"iface {name}", message, "this stanza is left out")
        return None
    interface = interfaces.setdefault(name, _Interface(name, at))
    interface.subnets.append((at, [("type", _word(method, at))]))
    return interface


def _item(interface: _Interface, automatic: set[str], members: list[Value], problems: Problems) -> Value:
    """An interface as an item of version 1."""
    own, at = interface.own, interface.at
    pairs: list[tuple[str, Value]] = [("name", _word(interface.name, at))]
    ports, listed = own.pop("bridge-ports", None), _split(own.pop("members", None))
    slaves = own.pop("bond-slaves", None) or own.pop("slaves", None)
    below = own.pop("vlan-raw-device", None)
    base, dot, tag = interface.name.rpartition(".")
    kind = PHYSICAL
    if interface.name == "lo":
        kind = LOOPBACK
    elif ports is not None:
        kind = BRIDGE
        pairs.append(("bridge_interfaces", Value(LIST, ports.at, items=tuple(_split(ports) + listed))))
    elif slaves is not None or members or any(key.startswith("bond-") for key in own):
        kind = BOND
        unique = {each.text: each for each in _split(slaves) + members + listed}
        pairs.append(("bond_interfaces", Value(LIST, at, items=tuple(unique.values()))))
    elif below is not None or (dot and tag.isdecimal()):
        kind = VLAN
        by_name = tag if dot and tag.isdecimal() else "".join(each for each in interface.name if each.isdecimal())
        number = own.pop("vlan-id", None) or _word(by_name, at)
        pairs += [("vlan_link", below or _word(base, at)), ("vlan_id", number)]
    pairs.insert(0, ("type", _word(kind, at)))
    parameters = {key: own.pop(key) for key in list(own) if kind in (BOND, BRIDGE) and key.startswith(f"{kind}-")}
    if parameters:
        pairs.append(("params", _mapping(at, list(parameters.items()))))
    mtu, mac, accept_ra = own.pop("mtu", None), own.pop("hwaddress", None), own.pop("accept-ra", None)
    if mtu is not None:
        pairs.append(("mtu", mtu))
    if mac is not None and kind != PHYSICAL:
        # Of hardware it is an address to set; version 1 would take it for the one to look for.
        pairs.append(("mac_address", _word(mac.text.split()[-1], mac.at)))
        mac = None
    if interface.mac and kind == PHYSICAL:
        pairs.append(("mac_address", _word(interface.mac, at)))
    if accept_ra is not None:
        pairs.append(("accept-ra", _word("false" if accept_ra.text == "0" else "true", accept_ra.at)))
    for name, value in (*own.items(), *((("hwaddress", mac),) if mac else ())):
        problems.warning(value.at, f"iface {interface.name}", f"'{name}' is not supported", "it is ignored", len(name))
    manual = interface.name not in automatic and interface.name != "lo" and not _is_part(interface, kind)
    subnets = []
    for index, (place, given) in enumerate(interface.subnets + interface.more):
        routes = interface.routes.get(index, [])
        merged = [*given, ("routes", Value(LIST, place, items=tuple(routes)))] if routes else given
        merged = [*merged, ("control", _word("manual", place))] if manual else merged
        subnets.append(_mapping(place, merged))
    pairs.append(("subnets", Value(LIST, at, items=tuple(subnets))))
    return _mapping(at, pairs)


def _is_part(interface: _Interface, kind: str) -> bool:
    """Members of bonds and bridges are often listed without `auto`: they come up with what they belong to."""
    methods = [value.text for _, given in interface.subnets for name, value in given if name == "type"]
    return kind == PHYSICAL and set(methods) <= {"manual"}


def _split(value: Value | None) -> list[Value]:
    """The words of an option, or of all that said the same."""
    given = () if value is None else value.items if value.kind == LIST else (value,)
    return [_word(word, each.at) for each in given for word in each.text.split() if word not in ("none", "regex")]


def _word(text: str, at: Position) -> Value:
    return Value(SCALAR, at, text, plain=False)


def _mapping(at: Position, pairs: list[tuple[str, Value]]) -> Value:
    """The last value of a key counts, except that lists of name servers add up."""
    merged: dict[str, Value] = {}
    for name, value in pairs:
        before = merged.get(name)
        if before is not None and name.startswith("dns_"):
            value = before._replace(text=f"{before.text} {value.text}")
        merged[name] = value
    return Value(MAP, at, pairs=tuple((_word(name, at), value) for name, value in merged.items()))
