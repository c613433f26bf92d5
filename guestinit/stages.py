"""What the units call: one stage of a boot, from the off switches to the report."""

from __future__ import annotations

import sys
from typing import Any

from guestinit import pipeline
from guestinit.config import read_image
from guestinit.model.action import FINAL, LOCAL, NETWORK, STAGES
from guestinit.model.identity import SAME, Identity
from guestinit.model.image import Image
from guestinit.model.plan import UNCHANGED
from guestinit.model.problem import Problem, Problems
from guestinit.model.report import DISABLED, FAILURE, RUNNING, Report
from guestinit.model.unreadable import Unreadable
from guestinit.show import document as documents
from guestinit.system import announce, boot
from guestinit.system.lock import Lock
from guestinit.system.system import System

# The stages that find the seed.
FIRST = (LOCAL, NETWORK)


def run_stage(stage: str, system: System) -> int:
    """Run one stage and report it. The exit code is the unit's: 0 also when degraded, 1 when failed."""
    reason = off_switch(system)
    if reason:
        return stand_aside(reason, system)
    with Lock(system.root.path):
        return run_locked(stage, system)


def run_locked(stage: str, system: System) -> int:
    """The stage itself, alone on this machine."""
    earlier = {} if stage == LOCAL else announce.read_status(system)
    if stage != LOCAL and not goes_on(stage, earlier):
        service = announce.take_renewal(system) if stage == FINAL else ""
        return ask_for_news(service, earlier, system) if service else report_again(earlier, system)
    started = boot.uptime(system)
    if stage in FIRST:
        now = {**earlier, "stage": stage} if earlier else say_running(started, system)
        announce.write_status(now, system)
    # Where the seed comes over the network, that stage is the local one, later.
    ended = run_pipeline(pipeline.Order(FIRST if stage == NETWORK else (stage,)), system)
    return conclude(ended, started, earlier, system)


def ask_for_news(service: str, earlier: dict[str, Any], system: System) -> int:
    """A settled machine whose metadata service may have a new password or key: the whole story, at the end of a boot.

    Nobody waited for this, and a service that says nothing new, or nothing at all, leaves the report as it is. That it
    was asked when the machine was settled is no proof: since then somebody may have switched it off.
    """
    from guestinit.datasources import services

    started = boot.uptime(system)
    identified = services.identify(system, read_image(system, Problems()))
    if identified.service != service:  # at every boot the same: in the status, and not in the journal
        if earlier:
            earlier["identity"]["reason"] = f"same machine; the {service} metadata service is not asked any more"
            earlier["datasource"]["reasons"] = list(identified.reasons)
        return report_again(earlier, system)
    ended = run_pipeline(pipeline.Order(STAGES, renews=service), system)
    report = ended.report
    if not report.datasource and not report.problems:
        tell(NOTICE, f"the {service} metadata service gave no answer ({'; '.join(report.reasons)})")
        return report_again(earlier, system)
    if report.identity.kind == SAME and all(outcome.change.change == UNCHANGED for outcome in report.outcomes):
        tell(INFO, f"the {service} metadata service has no news")
        return report_again(earlier, system)
    return conclude(ended, started, {}, system)


def conclude(ended: pipeline.Ended, started: float, earlier: dict[str, Any], system: System) -> int:
    """The report of a run in everybody's hands, and the unit's exit code."""
    announce.reveal(ended.revealed)
    report = ended.report
    document = finish(report, started, earlier, system)
    # Later stages read the same documents.
    for problem in report.problems if report.stage in FIRST or not earlier else ():
        tell(PRIORITY[problem.severity], str(problem))
    tell(INFO, summary(document))
    return 1 if document["result"] == FAILURE else 0


def goes_on(stage: str, earlier: dict[str, Any]) -> bool:
    """Whether a later stage has something to do in this boot. The late one may have crashed; the local one may not."""
    return earlier.get("state") == RUNNING or (stage == FINAL and earlier.get("crashed") == "guestinit-late.service")


def run_pipeline(order: pipeline.Order, system: System) -> pipeline.Ended:
    """The story; meta-data that cannot be trusted ends it before anything is planned."""
    try:
        ended = pipeline.run(order, system, lambda line: tell(INFO, line))
    except Unreadable as unreadable:
        return pipeline.Ended(unreadable_report(order.stages[-1], unreadable.problem))
    assert isinstance(ended, pipeline.Ended)  # only a dry run hands back a preview
    return ended


def unreadable_report(stage: str, problem: Problem) -> Report:
    """The machine stays as it is; the run has failed."""
    identity = Identity("unknown", "the platform's description of this machine cannot be read")
    return Report("", "", (), identity, stage, (), (problem,), {}, refused=str(problem))


