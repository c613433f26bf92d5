"""growpart and resize_rootfs: the root grows by default, on every boot."""

from __future__ import annotations

import pytest

from guestinit.model.action import EVERY_BOOT, LATE, Grow
from guestinit.modules import grow
from tests.modules.sections import facts, messages, planned, section, steps


def test_the_root_grows_unless_told_otherwise() -> None:
    (step,) = steps(grow, "{}")
    assert (step.id, step.stage, step.frequency, step.action) == ("grow:/", LATE, EVERY_BOOT, Grow("/", True, True))
    assert str(step.because) == "the root grows to the end of its disk"


@pytest.mark.parametrize(
    "text", ["growpart: {mode: auto, devices: ['/']}", "growpart: {mode: growpart}", "growpart: true"]
)
def test_what_people_write_for_the_default(text: str) -> None:
    assert [step.action for step in steps(grow, text)] == [Grow("/", True, True)]


@pytest.mark.parametrize(
    "text", ["growpart: {mode: off}", "growpart: {mode: 'false'}", "growpart: off", "growpart: false"]
)
def test_off_leaves_partitions_alone(text: str) -> None:
    assert [step.action for step in steps(grow, text)] == [Grow("/", False, True)]


@pytest.mark.parametrize(("written", "expected"), [("true", True), ("noblock", True), ("false", False), ("no", False)])
def test_the_file_system(written: str, expected: bool) -> None:
    assert [step.action for step in steps(grow, f"resize_rootfs: {written}")] == [Grow("/", True, expected)]


def test_nothing_at_all() -> None:
    assert steps(grow, "{growpart: {mode: off}, resize_rootfs: false}") == []


def test_other_mount_points() -> None:
    found = steps(grow, "growpart: {devices: [/, /var, /var/]}")
    assert [(step.id, str(step.because)) for step in found] == [
        ("grow:/", "user-data:1:22"),
        ("grow:/var", "user-data:1:25"),
    ]


@pytest.mark.parametrize("device", ["/dev/vda1", "vda1", "/a/../b"])
def test_devices_grow_by_their_mount_point_only(device: str) -> None:
    text = f"growpart: {{devices: [/, {device}]}}"
    assert messages(grow, text) == ["error user-data:1:25: growpart.devices: expected a mount point such as /var"]
    assert [step.id for step in planned(grow, section(grow, text)[0])] == ["grow:/"]


def test_the_images_own_switch() -> None:
    here = facts(paths=frozenset({"/etc/growroot-disabled"}))
    assert [step.action for step in steps(grow, "{}", here)] == [Grow("/", False, True)]
    assert [step.action for step in steps(grow, "growpart: {ignore_growroot_disabled: true}", here)] == [
        Grow("/", True, True)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("growpart: [a]", "user-data:1:11: growpart: expected a mapping, got a list"),
        ("growpart: {mode: fast}", "user-data:1:18: growpart.mode: expected auto, growpart or off, got 'fast'"),
        ("resize_rootfs: maybe", "user-data:1:16: resize_rootfs: expected true, false or noblock, got 'maybe'"),
    ],
)
def test_what_is_wrong_is_said_and_the_root_grows(text: str, message: str) -> None:
    assert messages(grow, text) == [f"error {message}"]
    assert [step.action for step in planned(grow, section(grow, text)[0])] == [Grow("/", True, True)]
