"""Templates without a seed, the off switch, and a CD-ROM whose driver comes late."""

from __future__ import annotations

import pytest

from tests.vm import seeds, seen
from tests.vm.guest import Boot, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

MAC = "bc:24:11:0a:ba:00"
# The virtual machine on which the template was made; systemd takes a machine-id from it under QEMU.
TEMPLATE_UUID = "6a8f2c1e-0b5d-4a3e-9f10-0000000000ba"


def _seed(run: Run, name: str) -> str:
    seed = seeds.ProxmoxSeed(
        name=name,
        nics=(seeds.Nic(MAC, "10.20.0.40/24", "10.20.0.1"),),
        user="admin",
        sshkeys=(run.lab.public_key,),
        nameservers=("10.20.0.3",),
        upgrade=False,
    )
    return seeds.write_iso(seed.files(), run.path(f"{name}.iso"))


def bare12(run: Run) -> None:
    machine = run.machine("bookworm")
    hardware = Hardware(macs=(MAC,), agent_port=False)
    run.boot("no_seed12", machine, hardware._replace(uuid=TEMPLATE_UUID))
    seed = _seed(run, "late12")
    run.boot("disabled12", machine, hardware._replace(seed=seed, kernel_args="guestinit=disabled"))
    scsi = hardware._replace(seed=seed, seed_bus="scsi", slim_initrd=True)
    run.boot("scsi12", machine, scsi, {"addresses": ["10.20.0.40"]})


def bare13(run: Run) -> None:
    machine = run.machine("trixie")
    hardware = Hardware(macs=(MAC,), agent_port=False)
    run.boot("no_seed13", machine, hardware._replace(uuid=TEMPLATE_UUID))
    scsi = hardware._replace(seed=_seed(run, "late13"), seed_bus="scsi", slim_initrd=True)
    run.boot("scsi13", machine, scsi, {"addresses": ["10.20.0.40"]})


CHAINS = [bare12, bare13]

no_seed12_boot = boot_fixture("bare12", "no_seed12")
disabled12_boot = boot_fixture("bare12", "disabled12")
scsi12_boot = boot_fixture("bare12", "scsi12")
no_seed13_boot = boot_fixture("bare13", "no_seed13")
scsi13_boot = boot_fixture("bare13", "scsi13")


@pytest.mark.parametrize("boot", ["no_seed12", "no_seed13"])
def test_template_without_seed_boots_clean_and_untouched(boot: str, request: pytest.FixtureRequest) -> None:
    found: Boot = request.getfixturevalue(boot)
    seen.assert_nothing_broke(found)
    assert seen.status(found)["state"] == "none"
    assert found.facts["status"]["code"] == 0
    assert found.facts["hostname"] == "template"
    assert seen.account(found, "debian") is None
    assert found.facts["authorized_keys"]["root"]["keys"] is None
    written = [path for path in found.facts["files"] if "guestinit" in path and path.startswith("/etc/")]
    assert [path for path in written if not path.startswith("/etc/guestinit")] == []


def test_off_switch_on_the_kernel_command_line(disabled12: Boot) -> None:
    assert disabled12.facts["failed"] == []
    assert disabled12.facts["status"]["code"] == 0
    assert disabled12.facts["hostname"] == "template"
    assert seen.account(disabled12, "admin") is None


@pytest.mark.parametrize("boot", ["scsi12", "scsi13"])
def test_cdrom_whose_driver_is_not_in_the_initrd(boot: str, request: pytest.FixtureRequest, lab: Lab) -> None:
    found: Boot = request.getfixturevalue(boot)
    seen.assert_settled(found, "new")
    assert found.facts["hostname"] == "late" + boot[-2:]
    assert seen.static_addresses(found, MAC) == {"10.20.0.40/24"}
    keys = found.facts["authorized_keys"]["admin"]["keys"]
    assert keys["content"].strip() == lab.public_key


@pytest.mark.parametrize(("bare", "seeded"), [("no_seed12", "scsi12"), ("no_seed13", "scsi13")])
def test_first_seed_replaces_what_the_template_handed_down(
    bare: str, seeded: str, request: pytest.FixtureRequest
) -> None:
    """The template was booted before it got a seed: its machine-id and host keys are inherited ones."""
    before: Boot = request.getfixturevalue(bare)
    after: Boot = request.getfixturevalue(seeded)
    assert seen.content(before, "/etc/machine-id") != seen.content(after, "/etc/machine-id")
    assert not set(seen.host_keys(before).values()) & set(seen.host_keys(after).values())
