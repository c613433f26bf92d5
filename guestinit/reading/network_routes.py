"""Routes and policy rules as the two versions of network-config write them."""

from __future__ import annotations

from guestinit.model.fields import Fields, Key
from guestinit.model.network import MAIN_TABLE, Route, Rule
from guestinit.model.value import SCALAR, Given, Value
from guestinit.reading import network_values as values

_MOST = 2**32 - 1
V1_KEYS = (
    Key("destination", "address", "where to, with or without a prefix length", aliases=("to",)),
    Key("network", "address", "the same under another name"),
    Key("netmask", "netmask or prefix length", "of the destination"),
    Key("prefix", "number", "of the destination"),
    Key("gateway", "address", "the next hop", aliases=("via",)),
    Key("metric", "number", "the lower one is preferred"),
    Key("mtu", "number", "largest packet, in bytes"),
)
V1_ITEM_KEYS = (
    *V1_KEYS,
    Key("type", "text", "what the item is"),
    Key("id", "text", "a label", ignored=True),
    Key("name", "text", "a label", ignored=True),
)
V2_KEYS = (
    Key("to", "CIDR or default", "where to"),
    Key("via", "address", "the next hop"),
    Key("metric", "number", "the lower one is preferred"),
    Key("on-link", "true or false", "whether the gateway is reached without a subnet that holds it"),
    Key("table", "number or main", "the routing table"),
    Key("scope", "text", "global, link or host"),
    Key("type", "text", "unicast, blackhole, unreachable, prohibit, throw or local"),
    Key("from", "address", "the preferred source address"),
    Key("mtu", "number", "largest packet, in bytes"),
    Key("congestion-window", "number", "segments that may be sent at first"),
    Key("advertised-receive-window", "number", "segments that may be received at first"),
    Key("advertised-mss", "number", "largest segment that the other side is told, in bytes"),
)
RULE_KEYS = (
    Key("from", "CIDR", "the source"),
    Key("to", "CIDR", "the destination"),
    Key("table", "number or main", "the routing table that is asked"),
    Key("priority", "number", "the lower one is asked first"),
    Key("mark", "number", "the firewall's mark"),
    Key("type-of-service", "number", "of the packet"),
)
_SCOPES = ("global", "link", "host")
_TYPES = ("unicast", "blackhole", "unreachable", "prohibit", "throw", "local")
_LEFT_OUT = "this route is left out"


def read_v1(fields: Fields) -> Route | None:
    """A route of version 1; None, with a problem, if it cannot be used.

    A default route without a gateway (CloudStack writes `gateway: null`) is no route at all.
    """
    to = fields.text("destination") or fields.text("network")
    if to is None:
        fields.problems.error(fields.at, fields.path, "a route needs a destination", _LEFT_OUT)
        return None
    mask = fields.text("netmask") or fields.text("prefix")
    found = _destination(fields, "destination", to, mask)
    if found is None:
        return None
    via = ""
    gateway = fields.text("gateway")
    if gateway is not None and gateway.value.strip():
        next_hop = values.gateway(gateway, fields.path_of("gateway"), fields.problems)
        if next_hop is None or not _same_family(fields, gateway, next_hop, found):
            return None
        via = next_hop
    elif found in ("0.0.0.0/0", "::/0"):
        fields.problems.note(fields.at, fields.path, "a default route without a gateway", _LEFT_OUT)
        return None
    metric, mtu = fields.number("metric", 0, _MOST), fields.number("mtu", 68, _MOST)
    return Route(found, to.at, via, metric.value if metric else None, mtu=mtu.value if mtu else None)


