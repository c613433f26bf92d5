"""Addresses, masks, MACs and names as network documents spell them (platforms.md 13 and 14), made one spelling each.

`ipaddress` is imported late: an empty or disabled document needs none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guestinit.model.fields import Fields, describe
from guestinit.model.network import Address
from guestinit.model.problem import Position, Problems
from guestinit.model.value import LIST, SCALAR, Given, Value

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

LONGEST_NAME = 15  # IFNAMSIZ without its final zero byte
LEFT_OUT = "this interface is left out, the others go on"


class Unusable(Exception):
    """An item cannot stand without a value that is wrong; the problem is reported already."""


# names


def is_word(text: str) -> bool:
    """Whether a text can stand in a configuration file as it is: no white space, no control character, no quote."""
    return bool(text) and text.isprintable() and not any(each.isspace() or each in "\"'\\;,=#[]" for each in text)


def word(fields: Fields, name: str) -> Given[str] | None:
    """A text of one word."""
    given = fields.text(name)
    if given is None or is_word(given.value):
        return given
    fields.wrong(name, Value(SCALAR, given.at, given.value), "one word")
    return None


def choice(fields: Fields, name: str, options: Sequence[str]) -> str:
    """One of these words, else empty, with a problem where it is another."""
    given = fields.text(name)
    if given is None or given.value in options:
        return given.value if given else ""
    fields.wrong(name, Value(SCALAR, given.at, given.value), f"one of {', '.join(options)}")
    return ""


def interface_name(text: str) -> str:
    """Why the kernel would not take this name for an interface; empty if it would."""
    if not text or text in (".", "..", "all", "default") or set(text) & set("/:%") or not is_word(text):
        return "not a name that the kernel takes for an interface"
    if text.isdecimal():
        return "a number, which systemd-networkd takes for no interface's name"
    if len(text.encode()) > LONGEST_NAME:
        return f"longer than the {LONGEST_NAME} characters that the kernel takes for an interface"
    return ""


def made_name(text: str, at: Position, path: str, problems: Problems) -> str:
    """The name of an interface that is to be made. Raises Unusable."""
    reason = interface_name(text)
    if reason:
        problems.error(at, path, f"{text[:40]!r} is {reason}", LEFT_OUT, len(text))
        raise Unusable
    return text


# MAC addresses


def mac_address(text: str) -> str:
    """A MAC as lower-case hex with colons; empty if it is none.

    Colons, dashes and Cisco's dots are read. A generator that let YAML 1.1 read `52:54:00:12:34:56` hands over
    41135085296, its value in base 60, and that is turned back.
    """
    text = text.strip().lower()
    if text.isascii() and text.isdecimal() and 9 <= len(text) <= 11:
        number = int(text)
        groups: list[str] = []
        for _ in range(6):
            number, digit = divmod(number, 60)
            groups.insert(0, f"{digit:02d}")
        return "" if number else ":".join(groups)
    for sign in ":-":
        parts = text.split(sign)
        if len(parts) in (6, 20) and all(_is_hex(part) and len(part) <= 2 for part in parts):
            return ":".join(part.zfill(2) for part in parts)
    parts = text.split(".")
    if len(parts) == 3 and all(_is_hex(part) and len(part) == 4 for part in parts):
        return ":".join(part[index : index + 2] for part in parts for index in (0, 2))
    return ""


def mac(fields: Fields, name: str) -> str:
    """The MAC under a key, empty if it is absent. Raises Unusable if it is none."""
    given = fields.text(name)
    if given is None or not given.value.strip():
        return ""
    found = mac_address(given.value)
    if not found:
        hint = f"write six groups of two hexadecimal digits; {LEFT_OUT}"
        fields.wrong(name, Value(SCALAR, given.at, given.value), "a MAC address", hint)
        raise Unusable
    if given.value.strip().isdecimal():
        path = fields.path_of(name)
        fields.problems.warning(given.at, path, f"a number, taken as {found}", "put it in quotes", len(given.value))
    return found


def mac_to_set(fields: Fields, name: str) -> str:
    """The MAC that an interface is to get: the kernel takes none that means several machines, or nobody."""
    found = mac(fields, name)
    if not found or (int(found[:2], 16) % 2 == 0 and found.strip("0:")):
        return found
    given = fields.raw(name)
    if given is not None:
        hint = "left out; the second digit has to be even, like 2 in 02:00:00:00:00:01"
        fields.wrong(name, given, "the MAC address of one machine", hint)
    return ""


def _is_hex(text: str) -> bool:
    return bool(text) and all(each in "0123456789abcdef" for each in text)


# IP addresses


def ip(text: str) -> IPv4Address | IPv6Address | None:
    """An address without a prefix; a zone (`fe80::1%eth0`) is dropped, since the interface is known."""
    import ipaddress

    try:
        return ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None


def is_multicast(text: str) -> bool:
    """Whether an address names a group of machines."""
    found = ip(text)
    return found is not None and found.is_multicast


def is_link_local6(text: str) -> bool:
    """Whether an address, as inet_ntop(3) writes it, is in fe80::/10, so that every link may have it."""
    return text[:3] in ("fe8", "fe9", "fea", "feb")


def is_host(prefix: int, family: int) -> bool:
    """Whether a prefix covers one address only, so that every gateway is outside it."""
    return prefix == (32 if family == 4 else 128)


def prefix_length(text: str, family: int) -> int | None:
    """`24`, `255.255.255.0`, `64` or `ffff:ffff:ffff:ffff::` as a number of bits; None if it is no mask."""
    text = text.strip()
    bits = 32 if family == 4 else 128
    if text.isascii() and text.isdecimal():
        return int(text) if len(text) <= 3 and int(text) <= bits else None
    mask = ip(text)
    if mask is None or mask.version != family or "%" in text:
        return None
    inverted: int = int(mask) ^ ((1 << bits) - 1)
    if inverted & (inverted + 1):
        return None  # ones after zeros
    return bits - inverted.bit_length()


def address(given: Given[str], mask: Given[str] | None, path: str, problems: Problems) -> Address:
    """An address with its prefix, in CIDR form or with a mask beside it. Raises Unusable."""
    text, slash, length = given.value.strip().partition("/")
    found = ip(text)
    if found is None or "%" in text:
        message = f"expected an IP address, got {describe_text(given)}"
        problems.error(given.at, path, message, LEFT_OUT, max(1, len(given.value)))
        raise Unusable
    if found.is_unspecified or found.is_multicast or str(found) == "255.255.255.255":
        problems.error(given.at, path, f"{found} cannot be an interface's address", LEFT_OUT, len(given.value))
        raise Unusable
    family = found.version
    prefix = _prefix(given, length, family, path, problems) if slash else None
    if mask is not None and mask.value.strip():
        beside = _prefix(mask, mask.value, family, path, problems)
        if prefix is not None and prefix != beside:
            message = f"the netmask says /{beside}, the address /{prefix}"
            problems.warning(mask.at, path, message, "the one in the address is taken", len(mask.value))
        prefix = beside if prefix is None else prefix
    if not prefix:  # with /0 the whole world would be on the link
        message = "no netmask" if prefix is None else "/0 is no subnet"
        prefix = 24 if family == 4 else 64
        problems.warning(given.at, path, message, f"taken as /{prefix}; write {found}/{prefix}", len(given.value))
    _say_reserved(found, prefix, given, path, problems)
    return Address(str(found), prefix, given.at)


def _say_reserved(
    found: IPv4Address | IPv6Address, prefix: int, given: Given[str], path: str, problems: Problems
) -> None:
    """The first address of a subnet means the subnet itself, and IPv4's last one all of its machines."""
    bits = found.max_prefixlen - prefix
    host = int(found) & ((1 << bits) - 1)
    if bits < 2 or (host and (found.version == 6 or host != (1 << bits) - 1)):
        return
    what = "broadcast" if host else "network"
    message = f"{found}/{prefix} is the {what} address of its subnet"
    problems.warning(given.at, path, message, "it is set all the same", len(given.value))


