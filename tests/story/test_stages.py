"""What the units call, on a machine in a directory: off switches, no seed, unreadable meta-data, a crash."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from guestinit import stages
from guestinit.model.image import DATASOURCES
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.media.played import Cdrom

EXAMPLES = Path(__file__).parents[2] / "examples"
BOOT = "5f6b2c1e-0000-4000-8000-000000000001"


class NoProcess(Process):
    """These runs start no program."""

    def run(self, argv: Any, *_: Any, **__: Any) -> Finished:
        if tuple(argv[:2]) in (("ip", "-j"), ("systemctl", "is-active")):
            return Finished(1, "", 0.0)
        raise AssertionError(f"started {argv}")


def machine(root: Path, files: dict[str, bytes] | None = None) -> System:
    base = Root(str(root))
    return System(base, NoProcess(), Cdrom(files), State(base), True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "root"
    shutil.copytree(EXAMPLES / "root", directory, symlinks=True)
    for path, text in (
        ("proc/sys/kernel/random/boot_id", BOOT + "\n"),
        ("proc/uptime", "12.34 20.00\n"),
        ("proc/cmdline", "root=/dev/vda1 ro\n"),
        ("sys/class/dmi/id/product_uuid", "5A0C0F4B-8C2F-4D7B-9E3C-9A6D4F2E1B0A\n"),
    ):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    return directory


def status(root: Path) -> dict[str, Any]:
    document = json.loads((root / "run/guestinit/status.json").read_text())
    assert isinstance(document, dict)
    return document


def test_no_seed_is_no_failure_and_leaves_nothing(root: Path) -> None:
    assert stages.run_stage("local", machine(root)) == 0
    document = status(root)
    assert document["state"] == "none"
    assert document["boot_id"] == BOOT
    reasons = document["datasource"]["reasons"]
    assert reasons[0] == "nocloud: no volume labelled cidata; saw no iso9660 or vfat volume"
    assert [reason.partition(":")[0] for reason in reasons] == list(DATASOURCES)
    assert not (root / "var/lib/guestinit").exists()
    assert not list((root / "run/guestinit").glob("*.todo"))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/guestinit/disabled", ""),
        ("etc/cloud/cloud-init.disabled", ""),
        ("proc/cmdline", "root=/dev/vda1 guestinit=disabled quiet\n"),
        ("proc/cmdline", "root=/dev/vda1 cloud-init=disabled\n"),
    ],
)
def test_off_switches(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    seed = {"meta-data": b"instance-id: a\n", "user-data": b"#cloud-config\nhostname: web1\n"}
    assert stages.run_stage("local", machine(root, seed)) == 0
    assert status(root)["state"] == "disabled"
    assert (root / "etc/hostname").read_text() == "localhost\n"


def test_beside_an_enabled_cloud_init_nothing_is_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "usr/bin/cloud-init").write_text("")
    (root / "usr/bin/cloud-init").chmod(0o755)
    wants = root / "etc/systemd/system/cloud-init.target.wants"
    wants.mkdir(parents=True)
    for unit in ("cloud-init-local.service", "cloud-init.service", "cloud-init-main.service", "cloud-final.service"):
        (root / "usr/lib/systemd/system" / unit).parent.mkdir(parents=True, exist_ok=True)
        (root / "usr/lib/systemd/system" / unit).write_text("[Unit]\n")
        (wants / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
    assert stages.run_stage("local", machine(root, {"meta-data": b"instance-id: a\n"})) == 0
    assert status(root)["state"] == "disabled"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cloud-init is installed and enabled" in said


def test_meta_data_that_cannot_be_read_fails_and_changes_nothing(root: Path) -> None:
    seed = {"meta-data": b"- a list\n- is no description\n", "user-data": b"#cloud-config\nhostname: web1\n"}
    assert stages.run_stage("local", machine(root, seed)) == 1
    document = status(root)
    assert document["state"] == "failed"
    assert document["problems"][0]["file"] == "cidata:meta-data"
    assert (root / "etc/hostname").read_text() == "localhost\n"


def test_a_crash_does_not_say_running_for_ever(root: Path) -> None:
    system = machine(root)
    (root / "run/guestinit").mkdir(parents=True)
    stages.announce.write_status(stages.say_running(3.0, system), system)
    assert status(root)["state"] == "running"
    assert stages.report_failure("guestinit-local.service", machine(root)) == 0
    document = status(root)
    assert document["state"] == "failed"
    assert "journalctl -b -u guestinit-local.service" in document["refused"]


def test_a_report_of_its_own_is_left_alone(root: Path) -> None:
    stages.run_stage("local", machine(root))
    before = status(root)
    stages.report_failure("guestinit-local.service", machine(root))
    assert status(root) == before


def test_a_later_stage_does_not_look_at_a_medium_that_was_changed(root: Path) -> None:
    """platforms.md 14, quirk 10."""
    stages.run_stage("local", machine(root))
    seed = {"meta-data": b"instance-id: b\n", "user-data": b"#cloud-config\nhostname: web1\n"}
    assert stages.run_stage("late", machine(root, seed)) == 0
    assert (root / "etc/hostname").read_text() == "localhost\n"
    assert not (root / "var/lib/guestinit").exists()


def test_the_status_of_another_boot_is_not_believed(root: Path) -> None:
    stages.run_stage("local", machine(root))
    (root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    assert stages.announce.read_status(machine(root)) == {}
