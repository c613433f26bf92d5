"""Where seeds lie: volumes on drives, image files, directories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from guestinit.system import drive

if TYPE_CHECKING:
    from guestinit.system.root import Root
    from guestinit.system.tree import Names


class Volume(NamedTuple):
    """A file system on a drive, as its superblock says."""

    device: str  # "/dev/sr0"
    file_system: str  # "iso9660" or "vfat"
    labels: tuple[str, ...]  # the file system's own; of vfat also the boot sector's, where it differs (Xen Orchestra)
    size: int  # of the device, in bytes

    @property
    def name(self) -> str:
        """The device as people read it in a list: "sr0"."""
        return self.device.rpartition("/dev/")[2]

    @property
    def label(self) -> str:
        """The file system's label, or an empty text."""
        return self.labels[0] if self.labels else ""

    def has_label(self, label: str) -> bool:
        """Whether it carries this label, in any case."""
        return bool(drive.matching(self.labels, label))


class Look(NamedTuple):
    """One look at all drives."""

    volumes: tuple[Volume, ...]  # in the order in which they are to be tried (drive.rank)
    unread: tuple[str, ...] = ()  # drives that did not answer, "sr0: no answer within 2 s"


class Contents(NamedTuple):
    """What was read from one place."""

    files: dict[str, tuple[str, bytes]]  # name asked for (tree.py) -> its path there, its content
    reason: str = ""  # why nothing could be read
    labels: tuple[str, ...] = ()  # of the volume or the image, where one was asked for by path


class Media:
    """The drives of this machine."""

    def look(self) -> Look:
        """The volumes that could be a seed, without waiting for any."""
        volumes, reasons = drive.volumes()
        return Look(tuple(Volume(*volume) for volume in volumes), tuple(reasons))

    def explain(self, look: Look) -> tuple[str, ...]:
        """Why drives showed nothing in a look, "sr0: No medium found": asked only when there is no seed."""
        # One that did not answer blkid would not answer us, and we have no time limit here.
        answered = {line.partition(":")[0] for line in look.unread} | {volume.name for volume in look.volumes}
        nodes = [(node.rpartition("/dev/")[2], node) for node in drive.optical_drives()]
        words = [(name, drive.complaint(node)) for name, node in nodes if name not in answered]
        return look.unread + tuple(f"{name}: {word}" for name, word in words if word)

    def arrivals(self, announced: bool) -> Iterator[None]:
        """Wait for drives by the rule of `udev.arrivals`; look again each time this yields."""
        from guestinit.system import udev  # delayed: only when a first look found nothing

        yield from udev.arrivals(announced)

    def read(self, volume: Volume, names: Names) -> Contents:
        """The files of these names, from a mount that is gone again when this returns."""
        return Contents(*drive.read_volume(volume.device, volume.file_system, names))

    def read_baked(self, directory: str, root: Root, names: Names) -> Contents:
        """The files of these names in a directory of the machine's root."""
        from guestinit.system import baked, tree  # delayed: few images have such a directory

        return Contents(*tree.read(baked.Inside(root, directory), names))

    def read_path(self, path: str, names: Names) -> Contents:
        """The files of these names in a directory, an image file or a drive that somebody named."""
        import os
        import stat

        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            return Contents({}, f"{path}: {error.strerror}")
        if stat.S_ISDIR(mode):
            files, reason = drive.read_directory(path, names, follow_links=True)
            if not files and not reason and not os.listdir(path):
                reason = "is an empty directory"
            return Contents(files, f"{path}: {reason}" if reason else "")
        if stat.S_ISBLK(mode):
            return self._read_node(path, names)
        if stat.S_ISREG(mode):
            from guestinit.system import image_file  # delayed: only for `--seed FILE`, and it needs Contents

            return image_file.read(path, names)
        return Contents({}, f"{path}: neither a directory nor an image file nor a drive")

    def _read_node(self, path: str, names: Names) -> Contents:
        file_system, labels = drive.probe(path)
        if file_system not in drive.FILE_SYSTEMS:
            complaint = drive.complaint(path)
            return Contents({}, f"{path}: " + (complaint or "holds neither an iso9660 nor a vfat file system"))
        files, reason = drive.read_volume(path, file_system, names)
        return Contents(files, f"{path}: {reason}" if reason else "", labels)
