"""ISO 9660 image files, read with pycdlib: without root, and where the kernel knows no iso9660."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from typing import Any

from guestinit.system import drive
from guestinit.system.media import Contents

SECTOR = 2048
MISSING = (
    "an ISO image is read with pycdlib, which is not installed"
    " (package python3-pycdlib in Debian and Fedora, pycdlib on PyPI)"
)


def read(path: str, names: Sequence[str]) -> Contents:
    """The files of these names in the root directory of an image; the reason names the path.

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
            files, reason = _read_files(image, os.path.getsize(path), names)
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


def _read_files(image: Any, size: int, names: Sequence[str]) -> tuple[dict[str, tuple[str, bytes]], str]:
    records = dict(_root_directory(image))
    files = {}
    left = drive.SIZE_LIMIT
    for name in names:
        entry = drive.choose_entry(name, records)
        if not entry:
            continue
        record = records[entry]
        if not record.is_file() or (record.rock_ridge is not None and record.rock_ridge.is_symlink()):
            return {}, f"{entry}: not a regular file"
        length = record.get_data_length()
        if length > left:
            return {}, f"{entry}: {drive.TOO_LARGE}"
        # pycdlib shortens a file that reaches beyond the end of the image, without a word.
        if record.extent_location() * SECTOR + length == size < image.pvd.space_size * SECTOR:
            return {}, f"{entry}: the image ends before the file does"
        content = io.BytesIO()
        path = image.full_path_from_dirrecord(record, rockridge=record.rock_ridge is not None)
        image.get_file_from_iso_fp(content, **{_kind_of_path(image): path})
        files[name] = (entry, content.getvalue())
        left -= length
    return files, ""


def _kind_of_path(image: Any) -> str:
    return "rr_path" if image.has_rock_ridge() else "joliet_path" if image.has_joliet() else "iso_path"


def _root_directory(image: Any) -> Iterator[tuple[str, Any]]:
    kind = _kind_of_path(image)
    for record in image.list_children(**{kind: "/"}):
        if record.is_dot() or record.is_dotdot():
            continue
        if kind == "rr_path":
            name = record.rock_ridge.name().decode("utf-8", "replace")
        else:
            name = record.file_identifier().decode("utf-16-be" if kind == "joliet_path" else "utf-8", "replace")
        yield name, record
