"""The story of a run: find, read, plan, compare, apply, report.

Each verb is one call into a room. A dry run is the same story, told up to "compare".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Optional, Union

from guestinit import modules, rooms
from guestinit.model.accounts import Accounts
from guestinit.model.action import STAGES, Step
from guestinit.model.facts import Facts
from guestinit.model.identity import NEW, RECONFIGURED, SAME, Identity, Instance, Settled, recognise
from guestinit.model.image import Image
from guestinit.model.problem import Position, Problem, Problems
from guestinit.model.report import Preview, Report, counts
from guestinit.model.secret import Secret
from guestinit.model.seed import Inputs, Seed
from guestinit.system import engine
from guestinit.system.system import System


class Order(NamedTuple):
    """What the command line asks for."""

    stages: tuple[str, ...]
    seed: str = ""  # a directory or an ISO file; "": what the platform left
    dry_run: bool = False
    strict: bool = False
    again: tuple[str, ...] = ()  # run these modules once more


class Found(NamedTuple):
    """What looking for a seed brought; without one, the reasons say what was seen instead."""

    seed: Optional[Seed]
    reasons: tuple[str, ...]


class Config(NamedTuple):
    """What the seed says, section by section."""

    inputs: Inputs
    image: Image
    sections: tuple[tuple[str, object], ...]  # module name and its Section, in the order of planning
    accounts: Accounts


class Ended(NamedTuple):
    """What a run hands back: the report, and the passwords made in it, to be shown once."""

    report: Report
    revealed: tuple[tuple[str, Secret], ...] = ()


Say = Callable[[str], None]


def run(order: Order, system: System, say: Say) -> Union[Preview, Ended]:
    """One run, or its preview. Raises `Unreadable` where the platform's own description cannot be trusted."""
    problems = Problems()
    image = read_image(system, problems)
    found = find_seed(order, image, system)
    if found.seed is None:
        return nothing_found(order, system, found)
    config = read_config(found.seed, image, problems)
    instance = describe_instance(found.seed, config, system)
    identity = recognise_machine(order, instance, system)
    if medium_was_changed(order, identity, system):
        return nothing_found(order, system, Found(None, ("the medium was changed; the next boot looks at it",)))
    facts = gather_facts(identity, config, system)
    plan = make_plan(order, config, facts, problems)
    forget_what_is_due_again(order, identity, plan, system)
    due = engine.due(plan, identity)

    told = (found.seed.datasource, found.seed.where, (found.seed.reason, *found.reasons), identity)
    wrong, sources = tuple(problems.found), excerpts(found.seed, config)
    if order.dry_run:
        return Preview(*told, len(config.sections), engine.compare(due, system), wrong, sources)
    report = Report(*told, order.stages[-1], (), wrong, sources, left_for_later(order, due))
    if order.strict and counts(wrong):
        refusal = f"--strict: {counts(wrong)} problems in the input, nothing was done"
        return Ended(report._replace(left=(), refused=refusal))

    begin(order, found.seed, instance, identity, system)
    applied = engine.apply([step for step in due if step.stage in order.stages], system, say)
    report = report._replace(outcomes=tuple(applied.outcomes))
    remember(order, instance, identity, report, due, plan, system)
    return Ended(report, tuple(applied.revealed))


# find


def read_image(system: System, problems: Problems) -> Image:
    """What whoever built the image configured: /etc/guestinit."""
    from guestinit.reading import image

    return image.load(system.root, problems)


def find_seed(order: Order, image: Image, system: System) -> Found:
    """The seed that was named; the one of the run that goes on; or what a datasource finds."""
    from guestinit import datasources

    if order.seed:
        search = datasources.open_seed(order.seed, system)
        return Found(search.seed, search.reasons)
    kept = system.state.pending_seed()
    if kept is not None and STAGES[0] not in order.stages:
        return Found(kept, ())
    search = datasources.find(system, system.state.settled is not None, image.datasources)
    if search.seed is None and kept is not None:
        # The drive went away (virt-install removes it) before the first run was through: its documents are kept.
        return Found(kept, (*search.reasons, "the documents of the run that has not finished are used"))
    return Found(search.seed, search.reasons)


