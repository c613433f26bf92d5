"""The story of a run: find, read, plan, compare, apply, report.

Each verb is one call into a room. A dry run is the same story, told up to "compare".
"""

from __future__ import annotations

import os
from typing import NamedTuple, Union

from guestinit.config import Config, excerpts, read_config, read_image
from guestinit.finding import Found, find_seed, nothing_found, switched_off, without_seed
from guestinit.model.action import STAGES, Step
from guestinit.model.identity import NEW, RESUMED, SAME, Identity, Instance, Settled
from guestinit.model.problem import Problems
from guestinit.model.report import Preview, Report, counts
from guestinit.model.run import Ended, Order, Say
from guestinit.model.seed import Seed
from guestinit.planning import gather_facts, make_plan
from guestinit.recognition import describe_instance, recognise_machine
from guestinit.system import boot, engine, state
from guestinit.system.system import System

__all__ = ["Ended", "Order", "Say", "run"]


class Course(NamedTuple):
    """Everything that was found out and decided before the first action."""

    order: Order
    seed: Seed
    config: Config
    instance: Instance
    identity: Identity
    plan: tuple[Step, ...]
    due: tuple[Step, ...]  # what of the plan this kind of boot is about


def run(order: Order, system: System, say: Say) -> Union[Preview, Ended]:
    """One run, or its preview. Raises `Unreadable` where the platform's own description cannot be trusted."""
    problems = Problems()
    image = read_image(system, problems)
    found = find_seed(order, image, system)
    if found.seed is None:
        return with_problems(without_seed(order, image, found, system, say), problems)
    config = read_config(found.seed, image, problems)
    if config.inputs.meta.dsmode == "disabled":
        unused = Found(None, (*found.reasons, switched_off(found.seed, config)))
        return nothing_found(order, system, unused, "the seed says that it is not to be used")
    instance = describe_instance(found.seed, config, system)
    identity = recognise_machine(instance, order.again, STAGES[0] in order.stages, system)
    if medium_was_changed(order, identity, system):
        later = Found(None, ("the medium was changed; the next boot looks at it",))
        return nothing_found(order, system, later, "the medium was changed")
    stage = order.stages[-1]
    if found.service and identity.kind == SAME:  # its documents are not kept: later stages would have nobody to ask
        order = order._replace(stages=STAGES)
    facts = gather_facts(order.stages, identity, config, system)
    plan = make_plan(config, facts, order.again, problems)
    forget_what_is_due_again(order, identity, plan, system)
    due = engine.due(plan, identity)
    course = Course(order, found.seed, config, instance, identity, plan, due)

    told = (found.seed.datasource, found.seed.where, (found.seed.reason, *found.reasons), identity)
    wrong, sources = problems.in_order(), excerpts(found.seed, config)
    if order.dry_run:
        return Preview(*told, len({step.module for step in due}), engine.compare(due, system), wrong, sources)
    report = Report(*told, stage, (), wrong, sources, left_for_later(order, due))
    if order.strict and counts(wrong):
        refusal = f"--strict: problems in the input: {counts(wrong)}; nothing was done"
        return Ended(report._replace(left=(), refused=refusal))

    begin(course, system)
    applied = engine.apply([step for step in due if step.stage in order.stages], system, say)
    report = report._replace(outcomes=tuple(applied.outcomes), earlier=state.EARLIER if applied.kept else "")
    remember(course, report, system)
    return Ended(report, tuple(applied.revealed))


def with_problems(end: Union[Preview, Ended], problems: Problems) -> Union[Preview, Ended]:
    """An end without a seed, with what is wrong in the image configuration: that may be why there is none."""
    if isinstance(end, Preview):
        return end._replace(problems=problems.in_order())
    if end.report.datasource:  # a settled machine: its own run has said it
        return end
    return end._replace(report=end.report._replace(problems=problems.in_order()))


# apply


def forget_what_is_due_again(order: Order, identity: Identity, plan: tuple[Step, ...], system: System) -> None:
    """A new machine has no memory; a module that is run again has none of itself. Nothing is written here."""
    if order.again:
        system.state.forget(tuple(step.id for step in plan))
    elif identity.kind == NEW and STAGES[0] in order.stages:
        system.state.forget_everything()


def medium_was_changed(order: Order, identity: Identity, system: System) -> bool:
    """A later stage goes on with what the first one began, and with nothing that was put into the drive since."""
    return STAGES[0] not in order.stages and identity.kind != SAME and system.state.unfinished() is None


def begin(course: Course, system: System) -> None:
    """Before the first action: what this run is about is on disk."""
    identity = course.identity
    if STAGES[0] in course.order.stages and identity.kind != SAME and not course.order.again:
        this_boot = "" if identity.kind == RESUMED else boot.boot_id(system)
        system.state.begin(course.seed, Settled(course.instance, identity.of or identity.kind, boot=this_boot))
    was = system.state.settled
    if identity.kind == SAME and was is not None and system.live and was.instance.line != course.instance.line:
        system.state.remember_line(course.instance.line)


def left_for_later(order: Order, due: tuple[Step, ...]) -> tuple[str, ...]:
    """The stages after these that have something to do."""
    last = max(STAGES.index(stage) for stage in order.stages)
    return tuple(stage for stage in STAGES[last + 1 :] if any(step.stage == stage for step in due))


def remember(course: Course, report: Report, system: System) -> None:
    """What was done, and, when nothing is left or has to be tried again, that this machine is settled."""
    system.state.remember_written(report.outcomes)
    system.state.save()
    if report.left or course.order.again or engine.to_be_tried_again(course.due, system):
        return
    identity = course.identity
    settled = Settled(course.instance, identity.of or identity.kind, offline=not system.live)
    if identity.kind == SAME and system.state.settled is not None:
        settled = system.state.settled
    elif system.live:
        os.sync()  # useradd, package managers and commands do not bring what they wrote to the disk themselves
    system.state.settle(settled, what_an_unchanged_boot_compares(course, report, system))


def what_an_unchanged_boot_compares(course: Course, report: Report, system: System) -> str:
    """So that the next boot can see with a few plain comparisons that nothing has changed; "" if it has to plan."""
    if not system.live:
        return ""
    from guestinit.datasources import again, services
    from guestinit.show.document import template
    from guestinit.system import announce, unchanged

    source = course.seed.datasource
    document = template(report)
    line = announce.console_line(document) if course.config.image.option("report.console", "true") == "true" else ""
    checks = (*engine.every_boot_checks(course.plan, system), f"words {course.instance.line}")
    if services.renews(source):
        checks += (f"renew {source}",)
    uuid = system.state.digest(course.instance.uuid.encode())
    places = again.lines(course.seed, course.config.image, system, course.instance.uuid)
    return unchanged.describe(places, uuid, checks, document, line)