def _prefix(given: Given[str], text: str, family: int, path: str, problems: Problems) -> int:
    found = prefix_length(text, family)
    if found is None:
        message = f"expected an IPv{family} netmask or prefix length, got {text[:40]!r}"
        problems.error(given.at, path, message, LEFT_OUT, len(given.value))
        raise Unusable
    return found


def network(text: str, mask: str | None = None) -> str | None:
    """The destination of a route as CIDR: `default`, CIDR, or an address with a mask beside it. None if it is none.

    Without any mask the unspecified address is the default route, and another address a host.
    """
    import ipaddress

    text = text.strip()
    if text in ("default", "default4"):
        return "0.0.0.0/0"
    if text == "default6":
        return "::/0"
    base, slash, length = text.partition("/")
    found = ip(base)
    if found is None:
        return None
    bits = 32 if found.version == 4 else 128
    if slash:
        prefix = prefix_length(length, found.version)
    elif mask is not None and mask.strip():
        prefix = prefix_length(mask, found.version)
    else:
        prefix = 0 if found.is_unspecified else bits
    if prefix is None:
        return None
    return str(ipaddress.ip_network(f"{found}/{prefix}", strict=False))


def broadcast(cidr: str) -> str:
    """The address of all machines in an IPv4 subnet; empty where every address is a machine's."""
    import ipaddress

    found = ipaddress.ip_network(cidr, strict=False)
    return str(found.broadcast_address) if found.prefixlen < 31 else ""