def nothing_found(order: Order, system: System, found: Found) -> Union[Preview, Ended]:
    """No seed: nothing is done, and that is fine; the next boot asks again."""
    was = system.state.settled
    identity = Identity(
        "no seed",
        "the drive is gone; the machine stays as it was settled" if was else "no datasource has anything for this machine",
        was.instance.instance_id if was else "",
    )
    if order.dry_run:
        return Preview("", "", found.reasons, identity, 0, (), (), {})
    return Ended(Report("", "", found.reasons, identity, order.stages[-1], (), (), {}))


# read


def read_config(seed: Seed, image: Image, problems: Problems) -> Config:
    """Typed sections, each with the places of its values; problems are collected, not thrown."""
    from guestinit.model.fields import Fields
    from guestinit.reading import config as reading

    known = [key for _, keys in modules.ORDER for key in keys if key != "*"]
    inputs = reading.read(seed, image, known, problems)
    given = {name.text for name, _ in inputs.cloud_config.pairs}
    sections: list[tuple[str, object]] = []
    accounts = Accounts()
    for name, keys in modules.ORDER:
        if "*" not in keys and not given.intersection(keys) and not (name == "runcmd" and inputs.scripts):
            continue
        module = rooms.one("modules", name)
        fields = Fields(inputs.cloud_config, "", module.KEYS, problems, check=False)
        section = module.read(fields, inputs.meta)
        if isinstance(section, Accounts):
            accounts = section
        sections.append((name, section))
    return Config(inputs, image, tuple(sections), accounts)


def describe_instance(seed: Seed, config: Config, system: System) -> Instance:
    """What this boot is recognised by."""
    from guestinit.system import facts

    # Offline the host's own uuid says nothing about the image.
    uuid = facts.machine_uuid(system) if system.live else ""
    meta = config.inputs.meta
    return Instance(meta.instance_id, uuid, system.state.content_digest(seed), id_from_image(seed, config, uuid))


def id_from_image(seed: Seed, config: Config, uuid: str) -> bool:
    """Whether all clones of an image would carry this instance-id.

    Proxmox VE derives its id from what it wrote (platforms.md 2.5), KubeVirt and CAPMOX use the machine's uuid; anything
    else that a NoCloud volume says is a constant in somebody's snippet, or was derived because there was none.
    """
    meta = config.inputs.meta
    if not meta.instance_id_given:
        return True
    try:  # what hashlib wraps, without OpenSSL, whose import costs a third of a bare interpreter's start
        from _sha1 import sha1  # type: ignore[import-not-found]
    except ImportError:  # EL builds its Python without it
        from hashlib import sha1
    contents = [document.content if document else b"" for document in map(seed.document, ("user-data", "network-config"))]
    return meta.instance_id.lower() not in (sha1(b"".join(contents), usedforsecurity=False).hexdigest(), uuid)


def recognise_machine(order: Order, instance: Instance, system: System) -> Identity:
    """New, reconfigured, same or resumed, always with the reason."""
    adopted = (system.root.read("/var/lib/cloud/data/instance-id") or b"").decode("utf-8", "replace").strip()
    identity = recognise(instance, system.state.settled, system.state.unfinished(), adopted)
    if order.again:
        return identity._replace(kind=RECONFIGURED, reason=f"asked to run again: {', '.join(order.again)}", of="")
    return identity


def gather_facts(identity: Identity, config: Config, system: System) -> Facts:
    """What planners may know about the machine."""
    from guestinit.system import facts

    network = config.inputs.meta.network
    if system.live and network is not None and identity.kind != SAME:
        # Their drivers may only be loaded by udev's coldplug; a machine that is settled never waits.
        facts.await_nics(system, {link.match.mac for link in network.links if link.match.mac})
    return facts.gather(system, identity, config.image)


# plan


