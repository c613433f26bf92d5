"""What can grow is read from a tree like /proc and /sys; real tools grow a real partition on a loop device."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import FakeProcess, as_root, look, machine, step

from guestinit.model.action import Grow
from guestinit.model.plan import LEFT, MODIFY, UNCHANGED
from guestinit.system import kinds
from guestinit.system.failed import Failed
from guestinit.system.kinds import volume
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root

MIB = 2048  # sectors
GROWFS = "/usr/lib/systemd/systemd-growfs"


def put(tree: Path, path: str, text: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)


def mounted(tree: Path, line: str) -> None:
    put(tree, "proc/self/mountinfo", f"20 1 0:4 / /proc rw - proc proc rw\n{line}\n")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A virtio disk of 10 GiB with a BIOS partition at its beginning, the ESP, and the root as number 1 at the end."""
    disk = "sys/devices/pci0000:00/virtio1/block/vda"
    for name, number, start, size in (("vda1", 1, 128 * MIB, 2048 * MIB), ("vda15", 15, 4 * MIB, 124 * MIB)):
        for file, value in (("partition", number), ("start", start), ("size", size)):
            put(tmp_path, f"{disk}/{name}/{file}", f"{value}\n")
    put(tmp_path, f"{disk}/size", f"{10240 * MIB}\n")
    put(tmp_path, f"{disk}/queue/logical_block_size", "512\n")
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    (tmp_path / "sys/class/block").mkdir(parents=True)
    for number, path in (("254:0", "vda"), ("254:1", "vda/vda1")):
        (tmp_path / f"sys/dev/block/{number}").symlink_to(f"../../devices/pci0000:00/virtio1/block/{path}")
    for name in ("vda", "vda/vda1"):
        (tmp_path / "sys/class/block" / os.path.basename(name)).symlink_to(
            f"../../devices/pci0000:00/virtio1/block/{name}"
        )
    mounted(tmp_path, "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro")
    return tmp_path


def superblock(tree: Path, name: str, blocks: int, wide: bool = True) -> None:
    """The fields of an ext4 superblock that say how large it is, in blocks of 4 KiB."""
    block = bytearray(1024)
    block[4:8] = (blocks & 0xFFFFFFFF).to_bytes(4, "little")
    block[0x18:0x1C] = (2).to_bytes(4, "little")
    block[0x38:0x3A] = b"\x53\xef"
    block[0x60:0x64] = (0x80 if wide else 0).to_bytes(4, "little")
    block[0x150:0x154] = (blocks >> 32).to_bytes(4, "little") if wide else b"\xff\xff\xff\xff"
    (tree / "dev").mkdir(exist_ok=True)
    (tree / "dev" / name).write_bytes(bytes(1024) + block)


def test_room_behind_the_partition(tree: Path) -> None:
    superblock(tree, "vda1", 2048 * 256)
    change = look(Grow("/"), machine(tree, writable=False))
    assert change.change == MODIFY
    assert change.before == "partition vda1 2.00 GiB\next4 on / 2.00 GiB\n"
    assert change.after == "partition vda1 9.87 GiB\next4 on / 9.87 GiB\n"
    assert kinds.disk_size(step(Grow("/")), machine(tree)) == ("vda", 10240 * MIB)


def test_nothing_to_grow(tree: Path) -> None:
    put(tree, "sys/devices/pci0000:00/virtio1/block/vda/vda1/size", str((10240 - 128) * MIB - 34))
    superblock(tree, "vda1", (10240 - 128) * 256 - 5)
    change = look(Grow("/"), machine(tree))
    assert (change.change, change.note) == (UNCHANGED, "/ has all of vda")
    assert kinds.apply(change, machine(tree)).message == "/ is on 9.87 GiB"  # and no program was started


def test_the_file_system_alone(tree: Path) -> None:
    put(tree, "sys/devices/pci0000:00/virtio1/block/vda/vda1/size", str((10240 - 128) * MIB - 34))
    superblock(tree, "vda1", 2048 * 256)
    change = look(Grow("/"), machine(tree))
    assert (change.before, change.after) == ("ext4 on / 2.00 GiB\n", "ext4 on / 9.87 GiB\n")
    put(tree, GROWFS[1:], "")
    process = FakeProcess({(GROWFS, "/"): Finished(0, "", 0.1)})
    kinds.apply(change, machine(tree, process))
    assert process.started == [(GROWFS, "/")]
    assert look(Grow("/", file_system=False), machine(tree)).change == UNCHANGED


