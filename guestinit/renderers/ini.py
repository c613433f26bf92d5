"""Files of sections and assignments, as systemd and NetworkManager read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Union

HEADER = "# Written by guestinit, which replaces this file when the machine is configured anew.\n"

Setting = Union[str, int, bool, None]


class Section:
    """One section. What is None or empty is not written; truth is written as the manager spells it."""

    def __init__(self, name: str, true: str = "yes", false: str = "no") -> None:
        self.name = name
        self.lines: list[str] = []
        self._true, self._false = true, false

    def set(self, name: str, value: Setting) -> None:
        """Add an assignment."""
        if isinstance(value, bool):
            value = self._true if value else self._false
        if value is not None and value != "":
            self.lines.append(f"{name}={value}")

    def set_all(self, name: str, values: Sequence[str]) -> None:
        """Add an assignment for each value."""
        for value in values:
            self.set(name, value)


def text(sections: Sequence[Optional[Section]]) -> bytes:
    """The file; sections without assignments are left out."""
    parts = [
        f"\n[{section.name}]\n" + "".join(line + "\n" for line in section.lines)
        for section in sections
        if section is not None and section.lines
    ]
    return (HEADER + "".join(parts)).encode()
