"""The parameters of bonds and bridges in all their spellings, as the kernel's own names.

`bond-mode`, `bond_mode` and `mode`, `up-delay` and `bond-updelay` occur, mixed within one document (platforms.md 13,
39a). Names and values are those of the kernel's Documentation/networking/bonding.rst and of ip-link(8).
"""

from __future__ import annotations

from collections.abc import Callable

from guestinit.model.fields import describe, nearest
from guestinit.model.network import BOND
from guestinit.model.problem import Problems
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value
from guestinit.reading.network_values import describe_text, ip, is_word

BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")

# By the kernel's name: the other spellings, without `bond-` and with dashes.
_BOND = {
    "mode": (),
    "miimon": ("mii-monitor-interval",),
    "updelay": ("up-delay",),
    "downdelay": ("down-delay",),
    "lacp_rate": (),
    "xmit_hash_policy": ("transmit-hash-policy",),
    "min_links": (),
    "ad_select": (),
    "all_slaves_active": ("all-members-active",),
    "arp_interval": (),
    "arp_ip_target": ("arp-ip-targets",),
    "arp_validate": (),
    "arp_all_targets": (),
    "fail_over_mac": ("fail-over-mac-policy",),
    "num_grat_arp": ("gratuitous-arp", "gratuitious-arp"),
    "packets_per_slave": ("packets-per-member",),
    "primary": (),
    "primary_reselect": ("primary-reselect-policy",),
    "resend_igmp": (),
    "lp_interval": ("learn-packet-interval",),
}
_BRIDGE = {
    "stp": (),
    "forward_delay": ("fd",),
    "hello_time": ("hello",),
    "max_age": ("maxage",),
    "ageing_time": ("ageing", "aging-time"),
    "priority": ("bridgeprio",),
}
# Read without effect: interfaces(5) keys for its own waiting, and what is the kernel's only way today.
_NOTHING = frozenset(("use-carrier", "slaves", "ports", "waitport", "maxwait", "gcint", "hw", "active-slave"))
_MEMBER = {"path-cost": "costs", "pathcost": "costs", "port-priority": "priorities", "portprio": "priorities"}

# Numbers that the kernel takes too, as names.
_NUMBERED = {
    "mode": BOND_MODES,
    "lacp_rate": ("slow", "fast"),
    "ad_select": ("stable", "bandwidth", "count"),
    "xmit_hash_policy": ("layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"),
    "arp_validate": ("none", "active", "backup", "all", "filter", "filter_active", "filter_backup"),
    "arp_all_targets": ("any", "all"),
    "fail_over_mac": ("none", "active", "follow"),
    "primary_reselect": ("always", "better", "failure"),
}
_BY_ARP = ("balance-rr", "active-backup", "balance-xor", "broadcast")
_ONLY_IN = {
    "primary": ("active-backup", "balance-tlb", "balance-alb"),
    "lacp_rate": ("802.3ad",),
    "packets_per_slave": ("balance-rr",),
    "arp_interval": _BY_ARP,
    "arp_ip_target": _BY_ARP,
    "arp_validate": _BY_ARP,
    "arp_all_targets": _BY_ARP,
}
# Programs (MAAS) write the kernel's defaults also where they have no meaning.
_DEFAULTS = {
    "lacp_rate": "slow", "updelay": "0", "downdelay": "0", "arp_interval": "0", "arp_validate": "none",
    "arp_all_targets": "any", "packets_per_slave": "1",
}  # fmt: skip
_FLAGS = ("all_slaves_active", "stp")
_MOST = 2**31 - 1
# What the kernel takes (drivers/net/bonding/bond_options.c, net/bridge/br_private.h), and NetworkManager.
_RANGES = {
    "num_grat_arp": (0, 255), "resend_igmp": (0, 255), "packets_per_slave": (0, 65535), "lp_interval": (1, _MOST),
    "priority": (0, 65535), "forward_delay": (0, 30), "hello_time": (1, 10), "max_age": (6, 40),
    "ageing_time": (0, 1000000),
}  # fmt: skip
_LEAST_WITH_STP = 2  # seconds of forward_delay
_RANGES_OF_MEMBERS = {"costs": (1, 65535), "priorities": (0, 63)}
# Times may have a unit. These are the kernel's, as microseconds.
_TIMES = {
    **dict.fromkeys(("miimon", "updelay", "downdelay", "arp_interval"), 1000),
    **dict.fromkeys(("lp_interval", "forward_delay", "hello_time", "max_age", "ageing_time"), 1000000),
}
_UNITS = {"us": 1, "ms": 1000, "s": 1000000, "sec": 1000000, "m": 60000000, "min": 60000000}

Pairs = tuple[tuple[str, str], ...]
Numbers = tuple[tuple[str, int], ...]


