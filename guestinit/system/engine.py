"""Comparing a plan with the machine, and applying what differs.

`compare` only looks. `apply` takes what it found, step by step: intent into the journal, act, look again, completion
into the journal. Nothing here knows about dry runs: the pipeline returns between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from guestinit.model.action import (
    EVERY_BOOT,
    ONCE,
    Absence,
    Command,
    File,
    Grow,
    Lines,
    Link,
    Rename,
    Request,
    Step,
)
from guestinit.model.identity import NO_SEED, SAME, Identity
from guestinit.model.plan import (
    FAILED,
    INTERRUPTED,
    LEFT,
    MODIFY,
    OK,
    REMOVE,
    RUN,
    SKIPPED,
    UNCHANGED,
    Change,
    Outcome,
)
from guestinit.system import kinds
from guestinit.system.failed import Failed

if TYPE_CHECKING:
    from guestinit.model.secret import Secret
    from guestinit.system.system import System


# In the journal: failed, but what only needs the thing to exist can go on (a user whose uid differs).
USABLE = "failed, usable"


def due(plan: Iterable[Step], identity: Identity) -> tuple[Step, ...]:
    """The steps that this kind of boot is about."""
    if identity.kind == NO_SEED:
        return ()
    if identity.kind == SAME:
        return tuple(step for step in plan if step.frequency == EVERY_BOOT)
    return tuple(plan)


def compare(steps: Iterable[Step], system: System) -> tuple[Change, ...]:
    """Each step beside what the machine has. Observes only."""
    changes: list[Change] = []
    changing: set[str] = set()
    for step in steps:
        change = _compare_one(step, system, changing)
        if change.change not in (UNCHANGED, LEFT):
            changing.add(step.id)
        changes.append(change)
    return tuple(changes)


def _compare_one(step: Step, system: System, changing: set[str]) -> Change:
    if step.frequency == ONCE and system.state.is_done(step):
        return Change(step, UNCHANGED, note="done before with the same input")
    if step.when_changed and not (
        changing.intersection(step.when_changed) or system.state.journal.changed_since(step.id, step.when_changed)
    ):
        return Change(step, UNCHANGED, note="nothing that it depends on changes")
    if _must_not_repeat(step) and system.state.journal.interrupted(step.id):
        return Change(step, RUN, note="interrupted before: reported, not run again")
    return kinds.observe(step, system)


def _must_not_repeat(step: Step) -> bool:
    return isinstance(step.action, Command) and not step.action.may_repeat and step.frequency != EVERY_BOOT


class Applied:
    """What applying brought, beside the outcomes: passwords made here, to be shown once."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.revealed: list[tuple[str, Secret]] = []
        self.lost: set[str] = set()  # ids of steps that did not happen: what needs them is skipped
        self.changed: set[str] = set()
        self.kept = False  # something that was replaced or removed can be put back


def apply(steps: Iterable[Step], system: System, say: Callable[[str], None]) -> Applied:
    """Bring the machine to what the steps say. Each is compared afresh: those before it may have changed things."""
    applied = Applied()
    for number, step in enumerate(steps, 1):
        try:
            outcome = _apply_one(number, step, system, applied, say)
        except Exception as error:  # a mistake of ours in one step must not keep the keys or the network away
            outcome = _broken(step, error, system)
            say(f"[{number}] {step.id} {outcome.result}: {outcome.message}")
        if outcome.result not in (OK, LEFT) and system.state.journal.result(step.id) != USABLE:
            applied.lost.add(step.id)
        applied.outcomes.append(outcome)
    return applied


def _apply_one(number: int, step: Step, system: System, applied: Applied, say: Callable[[str], None]) -> Outcome:
    if system.state.journal.interrupted(step.id):
        try:
            kinds.mend(step, system)
        except (Failed, OSError) as error:
            say(f"[{number}] {step.id}: what the power cut left could not be mended: {error}")
    change = _compare_one(step, system, applied.changed)
    if change.change == LEFT:
        return Outcome(change, LEFT, change.note)
    if change.change == UNCHANGED:
        return _leave(step, change, system)
    missing = _lost_need(step, system, applied)
    if missing:
        system.state.journal.complete(step.id, SKIPPED)
        return Outcome(change, SKIPPED, f"needs {missing}, which failed")
    if _must_not_repeat(step) and system.state.journal.interrupted(step.id):
        return _give_up(step, change, system)
    if change.refused:  # what is there stays: nothing begins, and nothing that waits for a change of it runs
        say(f"[{number}] {step.id} {FAILED}: refused: {change.refused}")
        system.state.journal.complete(step.id, FAILED)
        return Outcome(change, FAILED, f"{change.refused}; what was there stays")
    say(f"[{number}] {step.id} begun")
    outcome = _act(step, change, system, applied)
    ending = f": {outcome.message}" if outcome.message else ""
    say(f"[{number}] {step.id} {outcome.result} {outcome.seconds * 1000:.0f} ms{ending}")
    applied.changed.add(step.id)
    return outcome


