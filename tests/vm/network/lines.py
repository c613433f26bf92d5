"""The state of a machine's network as lines, and the comparison of what is wanted with what is seen.

    link NAME [KIND] [down|no-carrier] [KEY=VALUE ...]
    address NAME IP/PREFIX [label LABEL] [deprecated]
    route TO [via GATEWAY] [dev NAME] [metric N] [table N] [src IP] [mtu N] [scope S] [type T] [onlink]
    rule [PRIORITY] [from CIDR] [to CIDR] [fwmark N] [tos N] lookup TABLE
    dns NAME IP ...
    search NAME DOMAIN ...

What a line does not say must be as it is by itself: an interface is up, has its own MAC, the usual MTU (`mtu=any`:
whichever) and no master. But what managers choose where nobody asked is compared only if the line says it: the other
KEY=VALUE of a link, the metric, preferred source and `onlink` of a route, the priority of a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FREE = {"route": ("metric", "src", "onlink"), "rule": ("priority",)}
ANY_MTU = "mtu=any"
FIXED_OF_LINKS = ("mtu", "mac", "master")  # of a link, everything else is free
_ORDER = ("from", "to", "via", "dev", "table", "lookup")  # of words; others come after, by the alphabet
_FLAGS = ("onlink", "down", "no-carrier", "deprecated")


class Item(NamedTuple):
    """One line: what identifies it, and what is compared only if the other side says it too."""

    kind: str
    fixed: tuple[str, ...]
    free: tuple[tuple[str, str], ...] = ()

    def fits(self, seen: Item) -> bool:
        """Whether what is seen is what this line wants."""
        free = dict(seen.free)
        fixed = tuple(word for word in seen.fixed if not (ANY_MTU in self.fixed and word.startswith("mtu=")))
        same = self.kind == seen.kind and fixed == tuple(word for word in self.fixed if word != ANY_MTU)
        return same and all(free.get(key) == value for key, value in self.free)

    def __str__(self) -> str:
        if self.kind == "link":
            return " ".join([self.kind, *self.fixed, *(f"{key}={value}" for key, value in self.free)])
        free = [key if key in _FLAGS else f"{key} {value}" for key, value in self.free]
        if self.kind == "rule":
            free = [value for _, value in self.free]
            return " ".join([self.kind, *free, *self.fixed])
        return " ".join([self.kind, *self.fixed, *free])


def link(name: str, kind: str, state: str, values: dict[str, str]) -> Item:
    """An interface."""
    fixed = [name, kind, state, *(f"{key}={values[key]}" for key in FIXED_OF_LINKS if values.get(key))]
    free = sorted((key, value) for key, value in values.items() if key not in FIXED_OF_LINKS)
    return Item("link", tuple(each for each in fixed if each), tuple(free))


def paired(kind: str, head: Sequence[str], pairs: dict[str, str]) -> Item:
    """A route or rule: words, then keywords with their values; those of a flag are empty."""
    free = tuple(sorted((key, value) for key, value in pairs.items() if key in FREE[kind]))
    rest = sorted(pairs, key=lambda key: (_ORDER.index(key) if key in _ORDER else len(_ORDER), key))
    fixed = [word for key in rest if key not in FREE[kind] for word in (key, pairs[key]) if word]
    return Item(kind, (*head, *fixed), free)


def parse(line: str) -> Item:
    """A line of an expected state."""
    kind, *words = line.split()
    if kind == "link":
        values = dict(word.split("=", 1) for word in words if "=" in word)
        rest = [word for word in words if "=" not in word]
        state = rest.pop() if rest[-1] in _FLAGS else ""
        return link(rest[0], " ".join(rest[1:]), state, values)
    if kind == "route":
        return paired(kind, words[:1], _pairs(words[1:]))
    if kind == "rule":
        first = {"priority": words.pop(0)} if words[0].isdigit() else {}
        return paired(kind, [], {**first, **_pairs(words)})
    if kind in ("address", "dns", "search"):
        return Item(kind, tuple(words))
    raise ValueError(f"no such line: {line}")


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found = {}
    rest = list(words)
    while rest:
        key = rest.pop(0)
        found[key] = "" if key in _FLAGS else rest.pop(0)
    return found


def differences(wanted: Sequence[Item], seen: Sequence[Item]) -> list[str]:
    """`- line` for what is missing, `+ line` for what is there instead or besides; nothing if the state is right."""
    left = list(seen)
    missing = []
    # What says most chooses first, or a line that leaves the metric open might take the place of another.
    for item in sorted(wanted, key=lambda item: -len(item.free)):
        found = next((each for each in left if item.fits(each)), None)
        if found is None:
            missing.append(item)
        else:
            left.remove(found)
    return sorted([f"- {item}" for item in missing] + [f"+ {item}" for item in left], key=lambda line: line[2:])
