"""The story of a run: find, read, plan, compare, apply, report.

Each verb is one call into a room. A dry run is the same story, told up to "compare".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Optional, Union

from guestinit.config import Config, excerpts, read_config, read_image
from guestinit.model.action import NETWORK, STAGES, Step
from guestinit.model.identity import NEW, RESUMED, SAME, Identity, Instance, Settled
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.report import Preview, Report, counts
from guestinit.model.secret import Secret
from guestinit.model.seed import Seed
from guestinit.planning import gather_facts, make_plan
from guestinit.recognition import describe_instance, is_settled, kept_seed, recognise_machine
from guestinit.system import boot, engine, state
from guestinit.system.system import System


class Order(NamedTuple):
    """What the command line asks for."""

    stages: tuple[str, ...]
    seed: str = ""  # a directory or an ISO file; "": what the platform left
    dry_run: bool = False
    strict: bool = False
    again: tuple[str, ...] = ()  # run these modules once more
    renews: str = ""  # ask this metadata service only, over the network that the machine has


class Found(NamedTuple):
    """What looking for a seed brought; without one, the reasons say what was seen instead."""

    seed: Optional[Seed]
    reasons: tuple[str, ...]
    service: str = ""  # the metadata service that has to be asked, that did not answer, or that gave the seed
    known: str = ""  # the one that has told this settled machine all that it had to tell


class Course(NamedTuple):
    """Everything that was found out and decided before the first action."""

    order: Order
    seed: Seed
    config: Config
    instance: Instance
    identity: Identity
    plan: tuple[Step, ...]
    due: tuple[Step, ...]  # what of the plan this kind of boot is about


class Ended(NamedTuple):
    """What a run hands back: the report, and the passwords made in it, to be shown once."""

    report: Report
    revealed: tuple[tuple[str, Secret], ...] = ()


Say = Callable[[str], None]


def run(order: Order, system: System, say: Say) -> Union[Preview, Ended]:
    """One run, or its preview. Raises `Unreadable` where the platform's own description cannot be trusted."""
    from guestinit import datasources

    problems = Problems()
    image = read_image(system, problems)
    found = find_seed(order, image, system)
    if found.seed is None:
        if found.service and NETWORK in order.stages and datasources.comes_later(found.service, system):
            return wait_for_network(order, image, found, system, say)
        return nothing_found(order, system, found)
    config = read_config(found.seed, image, problems)
    if config.inputs.meta.dsmode == "disabled":
        return nothing_found(order, system, Found(None, (*found.reasons, switched_off(found.seed, config))))
    instance = describe_instance(found.seed, config, system)
    identity = recognise_machine(instance, order.again, STAGES[0] in order.stages, system)
    if medium_was_changed(order, identity, system):
        return nothing_found(order, system, Found(None, ("the medium was changed; the next boot looks at it",)))
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
        refusal = f"--strict: {counts(wrong)} problems in the input, nothing was done"
        return Ended(report._replace(left=(), refused=refusal))

    begin(course, system)
    applied = engine.apply([step for step in due if step.stage in order.stages], system, say)
    report = report._replace(outcomes=tuple(applied.outcomes), earlier=state.EARLIER if applied.kept else "")
    remember(course, report, system)
    return Ended(report, tuple(applied.revealed))


# find


def find_seed(order: Order, image: Image, system: System) -> Found:
    """The seed that was named; the one of the run that goes on; or what a datasource finds."""
    from guestinit import datasources

    if order.seed:
        search = datasources.open_seed(order.seed, system)
        return Found(search.seed, search.reasons)
    if order.renews:
        return Found(*datasources.renew(order.renews, system))
    kept = kept_seed(system)
    if kept is not None and STAGES[0] not in order.stages:
        return Found(kept, ())
    settled, has_network = is_settled(system), NETWORK in order.stages
    search = datasources.find(system, settled, image)
    known = ""
    if settled and not has_network:  # an ordinary boot; who asks for a run by hand is told what there is
        known, search = search.service, datasources.without_news(search, system)
    if search.seed is None and search.service and has_network:
        search = datasources.fetch(search, system, settled)
    if search.seed is None and kept is not None and (has_network or not search.service):
        # The drive went away (virt-install removes it) before the first run was through: its documents are kept.
        return Found(kept, (*search.reasons, "the documents of the run that has not finished are used"))
    return Found(*search, "" if search.service else known)


def nothing_found(order: Order, system: System, found: Found) -> Union[Preview, Ended]:
    """No seed: nothing is done, and that is fine; the next boot asks again. A metadata service may still have one."""
    from guestinit.datasources import services
    from guestinit.system import unchanged

    was = system.state.settled
    if was and NETWORK not in order.stages and services.renews_later(found.service, system):
        reason = f"{server(found.service)} is asked for news once the network is up"
        identity = Identity(SAME, reason, was.instance.instance_id)
        report = Report(found.service, "", found.reasons, identity, order.stages[-1], (), (), {}, renews=found.service)
        return Ended(report)
    if was and found.known:
        identity = Identity(SAME, unchanged.ASKED_ONCE.format(found.known), was.instance.instance_id)
        return Ended(Report(found.known, "", found.reasons, identity, order.stages[-1], (), (), {}))
    if found.service and order.stages == (STAGES[0],):
        identity = Identity("unknown", f"{server(found.service)} has to be asked")
        return Ended(Report("", "", found.reasons, identity, order.stages[-1], (), (), {}, left=(NETWORK,)))
    identity = Identity(
        "no seed",
        "the drive is gone; the machine stays as it was settled"
        if was
        else "no datasource has anything for this machine",
        was.instance.instance_id if was else "",
    )
    if order.dry_run:
        return Preview("", "", found.reasons, identity, 0, (), (), {})
    # A machine that nobody has set up, on a platform that should have done it: that is no "nothing to do".
    silent = f"{server(found.service)} gave no seed" if found.service and not is_settled(system) else ""
    return Ended(Report("", "", found.reasons, identity, order.stages[-1], (), (), {}, refused=silent))


def wait_for_network(order: Order, image: Image, found: Found, system: System, say: Say) -> Ended:
    """The service is asked once more over the machine's own network; it has one, or one card gets a lease.

    That is what a new machine gets whose seed says nothing about its network; the seed may still say something else.
    """
    identity = Identity("unknown", f"{server(found.service)} is asked when the machine's own network is up")
    report = Report("", "", found.reasons, identity, order.stages[-1], (), (), {}, left=(NETWORK,))
    if system.state.settled is not None:
        return Ended(report)
    new = Identity(NEW, "no seed yet")
    config = read_config(Seed("", "", "", ()), image, Problems())
    plan = make_plan(config, gather_facts(order.stages, new, config, system), ("network",), Problems())
    system.state.prepare()
    applied = engine.apply([step for step in plan if step.stage in order.stages], system, say)
    system.state.remember_written(applied.outcomes)
    system.state.save()
    return Ended(report._replace(outcomes=tuple(applied.outcomes)))


def switched_off(seed: Seed, config: Config) -> str:
    """Why a seed that was found is not used."""
    return f"{seed.datasource}: {seed.where} is not used: {config.inputs.meta.at.file} says dsmode: disabled"


def server(service: str) -> str:
    """How a datasource that has to be asked is called."""
    return "the server that NoCloud's seedfrom names" if service == "nocloud" else f"the {service} metadata service"


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