def _broken(step: Step, error: Exception, system: System) -> Outcome:
    """A failure that nobody expected. Its text is not told: a secret may stand in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    system.state.journal.complete(step.id, FAILED)
    return Outcome(Change(step, MODIFY), FAILED, f"an error in guestinit itself: {type(error).__name__}{place}")


def _leave(step: Step, change: Change, system: System) -> Outcome:
    """Nothing to do: it is so already, or it was done; what was done without success stays without success."""
    before = system.state.result_before(step) if step.frequency == ONCE else ""
    if before not in ("", OK):
        return Outcome(change, before, "on an earlier boot; not run again")
    if step.frequency == ONCE and not before and not step.when_changed:
        system.state.record_done(step, OK, None)
    if system.state.journal.result(step.id) not in ("", OK):
        system.state.journal.complete(step.id, OK)  # failed on an earlier boot, and has been mended since
    return Outcome(change, OK)


def _give_up(step: Step, change: Change, system: System) -> Outcome:
    """A command that had begun when the power went, and may not run twice."""
    system.state.record_done(step, INTERRUPTED, None)
    system.state.save()
    system.state.journal.complete(step.id, INTERRUPTED)
    return Outcome(change, INTERRUPTED, "had begun when the machine went down; not run again")


def to_be_tried_again(steps: Iterable[Step], system: System) -> bool:
    """Whether something failed in this run, in whichever stage, that the next boot has to try again."""
    return any(
        system.state.journal.result(step.id) in (FAILED, USABLE) and not _must_not_repeat(step)
        for step in steps
        if step.frequency != EVERY_BOOT
    )


def _lost_need(step: Step, system: System, applied: Applied) -> str:
    """The first step that this one needs and cannot have; the journal knows those of earlier stages."""
    for need in step.needs:
        if need in applied.lost or system.state.journal.result(need) in (FAILED, SKIPPED, INTERRUPTED):
            return need
    return ""


def _act(step: Step, change: Change, system: System, applied: Applied) -> Outcome:
    system.state.journal.begin(step.id)
    start = time.monotonic()
    result, message, code, ending = OK, "", None, ""
    try:
        kept = _keep(step, system)
        applied.kept = applied.kept or (step.keep and system.live and change.change in (MODIFY, REMOVE))
        done = kinds.apply(change, system)
        if step.frequency == ONCE and isinstance(step.action, Command) and system.live:
            system.root.sync_all()  # it never runs again: what it wrote must be there before the journal says so
        message, code = "; ".join(filter(None, (done.message, step.told, kept))), done.code
        if done.reveal is not None:
            applied.revealed.append((step.id, done.reveal))
        if not isinstance(step.action, (Command, Request, Grow)):  # what these do cannot be looked at again
            left = kinds.observe(step, system)
            if left.change != UNCHANGED and step.frequency != ONCE:
                result, message = FAILED, "applied, but the machine still differs" + _words(left)
    except Failed as failure:
        result, message, code = FAILED, failure.message, failure.code
        ending = USABLE if failure.usable else FAILED
    except OSError as error:
        result, message = FAILED, f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    if step.frequency == ONCE and (result == OK or _must_not_repeat(step)):
        system.state.record_done(step, result, code)
        system.state.save()
    system.state.journal.complete(step.id, ending or result)
    return Outcome(change, result, message, time.monotonic() - start, code)


def _keep(step: Step, system: System) -> str:
    """What the path holds now is on the disk in another place before it changes; a remark, if it cannot be."""
    action = step.action
    if not step.keep or not system.live or not isinstance(action, (File, Lines, Link, Absence)):
        return ""
    follow = isinstance(action, (File, Lines))
    remark = system.state.earlier.keep(action.path, follow)
    if remark and isinstance(action, Absence) and action.must_keep:
        raise Failed(f"not removed: {remark}")
    return remark


def _words(change: Change) -> str:
    return f" ({change.note})" if change.note else ""


def every_boot_checks(plan: Iterable[Step], system: System) -> Iterator[str]:
    """What an unchanged boot can check by itself instead of planning, one line each; `plan` where it cannot.

    A line `line PATH TEXT` is satisfied if the file holds that line; `size DEVICE SECTORS` if the disk has not grown;
    `name NAME MAC` if no other interface has that name.
    """
    for step in plan:
        if step.frequency != EVERY_BOOT:
            continue
        action = step.action
        if isinstance(action, Lines) and not action.path.startswith("~") and not action.managed:
            for text in action.add:
                yield f"line {action.path} {text}"
        elif isinstance(action, Grow):
            size = kinds.disk_size(step, system)
            if size is not None:
                yield f"size {size[0]} {size[1]}"
        elif isinstance(action, Rename):
            for mac, name in kinds.contested_names(step, system):
                yield f"name {name} {mac}"
        else:
            yield "plan"
