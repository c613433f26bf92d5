"""The cases that are proved in a kernel: the directories of tests/network/cases with a file `kernel`."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from tests.vm.network.lines import Item, parse

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "network", "cases")
_WIRE = "on"


class Case(NamedTuple):
    """A document, the machine it is for, what there is at the other end, and the state that must come of it."""

    name: str
    title: str
    text: str
    nics: tuple[tuple[str, str], ...]  # name and MAC, as the document has them
    wires: tuple[tuple[str, ...], ...]
    wanted: tuple[str, ...]
    # By renderer: `- line`, `+ line`, `? line` (may be there), and `# problem` that says why, or `~ why` if it is the
    # image that makes the difference; or `! why it is not proved`.
    exceptions: dict[str, tuple[str, ...]]

    def wanted_of(self, renderer: str) -> list[Item]:
        """The expected state."""
        left = list(self.wanted)
        for line in self.exceptions.get(renderer, ()):
            if line[0] == "-":
                left.remove(line[2:])
            elif line[0] == "+":
                left.append(line[2:])
        return [parse(line) for line in left]

    def unproved(self, renderer: str) -> str:
        """Why it is not proved with this renderer; empty if it is."""
        return "; ".join(line[2:] for line in self.exceptions.get(renderer, ()) if line[0] == "!")

    def allowed_of(self, renderer: str) -> list[Item]:
        """What may be there or not, because it depends on who is first."""
        return [parse(line[2:]) for line in self.exceptions.get(renderer, ()) if line[0] == "?"]


def names() -> list[str]:
    """All of them."""
    return sorted(name for name in os.listdir(CASES) if os.path.exists(os.path.join(CASES, name, "kernel")))


def proved_with(renderer: str) -> list[str]:
    """Those that are proved with this renderer."""
    return [name for name in names() if not load(name).unproved(renderer)]


def load(name: str) -> Case:
    """One case."""
    own = _lines(name, "kernel")
    assert own[0].startswith("# "), f"{name}/kernel does not begin with a title"
    title = own.pop(0)[2:]
    wires = tuple(tuple(line.split()[1:]) for line in own if line.startswith(_WIRE + " "))
    wanted = tuple(line for line in own if line.split()[0] != _WIRE)
    cards = [line.split()[0].partition("=") for line in _lines(name, "nics")]
    nics = tuple((each, mac) for each, _, mac in cards)
    exceptions = {
        each.partition(".")[2]: tuple(_lines(name, each))
        for each in os.listdir(os.path.join(CASES, name))
        if each.startswith("kernel.")
    }
    with open(os.path.join(CASES, name, "network-config"), encoding="utf-8") as file:
        return Case(name, title, file.read(), nics, wires, wanted, exceptions)


def _lines(name: str, file: str) -> list[str]:
    path = os.path.join(CASES, name, file)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as source:
        return [line.strip() for line in source if line.strip()]


def with_macs(text: str, macs: dict[str, str]) -> str:
    """The document for another machine: each MAC replaced, however it is written."""
    for ours, theirs in macs.items():
        groups = "[:-]".join(ours.split(":"))
        text = re.sub(groups, theirs, text, flags=re.IGNORECASE)
    return text
