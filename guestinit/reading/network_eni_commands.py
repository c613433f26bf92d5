"""Commands in interfaces(5) that say no more than an option would: `up ip route add ...`, `pre-up ip link add ...`.

People write them for what has no option, and so does guestinit's own renderer (renderers/ifupdown). None is run; those
that are understood whole become part of the model, with the names of version 1 and of interfaces(5).
"""

from __future__ import annotations

from typing import NamedTuple, Optional

_CENTISECONDS = ("forward_delay", "hello_time", "max_age", "ageing_time")
_UPWARD = ("up", "post-up", "pre-up")
_SHELL = frozenset(";&|<>`$()*?[]{}\\\"'")
_IP = ("ip", "/sbin/ip", "/bin/ip", "/usr/sbin/ip")
_SYSCTL = "/proc/sys/net/ipv6/conf/"


class Effect(NamedTuple):
    """What a command comes down to."""

    options: tuple[tuple[str, str], ...] = ()  # as if they stood in the stanza
    items: tuple[tuple[str, str], ...] = ()  # likewise, of options that hold lists
    route: tuple[tuple[str, str], ...] = ()  # with the keys of version 1
    address: str = ""  # a further one


NOTHING = Effect()


def understand(keyword: str, command: str, name: str) -> Optional[Effect]:
    """What a command of the interface `name` means; None: it has to be run to know."""
    text = command.replace("${IFACE}", name).replace("$IFACE", name)
    if text.endswith("|| true"):
        text = text[: -len("|| true")]
    there = f"[ -d /sys/class/net/{name} ] || "
    text = text[len(there) :] if text.startswith(there) else text
    words = text.replace("2>/dev/null", "").split()
    setting = f">{_SYSCTL}{name}/accept_ra"
    if len(words) == 3 and words[0] == "echo" and words[1] in ("0", "1", "2") and words[2] == setting:
        return Effect(options=(("accept-ra", words[1]),))
    if any(_SHELL & set(word) for word in words):
        return None
    if keyword not in _UPWARD:
        return _undo(words)
    if words[:2] in (["route", "add"], ["/sbin/route", "add"]):
        return _old_route(words[2:], name)
    if words[:1] and words[0] in _IP:
        words = words[1:]
        version = words.pop(0) if words and words[0] in ("-4", "-6") else ""
        if len(words) < 2:
            return None
        subject, verb, rest = words[0], words[1], words[2:]
        if subject in ("route", "r", "ro") and verb in ("add", "replace", "append"):
            return _route(rest, name, version == "-6")
        if subject in ("address", "addr", "a") and verb in ("add", "replace"):
            return _address(rest, name)
        if subject in ("link", "l") and verb == "add":
            return _make(rest, name)
        if subject in ("link", "l") and verb == "set":
            return _set(rest, name)
    return None


def _undo(words: list[str]) -> Optional[Effect]:
    """On the way down only what was made on the way up goes."""
    is_ip = bool(words) and words[0] in _IP and any(word in ("del", "delete", "flush", "down") for word in words)
    return NOTHING if is_ip or words[:2] in (["route", "del"], ["/sbin/route", "del"]) else None


