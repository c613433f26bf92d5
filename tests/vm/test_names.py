"""Three cards whose names the seed exchanges, under both schemes of names; a card that is announced and not there.

Debian 12 with systemd-networkd. What is tried: names in the first boot, before the network starts; the same names after
reboots, also where udev alone cannot give them; and that udev, asked again, does not take them away.
"""

from __future__ import annotations

import json

import pytest

from tests.vm import seeds, seen
from tests.vm.guest import Boot, Hardware
from tests.vm.lab import Run, boot_fixture

MACS = ("bc:24:11:0a:16:00", "bc:24:11:0a:16:01", "bc:24:11:0a:16:02")
ABSENT = "bc:24:11:0a:16:99"
UUID = "6a8f2c1e-0b5d-4a3e-9f10-000000000016"
# On these virtual machines the cards are eth0, eth1, eth2, or ens3, ens4, ens5.
EXCHANGED = """\
version: 2
ethernets:
  a:
    match: {{macaddress: '{0}'}}
    set-name: {one}
    addresses: [10.20.0.40/24]
    routes: [{{to: default, via: 10.20.0.1}}]
  b:
    match: {{macaddress: '{1}'}}
    set-name: {zero}
    dhcp4: true
  c:
    match: {{macaddress: '{2}'}}
    set-name: lan
    addresses: [10.22.0.40/24]
{more}"""
MORE = f"""\
  d:
    match: {{macaddress: '{ABSENT}'}}
    set-name: dmz
    addresses: [10.23.0.40/24]
"""
# As a device manager that asks for everything once more: names must stay.
ASK_UDEV = ["sh", "-c", "udevadm trigger --action=add --subsystem-match=net --settle && ip -j link"]
WATCH = [
    ["journalctl", "-b", "-o", "short-monotonic", "-u", "systemd-udevd", "-u", "guestinit-local", "--no-pager"],
    ["journalctl", "-b", "-k", "-g", "renamed|virtio_net", "--no-pager"],
    ASK_UDEV,
]
JOURNAL, KERNEL, ASKED = range(3)


def document(zero: str, one: str, more: str = "") -> bytes:
    return EXCHANGED.format(*MACS, zero=zero, one=one, more=more).encode()


def chain(run: Run, prefix: str, names: tuple[str, str], kernel_args: str, more: str) -> None:
    machine = run.machine("bookworm")
    files = {
        "meta-data": b"instance-id: names-1\n",
        "user-data": b"#cloud-config\nhostname: names\n",
        "network-config": document(*names, more),
    }
    hardware = Hardware(
        uuid=UUID, seed=seeds.write_iso(files, run.path("seed.iso")), macs=MACS, kernel_args=kernel_args
    )  # fmt: skip
    request = {"addresses": ["10.20.0.40", "10.21.0.", "10.22.0.40"], "commands": WATCH}
    run.boot(prefix + "first", machine, hardware, request)
    run.boot(prefix + "second", machine, hardware, request)
    # oVirt takes the drive away after the first start.
    run.boot(prefix + "without_drive", machine, hardware._replace(seed=None), request)


def kernel_names(run: Run) -> None:
    chain(run, "kernel_", ("eth0", "eth1"), "", MORE)


def slot_names(run: Run) -> None:
    chain(run, "slots_", ("ens3", "ens4"), "net.ifnames=1", "")


def fallback(run: Run) -> None:
    """A seed without a network-config, two cards, and a cable in the second one only."""
    machine = run.machine("trixie")
    files = {"meta-data": b"instance-id: fallback-1\n", "user-data": b"#cloud-config\nhostname: names\n"}
    hardware = Hardware(
        uuid=UUID[:-1] + "7", seed=seeds.write_iso(files, run.path("seed.iso")), macs=MACS[:2], unplugged=(0,)
    )  # fmt: skip
    request = {"addresses": ["10.21.0."], "commands": WATCH}
    run.boot("fallback_first", machine, hardware, request)
    run.boot("fallback_second", machine, hardware, request)


