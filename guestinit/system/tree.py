"""The files of a seed in a tree: a mounted volume, a directory, an image file. An unchanged boot imports this file too.

A name is a path below the top of the tree, `openstack/latest/meta_data.json`. A last part that begins with `*` means
every regular file of that directory whose name ends so, hidden ones excepted: `cloudstack/metadata/*.txt`. Instead of a
name a tuple of trees may be given, the best one first, each a tuple of names: the first tree whose first file is there
is read, or else the last one.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # as typing has it, whose import alone costs half of a bare interpreter's start
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol, Union

    Names = Sequence[Union[str, Sequence[Sequence[str]]]]
    # Name asked for (of `*` the file's own in its place): path in the tree, content.
    Files = dict[str, tuple[str, bytes]]

    class Tree(Protocol):
        """Where files lie. A place is a path below the top: "" or "openstack/" or "openstack/latest/user_data"."""

        def entries(self, place: str) -> Sequence[str]:
            """The names in a directory. Raises OSError if it is none, or cannot be read."""

        def is_file(self, place: str) -> bool:
            """Whether a regular file is there, links apart."""

        def read(self, place: str, limit: int) -> tuple[bytes, str]:
            """A file's content, or why not; TOO_LARGE if it is longer than `limit` bytes."""


# All files of a seed together. The largest that a platform writes is Proxmox VE's 3 MiB (platforms.md 1.1).
SIZE_LIMIT = 16 << 20
TOO_LARGE = "larger than all files of a seed may be together (16 MiB)"
MOST_FILES = 1000  # of one directory; OpenStack's injected files are at most some dozens


def read(tree: Tree, names: Names) -> tuple[Files, str]:
    """The files of these names that are there, and the reason if the tree cannot be read.

    It is all or nothing: half of a seed is none.
    """
    found: Files = {}
    taken: set[str] = set()
    left = SIZE_LIMIT
    walk = _Walk(tree)
    try:
        for name in names:
            for one in (name,) if isinstance(name, str) else walk.best(name):
                for shown, place in walk.find(one):
                    if place in taken:
                        continue  # mangled to eight letters vendor_data2.json looks like vendor_data.json
                    content, reason = tree.read(place, left)
                    if reason:
                        return {}, f"{place}: {reason}"
                    left -= len(content)
                    taken.add(place)
                    found[shown] = (place, content)
    except OSError as error:
        words = error.strerror or str(error)
        return {}, f"{error.filename}: {words}" if error.filename else words
    return found, ""


class _Walk:
    """Finds names in a tree; each directory is listed once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._listed: dict[str, Sequence[str]] = {}

    def best(self, trees: Sequence[Sequence[str]]) -> Sequence[str]:
        """The first tree whose first file is there, or the last one."""
        return next((names for names in trees if self.find(names[0])), trees[-1])

    def find(self, name: str) -> list[tuple[str, str]]:
        """The files that a name means: how each is called, and its place. Each part is chosen tolerantly."""
        place = ""
        *directories, last = name.split("/")
        for directory in directories:
            entry = choose_entry(directory, self._entries(place))
            if not entry:
                return []
            place += entry + "/"
        if not last.startswith("*"):
            entry = choose_entry(last, self._entries(place))
            return [(name, place + entry)] if entry else []
        top = name[: -len(last)]
        files = [
            (top + _unmangled(entry), place + entry)
            for entry in sorted(self._entries(place))
            if not entry.startswith(".") and _unmangled(entry).lower().endswith(last[1:])
        ]
        if len(files) > MOST_FILES:
            raise OSError(0, f"holds more than {MOST_FILES} files", place)
        return [(shown, path) for shown, path in files if self._tree.is_file(path)]

    def _entries(self, place: str) -> Sequence[str]:
        if place not in self._listed:
            self._listed[place] = self._tree.entries(place)
        return self._listed[place]


def choose_entry(name: str, entries: Iterable[str]) -> str:
    """The entry of a listing that is this file: the exact name, else another case, else as plain ISO 9660 mangles it.

    An image made without Rock Ridge and Joliet shows `user-data` as `user_data` (level 3) or `user_dat` (level 1), with
    a version number if the kernel does not strip it (platforms.md 1.1).
    """
    if name in entries:
        return name
    folded: dict[str, str] = {}
    for entry in sorted(entries):
        folded.setdefault(_unmangled(entry).lower(), entry)
    stem, dot, extension = name.lower().replace("-", "_").partition(".")
    for spelling in (name.lower(), stem + dot + extension, stem[:8] + dot + extension[:3]):
        if spelling in folded:
            return folded[spelling]
    return ""


def _unmangled(entry: str) -> str:
    """A name without what plain ISO 9660 adds to it: the version number, the dot of an empty extension."""
    return entry.partition(";")[0].rstrip(".")


class Directory:
    """A directory of this machine, or a mounted volume.

    On a volume links are not followed: they could lead out of it, into the files of this machine.
    """

    def __init__(self, path: str, follow_links: bool = False) -> None:
        self._path = path
        self._no_links = 0 if follow_links else os.O_NOFOLLOW

    def entries(self, place: str) -> Sequence[str]:
        """As `Tree` says."""
        try:
            # Place by place from the top, so that no part of the way is a link.
            descriptor = os.open(self._at(place), os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | self._no_links)
            try:
                return os.listdir(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, place) from None

    def is_file(self, place: str) -> bool:
        """As `Tree` says."""
        status = os.stat(self._at(place), follow_symlinks=not self._no_links)
        return stat.S_ISREG(status.st_mode)

    def read(self, place: str, limit: int) -> tuple[bytes, str]:
        """As `Tree` says."""
        path = self._at(place)
        try:
            # A pipe must not make us wait for its writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | self._no_links)
        except OSError as error:
            if self._no_links and os.path.islink(path):
                return b"", "a symbolic link, which is not followed here"
            return b"", error.strerror or str(error)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return b"", "not a regular file"
            content = b""
            while len(content) <= limit:
                piece = os.read(descriptor, limit + 1 - len(content))
                if not piece:
                    return content, ""
                content += piece
            return b"", TOO_LARGE
        except OSError as error:
            return b"", error.strerror or str(error)
        finally:
            os.close(descriptor)

    def _at(self, place: str) -> str:
        return f"{self._path}/{place}".rstrip("/") or "/"
