"""The tunnels of version 2: netplan's grammar, read strictly.

A wrong end or key makes a tunnel useless, so it is left out whole; a wrong peer of WireGuard only takes itself away.
"""

from __future__ import annotations

from guestinit.model.fields import Fields, Key
from guestinit.model.network import Link
from guestinit.model.secret import Secret
from guestinit.model.tunnel import MODES, VXLAN, WIREGUARD, Mode, Peer, Tunnel
from guestinit.model.value import MAP, SCALAR, Given, Value
from guestinit.reading import network_values as values

KEYS = (
    Key("mode", "text", f"one of {', '.join(MODES)}"),
    Key("local", "address", "of this end"),
    Key("remote", "address", "of the other end; of a vxlan also a multicast group"),
    Key("ttl", "number", "of its packets"),
    Key("key", "number, dotted quad, base64 or mapping", "one key for all that `keys` tells apart", secret=True),
    Key("keys", "mapping or one key", "input and output of gre, ip6gre and vti; private of wireguard", secret=True),
    Key("link", "text", "the interface that its packets leave by"),
    Key("port", "number", "that wireguard listens at, or that a vxlan sends to"),
    Key("mark", "number", "the firewall's mark on the packets of wireguard"),
    Key("peers", "list", "of wireguard", secret=True),
    Key("id", "number", "the network identifier of a vxlan"),
    Key("type-of-service", "number", "of the packets of a vxlan"),
    Key("mac-learning", "true or false", "whether a vxlan learns where MACs are"),
    Key("ageing", "number", "after how many seconds a vxlan forgets a MAC", aliases=("aging",)),
    Key("limit", "number", "how many MACs a vxlan remembers"),
    Key("arp-proxy", "true or false", "whether a vxlan answers for the others"),
    Key("short-circuit", "true or false", "whether a vxlan routes by itself"),
    Key("notifications", "list of text", "l2-miss, l3-miss: what a vxlan reports"),
    Key("checksums", "list of text", "udp, zero-udp6-tx, zero-udp6-rx, remote-tx, remote-rx"),
    Key("extensions", "list of text", "group-policy, generic-protocol"),
    Key("port-range", "list of two numbers", "the ports that a vxlan sends from"),
    Key("flow-label", "number", "of the IPv6 packets of a vxlan"),
    Key("do-not-fragment", "true or false", "whether the packets of a vxlan may not be cut"),
)
KEYS_KEYS = (
    Key("input", "number or dotted quad", "of what comes in", secret=True),
    Key("output", "number or dotted quad", "of what goes out", secret=True),
    Key("private", "base64 or path", "the key of wireguard", secret=True),
)
PEER_KEYS = (
    Key("keys", "mapping", "public and shared", secret=True),
    Key("endpoint", "address and port", "where the peer is reached"),
    Key("allowed-ips", "list of CIDR", "what it may send and is sent"),
    Key("keepalive", "number", "seconds between empty packets that keep a way open"),
)
PEER_KEYS_KEYS = (
    Key("public", "base64", "the peer's key", secret=True),
    Key("shared", "base64 or path", "the preshared key", secret=True),
)

_ANY_PORT = 2**16 - 1
_OF_VXLAN_ONLY = tuple(
    (name, (VXLAN,))
    for name in (
        "id", "type-of-service", "mac-learning", "ageing", "limit", "arp-proxy", "short-circuit", "notifications",
        "checksums", "extensions", "port-range", "flow-label", "do-not-fragment",
    )
)  # fmt: skip
# ip-link(8)'s names of a VXLAN's options.
_NUMBERS = {
    "port": ("dstport", 1, _ANY_PORT),
    "type-of-service": ("tos", 0, 255),
    "ageing": ("ageing", 0, 2**32 - 1),
    "limit": ("maxaddress", 0, 2**32 - 1),
    "flow-label": ("flowlabel", 0, 2**20 - 1),
}
_FLAGS = {"mac-learning": "learning", "arp-proxy": "proxy", "short-circuit": "rsc", "do-not-fragment": "df"}
_LISTS = {
    "notifications": {"l2-miss": "l2miss", "l3-miss": "l3miss"},
    "checksums": {
        "udp": "udpcsum", "zero-udp6-tx": "udp6zerocsumtx", "zero-udp6-rx": "udp6zerocsumrx",
        "remote-tx": "remcsumtx", "remote-rx": "remcsumrx",
    },
    "extensions": {"group-policy": "gbp", "generic-protocol": "gpe"},
}  # fmt: skip
# Documentation/admin-guide/sysctl/net.rst, fb_tunnels_only_for_init_net
_FALLBACKS = ("sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0")
_PEER_OUT = "this peer is left out"