def _pairs(words: list[str], known: tuple[str, ...], bare: tuple[str, ...] = ()) -> Optional[dict[str, str]]:
    """`via X metric 5` as a mapping; None where a word is unknown."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in bare:
            found[word] = ""
        elif word in known and rest:
            found[word] = rest.pop(0)
        else:
            return None
    return found


def _route(words: list[str], name: str, is_6: bool) -> Optional[Effect]:
    words = words[1:] if words[:1] == ["unicast"] else words
    given = _pairs(words[1:], ("via", "dev", "metric", "mtu", "scope", "proto"), ("onlink",))
    if not words or given is None or given.get("dev", name) != name or given.get("scope", "link") == "host":
        return None
    to = words[0]
    if to == "default":
        to = "::/0" if is_6 or ":" in given.get("via", "") else "0.0.0.0/0"
    pairs = [("destination", to), ("gateway", given.get("via", ""))]
    pairs += [(key, given[key]) for key in ("metric", "mtu") if key in given]
    return Effect(route=tuple((key, value) for key, value in pairs if value))


def _old_route(words: list[str], name: str) -> Optional[Effect]:
    """route(8): `-net 10.0.0.0 netmask 255.0.0.0 gw 10.0.0.1`, `-host 192.0.2.1 gw ...`, `default gw ...`."""
    is_host = words[:1] == ["-host"]
    words = words[1:] if words[:1] in (["-net"], ["-host"]) else words
    given = _pairs(words[1:], ("gw", "netmask", "metric", "dev"))
    if not words or given is None or given.get("dev", name) != name:
        return None
    mask = "0" if words[0] == "default" else given.get("netmask", "32" if is_host else "")
    pairs = [("destination", "0.0.0.0" if words[0] == "default" else words[0]), ("netmask", mask)]
    pairs += [("gateway", given.get("gw", "")), ("metric", given.get("metric", ""))]
    return Effect(route=tuple((key, value) for key, value in pairs if value))


def _address(words: list[str], name: str) -> Optional[Effect]:
    given = _pairs(words[1:], ("dev", "broadcast", "brd"))
    return Effect(address=words[0]) if words and given is not None and given.get("dev") == name else None


def _make(words: list[str], name: str) -> Optional[Effect]:
    if "type" not in words:
        return None
    at = words.index("type")
    given = _pairs(words[:at], ("dev", "name", "link"))
    kind, rest = words[at + 1 : at + 2], words[at + 2 :]
    if given is None or name not in (given.get("dev"), given.get("name")):
        return None
    if kind == ["vlan"] and rest[:1] == ["id"] and len(rest) == 2 and "link" in given:
        return Effect(options=(("vlan-raw-device", given["link"]), ("vlan-id", rest[1])))
    if kind == ["bond"]:
        return _parameters(["bond", *rest])
    if kind == ["bridge"]:
        found = _parameters(["bridge", *rest])
        return found._replace(items=(("bridge-ports", "none"),)) if found is not None else None
    return None


def _set(words: list[str], name: str) -> Optional[Effect]:
    """What `ip link set` says of the interface, or of one that becomes a member of it."""
    rest = words[1:] if words[:1] == ["dev"] else words
    if not rest:
        return None
    device, rest = rest[0], rest[1:]
    if rest[:1] == ["type"]:
        if device == name:
            return _parameters(rest[1:])
        given = _pairs(rest[2:], ("cost", "priority")) if rest[1:2] == ["bridge_slave"] else None
        if given is None:
            return None
        names = {"cost": "bridge-pathcost", "priority": "bridge-portprio"}
        return Effect(items=tuple((names[key], f"{device} {value}") for key, value in given.items()))
    given = _pairs(rest, ("master", "mtu", "address"), ("up", "down"))
    if given is None:
        return None
    if device == name:
        options = [(option, given[key]) for key, option in (("mtu", "mtu"), ("address", "hwaddress")) if key in given]
        return Effect(options=tuple(options)) if "master" not in given else None
    if given.get("master") == name and not {"mtu", "address"} & set(given):
        return Effect(items=(("members", device),))
    return NOTHING if given == {"down": ""} else None  # a bond takes what is down


def _parameters(words: list[str]) -> Optional[Effect]:
    """`bond miimon 100 mode active-backup`."""
    kind, rest = words[0] if words else "", words[1:]
    if kind not in ("bond", "bridge") or len(rest) % 2:
        return None
    options = []
    for key, value in zip(rest[::2], rest[1::2]):
        if key in _CENTISECONDS and value.isdecimal() and len(value) < 10:
            value = str(int(value) // 100)
        options.append((f"{kind}-{'stp' if key == 'stp_state' else key}", value))
    return Effect(options=tuple(options))
