"""ISO 9660 image files, read with pycdlib: without root, and where the kernel knows no iso9660."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guestinit.system import tree
from guestinit.system.media import Contents

if TYPE_CHECKING:
    from guestinit.system.tree import Names

SECTOR = 2048
MISSING = (
    "an ISO image is read with pycdlib, which is not installed"
    " (package python3-pycdlib in Debian and Fedora, pycdlib on PyPI)"
)


def read(path: str, names: Names) -> Contents:
    """The files of these names in an image; the reason names the path.

    Names as the kernel shows them: Rock Ridge if there is any, else Joliet, else plain ISO 9660.
    """
    try:
        import pycdlib  # only here, and only recommended: on a booted guest the kernel mounts the drive
    except ImportError:
        return Contents({}, f"{path}: {MISSING}")
    image = pycdlib.PyCdlib()
    try:
        image.open(path)
        try:
            labels = (_label(image),)
            files, reason = tree.read(_Image(image, os.path.getsize(path)), names)
        finally:
            image.close()
    except (pycdlib.pycdlibexception.PyCdlibException, OSError) as error:
        return Contents({}, f"{path}: {error}")
    except Exception as error:
        # It unpacks what it finds, so a damaged image makes it raise what unpacking raises: struct.error, IndexError.
        return Contents({}, f"{path}: damaged ({type(error).__name__}: {error})")
    return Contents(files, f"{path}: {reason}" if reason else "", labels)


def _label(image: Any) -> str:
    return str(image.pvd.volume_identifier.decode("utf-8", "replace")).rstrip(" \0")


class _Image:
    """The tree of an open image (tree.Tree)."""

    def __init__(self, image: Any, size: int) -> None:
        self._image = image
        self._size = size  # of the image file, in bytes
        self._kind = _kind_of_path(image)
        self._records: dict[str, Any] = {}  # by place, of all directories that were listed

    def entries(self, place: str) -> Sequence[str]:
        """As `Tree` says."""
        if place and not self._records[place.rstrip("/")].is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), place)
        names = []
        for record in self._image.list_children(**{self._kind: "/" + place.rstrip("/")}):
            if record.is_dot() or record.is_dotdot():
                continue
            name = self._name(record)
            names.append(name)
            self._records[place + name] = record
        return names

    def is_file(self, place: str) -> bool:
        """As `Tree` says."""
        record = self._records[place]
        return bool(record.is_file()) and not (record.rock_ridge is not None and record.rock_ridge.is_symlink())

    def read(self, place: str, limit: int) -> tuple[bytes, str]:
        """As `Tree` says."""
        record = self._records[place]
        if not self.is_file(place):
            return b"", "not a regular file"
        length = record.get_data_length()
        if length > limit:
            return b"", tree.TOO_LARGE
        # pycdlib shortens a file that reaches beyond the end of the image, without a word.
        if record.extent_location() * SECTOR + length == self._size < self._image.pvd.space_size * SECTOR:
            return b"", "the image ends before the file does"
        content = io.BytesIO()
        path = self._image.full_path_from_dirrecord(record, rockridge=record.rock_ridge is not None)
        self._image.get_file_from_iso_fp(content, **{self._kind: path})
        return content.getvalue(), ""

    def _name(self, record: Any) -> str:
        if self._kind == "rr_path":
            return str(record.rock_ridge.name().decode("utf-8", "replace"))
        encoding = "utf-16-be" if self._kind == "joliet_path" else "utf-8"
        return str(record.file_identifier().decode(encoding, "replace"))


def _kind_of_path(image: Any) -> str:
    return "rr_path" if image.has_rock_ridge() else "joliet_path" if image.has_joliet() else "iso_path"
