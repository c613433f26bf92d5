"""A document as a tree of values that know where they stand.

YAML's own typing is not trusted: platforms write `hostname: 123`, `hostname: no` and `password: 010101` without quotes
(platforms.md 1.8), so a scalar keeps its text and the reader who knows what is expected decides what it means.
"""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from guestinit.model.problem import Position

MAP = "mapping"
LIST = "list"
SCALAR = "text"  # as messages call it

T = TypeVar("T")


class Value(NamedTuple):
    """One node: a mapping (`pairs`), a list (`items`) or a scalar (`text`)."""

    kind: str
    at: Position
    text: str = ""
    plain: bool = True  # a scalar written without quotes; only such a one can be null, a number or true
    items: tuple[Value, ...] = ()
    pairs: tuple[tuple[Value, Value], ...] = ()
    binary: bool = False  # the scalar carried the tag !!binary; its text is base64

    @property
    def is_null(self) -> bool:
        """Written as nothing, `~` or `null`."""
        return self.kind == SCALAR and self.plain and self.text in ("", "~", "null", "Null", "NULL")

    def get(self, name: str) -> Value | None:
        """The value of a key; the last one wins where a key stands twice, as in YAML libraries."""
        found = None
        for key, value in self.pairs:
            if key.text == name:
                found = value
        return found


def data(value: Value) -> Any:
    """The value as dict, list and scalars, for templates. Only what cannot be mistaken gets a type: 10, true, null."""
    if value.kind == MAP:
        return {name.text: data(content) for name, content in value.pairs}
    if value.kind == LIST:
        return [data(item) for item in value.items]
    text = value.text
    if not value.plain:
        return text
    if value.is_null:
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    # A leading zero says that it is a text of digits; 18 digits fit everywhere.
    if text.isascii() and text.isdecimal() and len(text) <= 18 and (text == "0" or text[0] != "0"):
        return int(text)
    return text


class Given(Generic[T]):
    """A value that a document gave, and where."""

    __slots__ = ("at", "value")

    def __init__(self, value: T, at: Position) -> None:
        self.value = value
        self.at = at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and (self.value, self.at) == (other.value, other.at)

    def __hash__(self) -> int:
        return hash((self.value, self.at))

    def __repr__(self) -> str:
        return f"Given({self.value!r}, {self.at})"
