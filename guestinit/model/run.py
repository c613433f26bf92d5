"""A run as those see it who ask for one: what they order, and what is handed back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from guestinit.model.report import Report
from guestinit.model.secret import Secret


class Order(NamedTuple):
    """What the command line asks for."""

    stages: tuple[str, ...]
    seed: str = ""  # a directory or an ISO file; "": what the platform left
    dry_run: bool = False
    strict: bool = False
    again: tuple[str, ...] = ()  # run these modules once more
    renews: str = ""  # ask this metadata service only, over the network that the machine has


class Ended(NamedTuple):
    """What a run hands back: the report, and the passwords made in it, to be shown once."""

    report: Report
    revealed: tuple[tuple[str, Secret], ...] = ()


Say = Callable[[str], None]
