"""Addresses, leases, routes and name servers of one interface of version 2."""

from __future__ import annotations

from guestinit.model.fields import Fields, Key, describe
from guestinit.model.network import Address, Dhcp, Link, Route, Rule
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value
from guestinit.reading import network_routes
from guestinit.reading import network_values as values

NAMESERVERS_KEYS = (
    Key("addresses", "list of addresses", "the servers"),
    Key("search", "list of domains", "where short names are looked up"),
)
OVERRIDES_KEYS = (
    Key("use-dns", "true or false", "take its name servers"),
    Key("use-domains", "true, false or route", "take its domain for searching"),
    Key("use-routes", "true or false", "take its routes"),
    Key("use-mtu", "true or false", "take its MTU"),
    Key("use-ntp", "true or false", "take its time servers"),
    Key("use-hostname", "true or false", "take the name it gives"),
    Key("send-hostname", "true or false", "tell it the name"),
    Key("hostname", "text", "the name to tell it"),
    Key("route-metric", "number", "of the routes in the lease"),
)
ADDRESS_KEYS = (
    Key("label", "text", "of an IPv4 address"),
    Key("lifetime", "0 or forever", "0: not for new connections"),
)


def read(link: Link, fields: Fields) -> Link:
    """The link with them. Raises Unusable."""
    accept_ra = fields.flag("accept-ra")
    dhcp4, dhcp6 = _dhcp(fields, "dhcp4"), _dhcp(fields, "dhcp6")
    accept = accept_ra.value if accept_ra else (True if dhcp6 else None)
    nameservers = fields.mapping("nameservers", NAMESERVERS_KEYS)
    local = _link_local(fields)
    if local is not None and 6 not in local:
        if accept or dhcp6:
            hint = "it is kept; write 'link-local: [ipv6]', or switch off accept-ra and dhcp6"
            message = "router advertisements and IPv6 leases need an IPv6 link-local address"
            fields.problems.warning(fields.key_at("link-local"), fields.path_of("link-local"), message, hint)
            local = (*local, 6)
        else:
            accept = False
    return link._replace(
        addresses=_addresses(fields),
        dhcp4=dhcp4,
        dhcp6=dhcp6,
        accept_ra=accept,
        ra_metric=dhcp6.route_metric if dhcp6 else None,
        link_local=local,
        routes=_gateways(fields) + _routes(fields),
        rules=_rules(fields, link.table),
        dns=values.servers(nameservers, "addresses") if nameservers else (),
        search=values.domains(nameservers, "search") if nameservers else (),
    )


def _dhcp(fields: Fields, name: str) -> Dhcp | None:
    wanted = fields.flag(name)
    overrides = fields.mapping(f"{name}-overrides", OVERRIDES_KEYS)
    if wanted is None or not wanted.value:
        return None
    found = Dhcp(wanted.at, identifier=values.choice(fields, "dhcp-identifier", ("mac", "duid")))
    if overrides is None:
        return found
    hostname, metric = values.word(overrides, "hostname"), overrides.number("route-metric")
    domains = overrides.raw("use-domains")
    if domains is not None and domains.text == "route":
        found = found._replace(use_domains="route")
    else:
        flag = overrides.flag("use-domains")
        found = found._replace(use_domains="" if flag is None else str(flag.value).lower())
    flags = {each: overrides.flag(each) for each in ("use-dns", "use-routes", "use-mtu", "use-ntp", "use-hostname")}
    dns, routes, mtu, ntp, use_hostname = (flag.value if flag else None for flag in flags.values())
    send = overrides.flag("send-hostname")
    return found._replace(
        route_metric=metric.value if metric else None,
        use_dns=dns,
        use_routes=routes,
        use_mtu=mtu,
        use_ntp=ntp,
        use_hostname=use_hostname,
        send_hostname=send.value if send else None,
        hostname=hostname.value if hostname else "",
    )


def _addresses(fields: Fields) -> tuple[Address, ...]:
    """Raises Unusable if one of them is wrong."""
    found: dict[str, Address] = {}
    path = fields.path_of("addresses")
    value = fields.raw("addresses")
    items = value.items if value is not None and value.kind == LIST else (value,) if value is not None else ()
    for index, item in enumerate(items):
        where = f"{path}.{index}"
        options = Value(MAP, item.at)
        if item.kind == MAP and len(item.pairs) == 1:
            item, options = item.pairs[0]
        if item.kind != SCALAR or options.kind != MAP:
            fields.problems.error(item.at, where, f"expected an address, got {describe(item)}", values.LEFT_OUT)
            raise values.Unusable
        if item.is_null:
            continue
        address = values.address(Given(item.text, item.at), None, where, fields.problems)
        more = Fields(options, where, ADDRESS_KEYS, fields.problems)
        label, lifetime = values.word(more, "label"), values.choice(more, "lifetime", ("0", "forever"))
        if label is not None and address.family == 4 and len(label.value) <= values.LONGEST_NAME:
            address = address._replace(label=label.value)
        elif label is not None:
            expected = f"a label of at most {values.LONGEST_NAME} characters, on an IPv4 address"
            more.wrong("label", Value(SCALAR, label.at, label.value), expected, "the address is set without")
        address = address._replace(deprecated=lifetime == "0")
        if address.ip in found:
            fields.problems.warning(item.at, where, f"{address.ip} is given twice", "it is taken once", len(item.text))
        found.setdefault(address.ip, address)
    return tuple(found.values())


def _gateways(fields: Fields) -> tuple[Route, ...]:
    found = []
    for name, family, to in (("gateway4", 4, "0.0.0.0/0"), ("gateway6", 6, "::/0")):
        given = fields.text(name)
        if given is None or not given.value.strip():
            continue
        via = values.gateway(given, fields.path_of(name), fields.problems)
        if via is not None and (":" in via) == (family == 6):
            found.append(Route(to, given.at, via))
        elif via is not None:
            fields.wrong(name, Value(SCALAR, given.at, given.value), f"an IPv{family} address")
    return tuple(found)


def _routes(fields: Fields) -> tuple[Route, ...]:
    found = []
    for index, item in enumerate(fields.items("routes") or ()):
        each = _item(fields, "routes", index, item, network_routes.V2_KEYS)
        route = network_routes.read_v2(each) if each else None
        if route is not None:
            found.append(route)
    return tuple(found)


def _rules(fields: Fields, table: int | None) -> tuple[Rule, ...]:
    found = []
    for index, item in enumerate(fields.items("routing-policy") or ()):
        each = _item(fields, "routing-policy", index, item, network_routes.RULE_KEYS)
        rule = network_routes.read_rule(each, table) if each else None
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _item(fields: Fields, name: str, index: int, item: Value, keys: tuple[Key, ...]) -> Fields | None:
    path = f"{fields.path_of(name)}.{index}"
    if item.kind == MAP:
        return Fields(item, path, keys, fields.problems)
    if not item.is_null:
        fields.problems.error(item.at, path, f"expected a mapping, got {describe(item)}", "left out")
    return None


def _link_local(fields: Fields) -> tuple[int, ...] | None:
    given = fields.texts("link-local")
    if given is None:
        return None
    families = []
    for each in given:
        if each.value in ("ipv4", "ipv6"):
            families.append(int(each.value[3:]))
        else:
            fields.wrong("link-local", Value(SCALAR, each.at, each.value), "ipv4 or ipv6")
    return tuple(sorted(set(families))) if families or not given else None
