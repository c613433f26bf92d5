"""A seed in an image file, read without root and without a mount: ISO 9660 by pycdlib, vfat by mtools."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guestinit.system import drive, tree
from guestinit.system.media import Contents

if TYPE_CHECKING:
    from guestinit.system.tree import Names

KNOWN_BY = (
    # What else people point at by mistake: offset, magic, what to do.
    (0, b"QFI\xfb", "is a qcow2 image: make it raw first (qemu-img convert -O raw)"),
    (0, b"\x1f\x8b", "is compressed with gzip: unpack it first"),
    (0, b"#cloud-config", "is a single document: give the directory that holds it, or `guestinit check` the file"),
)


def read(path: str, names: Names) -> Contents:
    """The files of these names in an image; the reason names the path."""
    try:
        with open(path, "rb") as file:
            head = file.read(32774)
            size = file.seek(0, 2)
    except OSError as error:
        return Contents({}, f"{path}: {error.strerror}")
    if _is_iso(head):
        from guestinit.system import iso

        return iso.read(path, names)
    if _is_vfat(head):
        if size < _vfat_size(head):
            return Contents({}, f"{path}: the image ends before its file system does")
        return _read_vfat(path, names)
    for offset, magic, advice in KNOWN_BY:
        if head[offset:].startswith(magic):
            return Contents({}, f"{path}: {advice}")
    if not head:
        return Contents({}, f"{path}: is empty")
    return Contents({}, f"{path}: neither an ISO 9660 nor a vfat image; a seed may also be a directory")


def is_image(path: str) -> bool:
    """Whether a file is an image that can be read here, whatever its name is."""
    try:
        with open(path, "rb") as file:
            head = file.read(32774)
    except OSError:
        return False  # whoever reads it says why
    return _is_iso(head) or _is_vfat(head)


def _is_iso(head: bytes) -> bool:
    return head[32769:32774] == b"CD001"  # ECMA-119, 8.4.2: the first volume descriptor stands in sector 16


def _is_vfat(head: bytes) -> bool:
    return head[510:512] == b"\x55\xaa" and b"FAT" in (head[54:57], head[82:85])


def _vfat_size(head: bytes) -> int:
    """Bytes of the file system, by the BIOS parameter block; mtools takes what is missing for zeros."""
    sectors = int.from_bytes(head[19:21], "little") or int.from_bytes(head[32:36], "little")
    return sectors * int.from_bytes(head[11:13], "little")


def _read_vfat(path: str, names: Names) -> Contents:
    import shutil

    labels = drive.probe(path)[1]
    if shutil.which("mdir") is None:
        return Contents({}, f"{path}: a vfat image, which is read with mtools, which is not installed", labels)
    files, reason = tree.read(_Vfat(path), names)
    return Contents(files, f"{path}: {reason}" if reason else "", labels)


class _Vfat:
    """The tree of a vfat image (tree.Tree), by mdir(1) and mtype(1)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._directories: set[str] = set()
        # mtools complains of images whose size is no whole number of tracks, which all tools but itself make.
        self._environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}

    def entries(self, place: str) -> Sequence[str]:
        """As `Tree` says."""
        import subprocess

        if place and place not in self._directories:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), place)
        argv = ("mdir", "-b", "-i", self._path, f"::/{place}")
        try:
            listing = subprocess.run(
                argv, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
            )
        except subprocess.TimeoutExpired:
            raise OSError(errno.ETIMEDOUT, "mdir does not end", place) from None
        if listing.returncode:
            raise OSError(errno.EIO, f"mdir: {listing.stderr.decode('utf-8', 'replace').strip()}", place)
        # "::/openstack/latest/", with a slash behind directories
        paths = [line[len("::/") :] for line in listing.stdout.decode("utf-8", "replace").splitlines()]
        self._directories.update(path for path in paths if path.endswith("/"))
        return [path[len(place) :].rstrip("/") for path in paths]

    def is_file(self, place: str) -> bool:
        """As `Tree` says."""
        return f"{place}/" not in self._directories

    def read(self, place: str, limit: int) -> tuple[bytes, str]:
        """As `Tree` says."""
        import subprocess

        argv = ("mtype", "-i", self._path, f"::/{place}")
        with subprocess.Popen(
            argv, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            content = process.stdout.read(limit + 1)
            process.stdout.close()
        if len(content) > limit:
            return b"", tree.TOO_LARGE
        return (b"", "mtype cannot read it") if process.returncode else (content, "")