def read(value: Value | None, kind: str, path: str, problems: Problems) -> tuple[Pairs, Numbers, Numbers]:
    """Parameters, path costs and priorities by member. What is unknown or wrong is reported and left out."""
    if value is None or value.is_null:
        return (), (), ()
    if value.kind != MAP:
        problems.error(value.at, path, f"expected a mapping, got {describe(value)}", "left out")
        return (), (), ()
    table: dict[str, tuple[str, ...]] = dict(_BOND if kind == BOND else _BRIDGE)
    known = {name.replace("_", "-"): name for name in table}
    known.update((other, name) for name, others in table.items() for other in others)
    found: dict[str, str] = {}
    by_member: dict[str, Numbers] = {}
    for key, each in value.pairs:
        plain = key.text.lower().replace("_", "-")
        plain = plain[len(kind) + 1 :] if plain.startswith(kind + "-") else plain
        where = f"{path}.{key.text}"
        if plain in _MEMBER and kind != BOND:
            by_member[_MEMBER[plain]] = _numbers_by_member(each, where, _RANGES_OF_MEMBERS[_MEMBER[plain]], problems)
        elif plain in _NOTHING:
            problems.note(key.at, where, "has no effect here", "nothing is lost", len(key.text))
        elif plain not in known:
            guess = nearest(plain, list(known))
            hint = f"did you mean '{guess}'?" if guess else "it is ignored"
            problems.warning(key.at, where, f"unknown parameter of a {kind}", hint, max(1, len(key.text)))
        elif not each.is_null:
            text = _parameter(known[plain], each, where, problems)
            if text:
                found[known[plain]] = text
    if kind == BOND:
        _drop_contradictions(found, value, path, problems)
    elif found.get("stp") == "1" and int(found.get("forward_delay", _LEAST_WITH_STP)) < _LEAST_WITH_STP:
        message = f"with the spanning tree forward_delay is at least {_LEAST_WITH_STP} seconds"
        problems.error(value.at, path, f"{message}, got {found.pop('forward_delay')}", "left out")
    return tuple(sorted(found.items())), by_member.get("costs", ()), by_member.get("priorities", ())


def _drop_contradictions(found: dict[str, str], value: Value, path: str, problems: Problems) -> None:
    """What the kernel refuses or ignores in this mode goes; NetworkManager would refuse the whole bond for it."""

    def drop(name: str, reason: str, say: Callable[..., None] = problems.error) -> None:
        given = found.pop(name, None)
        if given not in (None, _DEFAULTS.get(name)):
            say(value.at, path, f"{name} {reason}", "left out")

    mode = found.get("mode", BOND_MODES[0])
    for name, modes in _ONLY_IN.items():
        if mode not in modes:
            # Without its monitoring by ARP a bond may never notice that a member is gone; the others lose nothing.
            say = problems.error if modes is _BY_ARP else problems.warning
            drop(name, f"has no meaning in the mode {mode}", say)
    if found.get("miimon", "0") != "0":
        drop("arp_interval", "cannot be together with miimon")
    if found.get("arp_interval", "0") == "0" or not found.get("arp_ip_target"):
        for name in ("arp_interval", "arp_ip_target", "arp_validate", "arp_all_targets"):
            drop(name, "needs both arp_interval and arp_ip_target")
    if found.get("miimon", "0") == "0":
        for name in ("updelay", "downdelay"):
            drop(name, "needs miimon")


def _parameter(name: str, value: Value, path: str, problems: Problems) -> str:
    items = value.items if value.kind == LIST and name == "arp_ip_target" else (value,)
    if any(item.kind != SCALAR for item in items):
        problems.error(value.at, path, f"expected text, got {describe(value)}", "left out")
        return ""
    text = ",".join(item.text.strip() for item in items).replace(" ", ",")
    text = text if name == "primary" else text.lower()
    if name in _FLAGS:
        text = {"true": "1", "yes": "1", "on": "1", "false": "0", "no": "0", "off": "0"}.get(text, text)
    choice = _NUMBERED.get(name, ())
    if name in _TIMES:
        text = _time(text, _TIMES[name])
    if text.isascii() and text.isdecimal() and choice:
        text = choice[int(text)] if len(text) < 3 and int(text) < len(choice) else "?"
    is_number = not choice and name not in ("arp_ip_target", "primary", *_FLAGS)
    low, high = _RANGES.get(name, (0, _MOST))
    wrong = (
        (choice and text not in choice)
        or (name in _FLAGS and text not in ("0", "1"))
        or not all(is_word(part) for part in text.split(","))
        or (is_number and not _is_between(text, low, high))
        or (name == "arp_ip_target" and not all(_is_ipv4(part) for part in text.split(",")))
        or len(text) > 200
    )
    if wrong:
        expected = f"one of {', '.join(choice)}" if choice else f"a number from {low} to {high}"
        others = {"arp_ip_target": "IPv4 addresses", "primary": "the name of a member"}
        expected = "true or false" if name in _FLAGS else others.get(name, expected)
        given = Given(value.text or text, value.at)
        problems.error(value.at, path, f"expected {expected}, got {describe_text(given)}", "left out", len(value.text))
        return ""
    return text


def _time(text: str, unit: int) -> str:
    """`1s` or `100 ms` in this unit of microseconds; anything else as it is."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip(",")
    length = _UNITS.get(text[len(digits) :].lstrip(","))
    if length is None or not (digits.isascii() and digits.isdecimal()) or len(digits) > 10:
        return text
    whole, rest = divmod(int(digits) * length, unit)
    return text if rest else str(whole)


def _is_ipv4(text: str) -> bool:
    found = ip(text)
    return found is not None and found.version == 4


def _is_between(text: str, low: int, high: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12 and low <= int(text) <= high


def _numbers_by_member(value: Value, path: str, bounds: tuple[int, int], problems: Problems) -> Numbers:
    """`{eth0: 50}`, or interfaces(5) texts like `eth0 50`."""
    if value.kind == MAP:
        pairs = [(key.text, each.text, each.at) for key, each in value.pairs]
    else:
        items = value.items if value.kind == LIST else (value,)
        pairs = [(*_cut(item.text), item.at) for item in items]
    found = []
    for name, number, at in pairs:
        if _is_between(number, *bounds):
            found.append((name, int(number)))
        else:
            message = f"expected an interface and a number from {bounds[0]} to {bounds[1]}"
            problems.error(at, path, f"{message}, got {name[:40]!r} and {number[:20]!r}", "left out")
    return tuple(found)


def _cut(text: str) -> tuple[str, str]:
    name, _, number = text.strip().partition(" ")
    return name, number.strip()