def read_v2(fields: Fields) -> Route | None:
    """A route of version 2; None, with a problem, if it cannot be used."""
    to, gateway = fields.text("to"), fields.text("via")
    if to is None:
        fields.problems.error(fields.at, fields.path, "a route needs 'to'", _LEFT_OUT)
        return None
    via = ""
    if gateway is not None:
        next_hop = values.gateway(gateway, fields.path_of("via"), fields.problems)
        if next_hop is None:
            return None
        via = next_hop
    text = "default6" if to.value.strip() == "default" and ":" in via else to.value
    found = _destination(fields, "to", Given(text, to.at), None)
    if found is None or (gateway is not None and not _same_family(fields, gateway, via, found)):
        return None
    scope, kind = values.choice(fields, "scope", _SCOPES), values.choice(fields, "type", _TYPES)
    for name, word in (("scope", scope), ("type", kind)):
        if not word and fields.raw(name) is not None:
            fields.problems.error(fields.at, fields.path, f"its {name} cannot be used", _LEFT_OUT)
            return None
    if not via and not scope and kind in ("", "unicast") and found in ("0.0.0.0/0", "::/0"):
        fields.problems.error(fields.at, fields.path, "a default route needs 'via', or 'scope: link'", _LEFT_OUT)
        return None
    if via and scope in ("link", "host"):
        expected = "global beside a gateway"
        fields.wrong("scope", fields.raw("scope") or fields.value, expected, "the route is set without a scope")
        scope = ""
    metric, mtu = fields.number("metric", 0, _MOST), fields.number("mtu", 68, _MOST)
    names = ("congestion-window", "advertised-receive-window", "advertised-mss")
    tcp = [fields.number(name, 1, 2**16 - 1) for name in names]
    table, on_link = _table(fields), fields.flag("on-link")
    if table is None and fields.raw("table") is not None:  # in the main one it would take packets from others
        fields.problems.error(fields.at, fields.path, "its table cannot be used", _LEFT_OUT)
        return None
    source = fields.text("from")
    address = values.ip(source.value) if source is not None else None
    if source is not None and (address is None or (address.version == 6) != (":" in found)):
        fields.wrong("from", Value(SCALAR, source.at, source.value), f"an IPv{6 if ':' in found else 4} address")
        source = None
    return Route(
        found,
        to.at,
        via,
        metric.value if metric else None,
        bool(on_link and on_link.value and via),
        table,
        scope,
        kind,
        str(values.ip(source.value)) if source else "",
        mtu.value if mtu else None,
        *(each.value if each else None for each in tcp),
    )


def read_rule(fields: Fields, usual_table: int | None = None) -> Rule | None:
    """A policy rule; None, with a problem, if it cannot be used. `usual_table` is that of the VRF it stands in."""
    sides = {}
    for name in ("from", "to"):
        given = fields.text(name)
        if given is None:
            sides[name] = ""
            continue
        found = _destination(fields, name, given, None, "this rule is left out")
        if found is None:
            return None
        sides[name] = found
    numbers = {
        name: fields.number(name, 0, most)
        for name, most in (("priority", _MOST), ("mark", _MOST), ("type-of-service", 255))
    }
    priority, mark, tos = (each.value if each else None for each in numbers.values())
    table = _table(fields)
    for name, number in (("mark", mark), ("type-of-service", tos), ("table", table)):
        if number is None and fields.raw(name) is not None:  # without it, it would be about other packets
            fields.problems.error(fields.at, fields.path, f"its {name} cannot be used", "this rule is left out")
            return None
    table = usual_table if table is None else table
    source, to = sides["from"], sides["to"]
    if source and to and (":" in source) != (":" in to):
        fields.problems.error(fields.at, fields.path, "'from' and 'to' are of two families", "this rule is left out")
        return None
    if not (source or to or mark is not None or tos is not None) or table is None:
        message = "a rule needs a table and one of from, to, mark and type-of-service"
        fields.problems.error(fields.at, fields.path, message, "this rule is left out")
        return None
    return Rule(fields.at, source, to, table, priority, mark, tos)


def _table(fields: Fields) -> int | None:
    """A routing table, by number or as `main`."""
    given = fields.raw("table")
    if given is not None and given.text == "main":
        return MAIN_TABLE
    found = fields.number("table", 1, _MOST)
    return found.value if found else None


def _destination(
    fields: Fields, name: str, given: Given[str], mask: Given[str] | None, hint: str = _LEFT_OUT
) -> str | None:
    found = values.network(given.value, mask.value if mask else None)
    if found is None:
        text = given.value + (f" {mask.value}" if mask else "")
        message = f"expected a network like 10.0.0.0/8, got {text[:60]!r}"
        fields.problems.error(given.at, fields.path_of(name), message, hint, max(1, len(given.value)))
    return found


def _same_family(fields: Fields, gateway: Given[str], via: str, to: str) -> bool:
    """Whether a next hop and a destination are of one family; an IPv4 route over an IPv6 gateway is not rendered."""
    if (":" in via) == (":" in to):
        return True
    message = f"the gateway {via} is not of the family of {to}"
    fields.problems.error(gateway.at, fields.path, message, _LEFT_OUT, max(1, len(gateway.value)))
    return False