def make_plan(order: Order, config: Config, facts: Facts, problems: Problems) -> tuple[Step, ...]:
    """Sections in, actions out, in the order of the stages; nothing is looked at but the facts."""
    steps: list[Step] = []
    for name, section in config.sections:
        if order.again and name not in order.again:
            continue
        for planned in rooms.one("modules", name).plan(section, facts, config.accounts):
            if isinstance(planned, Problem):
                problems.found.append(planned)
            else:
                steps.append(planned)
    steps += script_steps(config, facts)
    steps.sort(key=lambda step: STAGES.index(step.stage))
    return tuple(one_step_a_path(steps, problems))


def script_steps(config: Config, facts: Facts) -> list[Step]:
    """User-data that is a script is one more command at the end."""
    if not config.inputs.scripts:
        return []
    from guestinit.modules import runcmd

    return list(runcmd.script_steps(tuple((part.label, part.content) for part in config.inputs.scripts), facts))


def one_step_a_path(steps: list[Step], problems: Problems) -> list[Step]:
    """Where two sections want one path, both places are named and the vital one stays, else the first."""
    owners: dict[str, Step] = {}
    left_out: set[str] = set()
    for step in steps:
        path = getattr(step.action, "path", step.id)
        other = owners.setdefault(path, step)
        if other.module == step.module:
            continue
        stays, goes = (step, other) if step.vital and not other.vital else (other, step)
        owners[path] = stays
        left_out.add(goes.id)
        problems.error(
            goes.because.at or stays.because.at or Position(""), "", f"{path} is what {stays.module} writes ({stays.because})",
            "left out here",
        )  # fmt: skip
    return [step for step in steps if step.id not in left_out]


# apply


def forget_what_is_due_again(order: Order, identity: Identity, plan: tuple[Step, ...], system: System) -> None:
    """A new machine has no memory; a module that is run again has none of itself. Nothing is written here."""
    if order.again:
        system.state.forget(tuple(step.id for step in plan))
    elif identity.kind == NEW:
        system.state.forget_everything()


def medium_was_changed(order: Order, identity: Identity, system: System) -> bool:
    """A later stage goes on with what the first one began, and with nothing that was put into the drive since."""
    return STAGES[0] not in order.stages and identity.kind != SAME and system.state.unfinished() is None


def begin(order: Order, seed: Seed, instance: Instance, identity: Identity, system: System) -> None:
    """Before the first action: what this run is about is on disk."""
    if STAGES[0] in order.stages and identity.kind != SAME and not order.again:
        system.state.begin(seed, Settled(instance, identity.of or identity.kind))


def left_for_later(order: Order, due: tuple[Step, ...]) -> tuple[str, ...]:
    """The stages after these that have something to do."""
    last = max(STAGES.index(stage) for stage in order.stages)
    return tuple(stage for stage in STAGES[last + 1 :] if any(step.stage == stage for step in due))


def remember(
    order: Order, instance: Instance, identity: Identity, report: Report, due: tuple[Step, ...], plan: tuple[Step, ...],
    system: System,
) -> None:  # fmt: skip
    """What was done, and, when nothing is left or has to be tried again, that this machine is settled."""
    system.state.remember_written(report.outcomes)
    system.state.save()
    if report.left or order.again or engine.to_be_tried_again(due, system):
        return
    settled = Settled(instance, identity.of or identity.kind, offline=not system.live)
    if identity.kind == SAME and system.state.settled is not None:
        settled = system.state.settled
    system.state.settle(settled, what_an_unchanged_boot_compares(instance, report, plan, system))


def what_an_unchanged_boot_compares(
    instance: Instance, report: Report, plan: tuple[Step, ...], system: System
) -> str:
    """So that the next boot can see with a few plain comparisons that nothing has changed; "" if it has to plan."""
    if not system.live:
        return ""
    from guestinit.show.document import template
    from guestinit.system import announce, unchanged

    document = template(report)
    checks = tuple(engine.every_boot_checks(plan, system))
    uuid = system.state.digest(instance.uuid.encode())
    return unchanged.describe(instance.content, uuid, checks, document, announce.console_line(document))


def excerpts(seed: Seed, config: Config) -> dict[str, str]:
    """The text of every document by its label, to show the line of a problem."""
    texts = {document.label: document.content.decode("utf-8", "replace") for document in seed.documents}
    return {**texts, **config.inputs.texts}