def test_a_partition_behind_ours_is_the_limit(tree: Path) -> None:
    vda = "sys/devices/pci0000:00/virtio1/block/vda"
    for file, value in (("partition", 2), ("start", 2176 * MIB), ("size", 100)):
        put(tree, f"{vda}/vda2/{file}", f"{value}\n")
    superblock(tree, "vda1", 2048 * 256)
    assert look(Grow("/"), machine(tree)).change == UNCHANGED
    put(tree, f"{vda}/vda2/start", str(2276 * MIB))
    assert look(Grow("/"), machine(tree)).after == "partition vda1 2.10 GiB\next4 on / 2.10 GiB\n"


def test_tables_of_bios_times(tree: Path) -> None:
    head = bytearray(1024)
    head[510:512] = b"\x55\xaa"
    (tree / "dev").mkdir()
    (tree / "dev/vda").write_bytes(head)
    superblock(tree, "vda1", 2048 * 256)
    found = volume.find("/", Root(str(tree)))
    assert not isinstance(found, str)
    assert found.room == (10240 - 128 - 2048) * MIB * 512
    put(tree, "sys/devices/pci0000:00/virtio1/block/vda/size", str(2**33))
    found = volume.find("/", Root(str(tree)))
    assert not isinstance(found, str)
    assert found.room == (2**32 - 2176 * MIB) * 512  # no table of this kind goes further
    put(tree, "sys/devices/pci0000:00/virtio1/block/vda/vda1/partition", "5")
    change = look(Grow("/"), machine(tree))
    assert (change.change, change.note) == (UNCHANGED, "vda1 is a logical partition, which is not grown")


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("22 1 254:1 / /var rw - ext4 /dev/vda1 rw", "nothing is mounted on /"),
        ("22 1 254:1 / / ro - ext4 /dev/vda1 rw", "/ is mounted read-only"),
        ("22 1 0:30 / / rw - overlay overlay rw,lowerdir=/x", "overlay on / has no disk of its own"),
        ("22 1 0:30 / / rw - btrfs /dev/absent rw", "btrfs on / has no disk of its own"),
        ("22 1 253:0 / / rw - xfs /dev/mapper/vg-root rw", "/ is on LVM, which is not grown"),
        ("22 1 9:0 / / rw - xfs /dev/md0 rw", "/ is on a software RAID, which is not grown"),
        ("22 1 8:1 / / rw - ext4 /dev/sda1 rw", "the kernel does not say what / is on"),
    ],
)
def test_what_cannot_grow_is_said(tree: Path, line: str, note: str) -> None:
    put(tree, "sys/devices/virtual/block/dm-0/dm/uuid", "LVM-abcdef\n")
    put(tree, "sys/devices/virtual/block/md0/size", "1000\n")
    (tree / "sys/dev/block/253:0").symlink_to("../../devices/virtual/block/dm-0")
    (tree / "sys/dev/block/9:0").symlink_to("../../devices/virtual/block/md0")
    mounted(tree, line)
    change = look(Grow("/"), machine(tree))
    assert (change.change, change.note) == (UNCHANGED, note)
    assert kinds.apply(change, machine(tree)).message == note


def test_a_whole_disk_grows_its_file_system_only(tree: Path) -> None:
    mounted(tree, "22 1 254:0 / /mnt\\040data rw - ext4 /dev/vda rw")
    superblock(tree, "vda", 256 * 100)
    change = look(Grow("/mnt data"), machine(tree))
    assert change.note == "vda has no partition table"
    assert change.after == "ext4 on /mnt data 10.00 GiB\n"
    process = FakeProcess({("resize2fs", "/dev/vda"): Finished(0, "", 0.1)})
    kinds.apply(change, machine(tree, process))
    assert process.started == [("resize2fs", "/dev/vda")]


