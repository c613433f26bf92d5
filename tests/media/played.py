"""Drives without a kernel that has them: what a machine in a directory is given as its media."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Optional

from guestinit.system import tree
from guestinit.system.media import Contents, Look, Media, Volume

CDROM = Volume("/dev/sr0", "iso9660", ("cidata",), 4 << 20)


class NoDrives(Media):
    """A machine without a drive, which waits for none."""

    def look(self) -> Look:
        return Look((), ())

    def explain(self, look: Look) -> tuple[str, ...]:
        return ()

    def arrivals(self, announced: bool) -> Iterator[None]:
        return iter(())


class Cdrom(NoDrives):
    """A CD-ROM of NoCloud with these files; None: no CD-ROM."""

    def __init__(self, files: Optional[Mapping[str, bytes]]) -> None:
        self.files = files

    def look(self) -> Look:
        return Look((CDROM,) if self.files is not None else (), ())

    def read(self, volume: Volume, names: tree.Names) -> Contents:
        assert self.files is not None
        return Contents({name: (name, self.files[name]) for name in names if name in self.files})


class Directories(NoDrives):
    """Volumes whose trees lie below a directory, by the name of the device: `path/sr0`."""

    def __init__(self, path: Path, *volumes: Volume) -> None:
        self.path = path
        self.volumes = volumes

    def look(self) -> Look:
        return Look(self.volumes)

    def read(self, volume: Volume, names: tree.Names) -> Contents:
        return Contents(*tree.read(tree.Directory(str(self.path / volume.name)), names))
