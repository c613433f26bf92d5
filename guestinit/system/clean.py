"""Forgetting an instance: what a template builder runs last.

What stays: accounts and files that were made for the builder's own instance are part of the template now. Which lines
and network files were ours stays known too, so that the first boot of a clone can take them out again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from guestinit.system.state import DIRECTORY, VERSION

if TYPE_CHECKING:
    from guestinit.system.system import System

LOG = "/var/log/guestinit.log"
KEPT = ("memory.json", "key")


class Removal(NamedTuple):
    """One thing that goes, in words for people."""

    path: str
    words: str
    empty: bool = False  # made empty instead of removed


def plan(system: System, logs: bool, machine_id: bool) -> tuple[Removal, ...]:
    """What would go."""
    goes = []
    for directory in (DIRECTORY + "/pending", DIRECTORY + "/scripts", DIRECTORY):
        for name in sorted(system.root.listdir(directory)):
            path = f"{directory}/{name}"
            if name in (*KEPT, "pending", "scripts") and directory == DIRECTORY:
                continue
            goes.append(Removal(path, f"remove {path}"))
    if system.state.done:
        goes.append(Removal(f"{DIRECTORY}/memory.json", f"forget {len(system.state.done)} things that were done once"))
    if logs and system.root.exists(LOG):
        goes.append(Removal(LOG, f"remove {LOG}"))
    if machine_id and system.root.read("/etc/machine-id"):
        # Empty and not absent: systemd then makes a new one on the next boot, and does not take that boot for the
        # very first of a factory-reset system (machine-id(5), first-boot semantics).
        goes.append(Removal("/etc/machine-id", "empty /etc/machine-id", empty=True))
    return tuple(goes)


def apply(goes: tuple[Removal, ...], system: System) -> None:
    """Let it go."""
    for removal in goes:
        if removal.empty:
            system.root.write(removal.path, b"", 0o444, 0, 0)
        elif removal.path.endswith("/memory.json"):
            memory = {"version": VERSION, "done": {}, "lines": system.state.lines, "written": system.state.written}
            system.root.write(removal.path, json.dumps(memory, indent=1, sort_keys=True).encode(), 0o600, 0, 0)
        else:
            system.root.remove_tree(removal.path)
    for directory in (DIRECTORY + "/pending", DIRECTORY + "/scripts"):
        if system.root.exists(directory):
            system.root.remove_directory(directory)