def test_the_topmost_mount_counts(tree: Path) -> None:
    put(tree, "proc/self/mountinfo", "1 1 0:2 / / rw - rootfs rootfs rw\n22 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
    assert not isinstance(volume.find("/", Root(str(tree))), str)


@pytest.mark.parametrize(("blocks", "wide"), [(5, False), (2**32 - 1, False), (2**32 + 5, True)])
def test_size_of_ext4(tree: Path, blocks: int, wide: bool) -> None:
    superblock(tree, "vda1", blocks, wide)
    found = volume.find("/", Root(str(tree)))
    assert not isinstance(found, str)
    assert volume.file_system_size(found, Root(str(tree))) == blocks * 4096


def test_size_of_a_real_ext4(tree: Path) -> None:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("needs mkfs.ext4")
    (tree / "dev").mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", str(tree / "dev/vda1"), "33M"], check=True)
    found = volume.find("/", Root(str(tree)))
    assert not isinstance(found, str)
    assert volume.file_system_size(found, Root(str(tree))) == 33 * 2**20


def test_offline_it_waits(tree: Path) -> None:
    assert look(Grow("/"), machine(tree, live=False)).change == LEFT
    assert kinds.disk_size(step(Grow("/")), machine(tree, live=False)) is None


def test_failures(tree: Path) -> None:
    superblock(tree, "vda1", 2048 * 256)
    growpart = ("growpart", "/dev/vda", "1")
    for finished, message in (
        (Finished(127, "growpart: no such program", 0), "growpart is not installed"),
        (Finished(2, "FAILED: disk=x\n", 0), "growpart: FAILED: disk=x"),
    ):
        # The file system still gets what the partition already has: here nothing, so no second program.
        process = FakeProcess({growpart: finished})
        with pytest.raises(Failed, match=message):
            kinds.apply(look(Grow("/"), machine(tree, process)), machine(tree, process))
        assert process.started == [growpart]
    process = FakeProcess({growpart: Finished(1, "NOCHANGE: x\n", 0)})
    kinds.apply(look(Grow("/"), machine(tree, process)), machine(tree, process))
    superblock(tree, "vda1", 1024 * 256)
    put(tree, GROWFS[1:], "")
    refused = Finished(1, "resize2fs 1.47\nresize2fs: Permission denied\nold_desc_blocks = 1\n", 0)
    process = FakeProcess({(GROWFS, "/"): Finished(1, "no", 0), ("resize2fs", "/dev/vda1"): refused})
    with pytest.raises(Failed, match=r"^resize2fs: Permission denied$"):
        change = look(Grow("/", partition=False), machine(tree, process))
        kinds.apply(change, machine(tree, process))


# with real tools


def _have(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


@pytest.fixture(params=["dos", "gpt"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A mounted XFS of 400 MiB on the first partition of a disk of 1 GiB; everything is taken down again."""
    if not _have("growpart", "mkfs.xfs", "losetup", "sfdisk", "addpart", "xfs_growfs"):
        pytest.skip("needs growpart, xfsprogs, losetup, sfdisk, addpart")
    image, mount = tmp_path / "disk.img", tmp_path / "mount"
    mount.mkdir()
    # Loop devices and their partitions belong to the whole machine, and the suite runs on several Pythons side by side.
    lock = os.open("/run/guestinit-tests-loop", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with image.open("wb") as file:
        file.truncate(600 * 2**20)
    table = f"label: {request.param}\n1M,400M\n"
    subprocess.run(["sfdisk", "-q", str(image)], input=table.encode(), check=True)
    with image.open("r+b") as file:
        file.truncate(2**30)
    loop = subprocess.run(["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=False)
    if loop.returncode:
        pytest.skip(loop.stderr)
    device = loop.stdout.strip()
    try:
        # This kernel may not read partition tables by itself; growpart tells it the new size in the same way.
        subprocess.run(["delpart", device, "1"], capture_output=True, check=False)  # a run that was killed left one
        subprocess.run(["addpart", device, "1", "2048", str(400 * MIB)], check=True)
        subprocess.run(["mkfs.xfs", "-q", "-f", f"{device}p1"], check=True)
        subprocess.run(["mount", f"{device}p1", str(mount)], check=True)
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], capture_output=True, check=False)
        _remove_partition(device)
        subprocess.run(["losetup", "-d", device], check=True)
        os.close(lock)


def _remove_partition(device: str) -> None:
    """Wait until nobody has it mounted: another test's mount namespace was a copy of ours. The next disk on this
    loop device would find the partition as it was left.
    """
    for _ in range(300):
        removed = subprocess.run(["delpart", device, "1"], capture_output=True, text=True, check=False)
        if not removed.returncode or "busy" not in removed.stderr:
            return
        time.sleep(0.1)
    pytest.fail(f"{device}p1 is still in use")


@as_root
def test_growing_for_real(disk: Path) -> None:
    system = machine(Path("/"), Process())
    change = look(Grow(str(disk)), system)
    assert change.change == MODIFY, change
    assert change.before is not None and "400 MiB" in change.before
    kinds.apply(change, system)
    after = look(Grow(str(disk)), system)
    assert after.change == UNCHANGED, after
    size = os.statvfs(disk)
    assert size.f_blocks * size.f_frsize > 900 * 2**20
    assert kinds.apply(after, system).message.endswith("is on 1023 MiB")
