"""`guestinit net undo`: the files of the network as they were before the run that changed them last."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator

from guestinit.complaint import complain
from guestinit.model.action import Absence, File, Step
from guestinit.model.plan import CREATE, MODIFY, OK, REMOVE
from guestinit.model.report import EXIT_USAGE
from guestinit.system.earlier import DIRECTORY, LOST
from guestinit.system.system import open_system

_WORDS = {CREATE: "put back", MODIFY: "put back", REMOVE: "remove"}
_PROFILES = "/etc/NetworkManager/system-connections/"
# How a manager that runs hears of it.
_TELL = (
    ("/etc/systemd/network/", "networkctl reload"),
    ("/etc/systemd/resolved.conf.d/", "systemctl try-restart systemd-resolved"),
    ("/etc/NetworkManager/", "nmcli connection reload"),
    ("/etc/netplan/", "netplan apply"),
    ("/etc/network/", "systemctl restart networking"),
)


def undo(options: Namespace) -> int:
    """Put the files back, and remove those that were new. No network manager is told: that is the second command."""
    from guestinit.system import engine
    from guestinit.system.lock import Lock

    if not os.path.isdir(options.root):
        return complain(f"{options.root}: no such directory", code=EXIT_USAGE)
    if os.geteuid() != 0:
        return complain("the earlier files are in a directory that only root may read", "run it as root")
    system = open_system(options.root, writable=not options.dry_run)
    earlier = system.state.earlier
    steps = tuple(earlier.steps())
    for entry in earlier.entries():
        if entry.was == LOST:
            complain(f"{entry.path} cannot be put back: {entry.why}")
    if not steps:
        return complain("there are no earlier network files", f"{DIRECTORY} is empty until a run changes one")
    changes = [change for change in engine.compare(steps, system) if change.change in _WORDS]
    for change in changes:
        print(f"{'would ' if options.dry_run else ''}{_WORDS[change.change]} {change.step.id.partition(':')[2]}")
    if options.dry_run:
        return 0
    with Lock(options.root):
        outcomes = engine.apply(steps, system, lambda line: None).outcomes
        system.state.remember_written(outcomes)
        system.state.save()
        failed = [outcome for outcome in outcomes if outcome.result != OK]
        if not failed:
            earlier.forget()
    for outcome in failed:
        complain(f"{outcome.change.step.id.partition(':')[2]}: {outcome.message}")
    if changes and system.live:
        print("the network manager reads them at the next boot, or now:")
        for command in _commands(tuple(change.step for change in changes)):
            print(f"  {command}")
    return 1 if failed else 0


def _commands(steps: tuple[Step, ...]) -> Iterator[str]:
    paths = [step.action.path for step in steps if isinstance(step.action, (Absence, File))]
    for directory, command in _TELL:
        if any(path.startswith(directory) for path in paths):
            yield command
    for step in steps:
        if isinstance(step.action, File) and step.action.path.startswith(_PROFILES):
            content = step.action.content if isinstance(step.action.content, bytes) else b""
            for line in content.decode("utf-8", "replace").splitlines():
                if line.startswith("uuid="):
                    yield f"nmcli connection up uuid {line[len('uuid=') :]}"
