"""Values as YAML text that says the same to every reader.

YAML 1.1, which libyaml's users follow, takes `on` and `no` for truth and `52:54:00:12:34:56` for a number with the base
60: so a text stands in quotes unless it cannot be taken for anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

Tree = Union[str, int, bool, Mapping[str, "Tree"], Sequence["Tree"]]

_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_ESCAPES = {"\\": "\\\\", '"': '\\"'}


def document(mapping: Mapping[str, Tree]) -> str:
    """A document in block style, its keys in the order of the mapping."""
    return "".join(line + "\n" for line in _mapping(mapping))


def _mapping(value: Mapping[str, Tree]) -> list[str]:
    lines = []
    for key, each in value.items():
        lines += _named(_text(key) + ":", each)
    return lines


def _sequence(value: Sequence[Tree]) -> list[str]:
    lines = []
    for each in value:
        first, *rest = _named("-", each)
        if first == "-":  # the first line of what is inside stands behind the dash
            first, rest = f"- {rest[0][2:]}", rest[1:]
        lines += [first, *rest]
    return lines


def _named(start: str, value: Tree) -> list[str]:
    """A value behind its key or its dash."""
    if isinstance(value, str):
        return [f"{start} {_text(value)}"]
    if isinstance(value, bool):
        return [f"{start} {'true' if value else 'false'}"]
    if isinstance(value, int):
        return [f"{start} {value}"]
    if not value:
        return [f"{start} {'{}' if isinstance(value, Mapping) else '[]'}"]
    inner = _mapping(value) if isinstance(value, Mapping) else _sequence(value)
    return [start, *("  " + line for line in inner)]


def _text(text: str) -> str:
    plain = text.isascii() and text[:1].isalpha() and text.lower() not in _WORDS
    if plain and all(each.isalnum() or each in "._-" for each in text):
        return text
    return '"' + "".join(_ESCAPES.get(each) or (each if each.isprintable() else _code(each)) for each in text) + '"'


def _code(sign: str) -> str:
    number = ord(sign)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
