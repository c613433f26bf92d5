"""Files that a program writes anew with what they held already stay the files that they were.

systemd-networkd tells by inode and time whether it has read a file: without this it would configure every interface
anew each time that netplan generates all of its files.
"""

from __future__ import annotations

import os
import stat


def keep(directory: str) -> str:
    """Take hold of all files in a directory, before the program runs. Returns where: "" if the directory is absent."""
    if not os.path.isdir(directory):
        return ""
    hold = f"{directory}.guestinit-kept"  # beside it, since links do not leave a file system
    _drop(hold)
    os.mkdir(hold, 0o700)
    for name in os.listdir(directory):
        if stat.S_ISREG(os.lstat(f"{directory}/{name}").st_mode):
            os.link(f"{directory}/{name}", f"{hold}/{name}")
    return hold


def put_back(hold: str, directory: str) -> None:
    """After it has run: what holds the same as before is the same file again."""
    if not hold:
        return
    for name in os.listdir(hold):
        if _is_alike(f"{hold}/{name}", f"{directory}/{name}"):
            os.rename(f"{hold}/{name}", f"{directory}/{name}")
    _drop(hold)


def _is_alike(first: str, second: str) -> bool:
    """Whether these are two files with one content, mode and owner."""
    try:
        one, other = os.lstat(first), os.lstat(second)
        if (one.st_mode, one.st_uid, one.st_gid, one.st_size) != (
            other.st_mode, other.st_uid, other.st_gid, other.st_size
        ):  # fmt: skip
            return False
        with open(first, "rb") as old, open(second, "rb") as new:
            return one.st_ino != other.st_ino and old.read() == new.read()
    except FileNotFoundError:
        return False


def _drop(hold: str) -> None:
    if os.path.isdir(hold):
        for name in os.listdir(hold):
            os.unlink(f"{hold}/{name}")
        os.rmdir(hold)
