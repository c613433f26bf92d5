"""The partition under a mount point and its file system, to the end of the disk: growpart(1), systemd-growfs(8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.action import Grow, Step
from guestinit.model.plan import LEFT, MODIFY, UNCHANGED, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, volume

if TYPE_CHECKING:
    from guestinit.system.kinds.volume import Volume
    from guestinit.system.system import System

TIMEOUT = 300.0
GROWFS = ("/usr/lib/systemd/systemd-growfs", "/lib/systemd/systemd-growfs")
# For images without systemd-growfs; the arguments are the device or the mount point.
TOOLS = {
    "ext2": ("resize2fs", "{device}"),
    "ext3": ("resize2fs", "{device}"),
    "ext4": ("resize2fs", "{device}"),
    "xfs": ("xfs_growfs", "{mount}"),
    "btrfs": ("btrfs", "filesystem", "resize", "max", "{mount}"),
}


def observe(step: Step, system: System) -> Change:
    """Whether there is room behind the partition, or in it behind the file system."""
    action = _action(step)
    if not system.live:
        return Change(step, LEFT, note="it needs the running system")
    found = volume.find(action.mount, system.root)
    if isinstance(found, str):
        return Change(step, UNCHANGED, note=found)
    before, after, notes = [], [], [found.note] if found.note else []
    end = found.size
    if action.partition and volume.partition_can_grow(found):
        end = found.size + found.room
        before.append(f"partition {found.device} {_size(found.size)}")
        after.append(f"partition {found.device} {_size(end)}")
    if action.file_system:
        size = volume.file_system_size(found, system.root)
        if size is None:
            notes.append(f"how large the {found.kind} is cannot be seen")
        elif volume.file_system_can_grow(found, size, end):
            before.append(f"{found.kind} on {found.mount} {_size(size)}")
            after.append(f"{found.kind} on {found.mount} {_size(end)}")
    note = ", ".join(notes)
    if not after:
        return Change(step, UNCHANGED, note=note or f"{found.mount} has all of {found.disk}")
    return Change(step, MODIFY, "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after), note)


def apply(change: Change, system: System) -> Done:
    """First the partition, then the file system in it, even if the partition could not grow."""
    action = _action(change.step)
    found = volume.find(action.mount, system.root)
    if isinstance(found, str):
        return Done(found)
    problem = ""
    if action.partition and volume.partition_can_grow(found):
        problem = _grow_partition(found, system)
        after = volume.find(action.mount, system.root)
        found = after if not isinstance(after, str) else found
    if action.file_system:
        size = volume.file_system_size(found, system.root)
        if size is None or volume.file_system_can_grow(found, size, found.size):
            _grow_file_system(found, system)
    if problem:
        raise Failed(problem, usable=True)
    return Done(f"{found.mount} is on {_size(found.size)}")


def disk_size(action: Grow, system: System) -> tuple[str, int] | None:
    """The kernel's name of the disk below the mount point, and its sectors of 512 bytes."""
    found = volume.find(action.mount, system.root) if system.live else ""
    return None if isinstance(found, str) else (found.disk, found.disk_sectors)


def _grow_partition(found: Volume, system: System) -> str:
    """Returns what went wrong, or nothing."""
    finished = system.process.run(("growpart", f"/dev/{found.disk}", str(found.number)), timeout=TIMEOUT)
    if finished.code in (0, 1):  # 1: NOCHANGE
        return ""
    if finished.code == 127:
        return "growpart is not installed (package cloud-guest-utils or cloud-utils-growpart)"
    return finished.reason("growpart")


def _grow_file_system(found: Volume, system: System) -> None:
    said = f"no tool is known that grows {found.kind}"
    programs = [(path, found.mount) for path in GROWFS if system.root.exists(path)][:1]
    tool = TOOLS.get(found.kind)
    words = {"device": f"/dev/{found.device}", "mount": found.mount}
    commands = [*programs, *((tuple(word.format(**words) for word in tool),) if tool else ())]
    for argv in commands:
        finished = system.process.run(argv, timeout=TIMEOUT)
        if finished.code == 0:
            return
        said = finished.reason(argv[0])
    raise Failed(said, usable=True)


def _size(amount: int) -> str:
    """Bytes for people."""
    return f"{amount / 2**30:.2f} GiB" if amount >= 2**30 else f"{amount / 2**20:.0f} MiB"


def _action(step: Step) -> Grow:
    assert isinstance(step.action, Grow)
    return step.action
