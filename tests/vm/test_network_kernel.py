"""Every case with an expected state, with every network manager, in the kernel of a real guest; see network/."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytest

from tests.vm import image
from tests.vm.guest import Boot, Machine
from tests.vm.lab import Lab, Run
from tests.vm.network import cases
from tests.vm.network.session import HARDWARE, prove_all


def _prove(run: Run, renderer: str, template: str = "network") -> None:
    machine = Machine(image.build(template), run.path("machine"))
    with machine.power_on(HARDWARE) as guest:
        run.lab.running(guest)
        begun = time.monotonic()
        results = {result["case"]: result for result in prove_all(guest, renderer)}
        seconds = time.monotonic() - begun
        run.lab.deliver(run.name, renderer, Boot(results, guest.console(), b"", "", seconds, guest.noted))


def proof_of_ifupdown(run: Run) -> None:
    _prove(run, "ifupdown", "ifupdown")


def proof_of_network_manager(run: Run) -> None:
    _prove(run, "network-manager")


def proof_of_networkd(run: Run) -> None:
    _prove(run, "networkd")


def proof_of_netplan(run: Run) -> None:
    _prove(run, "netplan")


CHAINS = [proof_of_ifupdown, proof_of_network_manager, proof_of_networkd, proof_of_netplan]  # the longest first
CHAIN_OF = {chain.__name__[len("proof_of_") :].replace("_", "-"): chain.__name__ for chain in CHAINS}


def outcome(lab: Lab, case: str, renderer: str) -> dict[str, Any]:
    results = lab.boot(CHAIN_OF[renderer], renderer).facts
    assert case in results, f"the guest did not run {case} with {renderer}"
    return dict(results[case])


@pytest.mark.parametrize(
    ("case", "renderer"), [(case, renderer) for renderer in CHAIN_OF for case in cases.proved_with(renderer)]
)
def test_the_kernel_holds_what_the_document_says(case: str, renderer: str, lab: Lab) -> None:
    found = outcome(lab, case, renderer)
    assert found["error"] == "", f"{case} with {renderer}: {found['error']}\n{found['log']}"
    if found["differences"]:
        lines = "\n".join(["- wanted, + there instead:", *found["differences"], "", found["log"]])
        pytest.fail(f"{case} with {renderer}\n{lines}", pytrace=False)
    if "first" in found:
        lines = "\n".join(found["first"])
        warnings.warn(f"{case} with {renderer}: right at the second try only\n{lines}", stacklevel=1)