def read(link: Link, fields: Fields) -> Link:
    """The link with its tunnel. Raises Unusable."""
    mode = fields.text("mode")
    if mode is None or mode.value not in MODES:
        at = mode.at if mode else fields.at
        got = f"got {values.describe_text(mode)}" if mode else "there is none"
        message = f"expected one of {', '.join(MODES)}; {got}"
        fields.problems.error(at, fields.path_of("mode"), message, values.LEFT_OUT)
        raise values.Unusable
    kind = MODES[mode.value]
    if link.name in _FALLBACKS:
        message = f"the kernel makes a '{link.name}' of its own with the first tunnel of that kind"
        fields.problems.error(link.at, fields.path, message, f"choose another name; {values.LEFT_OUT}", len(link.name))
        raise values.Unusable
    for name, those in (("peers", (WIREGUARD,)), ("mark", (WIREGUARD,)), ("port", (WIREGUARD, VXLAN)), *_OF_VXLAN_ONLY):
        if mode.value not in those:
            _refuse(fields, name, f"is for {' and '.join(those)} only")
    if mode.value == WIREGUARD:
        for name in ("local", "remote", "link", "ttl"):
            _refuse(fields, name, "has no meaning for wireguard, whose peers have endpoints")
        return link._replace(tunnel=_wireguard(Tunnel(mode.value), fields))
    local, remote = _ends(fields, mode.value, kind)
    below, ttl = fields.text("link"), fields.number("ttl", 0 if mode.value == VXLAN else 1, 255)
    tunnel = Tunnel(mode.value, local, remote, ttl.value if ttl else None)
    link = link._replace(tunnel=_keys(tunnel, fields, kind))
    if mode.value == VXLAN:
        link = link._replace(parameters=_vxlan(fields))
        if remote and values.is_multicast(remote) and below is None:
            _unusable(fields, "remote", "a multicast group needs 'link'")
    return link._replace(parent=below.value if below else "")


def addressing(link: Link, fields: Fields) -> Link:
    """What a tunnel without Ethernet cannot have is taken away: leases, and link-local addresses nobody asked for.

    Nobody announces routers inside of it either, unless the document says so.
    """
    assert link.tunnel is not None
    mode = MODES[link.tunnel.mode]
    if mode.ethernet:
        return link
    for name in ("dhcp4", "dhcp6"):
        if getattr(link, name):
            _refuse(fields, name, f"{link.tunnel.mode} carries no Ethernet, so that no server can be asked")
    _refuse(fields, "macaddress", f"{link.tunnel.mode} has no MAC address")
    for address in link.addresses:
        if mode.inner not in (None, address.family):
            message = f"{link.tunnel.mode} carries IPv{mode.inner} only"
            fields.problems.warning(address.at, fields.path_of("addresses"), message, f"{address} is set all the same")
    wants6 = 6 in {each.family for each in link.addresses} | {each.family for each in link.routes}
    local = link.link_local
    if local is None and (not wants6 or link.tunnel.mode == WIREGUARD):
        local = ()
    return link._replace(
        dhcp4=None,
        dhcp6=None,
        mac="",
        link_local=local,
        accept_ra=link.accept_ra if fields.raw("accept-ra") is not None else False,
    )


def _refuse(fields: Fields, name: str, reason: str) -> None:
    if fields.raw(name) is not None:
        fields.problems.error(fields.key_at(name), fields.path_of(name), reason, "left out", len(name))


def _unusable(fields: Fields, name: str, message: str) -> None:
    fields.problems.error(fields.key_at(name), fields.path_of(name), message, values.LEFT_OUT, 0)
    raise values.Unusable


