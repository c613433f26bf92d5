"""Looking at nodes: a tree of /sys and /dev whose devices are real images."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.system import drive, tree
from tests.media.images import FILES, MakeIso, need, run

NAMES = tuple(FILES)


class Machine:
    """A root directory with block devices."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "sys/class/block").mkdir(parents=True)
        (path / "dev/disk/by-label").mkdir(parents=True)

    def add(self, name: str, image: Path | None = None, sectors: int = 8192) -> None:
        """A device; without an image it is full of zeros."""
        (self.path / "sys/class/block" / name).mkdir()
        (self.path / "sys/class/block" / name / "size").write_text(f"{sectors}\n")
        node = self.path / "dev" / name.replace("!", "/")
        node.parent.mkdir(exist_ok=True)
        if image is None:
            node.write_bytes(b"\0" * 70_000)
        else:
            os.link(image, node)

    def node(self, name: str) -> str:
        return f"{self.path}/dev/{name}"


def find(label: str, root: str) -> list[tuple[str, str, str]]:
    """The volumes of one label: device, file system, the label as it is written."""
    return [
        (device, file_system, drive.matching(labels, label))
        for device, file_system, labels, _ in drive.volumes(root)[0]
        if drive.matching(labels, label)
    ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    need("blkid")
    return Machine(tmp_path / "machine")


def test_volumes_by_label_in_the_documented_order(machine: Machine, make_iso: MakeIso, make_vfat: MakeIso) -> None:
    """platforms.md 14, quirk 5: of several volumes the one that a platform attached comes first."""
    iso, vfat = make_iso("-R"), make_vfat()
    for name in ("sr0", "vdb", "nvme0n1", "sr1", "sr10"):
        machine.add(name, iso)
    machine.add("vda")
    machine.add("vda3", vfat)
    machine.add("vda14", vfat)
    machine.add("nvme0n1p1", vfat)
    found = find("cidata", str(machine.path))
    assert [device.rpartition("/")[2] for device, _, _ in found] == [
        "sr10", "sr1", "sr0", "nvme0n1", "vdb", "nvme0n1p1", "vda14", "vda3",
    ]  # fmt: skip
    assert found[0] == (machine.node("sr10"), "iso9660", "cidata")
    assert found[-1] == (machine.node("vda3"), "vfat", "CIDATA")


def test_what_is_never_looked_at(machine: Machine, make_iso: MakeIso) -> None:
    iso = make_iso("-R")
    for name in ("loop0", "ram0", "zram0", "fd0", "dm-0"):
        machine.add(name, iso)
    machine.add("sr0", iso, sectors=0)  # an empty drive
    (machine.path / "sys/class/block/sr1").mkdir()  # a device that is going away
    assert drive.volumes(str(machine.path)) == ([], [])


def test_a_device_mapper_volume_that_udev_names(machine: Machine, make_iso: MakeIso) -> None:
    machine.add("dm-2", make_iso("-R"))
    (machine.path / "dev/disk/by-label/cidata").symlink_to("../../dm-2")
    assert find("cidata", str(machine.path)) == [(machine.node("dm-2"), "iso9660", "cidata")]


def test_other_volumes_are_seen_and_zeros_are_not(machine: Machine, make_iso: MakeIso) -> None:
    machine.add("sr0", make_iso("-J", label="config-2"))
    machine.add("vda")
    machine.add("cciss!c0d0", make_iso("-R", name="b.iso"))
    assert find("cidata", str(machine.path))[0][0] == machine.node("cciss/c0d0")
    volumes, reasons = drive.volumes(str(machine.path))
    assert (machine.node("sr0"), "iso9660", ("config-2",), 8192 * 512) in volumes
    assert (len(volumes), reasons) == (2, [])


def test_a_label_in_the_boot_sector_only(machine: Machine, make_vfat: MakeIso) -> None:
    """platforms.md 14, quirk 3: Xen Orchestra writes it; blkid shows it as LABEL_FATBOOT."""
    path = make_vfat()
    content = bytearray(path.read_bytes())
    entry = content.index(b"CIDATA     \x08")
    content[entry] = 0xE5  # the mark of a deleted entry
    path.write_bytes(content)
    machine.add("vdb", path)
    assert find("cidata", str(machine.path)) == [(machine.node("vdb"), "vfat", "CIDATA")]


def test_a_config_drive_in_a_partition(machine: Machine, make_iso: MakeIso, make_vfat: MakeIso) -> None:
    """platforms.md 14, quirks 3 and 4: Ironic writes the bytes of an ISO into a partition; vfat is in upper case."""
    machine.add("vda")
    machine.add("vda3", make_iso("-J", "-R", label="config-2"))
    machine.add("vdb", make_vfat(label="CONFIG-2"))
    assert find("config-2", str(machine.path)) == [
        (machine.node("vdb"), "vfat", "CONFIG-2"),
        (machine.node("vda3"), "iso9660", "config-2"),
    ]


def test_an_iso_whose_label_is_upper_case(machine: Machine, make_iso: MakeIso) -> None:
    machine.add("sr0", make_iso("-R", label="CIDATA"))
    assert find("cidata", str(machine.path)) == [(machine.node("sr0"), "iso9660", "CIDATA")]


def test_a_drive_that_cannot_be_read_does_not_hide_the_others(machine: Machine, make_iso: MakeIso) -> None:
    machine.add("sr1")
    os.unlink(machine.node("sr1"))
    os.mkdir(machine.node("sr1"))  # opens, and fails on every read
    machine.add("sr0", make_iso("-R"))
    assert find("cidata", str(machine.path)) == [(machine.node("sr0"), "iso9660", "cidata")]
    assert drive.optical_drives(str(machine.path)) == [machine.node("sr0"), machine.node("sr1")]
    assert [drive.complaint(node) for node in drive.optical_drives(str(machine.path))] == ["", "Is a directory"]


def test_when_all_drives_together_take_too_long_each_is_asked_alone(machine: Machine, make_iso: MakeIso) -> None:
    machine.add("sr0", make_iso("-R"))
    machine.add("vda")
    assert drive.volumes(str(machine.path), limit=0) == drive.volumes(str(machine.path))
    assert len(drive.volumes(str(machine.path))[0]) == 1


# the names of files


@pytest.mark.parametrize(
    ("entries", "chosen"),
    [
        (["user-data", "USER-DATA", "user_data"], "user-data"),
        (["USER_DATA", "User-Data"], "User-Data"),
        (["USER-DATA"], "USER-DATA"),
        (["user_data"], "user_data"),
        (["user_dat"], "user_dat"),
        (["USER_DAT.;1"], "USER_DAT.;1"),
        (["user-data.txt", "user-dat", "userdata"], ""),
        ([], ""),
    ],
)
def test_a_name_is_tolerated_only_when_the_exact_one_is_missing(entries: list[str], chosen: str) -> None:
    assert tree.choose_entry("user-data", entries) == chosen


def test_names_with_an_extension() -> None:
    assert tree.choose_entry("meta_data.json", ["META_DAT.JSO;1"]) == "META_DAT.JSO;1"
    assert tree.choose_entry("network-config", ["NETWORK_.;1"]) == "NETWORK_.;1"


@given(st.lists(st.text(max_size=12)), st.sampled_from(NAMES))
def test_what_is_chosen_is_an_entry(entries: list[str], name: str) -> None:
    assert tree.choose_entry(name, entries) in {"", *entries}


# mounting


def mounts() -> list[str]:
    with open("/proc/self/mountinfo") as file:
        return [line.split(" ")[4] for line in file]


@pytest.fixture
def squashfs(tmp_path: Path, seed_directory: Path) -> Iterator[Path]:
    """Any file system that this kernel mounts from a file; iso9660 and vfat are tested in guests."""
    need("mksquashfs", "blkid")
    with open("/proc/filesystems") as file:
        if os.geteuid() != 0 or "\tsquashfs\n" not in file.read():
            pytest.skip("mounting needs root and squashfs in the kernel")
    run("mksquashfs", seed_directory, tmp_path / "image", "-quiet")
    existed = os.path.isdir(drive.MOUNT_POINTS)
    before = mounts()
    yield tmp_path / "image"
    assert mounts() == before
    assert not os.path.exists(f"{drive.MOUNT_POINTS}/mnt-{os.getpid()}")
    if not existed:
        os.rmdir(drive.MOUNT_POINTS)


def test_a_volume_is_mounted_read_and_unmounted(squashfs: Path) -> None:
    files, reason = drive.read_volume(str(squashfs), "squashfs", NAMES)
    assert (files, reason) == ({name: (name, content) for name, content in FILES.items()}, "")
    assert drive.read(str(squashfs), "squashfs", NAMES) == FILES


def test_a_link_on_a_volume_does_not_lead_into_this_machine(squashfs: Path, seed_directory: Path) -> None:
    (seed_directory / "user-data").unlink()
    (seed_directory / "user-data").symlink_to("/etc/shadow")
    squashfs.unlink()
    run("mksquashfs", seed_directory, squashfs, "-quiet")
    expected = ({}, "user-data: a symbolic link, which is not followed here")
    assert drive.read_volume(str(squashfs), "squashfs", NAMES) == expected


def test_a_volume_with_damaged_data_is_skipped(squashfs: Path) -> None:
    """platforms.md 14, quirk 7."""
    size = squashfs.stat().st_size
    with squashfs.open("r+b") as file:
        file.seek(96)  # behind the superblock
        file.write(b"\xff" * min(400, size - 96))
    files, reason = drive.read_volume(str(squashfs), "squashfs", NAMES)
    assert files == {}
    assert reason


def test_a_volume_that_cannot_be_mounted(squashfs: Path) -> None:
    squashfs.write_bytes(b"\0" * 65536)
    files, reason = drive.read_volume(str(squashfs), "squashfs", NAMES)
    assert files == {}
    assert "wrong fs type" in reason
    assert "/run/guestinit" not in reason


# programs


def test_a_program_that_does_not_end_is_killed_and_given_up() -> None:
    start = time.monotonic()
    assert drive.run(("sleep", "60"), 0.2) == (None, "")
    assert time.monotonic() - start < 30


def test_exit_codes_and_output() -> None:
    assert drive.run(("sh", "-c", "echo out; echo err >&2; exit 3"), 10) == (3, "out\nerr\n")
    assert drive.run(("sh", "-c", "kill -9 $$"), 10) == (-9, "")
    assert drive.run(("no-such-program",), 10) == (127, "no-such-program: not installed")
    assert drive.run(("sh", "-c", "printenv LC_ALL; cat"), 10) == (0, "C\n")  # standard input is empty


def test_the_imports_of_an_unchanged_boot() -> None:
    code = (
        f"import sys; sys.path.insert(0, {os.getcwd()!r}); import os, __future__; before = set(sys.modules)\n"
        "import guestinit.system.drive; print(*sorted(set(sys.modules) - before))"
    )
    shown = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    ours = {"guestinit", "guestinit.system", "guestinit.system.drive", "guestinit.system.tree"}
    assert set(shown.split()) <= {*ours, "select", "time"}
