"""What is below a mount point: device, partition, disk and the room left, from proc_pid_mountinfo(5) and sysfs."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from guestinit.system.root import Root

SECTOR = 512  # sysfs counts in these, whatever the disk's own are
LEAST = 2**20  # growpart leaves room of less than 1 MiB alone, and so is it here
# The end of an ext file system that is too small for a block group of its own stays unused.
LEAST_IN_FILE_SYSTEM = 4 * 2**20
GPT_END = 34 * SECTOR  # the second partition table, at the end of the disk
EXT = ("ext2", "ext3", "ext4")
XFS_IOC_FSGEOMETRY_V1 = 0x80705864  # linux/fs/xfs/libxfs/xfs_fs.h
BTRFS_IOC_DEV_INFO = 0xD000941E  # linux/btrfs.h


class Volume(NamedTuple):
    """A mounted file system on a partition, or on a whole disk. Sizes and room in bytes."""

    mount: str
    kind: str  # "ext4"
    device: str  # "vda1"
    disk: str  # "vda"
    number: int  # of the partition; 0: the whole disk
    size: int  # of the device
    room: int  # behind the partition
    disk_sectors: int
    note: str = ""


def find(mount: str, root: Root) -> Volume | str:
    """The volume, or in words why nothing can grow there."""
    entry = _mount_entry(mount, root)
    if entry is None:
        return f"nothing is mounted on {mount}"
    device_number, kind, source, options = entry
    if "ro" in options:
        return f"{mount} is mounted read-only"
    if device_number.startswith("0:"):  # btrfs and the file systems without a disk have numbers of their own
        info = root.stat(source) if source.startswith("/dev/") else None
        if info is None or not stat.S_ISBLK(info.st_mode):
            return f"{kind} on {mount} has no disk of its own"
        device_number = f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
    link = root.readlink(f"/sys/dev/block/{device_number}")
    if link is None:
        return f"the kernel does not say what {mount} is on"
    names = link.split("/")
    device = names[-1]
    number = _number(root, f"/sys/dev/block/{device_number}/partition")
    size = _number(root, f"/sys/dev/block/{device_number}/size") * SECTOR
    if number:
        return _partition(Volume(mount, kind, device, names[-2], number, size, 0, 0), root)
    if device.startswith("dm-"):
        mapper = (root.read(f"/sys/dev/block/{device_number}/dm/uuid") or b"").decode("utf-8", "replace")
        what = mapper.partition("-")[0] or "a device mapper volume"
        return f"{mount} is on {what}, which is not grown"
    if device.startswith("md"):
        return f"{mount} is on a software RAID, which is not grown"
    return Volume(mount, kind, device, device, 0, size, 0, size // SECTOR, f"{device} has no partition table")


def partition_can_grow(volume: Volume) -> bool:
    """Whether growpart would do something."""
    return volume.number > 0 and volume.room >= LEAST


def file_system_can_grow(volume: Volume, size: int, end: int) -> bool:
    """Whether a file system of `size` bytes leaves something of the `end` bytes that it could have."""
    return end - size >= (LEAST_IN_FILE_SYSTEM if volume.kind in EXT else LEAST)


def file_system_size(volume: Volume, root: Root) -> int | None:
    """What the file system believes its device to have, in bytes; None where it cannot be seen."""
    try:
        if volume.kind in EXT:
            return _ext_size(root.outside(f"/dev/{volume.device}"))
        if volume.kind == "xfs":
            return _xfs_size(root.outside(volume.mount))
        if volume.kind == "btrfs":
            return _btrfs_size(root.outside(volume.mount))
    except OSError:
        return None
    return None


def _partition(volume: Volume, root: Root) -> Volume:
    """The room between the end of the partition and what comes next."""
    disk = f"/sys/class/block/{volume.disk}"
    sectors = _number(root, f"{disk}/size")
    volume = volume._replace(disk_sectors=sectors)
    start = _number(root, f"{disk}/{volume.device}/start")
    limit = sectors * SECTOR
    table = _table(volume.disk, root)
    if table == "dos":
        if volume.number > 4:
            return volume._replace(note=f"{volume.device} is a logical partition, which is not grown")
        block = _number(root, f"{disk}/queue/logical_block_size") or SECTOR
        limit = min(limit, 2**32 * block)
    else:
        limit -= GPT_END
    for name in root.listdir(disk):
        other = _number(root, f"{disk}/{name}/start")
        if other > start and _number(root, f"{disk}/{name}/partition"):
            limit = min(limit, other * SECTOR)
    return volume._replace(room=max(0, limit - start * SECTOR - volume.size))


def _table(disk: str, root: Root) -> str:
    """Which partition table a disk has; "gpt" where it may not be read."""
    try:
        block = _number(root, f"/sys/class/block/{disk}/queue/logical_block_size") or SECTOR
        head = _bytes_at(root.outside(f"/dev/{disk}"), 0, 2 * block)
    except OSError:
        return "gpt"
    if head[block : block + 8] == b"EFI PART" or head[510:512] != b"\x55\xaa":
        return "gpt"
    return "dos"


def _mount_entry(mount: str, root: Root) -> tuple[str, str, str, list[str]] | None:
    """Device number, type, source and options; the last of several on one place is the one that is seen."""
    found: Optional[tuple[str, str, str, list[str]]] = None
    text = (root.read("/proc/self/mountinfo") or b"").decode("utf-8", "surrogateescape")
    for line in text.split("\n"):
        left, dash, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if dash and len(fields) >= 6 and len(rest) >= 3 and _unescaped(fields[4]) == mount:
            found = (fields[2], rest[0], _unescaped(rest[1]), [*fields[5].split(","), *rest[2].split(",")])
    return found


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _number(root: Root, path: str) -> int:
    text = (root.read(path) or b"").strip()
    return int(text) if text.isdigit() else 0


def _bytes_at(path: str, offset: int, length: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)
    finally:
        os.close(descriptor)


def _ext_size(device: str) -> int | None:
    """From the superblock (kernel documentation, ext4/super.rst): s_blocks_count_lo/_hi, s_log_block_size, s_magic."""
    block = _bytes_at(device, 1024, 1024)
    if block[0x38:0x3A] != b"\x53\xef":
        return None
    low, high = int.from_bytes(block[4:8], "little"), int.from_bytes(block[0x150:0x154], "little")
    if not int.from_bytes(block[0x60:0x64], "little") & 0x80:  # INCOMPAT_64BIT
        high = 0
    return (low | high << 32) * (1024 << int.from_bytes(block[0x18:0x1C], "little"))


def _ioctl(path: str, request: int, argument: bytes) -> bytes:
    import fcntl  # delayed: first boots only

    answer = bytearray(argument)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, request, answer)
    finally:
        os.close(descriptor)
    return bytes(answer)


def _xfs_size(mount: str) -> int:
    """struct xfs_fsop_geom_v1: blocksize first, datablocks at 32. The superblock on the disk may be older."""
    geometry = _ioctl(mount, XFS_IOC_FSGEOMETRY_V1, bytes(112))
    return int.from_bytes(geometry[0:4], "little") * int.from_bytes(geometry[32:40], "little")


def _btrfs_size(mount: str) -> int:
    """struct btrfs_ioctl_dev_info_args of device 1: devid, uuid, bytes_used, total_bytes."""
    device = _ioctl(mount, BTRFS_IOC_DEV_INFO, (1).to_bytes(8, "little") + bytes(4088))
    return int.from_bytes(device[32:40], "little")