def _ends(fields: Fields, mode: str, kind: Mode) -> tuple[str, str]:
    """The addresses of this end and of the other one, empty where they are open."""
    found = {}
    for name in ("local", "remote"):
        given = fields.text(name)
        if given is None or given.value.strip() == "any":
            found[name] = ""
            continue
        parsed = values.ip(given.value)
        if name == "local" and parsed is not None and parsed.is_unspecified:
            found[name] = ""  # as good as not said
            continue
        many = parsed is not None and parsed.is_multicast
        if parsed is None or parsed.is_unspecified or (many and (name == "local" or mode != VXLAN)):
            expected = "an address" if kind.outer is None else f"an IPv{kind.outer} address"
            fields.wrong(name, Value(SCALAR, given.at, given.value), expected, values.LEFT_OUT)
            raise values.Unusable
        if kind.outer not in (None, parsed.version):
            message = f"{mode} needs IPv{kind.outer} ends, got {parsed}"
            fields.problems.error(given.at, fields.path_of(name), message, values.LEFT_OUT, len(given.value))
            raise values.Unusable
        found[name] = str(parsed)
    local, remote = found["local"], found["remote"]
    if not remote and mode != VXLAN:
        _unusable(fields, "remote", f"{mode} needs the address of the other end")
    if local and remote and (":" in local) != (":" in remote):
        _unusable(fields, "local", f"{local} and {remote} are of two families")
    if local and local == remote:
        _unusable(fields, "local", f"both ends are {local}")
    return local, remote


# keys of gre and vti


def _keys(tunnel: Tunnel, fields: Fields, kind: Mode) -> Tunnel:
    """Raises Unusable: the packets of a tunnel with another key are thrown away at the other end."""
    name = "keys" if fields.raw("keys") is not None else "key"
    value = fields.raw(name)
    if value is None:
        return tunnel
    if not kind.keyed:
        _refuse(fields, name, f"{tunnel.mode} knows no keys")
        return tunnel
    if value.kind == SCALAR:
        key = _key(fields, name, Given(value.text, value.at))
        return tunnel._replace(input_key=key, output_key=key)
    both = fields.mapping(name, KEYS_KEYS)
    if both is None:
        raise values.Unusable
    _refuse(both, "private", "is for wireguard only")
    given = {side: both.text(side) for side in ("input", "output")}
    into, out = (_key(both, side, each) if each else None for side, each in given.items())
    return tunnel._replace(input_key=into, output_key=out)


def _key(fields: Fields, name: str, given: Given[str]) -> int:
    text = given.value.strip()
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**32:
        return int(text)
    parsed = values.ip(text)
    if parsed is None or parsed.version != 4:
        fields.wrong(name, Value(SCALAR, given.at), "a number or a dotted quad", values.LEFT_OUT)
        raise values.Unusable
    return int(parsed)


# WireGuard


def _wireguard(tunnel: Tunnel, fields: Fields) -> Tunnel:
    name = "keys" if fields.raw("keys") is not None else "key"
    value = fields.raw(name)
    holder, inner = fields, name
    if value is not None and value.kind == MAP:
        mapping = fields.mapping(name, KEYS_KEYS)
        assert mapping is not None
        holder, inner = mapping, "private"
        for other in ("input", "output"):
            _refuse(holder, other, "wireguard has a private key only")
    private, file = _secret_key(holder, inner)
    if private is None and not file:
        if holder.raw(inner) is None:
            fields.problems.error(fields.at, fields.path, "wireguard needs its private key", values.LEFT_OUT, 0)
        raise values.Unusable
    given = fields.text("port")
    port = None if given is None or given.value == "auto" else fields.number("port", 1, _ANY_PORT)
    mark = fields.number("mark", 0, 2**32 - 1)
    peers: dict[str, Peer] = {}
    for index, item in enumerate(fields.items("peers") or ()):
        path = f"{fields.path_of('peers')}.{index}"
        if item.kind != MAP:
            fields.problems.error(item.at, path, f"expected a mapping, got a {item.kind}", _PEER_OUT, 0)
            continue
        peer = _peer(Fields(item, path, PEER_KEYS, fields.problems))
        if peer is not None and peer.public in peers:
            fields.problems.error(item.at, path, "a peer with this public key stands above", _PEER_OUT, 0)
        elif peer is not None:
            peers[peer.public] = peer
    return tunnel._replace(
        private=private,
        private_file=file,
        port=port.value if port else None,
        mark=mark.value if mark else None,
        peers=tuple(peers.values()),
    )


