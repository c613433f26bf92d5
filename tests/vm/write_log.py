"""Reads what QEMU's `blklogwrites` recorded and rebuilds the disk as it was at any moment of the recording.

The format is that of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): one sector
with magic, version, number of entries and sector size; then each entry in a sector of its own (sector, number of
sectors, flags, length of inline data; all little-endian 64 bit), followed by its data.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class Entry(NamedTuple):
    """One recorded request."""

    number: int
    sector: int
    sectors: int
    flags: int
    data_at: int  # where its data begins in the log; a discard and a bare flush have none

    @property
    def is_flush(self) -> bool:
        """Whether everything before this point was on the disk once it was answered."""
        return bool(self.flags & FLUSH)


class WriteLog:
    """A recording. Sectors are `sector_size` bytes."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as log:
            magic, version, self.count, self.sector_size = struct.unpack("<QQQI", log.read(28))
            if magic != MAGIC or version != 1:
                raise ValueError(f"{path} is no record of blklogwrites")
            self.entries = tuple(self._read(log))

    def _read(self, log: BinaryIO) -> Iterator[Entry]:
        at = self.sector_size
        end = os.path.getsize(self.path)
        for number in range(self.count):
            log.seek(at)
            head = log.read(32)
            if len(head) < 32:
                return
            sector, sectors, flags, _ = struct.unpack("<QQQQ", head)
            at += self.sector_size
            data_at = at
            if not flags & DISCARD:
                at += sectors * self.sector_size
            if at > end:  # the recording was cut short inside this entry
                return
            yield Entry(number, sector, sectors, flags, data_at)

    def apply(self, disk: str, entries: Sequence[Entry]) -> None:
        """Do these requests to a raw image."""
        with open(self.path, "rb") as log, open(disk, "r+b") as image:
            for entry in entries:
                size = entry.sectors * self.sector_size
                if not size or entry.flags & MARK:
                    continue
                image.seek(entry.sector * self.sector_size)
                if entry.flags & DISCARD:
                    _punch(image, entry.sector * self.sector_size, size)
                else:
                    log.seek(entry.data_at)
                    image.write(log.read(size))

    def flush_points(self, begin: int, end: int) -> list[int]:
        """Numbers of the flushes whose entries lie between these two offsets of the log."""
        return [entry.number for entry in self.entries if entry.is_flush and begin <= entry.data_at <= end]

    def unflushed_after(self, point: int, chance: random.Random) -> list[Entry]:
        """Some of the writes after a flush: a drive may have kept any of those that no later flush confirmed."""
        kept = []
        for entry in self.entries[point + 1 :]:
            if entry.is_flush:
                break
            if chance.random() < 0.5:
                kept.append(entry)
        return kept


def _punch(image: BinaryIO, at: int, size: int) -> None:
    """Zeroes. A discarded block may read as anything; zeroes are what the emulated disk gives."""
    piece = bytes(1 << 20)
    image.seek(at)
    while size > 0:
        image.write(piece[:size])
        size -= len(piece)