def gateway(given: Given[str], path: str, problems: Problems) -> str | None:
    """The address of a next hop; None, with a problem, if it is none."""
    found = ip(given.value)
    if found is not None and not found.is_unspecified and not found.is_multicast:
        return str(found)
    message = f"expected the address of a gateway, got {describe_text(given)}"
    problems.error(given.at, path, message, "this route is left out", len(given.value))
    return None


# name servers


def servers(fields: Fields, name: str) -> tuple[Given[str], ...]:
    """Addresses of name servers; several in one text are taken apart (Proxmox VE's are split at blanks)."""
    path, problems = fields.path_of(name), fields.problems
    found: list[Given[str]] = []
    for given in texts(fields, name):
        for text in given.value.replace(",", " ").split():
            base, _, zone = text.partition("%")
            parsed = ip(base)
            if parsed is None or (zone and interface_name(zone)):
                message = f"expected the address of a name server, got {text[:40]!r}"
                problems.error(given.at, path, message, "this one is left out", len(text))
            elif all(each.value != _zoned(str(parsed), zone) for each in found):
                found.append(Given(_zoned(str(parsed), zone), given.at))
    return tuple(found)


def domains(fields: Fields, name: str) -> tuple[Given[str], ...]:
    """Search domains; several in one text are taken apart, and empty ones (oVirt's double blanks) dropped."""
    path, problems = fields.path_of(name), fields.problems
    found: list[Given[str]] = []
    for given in texts(fields, name):
        for text in given.value.replace(",", " ").split():
            if not is_domain(text):
                message = f"expected a domain, got {text[:40]!r}"
                problems.error(given.at, path, message, "this one is left out", len(text))
            elif all(each.value != text for each in found):
                found.append(Given(text, given.at))
    return tuple(found)


def is_domain(text: str) -> bool:
    """Whether a text may be a DNS name; `~example.test` is a domain for routing only."""
    return 0 < len(text) <= 253 and all(each.isalnum() or each in ".-_~" for each in text)


def texts(fields: Fields, name: str) -> tuple[Given[str], ...]:
    """A list of texts, or one text; also where people wrote a list within the list."""
    value = fields.raw(name)
    if value is not None and value.kind == LIST and any(item.kind == LIST for item in value.items):
        flat: list[Value] = []
        for item in value.items:
            flat += item.items if item.kind == LIST else (item,)
        return tuple(Given(item.text, item.at) for item in flat if item.kind == SCALAR and not item.is_null)
    return fields.texts(name) or ()


def _zoned(text: str, zone: str) -> str:
    return f"{text}%{zone}" if zone else text


def describe_text(given: Given[str]) -> str:
    """A text as an error message names it."""
    return describe(Value(SCALAR, given.at, given.value))