def _peer(fields: Fields) -> Peer | None:
    """A peer; None, with a problem, if it cannot be used: half a peer may be more open than it was meant."""
    problems = fields.problems
    keys = fields.mapping("keys", PEER_KEYS_KEYS)
    public = keys.text("public") if keys else None
    if keys is None or public is None:
        if fields.raw("keys") is None or keys is not None:
            problems.error(fields.at, fields.path, "a peer needs keys.public", _PEER_OUT, 0)
        return None
    if not _is_key(public.value):
        keys.wrong("public", Value(SCALAR, public.at), "32 bytes in base64", _PEER_OUT)
        return None
    shared, file = _secret_key(keys, "shared", _PEER_OUT)
    if keys.raw("shared") is not None and shared is None and not file:
        return None
    endpoint = fields.text("endpoint")
    where = _endpoint(endpoint.value) if endpoint else ""
    if endpoint is not None and not where:
        hint = f"{_PEER_OUT}; write 192.0.2.1:51820 or [2001:db8::1]:51820"
        fields.wrong("endpoint", Value(SCALAR, endpoint.at, endpoint.value), "an address and a port", hint)
        return None
    allowed = []
    for given in values.texts(fields, "allowed-ips"):
        network = None if given.value.startswith("default") else values.network(given.value)
        if network is None:
            got = values.describe_text(given)
            problems.error(given.at, fields.path_of("allowed-ips"), f"expected CIDR, got {got}", _PEER_OUT)
            return None
        allowed.append(network)
    if not allowed:
        problems.warning(fields.at, fields.path, "no allowed-ips", "nothing goes to this peer or comes from it", 0)
    keepalive = fields.number("keepalive", 0, _ANY_PORT)
    seconds = keepalive.value if keepalive and keepalive.value else None
    return Peer(fields.at, public.value, shared, file, where, tuple(dict.fromkeys(allowed)), seconds)


def _secret_key(fields: Fields, name: str, hint: str = values.LEFT_OUT) -> tuple[Secret | None, str]:
    """A key, or the path of the file that holds it; neither, with a problem where what is given is no such thing."""
    value = fields.raw(name)
    if value is None:
        return None, ""
    text = value.text.strip()
    if text.startswith("/") and values.is_word(text):
        return None, text
    if _is_key(text):
        return Secret(text), ""
    fields.wrong(name, value, "32 bytes in base64, or the path of a file with them", hint)
    return None, ""


def _is_key(text: str) -> bool:
    """Whether it is 32 bytes in base64, in the one spelling that wg(8) writes."""
    import binascii

    if len(text) != 44 or not text.isascii():
        return False
    try:
        key = binascii.a2b_base64(text)
    except ValueError:
        return False
    return len(key) == 32 and binascii.b2a_base64(key, newline=False).decode() == text


def _endpoint(text: str) -> str:
    """`HOST:PORT` with the brackets of IPv6; empty if it is none."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or len(port) > 5 or not 0 < int(port) <= _ANY_PORT:
        return ""
    inside = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    parsed = values.ip(inside)
    if parsed is not None and (parsed.version == 6) == (inside != host) and "%" not in inside:
        return f"[{parsed}]:{int(port)}" if parsed.version == 6 else f"{parsed}:{int(port)}"
    if inside != host or ":" in host or not values.is_domain(host):
        return ""
    return f"{host}:{int(port)}"


# VXLAN


def _vxlan(fields: Fields) -> tuple[tuple[str, str], ...]:
    """The options by the names of ip-link(8), sorted. Raises Unusable."""
    identifier = fields.number("id", 1, 2**24 - 1)
    if identifier is None:
        _unusable(fields, "id", "a vxlan needs its id, a number from 1 to 16777215")
        raise AssertionError
    found = {"id": str(identifier.value)}
    for name, (theirs, low, high) in _NUMBERS.items():
        number = fields.number(name, low, high)
        if number is not None:
            found[theirs] = str(number.value)
    for name, theirs in _FLAGS.items():
        flag = fields.flag(name)
        if flag is not None:
            found[theirs] = str(int(flag.value))
    for name, words in _LISTS.items():
        for given in values.texts(fields, name):
            if given.value in words:
                found[words[given.value]] = "1"
            else:
                fields.wrong(name, Value(SCALAR, given.at, given.value), f"one of {', '.join(words)}")
    ports = [given.value.strip() for given in values.texts(fields, "port-range")]
    numbers = [int(port) for port in ports if port.isascii() and port.isdecimal() and len(port) < 6]
    if len(numbers) == len(ports) == 2 and 0 < numbers[0] <= numbers[1] <= _ANY_PORT:
        found["srcport"] = f"{numbers[0]} {numbers[1]}"
    elif fields.raw("port-range") is not None:
        message = "expected two ports, the lower one first"
        fields.problems.error(fields.key_at("port-range"), fields.path_of("port-range"), message, "left out")
    return tuple(sorted(found.items()))
