"""`growpart` and `resize_rootfs`: partition and file system to the end of the disk.

On every boot, since disks grow later too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from guestinit.model.accounts import Accounts
from guestinit.model.action import EVERY_BOOT, LATE, Because, Grow, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import FALSE, TRUE, Fields, Key
from guestinit.model.problem import Position
from guestinit.model.seed import MetaData
from guestinit.model.value import SCALAR

KEYS = (
    Key("growpart", "mapping", "How partitions grow: without it the root does, `growpart: false` prevents it."),
    Key("resize_rootfs", "true, false or noblock", "Whether file systems grow too; `noblock` is what always happens."),
)

PART_KEYS = (
    Key("mode", "auto, growpart or off", "`off` leaves partitions as they are."),
    Key("devices", "list of mount points", "Which partitions grow, by where they are mounted; the default is [/]."),
    Key("ignore_growroot_disabled", "true or false", "Grow even where /etc/growroot-disabled exists."),
)


class Mount(NamedTuple):
    """One place to grow, and where it was asked for."""

    path: str
    at: Optional[Position] = None


class Section(NamedTuple):
    """What grows: by default the root."""

    partition: bool = True
    file_system: bool = True
    mounts: tuple[Mount, ...] = (Mount("/"),)
    ignore_switch: bool = False  # /etc/growroot-disabled does not count


def read(fields: Fields, meta: MetaData) -> Section:
    """Both keys; what is wrong is reported and the default stays."""
    section = Section(file_system=_resize(fields))
    value = fields.raw("growpart")
    if value is None:
        return section
    if value.kind == SCALAR and value.text.lower() in (*TRUE, *FALSE):
        return section._replace(partition=value.text.lower() in TRUE)
    part = fields.mapping("growpart", PART_KEYS)
    if part is None:
        return section
    ignore = part.flag("ignore_growroot_disabled")
    return section._replace(
        partition=_mode(part), mounts=_mounts(part), ignore_switch=ignore is not None and ignore.value
    )


def _resize(fields: Fields) -> bool:
    value = fields.raw("resize_rootfs")
    if value is None or (value.kind == SCALAR and value.text.lower() == "noblock"):
        return True
    if value.kind == SCALAR and value.text.lower() in (*TRUE, *FALSE):
        return value.text.lower() in TRUE
    fields.wrong("resize_rootfs", value, "true, false or noblock", "taken as true")
    return True


def _mode(part: Fields) -> bool:
    value = part.raw("mode")
    if value is None:
        return True
    word = value.text.lower() if value.kind == SCALAR else ""
    if word in ("auto", "growpart", "gpart", *TRUE):
        return True
    if word in FALSE:
        return False
    part.wrong("mode", value, "auto, growpart or off", "taken as auto")
    return True


def _mounts(part: Fields) -> tuple[Mount, ...]:
    given = part.texts("devices")
    if given is None:
        return (Mount("/"),)
    mounts: dict[str, Mount] = {}
    for device in given:
        path = "/" + device.value.strip("/")
        usable = device.value.startswith("/") and ".." not in path.split("/") and "\0" not in path
        if not usable or path.startswith("/dev/"):
            part.problems.error(
                device.at, part.path_of("devices"), "expected a mount point such as /var",
                "left out; a device grows by the place where it is mounted", len(device.value),
            )  # fmt: skip
        elif path not in mounts:
            mounts[path] = Mount(path, device.at)
    return tuple(mounts.values())


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """A step for each mount point, in the late stage, which delays nobody."""
    partition = section.partition and (section.ignore_switch or "/etc/growroot-disabled" not in facts.paths)
    if not partition and not section.file_system:
        return
    what, place = ("the root", "disk") if partition else ("the root's file system", "partition")
    for mount in section.mounts:
        yield Step(
            id=f"grow:{mount.path}",
            module="grow",
            action=Grow(mount.path, partition, section.file_system),
            because=Because(mount.at) if mount.at else Because(None, f"{what} grows to the end of its {place}"),
            stage=LATE,
            frequency=EVERY_BOOT,
        )
