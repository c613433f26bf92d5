"""Planning: sections and facts in, steps out."""

from __future__ import annotations

from guestinit import rooms
from guestinit.config import Config
from guestinit.model.action import STAGES, File, Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.identity import SAME, Identity
from guestinit.model.problem import Position, Problem, Problems
from guestinit.system.system import System

# The MAC of the card that the first stage chose for a fallback.
_CHOSEN = "/run/guestinit/chosen-card"


def gather_facts(stages: tuple[str, ...], identity: Identity, config: Config, system: System) -> Facts:
    """What planners may know about the machine."""
    from guestinit.system import facts, network_facts

    network, is_first = config.inputs.meta.network, STAGES[0] in stages
    if not system.live or identity.kind == SAME:
        return facts.gather(system, identity, config.image)
    # Drivers may only be loaded by udev's coldplug; a machine that is settled never waits.
    if network is not None:
        if is_first:
            facts.await_nics(system, [link.match for link in network.links])
        return facts.gather(system, identity, config.image)
    if is_first:
        facts.await_a_card(system)
    gathered = facts.gather(system, identity, config.image)
    # Whether somebody configures the card already is asked of everybody.
    gathered = gathered._replace(network_files=gathered.network_files + network_facts.find_packaged_files(system.root))
    return with_carrier(gathered, system) if is_first else with_choice(gathered, system)


def with_carrier(gathered: Facts, system: System) -> Facts:
    """Where a card has to be chosen, with what they say of their carriers when they are up; a dry run touches none."""
    fallback = rooms.one("renderers", "fallback")
    if not system.root.writable or not fallback.is_wanted(gathered):
        return gathered
    cards = fallback.undecided(gathered)
    if cards:
        from guestinit.system import carrier

        name = carrier.find(cards, system)
        nics = tuple(nic._replace(carrier=nic.carrier or nic.name == name) for nic in gathered.nics)
        gathered = gathered._replace(nics=nics)
    card = fallback.card(gathered)
    if card is not None:
        system.root.write(_CHOSEN, card.mac.encode(), 0o644)
    return gathered


def with_choice(gathered: Facts, system: System) -> Facts:
    """The same in a later stage, beside which the network manager is at work: what the first one chose stays chosen."""
    mac = (system.root.read(_CHOSEN) or b"").decode()
    if not mac:
        return gathered
    return gathered._replace(nics=tuple(nic._replace(carrier=nic.mac == mac) for nic in gathered.nics))


def make_plan(config: Config, facts: Facts, only: tuple[str, ...], problems: Problems) -> tuple[Step, ...]:
    """Sections in, steps out, in the order of the stages; nothing is looked at but the facts. `only`: these modules."""
    steps: list[Step] = []
    for name, section in config.sections:
        if only and name not in only:
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
    left_out: list[Step] = []
    for step in steps:
        path = getattr(step.action, "path", step.id)
        other = owners.setdefault(path, step)
        if other.module == step.module or (only_adds(step) and only_adds(other)):
            continue
        stays, goes = (step, other) if step.vital and not other.vital else (other, step)
        owners[path] = stays
        left_out.append(goes)
        problems.error(
            goes.because.at or stays.because.at or Position(""), "",
            f"{path} is what {stays.module} writes ({stays.because})", "left out here",
        )  # fmt: skip
    return [step for step in steps if not any(step is other for other in left_out)]


def only_adds(step: Step) -> bool:
    """Whether what others want of the same file can be done too."""
    return isinstance(step.action, Lines) or (isinstance(step.action, File) and step.action.append)
