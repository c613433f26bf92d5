"""Where a seed comes from, one file each.

A datasource has

    find(system, settled) -> Search         what the platform left; `settled` machines never wait for a drive
    open_seed(path, system) -> Search       the same tree in a directory, an image file or a drive that somebody named

and reads the machine through `system` only. It hands the documents over as bytes, unread, and says in one line for each
thing that it looked at why it is not the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from guestinit import rooms
from guestinit.model.seed import Seed

if TYPE_CHECKING:
    from guestinit.system.system import System

# In the order in which they are asked.
ORDER = ("nocloud",)


class Search(NamedTuple):
    """What looking for a seed brought."""

    seed: Optional[Seed]
    reasons: tuple[str, ...] = ()  # "nocloud: no volume labelled cidata; saw sr0 'config-2'"


def find(system: System, settled: bool, names: Sequence[str] = ORDER) -> Search:
    """The seed of the first datasource that has one, and what those before it said."""
    reasons: tuple[str, ...] = ()
    for name in names:
        search: Search = rooms.one("datasources", name).find(system, settled)
        reasons += search.reasons
        if search.seed is not None:
            return Search(search.seed, reasons)
    return Search(None, reasons)


def open_seed(path: str, system: System, names: Sequence[str] = ORDER) -> Search:
    """The seed in a directory, an image file or a drive; the reasons name the path."""
    reasons: tuple[str, ...] = ()
    for name in names:
        search: Search = rooms.one("datasources", name).open_seed(path, system)
        reasons += search.reasons
        if search.seed is not None:
            return Search(search.seed, reasons)
    return Search(None, reasons)
