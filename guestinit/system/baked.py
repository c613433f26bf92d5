"""A seed directory that whoever built the image left in it, as a tree."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guestinit.system import tree

if TYPE_CHECKING:
    from guestinit.system.root import Root


class Inside:
    """A directory of a root (tree.Tree): links are followed, and lead nowhere outside."""

    def __init__(self, root: Root, directory: str) -> None:
        self._root = root
        self._directory = directory

    def entries(self, place: str) -> Sequence[str]:
        """As `Tree` says."""
        return self._root.listdir(f"{self._directory}/{place}")

    def is_file(self, place: str) -> bool:
        """As `Tree` says."""
        status = self._root.stat(f"{self._directory}/{place}")
        return status is not None and stat.S_ISREG(status.st_mode)

    def read(self, place: str, limit: int) -> tuple[bytes, str]:
        """As `Tree` says."""
        path = f"{self._directory}/{place}"
        status = self._root.stat(path)
        if status is not None and status.st_size > limit:
            return b"", tree.TOO_LARGE
        try:
            content = self._root.read(path)
        except OSError as error:
            return b"", error.strerror or str(error)
        return (b"", "a link that leads nowhere") if content is None else (content, "")
