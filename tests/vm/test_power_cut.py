"""Power cut at several moments of the first boot: the next boot must reach the state of an undisturbed one.

The moments are fractions of the time that the reference boot of the same image needed; GUESTINIT_VM_SHIFT (0 to 1,
default 0) moves all of them, to try others. `tests/vm/power-cut-campaign` is the long, reproducible form.
"""

from __future__ import annotations

import os

import pytest

from tests.vm import seen
from tests.vm.guest import Boot
from tests.vm.lab import Lab, Run, boot_fixture
from tests.vm.power_cut import MAC, REQUEST, SLOW, SNIPPET, differences, final_state, hardware_for

SHIFT = float(os.environ.get("GUESTINIT_VM_SHIFT", "0"))
LOCAL_CUTS = tuple(fraction + SHIFT * 0.2 for fraction in (0.15, 0.4, 0.65, 0.85))
LOCAL_STARTS = r"Starting.*guestinit-local"
LOCAL_ENDS = r"Finished.*guestinit-local"
SLOW_STARTS = "vmtest-slow-command"


def _local_seconds(boot: Boot) -> float:
    unit = boot.facts["units"]["guestinit-local.service"]
    return (int(unit["ExecMainExitTimestampMonotonic"]) - int(unit["ExecMainStartTimestampMonotonic"])) / 1e6


def cuts12(run: Run) -> None:
    """Each cut on a machine of its own; the last one in the middle of a user's command."""
    hardware = hardware_for(run.directory, run.lab.public_key, SNIPPET + SLOW)
    whole = _local_seconds(run.boot("reference12", run.machine("bookworm", "reference"), hardware, REQUEST))
    for number, fraction in enumerate(LOCAL_CUTS):
        machine = run.machine("bookworm", f"local{number}")
        run.cut(machine, hardware, LOCAL_STARTS, fraction * whole, LOCAL_ENDS)
        run.boot(f"local{number}", machine, hardware, REQUEST)
    machine = run.machine("bookworm", "slow")
    run.cut(machine, hardware, SLOW_STARTS, 1.0)
    run.boot("slow", machine, hardware, REQUEST)
    run.boot("slow_again", machine, hardware, REQUEST)


def cuts13(run: Run) -> None:
    """The power goes twice on the same machine, the second time while the first run is being resumed."""
    hardware = hardware_for(run.directory, run.lab.public_key, SNIPPET)
    whole = _local_seconds(run.boot("reference13", run.machine("trixie", "reference"), hardware, REQUEST))
    machine = run.machine("trixie", "twice")
    run.cut(machine, hardware, LOCAL_STARTS, 0.35 * whole, LOCAL_ENDS)
    run.cut(machine, hardware, LOCAL_STARTS, 0.6 * whole, LOCAL_ENDS)
    run.boot("twice", machine, hardware, REQUEST)


CHAINS = [cuts12, cuts13]

reference12_boot = boot_fixture("cuts12", "reference12")
reference13_boot = boot_fixture("cuts13", "reference13")


def assert_same_end(reference: Boot, resumed: Boot) -> None:
    seen.assert_nothing_broke(resumed)
    assert differences(final_state(reference, MAC), final_state(resumed, MAC)) == [], seen.explain(resumed)
    assert resumed.facts["pending"] is False


def test_reference_is_done(reference12: Boot, reference13: Boot) -> None:
    seen.assert_settled(reference12, "new")
    seen.assert_settled(reference13, "new")
    assert seen.content(reference12, "/var/lib/vmtest-runs") == "one\nslow\nthree\n"
    assert seen.content(reference13, "/var/lib/vmtest-runs") == "one\n"


@pytest.mark.parametrize("number", range(len(LOCAL_CUTS)))
def test_cut_in_the_local_stage(number: int, reference12: Boot, lab: Lab) -> None:
    resumed = lab.boot("cuts12", f"local{number}")
    assert seen.status(resumed)["identity"]["kind"] in ("new", "resumed")
    assert_same_end(reference12, resumed)
    seen.assert_settled(resumed, seen.status(resumed)["identity"]["kind"])


def test_two_cuts(reference13: Boot, lab: Lab) -> None:
    resumed = lab.boot("cuts13", "twice")
    assert_same_end(reference13, resumed)


def test_cut_in_a_command_is_reported_and_the_command_is_not_run_again(reference12: Boot, lab: Lab) -> None:
    resumed, again = lab.boot("cuts12", "slow"), lab.boot("cuts12", "slow_again")
    seen.assert_nothing_broke(resumed)
    assert seen.status(resumed)["identity"]["kind"] == "resumed"
    assert seen.status(resumed)["state"] == "degraded"
    interrupted = [action["module"] for action in seen.status(resumed)["actions"] if action["result"] == "interrupted"]
    assert interrupted == ["runcmd"]
    assert resumed.facts["status"]["code"] == 2
    assert "not run again" in resumed.facts["status"]["out"], resumed.facts["status"]
    assert seen.content(resumed, "/var/lib/vmtest-runs") == "one\nthree\n"
    expected, actual = final_state(reference12, MAC), final_state(resumed, MAC)
    allowed = {"/var/lib/vmtest-runs", "dry run"}
    assert [line for line in differences(expected, actual) if line.split(": ")[0] not in allowed] == []
    seen.assert_nothing_broke(again)
    assert seen.content(again, "/var/lib/vmtest-runs") == "one\nthree\n"