CHAINS = [kernel_names, slot_names, fallback]


kernel_first_boot = boot_fixture("kernel_names", "kernel_first")
kernel_second_boot = boot_fixture("kernel_names", "kernel_second")
kernel_without_drive_boot = boot_fixture("kernel_names", "kernel_without_drive")
slots_first_boot = boot_fixture("slot_names", "slots_first")
slots_second_boot = boot_fixture("slot_names", "slots_second")
slots_without_drive_boot = boot_fixture("slot_names", "slots_without_drive")
fallback_first_boot = boot_fixture("fallback", "fallback_first")
fallback_second_boot = boot_fixture("fallback", "fallback_second")


def names(boot: Boot) -> list[str]:
    """What the three cards are called, by their MACs."""
    return [str(seen.link(boot, mac)["ifname"]) for mac in MACS]


def names_after_udev_was_asked(boot: Boot) -> list[str]:
    links = {link["address"]: link["ifname"] for link in json.loads(boot.facts["commands"][ASKED]["out"])}
    return [links[mac] for mac in MACS]


@pytest.mark.parametrize(
    "name", [f"{scheme}_{boot}" for scheme in ("kernel", "slots") for boot in ("first", "second", "without_drive")]
)
def test_cards_have_their_names_in_every_boot(name: str, request: pytest.FixtureRequest) -> None:
    boot: Boot = request.getfixturevalue(name)
    expected = ["ens4", "ens3", "lan"] if name.startswith("slots") else ["eth1", "eth0", "lan"]
    assert names(boot) == expected
    assert names_after_udev_was_asked(boot) == expected
    assert "10.20.0.40/24" in seen.addresses(boot, MACS[0])
    assert any(address.startswith("10.21.0.") for address in seen.addresses(boot, MACS[1]))
    assert "10.22.0.40/24" in seen.addresses(boot, MACS[2])
    assert boot.facts["failed"] == []


def test_udev_alone_cannot_exchange_names(kernel_second: Boot) -> None:
    """Why guestinit looks at every boot: should this fail one day, there is less to do."""
    assert "Failed to rename network interface" in kernel_second.facts["commands"][JOURNAL]["out"]


@pytest.mark.parametrize("name", ["kernel_second", "kernel_without_drive"])
def test_a_boot_that_only_renames_makes_no_plan(name: str, request: pytest.FixtureRequest) -> None:
    journal = request.getfixturevalue(name).facts["commands"][JOURNAL]["out"]
    assert "interface names were given again: eth1, eth0" in journal
    assert "rename:interfaces" not in journal


def test_a_card_that_is_not_there_is_said_and_takes_no_other_down(kernel_first: Boot) -> None:
    status = json.loads(kernel_first.facts["status_json"]["out"])
    assert status["result"] == "degraded"
    assert [problem["message"] for problem in status["problems"]] == [
        f"this machine has no interface with the MAC {ABSENT}"
    ]
    written = kernel_first.facts["files"]["/etc/systemd/network/10-guestinit-d.network"]["content"]
    assert f"MACAddress={ABSENT}" in written


def test_the_card_with_a_cable_gets_the_lease(fallback_first: Boot) -> None:
    status = json.loads(fallback_first.facts["status_json"]["out"])
    assert status["result"] == "done"
    [note] = status["problems"]
    assert f"({MACS[1]}) asks for a lease" in note["message"] and note["message"].endswith(
        "the first card with a carrier"
    )
    assert any(address.startswith("10.21.0.") for address in seen.addresses(fallback_first, MACS[1]))


def test_the_next_boot_keeps_it(fallback_second: Boot) -> None:
    assert any(address.startswith("10.21.0.") for address in seen.addresses(fallback_second, MACS[1]))
    assert json.loads(fallback_second.facts["status_json"]["out"])["identity"]["kind"] == "same"
