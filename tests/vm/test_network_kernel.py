"""Every case with an expected state, with every network manager, in the kernel of a real guest; see network/."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.vm import image
from tests.vm.guest import Boot, Machine
from tests.vm.lab import Lab, Run
from tests.vm.network import cases
from tests.vm.network.session import HARDWARE, prove_all


def _run(run: Run, template: str, renderers: tuple[str, ...]) -> None:
    machine = Machine(image.build(template), run.path("machine"))
    with machine.power_on(HARDWARE) as guest:
        run.lab.running(guest)
        for renderer in renderers:
            begun = time.monotonic()
            results = {result["case"]: result for result in prove_all(guest, renderer)}
            run.lab.deliver(
                run.name, renderer, Boot(results, guest.console(), b"", "", time.monotonic() - begun, guest.noted)
            )


def systemd_networkd(run: Run) -> None:
    _run(run, "network", ("networkd",))


def network_manager_and_netplan(run: Run) -> None:
    _run(run, "network", ("network-manager", "netplan"))


def ifupdown_of_debian(run: Run) -> None:
    _run(run, "ifupdown", ("ifupdown",))


CHAINS = [network_manager_and_netplan, ifupdown_of_debian, systemd_networkd]
CHAIN_OF = {
    "networkd": "systemd_networkd", "network-manager": "network_manager_and_netplan",
    "netplan": "network_manager_and_netplan", "ifupdown": "ifupdown_of_debian",
}  # fmt: skip


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
