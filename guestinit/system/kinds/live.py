"""A value of the running kernel: `hostname`, or a sysctl by its dotted name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.action import Live, Step
from guestinit.model.plan import LEFT, MODIFY, UNCHANGED, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done

if TYPE_CHECKING:
    from guestinit.system.system import System


def observe(step: Step, system: System) -> Change:
    """The value as it is now."""
    action = _action(step)
    if not system.live:
        return Change(step, LEFT, note="a value of the running kernel")
    now = _now(action, system)
    if now == " ".join(action.value.split()):
        return Change(step, UNCHANGED)
    return Change(step, MODIFY, "" if now is None else f"{now}\n", f"{action.value}\n")


def apply(change: Change, system: System) -> Done:
    """Write it where the kernel takes it: for the host name that is the same as sethostname(2)."""
    action = _action(change.step)
    path = path_of(action.name)
    if not system.root.exists(path):
        raise Failed(f"this kernel has no {action.name}")
    system.root.set_value(path, action.value.encode())
    now = _now(action, system)
    if now != " ".join(action.value.split()):
        raise Failed(f"the kernel made {now!r} of it")
    return Done()


def path_of(name: str) -> str:
    """Where /proc has a value. As sysctl(8) does it: dots are slashes, and the other way round (`eth0/5` is eth0.5)."""
    if name == "hostname":
        return "/proc/sys/kernel/hostname"
    return "/proc/sys/" + name.translate(str.maketrans("./", "/."))


def _now(action: Live, system: System) -> str | None:
    content = system.root.read(path_of(action.name))
    return None if content is None else " ".join(content.decode("utf-8", "replace").split())


def _action(step: Step) -> Live:
    assert isinstance(step.action, Live)
    return step.action
