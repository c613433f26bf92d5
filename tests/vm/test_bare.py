"""Templates without a seed, the off switch, and a CD-ROM whose driver comes late.

The Debian 12 machine has a neighbour that answers at the addresses of metadata services, though nothing says that this
is a cloud, and is compared with the same template without any agent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.http import servers
from tests.vm import drives, seeds, seen
from tests.vm.cloud import TAP, Cloud
from tests.vm.guest import Boot, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

MAC = "bc:24:11:0a:ba:00"
# The virtual machine on which the template was made; systemd takes a machine-id from it under QEMU.
TEMPLATE_UUID = "6a8f2c1e-0b5d-4a3e-9f10-0000000000ba"
# Says when udev's queue was empty, beside whatever else boots.
SETTLE = "systemd-udev-settle.service"
# One device after the other, so that it takes much longer than anything that does not wait for it.
SLOW_UDEV = f"systemd.wants={SETTLE} udev.children_max=1"
TIMES = {"units": [SETTLE, "multi-user.target"]}
# At the end, and by hand: the neighbour can be reached, and would have answered.
REACH = [["python3", "-c", f"import urllib.request as u; print(u.urlopen({url!r}, timeout=60).read().decode())"]
         for url in ("http://169.254.169.254/openstack", "http://[fe80::a9fe:a9fe%25eth0]/openstack")]  # fmt: skip


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
    with neighbour(run) as cloud:
        log = Path(cloud.directory, "asked")
        beside = hardware._replace(uuid=TEMPLATE_UUID, cloud=cloud, kernel_args=SLOW_UDEV)
        run.boot("reference12", run.machine("bookworm", "bare", bare=True), beside, TIMES)
        run.boot(
            "no_seed12",
            machine,
            beside,
            {**TIMES, "commands": REACH, "addresses": ["10.30.0."], "files": ["/root/owned"]},
            note=lambda: {"asked": log.read_text().splitlines()},
        )
    seed = _seed(run, "late12")
    run.boot("disabled12", machine, hardware._replace(seed=seed, kernel_args="guestinit=disabled"))
    scsi = hardware._replace(seed=seed, seed_bus="scsi", slim_initrd=True)
    run.boot("scsi12", machine, scsi, {"addresses": ["10.20.0.40"]})
    run.boot("settled12", machine, hardware._replace(kernel_args=SLOW_UDEV), TIMES)


def neighbour(run: Run) -> Cloud:
    """A link on which somebody answers as OpenStack's metadata service does, with a script for root."""
    addresses = ["10.30.0.2/24", "169.254.169.254/32", "fe80::a9fe:a9fe/64"]
    cloud = Cloud(run.path("neighbour"), addresses)
    cloud.lease("10.30.0.100", "10.30.0.150", "option:classless-static-route,169.254.169.254/32,10.30.0.2")
    files = servers.openstack_files(user_data=b"#!/bin/sh\ntouch /root/owned\n")
    tree = drives.write_tree(files, os.path.join(cloud.directory, "tree"))
    binds = ["--bind", "169.254.169.254", "--bind", f"fe80::a9fe:a9fe%{TAP}"]
    log = os.path.join(cloud.directory, "asked")
    cloud.serve("tests.http.servers", ["openstack", *binds, "--files", tree, "--log", log], 80)
    return cloud


def bare13(run: Run) -> None:
    machine = run.machine("trixie")
    hardware = Hardware(macs=(MAC,), agent_port=False)
    run.boot("no_seed13", machine, hardware._replace(uuid=TEMPLATE_UUID))
    scsi = hardware._replace(seed=_seed(run, "late13"), seed_bus="scsi", slim_initrd=True)
    run.boot("scsi13", machine, scsi, {"addresses": ["10.20.0.40"]})


CHAINS = [bare12, bare13]

reference12_boot = boot_fixture("bare12", "reference12")
settled12_boot = boot_fixture("bare12", "settled12")
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


def test_neighbour_is_never_asked(no_seed12: Boot) -> None:
    """It answers on the link-local addresses; the DMI is that of plain QEMU (CVE-2024-6174)."""
    assert [said["code"] for said in no_seed12.facts["commands"]] == [0, 0], no_seed12.facts["commands"]
    assert no_seed12.noted["asked"] == ["GET /openstack 200"] * 2  # those of the test
    assert no_seed12.facts["files"]["/root/owned"] is None
    assert "/run/guestinit/network.todo" not in no_seed12.facts["trees"]["/run/guestinit"]
    said = no_seed12.facts["dry_run"]["out"]
    assert "openstack: not asked: " in said and "QEMU" in said, said


def when(boot: Boot, unit: str, fact: str) -> float:
    """A moment in the life of a unit, in seconds since power-on; 0: it never came."""
    return int(boot.facts["units"][unit][fact + "TimestampMonotonic"]) / 1e6


def test_without_a_seed_only_one_process_is_started(no_seed12: Boot, settled12: Boot) -> None:
    """The conditions of the other units say that there is nothing to do; a settled machine also tells the host so."""
    for boot, others in ((no_seed12, ("network", "late", "final")), (settled12, ("network", "late"))):
        assert when(boot, "guestinit-local.service", "ExecMainExit") > 0
        for unit in others:
            assert when(boot, f"guestinit-{unit}.service", "ExecMainStart") == 0, unit


def test_machine_never_settled_waits_for_udev_and_no_longer(no_seed12: Boot) -> None:
    """Whatever the clock of an emulated machine is worth: what comes after udev is a small part of the boot."""
    queue_empty, done = (when(no_seed12, unit, "ExecMainExit") for unit in (SETTLE, "guestinit-local.service"))
    assert done - queue_empty < when(no_seed12, "multi-user.target", "ActiveEnter") / 5


def test_settled_machine_does_not_wait(settled12: Boot) -> None:
    seen.assert_nothing_broke(settled12)
    assert seen.status(settled12)["identity"]["kind"] == "no seed"
    assert when(settled12, "guestinit-local.service", "ExecMainExit") < when(settled12, SETTLE, "ExecMainExit")


@pytest.mark.parametrize("boot", ["no_seed12", "settled12"])
def test_boots_like_a_machine_without_an_agent(boot: str, reference12: Boot, request: pytest.FixtureRequest) -> None:
    """The kernel's part of a boot is the same work in all of them, and so says how busy this machine was meanwhile."""

    def lasts(each: Boot) -> float:
        return when(each, "multi-user.target", "ActiveEnter") * 1e6 / int(each.facts["userspace"])

    assert lasts(request.getfixturevalue(boot)) < 1.5 * lasts(reference12)


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
