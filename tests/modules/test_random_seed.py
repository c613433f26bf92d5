"""random_seed: the kernel's pool is stirred once for a new machine (quirk 19 of platforms.md)."""

from __future__ import annotations

from guestinit.model.action import ONCE, Entropy, Step
from guestinit.model.problem import Position
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.modules import random_seed
from tests.modules.sections import planned, section


def plan(content: bytes | None) -> list[Step]:
    secret = None if content is None else Secret(content)
    read, problems = section(random_seed, "", MetaData("i-1", True, at=Position("m", 1, 1), random_seed=secret))
    assert problems == []
    return planned(random_seed, read)


def test_one_step_that_remembers_nothing_of_the_bytes() -> None:
    (first,), (second,) = plan(b"abc"), plan(b"def")
    assert first.action == Entropy(Secret(b"abc"))
    assert (first.frequency, first.basis, str(first.because)) == (ONCE, None, "m:1:1")
    assert first._replace(action=second.action) == second


def test_nothing_without_bytes() -> None:
    assert plan(None) == plan(b"") == []
