"""NoCloud without a drive, or with one that goes away: virt-install, seed directories, what a serial number says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestinit import stages
from guestinit.model.identity import NEW, NO_SEED, RECONFIGURED, RESUMED, SAME
from guestinit.model.report import DONE
from tests.story import test_boots
from tests.story.test_boots import OTHER_UUID, Machine, commands

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")

CASE = Path(__file__).parents[1] / "cases" / "virt-install-empty-meta-data" / "seed"
fast, machine = test_boots.fast, test_boots.machine


@pytest.fixture
def bare(machine: Machine) -> Iterator[Machine]:
    """The machine without a drive."""
    machine.drive = None
    yield machine


def say(machine: Machine, serial: str = "", command_line: str = "quiet") -> None:
    for path, text in (("sys/class/dmi/id/product_serial", serial), ("proc/cmdline", command_line)):
        (machine.directory / path).write_text(text + "\n")


def bake(machine: Machine, directory: str, **files: str) -> None:
    place = machine.directory / directory.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name.replace("_", "-")).write_text(text)


# virt-install --cloud-init (platforms.md 10.2)


def insert_virt_install(machine: Machine, without: str = "") -> None:
    """What virt-install writes, its meta-data empty; its serial number is for the first boot only."""
    files = {path.name: path.read_bytes() for path in CASE.iterdir()}
    assert files["meta-data"] == b""
    # The machine of these tests cannot hash a password.
    user_data = files["user-data"].replace(b"Wombat-7-clear", test_boots.HASH.encode())
    user_data = user_data.partition(without.encode())[0] if without else user_data
    machine.drive = {**files, "user-data": user_data}
    say(machine, serial="ds=nocloud")


def eject(machine: Machine) -> None:
    machine.drive = None
    (machine.directory / "sys/class/dmi/id/product_serial").unlink()


def test_virt_install_then_its_cloud_init_disabled_is_honoured(machine: Machine) -> None:
    insert_virt_install(machine)
    first = machine.boot()
    assert (first.kind, first.result) == (NEW, DONE)
    (command,) = commands(first.ran)
    # What its runcmd does, with a real shell.
    (machine.directory / "etc/cloud").mkdir()
    subprocess.run(["sh", "-c", command.replace("/etc/", f"{machine.directory}/etc/")], check=True)
    assert machine.read("etc/cloud/cloud-init.disabled") == "Disabled by virt-install\n"
    eject(machine)
    machine.start_kernel()
    before = machine.tree()
    assert stages.run_stage("local", machine.system()) == 0
    status = json.loads(machine.read("run/guestinit/status.json"))
    assert (status["state"], machine.tree()) == ("disabled", before)


def test_virt_install_with_the_cd_gone_on_the_second_boot(machine: Machine) -> None:
    """Quirk 9, and the serial number gone with it; `--cloud-init disable=off` writes no runcmd."""
    insert_virt_install(machine, without="runcmd:")
    assert machine.boot().kind == NEW
    (_, (instance_id, _, from_image)) = machine.memory()
    assert instance_id.startswith("derived-") and from_image
    eject(machine)
    before = machine.tree()
    second = machine.boot()
    assert (second.kind, second.result, second.acted) == (NO_SEED, DONE, [])
    assert machine.tree() == before


def test_virt_install_makes_the_same_machine_of_an_unchanged_seed_and_another_of_a_clone(
    machine: Machine, fast: Path
) -> None:
    """Quirk 14: two machines for which the platform gives no id are told apart by their uuid."""
    insert_virt_install(machine, without="runcmd:")
    assert machine.boot().kind == NEW
    keys = machine.host_keys()
    assert machine.boot().kind == SAME
    other = machine.clone(fast / "clone", OTHER_UUID)
    other.drive = machine.drive
    assert other.boot().kind == NEW
    assert not set(other.host_keys().values()) & set(keys.values())


def test_virt_install_whose_cd_goes_before_the_first_boot_is_through(machine: Machine) -> None:
    insert_virt_install(machine, without="runcmd:")
    with pytest.raises(test_boots.PowerCut):
        machine.boot(test_boots.Power(cut_at=40))
    eject(machine)
    assert machine.boot().kind == RESUMED


# what the serial number and the command line say


def test_an_instance_id_on_the_command_line_is_enough(bare: Machine) -> None:
    say(bare, command_line="quiet ds=nocloud\\;h=web7;i=i-7")
    first = bare.boot()
    assert (first.kind, first.result, bare.read("etc/hostname")) == (NEW, DONE, "web7\n")
    assert bare.boot().kind == SAME
    say(bare, command_line="quiet splash ds='nocloud;i=i-7;h=web7'")  # the same, said otherwise
    assert bare.boot().kind == SAME
    say(bare, command_line="quiet ds=nocloud;h=web8;i=i-7")
    assert (bare.boot().kind, bare.read("etc/hostname")) == (RECONFIGURED, "web8\n")
    say(bare)
    assert (bare.boot().kind, bare.read("etc/hostname")) == (NO_SEED, "web8\n")


def test_a_serial_number_names_the_host_of_a_shared_volume(machine: Machine) -> None:
    assert machine.drive is not None
    user_data = b"#cloud-config\npassword: ''\n"
    machine.drive = {"meta-data": b"instance-id: lab\nlocal-hostname: lab\n", "user-data": user_data}
    say(machine, serial="ds=nocloud;h=web7")
    assert (machine.boot().kind, machine.read("etc/hostname")) == (NEW, "web7\n")
    say(machine, serial="ds=nocloud;h=web8")
    assert (machine.boot().kind, machine.read("etc/hostname")) == (RECONFIGURED, "web8\n")


def test_a_directory_that_the_command_line_names(bare: Machine) -> None:
    bake(bare, "/srv/seed", meta_data="instance-id: i-1\nlocal-hostname: web7\n", user_data="")
    say(bare, command_line="ds=nocloud;s=/srv/seed")
    assert (bare.boot().kind, bare.read("etc/hostname")) == (NEW, "web7\n")
    assert bare.boot().kind == SAME


# seed directories in the image


@pytest.mark.parametrize("name", ["nocloud", "nocloud-net"])
def test_a_template_with_a_seed_directory(bare: Machine, fast: Path, name: str) -> None:
    bake(bare, f"/var/lib/cloud/seed/{name}", meta_data="instance-id: iid-baked\nlocal-hostname: web7\n", user_data="")
    assert (bare.boot().kind, bare.read("etc/hostname")) == (NEW, "web7\n")
    assert bare.boot().kind == SAME
    clone = bare.clone(fast / "clone", OTHER_UUID)
    assert clone.boot().kind == NEW  # the id comes from the image
    bake(bare, f"/var/lib/cloud/seed/{name}", meta_data="instance-id: iid-baked\nlocal-hostname: web8\n")
    assert (bare.boot().kind, bare.read("etc/hostname")) == (RECONFIGURED, "web8\n")


# dsmode (quirk 21)


def test_dsmode_disabled_leaves_the_machine_alone(machine: Machine) -> None:
    assert machine.drive is not None
    machine.drive["meta-data"] += b"dsmode: disabled\n"
    before = machine.tree()
    booted = machine.boot()
    assert (booted.kind, booted.result, booted.acted) == (NO_SEED, DONE, [])
    assert machine.tree() == before
    assert machine.preview().reasons[-1] == (
        "nocloud: /dev/sr0 (cidata, iso9660) is not used: cidata:meta-data says dsmode: disabled"
    )


def test_dsmode_disabled_names_who_says_so(machine: Machine) -> None:
    machine.boot()
    say(machine, command_line="ro ds=nocloud;dsmode=disabled")
    seen = machine.preview()
    assert seen.identity.reason == "the seed says that it is not to be used; the machine stays as it was settled"
    assert seen.reasons[-1] == (
        "nocloud: /dev/sr0 (cidata, iso9660) is not used: kernel command line says dsmode: disabled"
    )


def test_dsmode_pass_keeps_to_the_network(machine: Machine) -> None:
    assert machine.drive is not None
    machine.drive["meta-data"] += b"dsmode: pass\n"
    booted = machine.boot()
    assert (booted.result, machine.read("etc/hostname"), commands(booted.ran)) == (DONE, "localhost\n", [])
    assert "192.0.2.15" in machine.read("etc/systemd/network/10-guestinit-eth0.network")


@pytest.mark.parametrize("mode", ["local", "net"])
def test_every_other_dsmode_is_no_difference(machine: Machine, mode: str) -> None:
    assert machine.drive is not None
    machine.drive["meta-data"] += f"dsmode: {mode}\n".encode()
    assert (machine.boot().result, machine.read("etc/hostname")) == (DONE, "web01\n")


def test_dsmode_disabled_on_the_command_line(machine: Machine) -> None:
    say(machine, command_line="ds=nocloud;dsmode=disabled")
    assert (machine.boot().kind, machine.read("etc/hostname")) == (NO_SEED, "localhost\n")


def test_network_config_disabled_on_the_command_line(machine: Machine) -> None:
    """cloud-init's word (platforms.md 1.5): everything but the network."""
    say(machine, command_line="quiet network-config=disabled")
    booted = machine.boot()
    assert (booted.kind, booted.result, machine.read("etc/hostname")) == (NEW, DONE, "web01\n")
    assert not [step for step in booted.acted if "network" in step]
