"""Bytes from the platform for the kernel's random pool: random(4) mixes in what is written, and credits nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.action import Entropy, Step
from guestinit.model.plan import LEFT, MODIFY, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done

if TYPE_CHECKING:
    from guestinit.system.system import System

POOL = "/dev/urandom"


def observe(step: Step, system: System) -> Change:
    """Nobody can see what a pool was stirred with, so this is always a change; the bytes are never shown."""
    action = _action(step)
    if not system.live:
        return Change(step, LEFT, note="for the running kernel")
    return Change(step, MODIFY, note=f"{len(action.secret)} bytes, not shown")


def apply(change: Change, system: System) -> Done:
    """Write them."""
    action = _action(change.step)
    if not system.root.exists(POOL):
        raise Failed(f"there is no {POOL}")
    system.root.set_value(POOL, action.secret.reveal())
    return Done()


def _action(step: Step) -> Entropy:
    assert isinstance(step.action, Entropy)
    return step.action
