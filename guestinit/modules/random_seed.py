"""`random_seed` of OpenStack's meta-data: bytes for the kernel's random pool, before anything makes keys.

It differs each time that the platform writes it. So what is remembered is only that this machine had one: a new machine
gets the bytes once, and another value makes nothing due.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from guestinit.model.accounts import Accounts
from guestinit.model.action import ONCE, Because, Entropy, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.problem import Position
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData

KEYS: tuple[Key, ...] = ()


class Section(NamedTuple):
    """The bytes, and the document that they came with."""

    secret: Optional[Secret]
    at: Position


def read(fields: Fields, meta: MetaData) -> Section:
    """No key of cloud-config."""
    return Section(meta.random_seed, meta.at)


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """One step, for a new machine."""
    if section.secret is not None and len(section.secret):
        # Without a basis: nothing of the bytes is remembered.
        yield Step("entropy:random_seed", "random_seed", Entropy(section.secret), Because(section.at), frequency=ONCE)
