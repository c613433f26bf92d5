"""Colours, only where somebody looks at a terminal and did not ask for none (no-color.org)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

# SGR codes of ECMA-48.
RED, GREEN, YELLOW, CYAN = "31", "32", "33", "36"
BOLD, DIM = "1", "2"


def wanted(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether text for this stream may hold colours."""
    environment = os.environ if environment is None else environment
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str, code: str, colour: bool) -> str:
    """The text in a colour, or as it is."""
    return f"\033[{code}m{text}\033[0m" if colour and text and code else text
