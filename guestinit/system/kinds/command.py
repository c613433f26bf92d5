"""A program to run. What it does cannot be compared, so it is shown as "would run"."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from guestinit.model.action import Command, Step
from guestinit.model.plan import LEFT, RUN, UNCHANGED, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done
from guestinit.system.process import NOT_FOUND, Finished

if TYPE_CHECKING:
    from guestinit.system.system import System

LOG = "/var/log/guestinit.log"
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./-_")
_QUESTION = 30.0  # seconds for what only asks
LONGEST_LOCK = 1200.0  # seconds to wait for another program's lock: a first unattended upgrade takes that long


def observe(step: Step, system: System) -> Change:
    """Whether there is a reason not to run it."""
    action = _action(step)
    if not system.live and (action.needs_live or action.unit_active):
        return Change(step, LEFT, note="it needs the running system")
    reason = _reason_not_to(action, system)
    if reason:
        return Change(step, UNCHANGED, note=reason)
    if action.hidden:
        return Change(step, RUN, None, None, action.label)
    first = f"{_line(action.gentler.argv)} || " if action.gentler else ""
    return Change(step, RUN, "", f"{first}{_line(action.argv)}\n")


def apply(change: Change, system: System) -> Done:
    """Run it to its end; its output goes to the log."""
    action = _action(change.step)
    reason = _reason_not_to(action, system)  # an earlier step may have stopped the unit or made the file
    if reason:
        return Done(reason)
    for path in action.locks:
        _wait_for_lock(path, system)
    gentler = action.gentler
    if gentler is not None and system.process.run(gentler.question, timeout=_QUESTION).output.strip() == gentler.answer:
        finished = _run(gentler.argv, action, system)
        if _is_good(finished, action):
            return Done(code=finished.code)
    finished = _run_beside(action.rewrites, action, system) if action.rewrites else _run(action.argv, action, system)
    if not _is_good(finished, action):
        raise Failed(_failure(finished, action), finished.code)
    return Done(code=finished.code)


def _is_good(finished: Finished, action: Command) -> bool:
    return not finished.timed_out and finished.code in action.codes


def _run_beside(directory: str, action: Command, system: System) -> Finished:
    from guestinit.system import rewritten  # delayed: few commands need it

    place = f"{system.root.path.rstrip('/')}{directory}"
    hold = rewritten.keep(place)
    try:
        return _run(action.argv, action, system)
    finally:
        rewritten.put_back(hold, place)


def _run(argv: tuple[str, ...], action: Command, system: System) -> Finished:
    if system.root.path != "/":
        argv = ("chroot", os.path.realpath(system.root.path), *argv)
    log = system.root.open_log(LOG) if action.log_output else None
    try:
        if log is not None:
            os.write(log, f"--- {_now()} {action.label if action.hidden else _line(argv)}\n".encode())
        finished = system.process.run(
            argv, environment=dict(action.environment), timeout=action.timeout, output_to=log, label=action.label
        )
        if log is not None:
            os.write(log, f"--- {_now()} {_ending(finished, action)}, {finished.seconds:.1f} s\n".encode())
            os.fsync(log)
    finally:
        if log is not None:
            os.close(log)
    return finished


def _reason_not_to(action: Command, system: System) -> str:
    if action.creates and system.root.lstat(action.creates) is not None:
        return f"{action.creates} exists"
    if action.unit_active:
        asked = system.process.run(("systemctl", "is-active", "--quiet", action.unit_active), timeout=_QUESTION)
        if asked.code != 0:
            return f"{action.unit_active} is not running"
    return ""


def _failure(finished: Finished, action: Command) -> str:
    """What to say of it. A user's own command may print secrets: its output stays in the log, which is root's."""
    if action.hidden:
        return _ending(finished, action) + (f"; its output is in {LOG}" if action.log_output else "")
    if finished.code == NOT_FOUND and not finished.timed_out:
        return f"{action.argv[0]} is not installed"
    return _ending(finished, action) + (f": {finished.reason(action.argv[0])}" if finished.output.strip() else "")


def _ending(finished: Finished, action: Command) -> str:
    if finished.timed_out:
        return f"killed after {action.timeout or 0:.0f} s"
    return f"killed by signal {-finished.code}" if finished.code < 0 else f"exit status {finished.code}"


def _wait_for_lock(path: str, system: System) -> None:
    """Wait until nobody holds the file's lock; `fcntl` has no event for that which could be given up."""
    import fcntl  # delayed: packages only

    if not system.root.exists(path):
        return
    descriptor = os.open(system.root.outside(path), os.O_RDWR)
    try:
        deadline = time.monotonic() + LONGEST_LOCK
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except (BlockingIOError, PermissionError):
                if time.monotonic() >= deadline:
                    raise Failed(f"another program has held {path} for {LONGEST_LOCK / 60:.0f} minutes") from None
                time.sleep(0.5)
    finally:
        os.close(descriptor)


def _line(argv: tuple[str, ...]) -> str:
    """As a shell would take it; without the password that may stand in the address of a package."""
    return " ".join(map(_quote, argv))


def _quote(word: str) -> str:
    # What shlex.quote does; its module compiles expressions that nothing else here needs.
    scheme, mark, rest = word.partition("://")
    host, slash, path = rest.partition("/")
    if mark and "@" in host:
        word = f"{scheme}://***@{host.rpartition('@')[2]}{slash}{path}"
    return word if word and set(word) <= _PLAIN else "'" + word.replace("'", "'\"'\"'") + "'"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _action(step: Step) -> Command:
    assert isinstance(step.action, Command)
    return step.action
