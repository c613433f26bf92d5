"""A seed in an image file, read without root and without a mount: ISO 9660 by pycdlib, vfat by mtools."""

from __future__ import annotations

from collections.abc import Sequence

from guestinit.system import drive
from guestinit.system.media import Contents

KNOWN_BY = (
    # What else people point at by mistake: offset, magic, what to do.
    (0, b"QFI\xfb", "is a qcow2 image: make it raw first (qemu-img convert -O raw)"),
    (0, b"\x1f\x8b", "is compressed with gzip: unpack it first"),
    (0, b"#cloud-config", "is a single document: give the directory that holds it, or `guestinit check` the file"),
)


def read(path: str, names: Sequence[str]) -> Contents:
    """The files of these names in the root directory of an image; the reason names the path."""
    try:
        with open(path, "rb") as file:
            head = file.read(32774)
            size = file.seek(0, 2)
    except OSError as error:
        return Contents({}, f"{path}: {error.strerror}")
    if head[32769:32774] == b"CD001":  # ECMA-119, 8.4.2: the first volume descriptor stands in sector 16
        from guestinit.system import iso

        return iso.read(path, names)
    if head[510:512] == b"\x55\xaa" and b"FAT" in (head[54:57], head[82:85]):
        if size < _vfat_size(head):
            return Contents({}, f"{path}: the image ends before its file system does")
        return _read_vfat(path, names)
    for offset, magic, advice in KNOWN_BY:
        if head[offset:].startswith(magic):
            return Contents({}, f"{path}: {advice}")
    if not head:
        return Contents({}, f"{path}: is empty")
    return Contents({}, f"{path}: neither an ISO 9660 nor a vfat image; a seed may also be a directory")


def _vfat_size(head: bytes) -> int:
    """Bytes of the file system, by the BIOS parameter block; mtools takes what is missing for zeros."""
    sectors = int.from_bytes(head[19:21], "little") or int.from_bytes(head[32:36], "little")
    return sectors * int.from_bytes(head[11:13], "little")


def _read_vfat(path: str, names: Sequence[str]) -> Contents:
    import os
    import subprocess

    labels = drive.probe(path)[1]
    # mtools complains of images whose size is no whole number of tracks, which all tools but itself make.
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    try:
        argv: tuple[str, ...] = ("mdir", "-b", "-i", path, "::/")
        listing = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
        if listing.returncode:
            return Contents({}, f"{path}: mdir: {listing.stderr.decode('utf-8', 'replace').strip()}", labels)
        entries = [line[len("::/") :] for line in listing.stdout.decode("utf-8", "replace").splitlines()]
        files: dict[str, tuple[str, bytes]] = {}
        left = drive.SIZE_LIMIT
        for name in names:
            entry = drive.choose_entry(name, entries)
            if not entry:
                continue
            argv = ("mtype", "-i", path, f"::/{entry}")
            with subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                assert process.stdout is not None
                content = process.stdout.read(left + 1)
                process.stdout.close()
            if len(content) > left:
                return Contents({}, f"{path}: {entry}: {drive.TOO_LARGE}", labels)
            if process.returncode:
                return Contents({}, f"{path}: {entry}: mtype cannot read it", labels)
            files[name] = (entry, content)
            left -= len(content)
    except FileNotFoundError:
        return Contents({}, f"{path}: a vfat image, which is read with mtools, which is not installed", labels)
    except subprocess.TimeoutExpired:
        return Contents({}, f"{path}: mdir does not end", labels)
    return Contents(files, "", labels)
