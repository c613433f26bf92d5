"""Looks through the whole disk of a machine that is off: which files hold a text, wherever they are.

Every byte of the disk is read; a block that holds the text counts if a file (or the file system itself) has it. What
lies in free blocks is left over from deleted files, which is no secret kept: an administrator who needs more encrypts.
"""

from __future__ import annotations

import mmap
import os
import re
import subprocess
from collections.abc import Sequence

from tests.vm.guest import Machine
from tests.vm.image import PARTITION_START

BLOCK = 4096
CHUNK = 1 << 24
# The template's own disk has this, in the one file that it belongs to.
THERE, WHERE = "Description=Facts for the test that booted this machine", "/etc/systemd/system/vmtest-facts.service"


def search(machine: Machine, texts: Sequence[str]) -> dict[str, list[str]]:
    """By text: the paths of the files that hold it. Texts that are nowhere are left out."""
    raw = os.path.join(machine.directory, "search.raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", machine.disk, raw], check=True)
    try:
        found: dict[str, list[str]] = {}
        for text, blocks in _blocks(raw, [*texts, THERE]).items():
            paths = _owners(raw, blocks)
            if paths:
                found[text] = paths
        assert found.pop(THERE, None) == [WHERE], "what is on every disk was not found: the search proves nothing"
        return found
    finally:
        os.unlink(raw)


def _blocks(raw: str, texts: Sequence[str]) -> dict[str, set[int]]:
    """The blocks of the root file system in which each text begins."""
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in texts))
    found: dict[str, set[int]] = {}
    overlap = max(len(text) for text in texts)
    with open(raw, "rb") as disk, mmap.mmap(disk.fileno(), 0, prot=mmap.PROT_READ) as content:
        size, position = len(content), 0
        while position < size:
            try:
                position = os.lseek(disk.fileno(), position, os.SEEK_DATA)
            except OSError:  # only a hole is left
                break
            end = os.lseek(disk.fileno(), position, os.SEEK_HOLE)
            while position < end:
                stop = min(position + CHUNK, end)
                for match in pattern.finditer(content[position : min(stop + overlap, size)]):
                    block = (position + match.start() - PARTITION_START) // BLOCK
                    found.setdefault(match.group().decode(), set()).add(block)
                position = stop
    return found


def _owners(raw: str, blocks: set[int]) -> list[str]:
    """What the blocks belong to, without those that are free."""
    volume = f"{raw}?offset={PARTITION_START}"
    inodes = set()
    for line in _debugfs(volume, "icheck " + " ".join(str(block) for block in sorted(blocks))):
        block, _, owner = line.partition("\t")
        if block.isdigit() and owner.isdigit():
            inodes.add(owner)
    if not inodes:
        return []
    names = {}
    for line in _debugfs(volume, "ncheck " + " ".join(sorted(inodes))):
        inode, _, path = line.partition("\t")
        if inode.isdigit():
            names[inode] = path
    return sorted(names.get(inode, f"inode {inode}") for inode in inodes)


def _debugfs(volume: str, command: str) -> list[str]:
    done = subprocess.run(["debugfs", "-R", command, volume], check=True, capture_output=True, text=True)
    assert "\t" in done.stdout, f"debugfs {command}: {done.stdout}{done.stderr}"
    return done.stdout.splitlines()
