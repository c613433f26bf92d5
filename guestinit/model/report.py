"""What a run says about itself: beforehand (a preview) and afterwards (a report)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from guestinit.model.identity import Identity
from guestinit.model.plan import FAILED, INTERRUPTED, SKIPPED, Change, Outcome
from guestinit.model.problem import ERROR, NOTE, Problem

# How a run ended, or where it stands.
RUNNING = "running"
DONE = "done"
DEGRADED = "degraded"
FAILURE = "failed"
NOTHING = "none"  # no datasource was found: nothing to do
DISABLED = "disabled"  # an off switch is set, or cloud-init is in charge
UNSTARTED = "not started"

# Exit codes (design: failing well). sysexits.h calls 64 EX_USAGE.
EXIT = {DONE: 0, NOTHING: 0, DISABLED: 0, FAILURE: 1, DEGRADED: 2, RUNNING: 3, UNSTARTED: 3}
EXIT_USAGE = 64


class Preview(NamedTuple):
    """What would change, and what is wrong with the input."""

    datasource: str  # "nocloud", or "" where none was found
    where: str  # "/dev/sr0 (cidata, iso9660)" or "./seed"
    reasons: tuple[str, ...]  # one line for each source that was asked
    identity: Identity
    sections: int  # how many modules found something to do with their section
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    sources: Mapping[str, str]  # the text of each document by its label, for excerpts


class Report(NamedTuple):
    """How a run, or one stage of it, went."""

    datasource: str
    where: str
    reasons: tuple[str, ...]
    identity: Identity
    stage: str
    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...]
    sources: Mapping[str, str]
    left: tuple[str, ...] = ()  # the later stages that have something to do in this boot
    earlier: str = ""  # the directory with the network's files as they were before this run changed them
    renews: str = ""  # the metadata service that the final stage asks whether there is anything new
    refused: str = ""  # why nothing was done at all although there was something to do: --strict, a silent service

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do in this boot."""
        return not self.left

    @property
    def result(self) -> str:
        """done, degraded or failed, by the table of the design."""
        if self.refused:
            return FAILURE
        if any(outcome.result == FAILED and outcome.change.step.vital for outcome in self.outcomes):
            return FAILURE
        if any(outcome.result in (FAILED, SKIPPED, INTERRUPTED) for outcome in self.outcomes):
            return DEGRADED
        if any(problem.severity == ERROR for problem in self.problems):
            return DEGRADED
        return DONE


def counts(problems: tuple[Problem, ...]) -> int:
    """How many problems there are that --strict refuses; notes are none."""
    return sum(problem.severity != NOTE for problem in problems)
