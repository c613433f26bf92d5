"""Finding the seed of a run, and what a run without one comes to."""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from guestinit.config import Config, read_config
from guestinit.model.action import NETWORK, STAGES
from guestinit.model.identity import NEW, SAME, Identity
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.report import Preview, Report
from guestinit.model.run import Ended, Order, Say
from guestinit.model.seed import Seed
from guestinit.planning import gather_facts, make_plan
from guestinit.recognition import is_settled, kept_seed
from guestinit.system import engine
from guestinit.system.system import System


class Found(NamedTuple):
    """What looking for a seed brought; without one, the reasons say what was seen instead."""

    seed: Optional[Seed]
    reasons: tuple[str, ...]
    service: str = ""  # the metadata service that has to be asked, that did not answer, or that gave the seed
    known: str = ""  # the one that has told this settled machine all that it had to tell


def find_seed(order: Order, image: Image, system: System) -> Found:
    """The seed that was named; the one of the run that goes on; or what a datasource finds."""
    from guestinit import datasources

    if order.seed:
        search = datasources.open_seed(order.seed, system)
        return Found(search.seed, search.reasons)
    if order.renews:
        from guestinit.datasources import services

        return Found(*services.renew(order.renews, system))
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


def without_seed(order: Order, image: Image, found: Found, system: System, say: Say) -> Union[Preview, Ended]:
    """A service that can only be asked over the machine's own network is asked later; else this is the end."""
    from guestinit.datasources import services

    if found.service and NETWORK in order.stages and services.comes_later(found.service, system):
        return wait_for_network(order, image, found, system, say)
    return nothing_found(order, system, found)


def nothing_found(order: Order, system: System, found: Found, gone: str = "the drive is gone") -> Union[Preview, Ended]:
    """No seed: nothing is done, and that is fine; the next boot asks again. A metadata service may still have one.

    `gone`: what a settled machine is told of the seed that it had.
    """
    from guestinit.datasources import services
    from guestinit.system import unchanged

    was = system.state.settled if is_settled(system) else None
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
    gone = f"{server(found.service)} gave no seed" if found.service else gone
    reason = gone if found.service else "no datasource has anything for this machine"
    if was:
        reason = f"{gone}; the machine stays as it was settled"
    identity = Identity("no seed", reason, was.instance.instance_id if was else "")
    if order.dry_run:
        return Preview("", "", found.reasons, identity, 0, (), (), {})
    # A machine that nobody has set up, on a platform that should have done it: that is no "nothing to do".
    silent = gone if found.service and not was else ""
    return Ended(Report("", "", found.reasons, identity, order.stages[-1], (), (), {}, refused=silent))


def wait_for_network(order: Order, image: Image, found: Found, system: System, say: Say) -> Ended:
    """The service is asked once more over the machine's own network; it has one, or one card gets a lease.

    That is what a new machine gets whose seed says nothing about its network; the seed may still say something else.
    """
    identity = Identity("unknown", f"{server(found.service)} is asked when the machine's own network is up")
    report = Report("", "", found.reasons, identity, order.stages[-1], (), (), {}, left=(NETWORK,))
    if is_settled(system):
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
    """Why a seed that was found is not used, with who says so: the line goes before meta-data."""
    from guestinit.system.seed_line import PLACES

    lines = [name for name, _, _ in PLACES]
    said = [each.label for each in seed.documents if each.name in lines and b"dsmode=disabled" in each.content.lower()]
    who = said[-1] if said else config.inputs.meta.at.file
    return f"{seed.datasource}: {seed.where} is not used: {who} says dsmode: disabled"


def server(service: str) -> str:
    """How a datasource that has to be asked is called."""
    return "the server that NoCloud's seedfrom names" if service == "nocloud" else f"the {service} metadata service"
