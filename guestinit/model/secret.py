"""A value that must not be shown."""

from __future__ import annotations


class Secret:
    """Text or bytes that prints as ``***`` wherever it goes by accident; `reveal` is called at the last write only.

    An ordinary class and not a NamedTuple: a tuple would print and compare with its content.
    """

    __slots__ = ("_data",)

    def __init__(self, value: str | bytes) -> None:
        self._data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._data

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._data == self._data

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__
