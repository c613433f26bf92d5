"""The name is the path: `one("distros", "debian")` is guestinit/distros/debian.py and nothing else is imported."""

from __future__ import annotations

import sys
from types import ModuleType


def one(room: str, name: str) -> ModuleType:
    """The module of this name in this room."""
    path = f"guestinit.{room}.{name.replace('-', '_')}"
    __import__(path)
    return sys.modules[path]
