"""Names of network interfaces: those that are down get theirs before the network starts.

udev would rename with the .link files that are written too, but it has dealt with most interfaces when guestinit runs,
and it cannot exchange two names at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.action import Because, Rename, Step
from guestinit.model.plan import LEFT, MODIFY, UNCHANGED, Change
from guestinit.system import facts
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done

if TYPE_CHECKING:
    from guestinit.model.facts import Nic
    from guestinit.system.system import System

TIMEOUT = 10.0  # seconds
_NATIVE = ("eth", "en")
_PARKED = "guestinit"  # and a number: the name of an interface whose own is still taken


def observe(step: Step, system: System) -> Change:
    """Which of the interfaces that are here are called otherwise."""
    if not system.live:
        return Change(step, LEFT, note="names of the running kernel")
    moves, kept = _look(_action(step), system)
    note = ", ".join(f"{nic.name} is up and keeps its name until the next boot" for nic, _ in kept)
    if not moves:
        return Change(step, UNCHANGED, note=note)
    before = "".join(f"{nic.mac} {nic.name}\n" for nic, _ in moves)
    return Change(step, MODIFY, before, "".join(f"{nic.mac} {name}\n" for nic, name in moves), note)


def apply(change: Change, system: System) -> Done:
    """First the names that are free; where all wait for each other, one interface is parked under another name."""
    facts.settle_udev(system)  # it may just be naming one of them itself: what it has begun comes first
    moves, _ = _look(_action(change.step), system)
    pending = {nic.name: name for nic, name in moves}
    used = set(system.root.listdir("/sys/class/net"))
    parked: dict[str, str] = {}  # the name before
    failures = []

    def rename(now: str, name: str) -> bool:
        failure = _rename(now, name, system)
        if not failure:
            used.remove(now)
            used.add(name)
            return True
        failures.append(failure)
        return False

    while pending:
        now = next((now for now, name in pending.items() if name not in used), "")
        if now:
            rename(now, pending.pop(now))
            continue
        now, name = next(iter(pending.items()))
        if any(name in used and name not in pending for name in pending.values()):
            now, name = next((now, name) for now, name in pending.items() if name not in pending)
            failures.append(f"{now} cannot be called {name}: another interface has this name")
            del pending[now]
            continue
        del pending[now]
        free = next(f"{_PARKED}{number}" for number in range(len(used) + 1) if f"{_PARKED}{number}" not in used)
        if rename(now, free):
            pending[free] = name
            parked[free] = now
    for free, before in parked.items():
        if free in used and before not in used:
            rename(free, before)
    if failures:
        raise Failed("; ".join(failures))
    return Done()


def contested(action: Rename, system: System) -> tuple[tuple[str, str], ...]:
    """Of interfaces that are here, the names that the kernel or udev give by themselves, perhaps to another one."""
    here = {nic.mac for nic in facts.find_nics(system)}
    return tuple((mac, name) for mac, name in action.names if mac in here and name.startswith(_NATIVE))


def give(names: tuple[tuple[str, str], ...], root: str) -> bool:
    """The names (MAC and name) alone, in a boot in which all else is as it was. False: only a whole run can tell."""
    from guestinit.system.system import open_system

    step = Step("rename:interfaces", "network", Rename(names), Because())
    try:
        apply(Change(step, MODIFY), open_system(root))
    except (Failed, OSError):
        return False
    return True


def _look(action: Rename, system: System) -> tuple[list[tuple[Nic, str]], list[tuple[Nic, str]]]:
    """Interfaces with the name that each shall get: those that can, and those that are up."""
    # Of a failover pair, which shares its MAC, the upper one.
    nics = {nic.mac: nic for nic in sorted(facts.find_nics(system), key=lambda nic: not nic.port) if nic.physical}
    differing = [(nics[mac], name) for mac, name in action.names if mac in nics and nics[mac].name != name]
    return [each for each in differing if not each[0].up], [each for each in differing if each[0].up]


def _rename(now: str, name: str, system: System) -> str:
    """Returns what went wrong, or nothing."""
    argv = ("ip", "link", "set", "dev", now, "name", name)
    finished = system.process.run(argv, timeout=TIMEOUT)
    if finished.code != 0:
        # udev gives interfaces further names (ens3 beside eth0), which are not free even for the interface itself.
        # ip(8) finds an interface by these as well.
        system.process.run(("ip", "link", "property", "del", "dev", name, "altname", name), timeout=TIMEOUT)
        finished = system.process.run(argv, timeout=TIMEOUT)
    return "" if finished.code == 0 else f"{now} cannot be called {name}: {finished.reason('ip')}"


def _action(step: Step) -> Rename:
    assert isinstance(step.action, Rename)
    return step.action
