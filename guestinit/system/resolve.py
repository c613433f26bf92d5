"""Finding a path inside a root: one component at a time, each opened from the directory before it.

Nothing is ever looked up by its whole name, so neither a link nor a directory that is exchanged meanwhile leads out of
the root (the same as openat2(2) with RESOLVE_IN_ROOT, which Python cannot call). An absolute link starts again at the
root, and ".." stops there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Optional

from guestinit.system.place import Place, Unsafe, is_trusted, name_path

# Makes a missing directory: (open parent, name, its path inside the root).
Make = Callable[[int, str, str], None]

MAX_LINKS = 40  # as in the kernel


def find(root: str, path: str, follow: bool = True, make: Optional[Make] = None) -> Place:
    """The place of `path` inside the directory `root`.

    `follow`: if the last component is a link, go where it leads. `make` makes a missing directory on the way; without
    it a missing one raises FileNotFoundError, and NotADirectoryError or OSError (ELOOP) mean what they do elsewhere.
    """
    try:
        unusable = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        unusable = True
    if unusable:
        raise OSError(errno.EINVAL, "not a name that a file can have", repr(path))
    walk = _Walk(root, path)
    try:
        return walk.go(follow, make)
    except OSError as error:
        name_path(error, path)
        raise
    finally:
        walk.close()


class _Walk:
    """The directories that are open on the way from the root down."""

    def __init__(self, root: str, path: str) -> None:
        self.path = path
        self.names: list[str] = []
        self.pending = _split(path)[::-1]
        self.links = 0
        self.link_owner: Optional[int] = None
        self.open = [os.open(root, os.O_PATH | os.O_DIRECTORY)]

    def close(self) -> None:
        while self.open:
            os.close(self.open.pop())

    def go(self, follow: bool, make: Optional[Make]) -> Place:
        while self.pending:
            name = self.pending.pop()
            if name == "..":
                self._up()
                continue
            here = self.open[-1]
            try:
                info = os.stat(name, dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                if not self.pending:
                    return self._place(name, None)
                if make is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path) from None
                self._make(name, make)
                self.pending.append(name)
                continue
            if stat.S_ISLNK(info.st_mode) and (self.pending or follow):
                self._follow(name, info)
            elif not self.pending:
                return self._place(name, info)
            else:
                # Exchanged for a link since the look above: O_NOFOLLOW makes this an error, not a detour.
                self.open.append(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here))
                self.names.append(name)
        return self._place(".", os.stat(self.open[-1]))

    def _up(self) -> None:
        if len(self.open) > 1:
            os.close(self.open.pop())
            self.names.pop()

    def _follow(self, name: str, info: os.stat_result) -> None:
        self.links += 1
        if self.links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self.path)
        owner = os.stat(self.open[-1]).st_uid
        if is_trusted(owner):
            owner = info.st_uid  # a user's own link in /tmp
        if not is_trusted(owner):
            if self.link_owner not in (None, owner):
                raise Unsafe(self.path, owner)
            self.link_owner = owner
        target = os.readlink(name, dir_fd=self.open[-1])
        if target.startswith("/"):
            while len(self.open) > 1:
                self._up()
        self.pending.extend(_split(target)[::-1])

    def _make(self, name: str, make: Make) -> None:
        here = self.open[-1]
        if self.link_owner is not None and os.stat(here).st_uid != self.link_owner:
            raise Unsafe(self.path, self.link_owner)
        make(here, name, "/" + "/".join((*self.names, name)))

    def _place(self, name: str, info: Optional[os.stat_result]) -> Place:
        path = "/" + "/".join(self.names if name == "." else (*self.names, name))
        place = Place(self.open.pop(), name, info, path, self.link_owner)
        self.close()
        return place


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