def finish(report: Report, started: float, earlier: dict[str, Any], system: System) -> dict[str, Any]:
    """Write the status, ask for the stages that are left, and tell everybody at the end."""
    at_end = report.stage == FINAL or not report.datasource
    this = documents.Boot(
        boot.boot_id(system), started, boot.uptime(system),
        boot.addresses(system) if at_end else (), boot.host_key_fingerprints(system) if at_end else (),
    )  # fmt: skip
    document = documents.build(report, this, earlier)
    if report.stage in FIRST:
        # The final stage looks at the guest once more and reports it; where nothing was found there is nothing to tell.
        again = report.datasource or report.left or report.refused
        announce.request_stages((*report.left, FINAL) if again else (), system)
        if NETWORK in report.left and report.stage == NETWORK:
            announce.request_online(system)
        if report.renews:
            announce.request_renewal(report.renews, system)
        elif FINAL in report.left:
            announce.request_network(system)
    announce.write_status(document, system)
    if document["state"] != RUNNING or report.stage == FINAL:
        image = read_image(system, Problems())
        if document["state"] != RUNNING:
            tell_guest(document, image, system)
        if report.stage == FINAL:
            tell_host(document, image, system)
    return document


def report_again(document: dict[str, Any], system: System) -> int:
    """Everything was done in an earlier stage of this boot: the report only, with what the guest has become since."""
    if document:
        document["addresses"] = list(boot.addresses(system))
        document["ssh_host_keys"] = list(boot.host_key_fingerprints(system))
        announce.write_status(document, system)
        announce.show_fingerprints(document, system)
        tell_host(document, read_image(system, Problems()), system)
    # The target requires the first stages, but not guestinit-online.service: its failure is this stage's, too.
    return 1 if document.get("result") == FAILURE and announce.was_online_requested(system) else 0


def tell_guest(document: dict[str, Any], image: Image, system: System) -> None:
    """The console line and the fingerprints above the login prompt."""
    if image.option("report.console", "true") == "true":
        announce.tell_consoles(document, system)
    announce.show_fingerprints(document, system)


def tell_host(document: dict[str, Any], image: Image, system: System) -> None:
    """The host's channels, unless the image configuration switches the agent's off."""
    agent = image.option("report.agent_channel", "true") == "true"
    for answer in announce.tell_host(document, agent, system):
        tell(INFO, answer)


def say_running(started: float, system: System) -> dict[str, Any]:
    """The status while the first stage works: what stays if we are killed, until systemd starts the failure report."""
    report = Report("", "", (), Identity("unknown", "not known yet"), LOCAL, (), (), {}, left=STAGES)
    return documents.build(report, documents.Boot(boot.boot_id(system), started, None), {})


def stand_aside(reason: str, system: System) -> int:
    """Switched off, or somebody else's machine: one clear line, and no failure."""
    tell(NOTICE, f"guestinit does nothing: {reason}")
    identity = Identity("none", reason)
    document = documents.build(
        Report("", "", (), identity, LOCAL, (), (), {}), documents.Boot(boot.boot_id(system), None, None), {}
    )
    document["state"] = DISABLED
    announce.write_status(document, system)
    return 0


def off_switch(system: System) -> str:
    """Why boots do nothing here; "" if they do. Two agents on one machine would undo each other's work."""
    from guestinit.system import facts

    reason = facts.disabled(system)
    if reason:
        return reason
    if facts.cloud_init_enabled(system):
        return "cloud-init is installed and enabled; remove one of the two, or 'systemctl mask cloud-init.target'"
    return ""


def report_failure(unit: str, system: System) -> int:
    """Called by systemd when a unit of ours failed: the status must not say "running" for ever."""
    document = announce.read_status(system) or say_running(0.0, system)
    if document["state"] == RUNNING:
        document["state"] = document["result"] = FAILURE
        document["refused"] = f"{unit} ended without a report; see 'journalctl -b -u {unit}'"
        document["crashed"] = unit
        document["finished"] = boot.uptime(system)
        announce.write_status(document, system)
        image = read_image(system, Problems())
        tell_guest(document, image, system)
        tell_host(document, image, system)
    return 0


def summary(document: dict[str, Any]) -> str:
    """The last line in the journal."""
    bad = [action["id"] for action in document["actions"] if action["result"] not in ("ok", "left for the first boot")]
    ending = f"; not done: {', '.join(bad)}" if bad else ""
    return (
        f"stage {document['stage']}: {document['result']}, {document['identity']['kind']}"
        f" ({document['identity']['reason']}){ending}"
    )


# sd-daemon(3): a "<N>" before a line on standard error is its priority in the journal.
NOTICE, INFO = 5, 6
PRIORITY = {"error": 3, "warning": 4, "note": 6}


def tell(priority: int, text: str) -> None:
    """One line for the journal."""
    for line in text.splitlines():
        sys.stderr.write(f"<{priority}>{line}\n")
    sys.stderr.flush()
