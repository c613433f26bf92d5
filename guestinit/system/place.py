"""A name in an open directory, and what can be done to it.

What is known of a place holds for this very directory, wherever it is moved to: a check and its use cannot be separated
by somebody who exchanges a directory or a link meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Optional


class Unsafe(OSError):
    """A link that an ordinary user controls leads to something that is not theirs: never followed for a change."""

    def __init__(self, path: str, owner: int) -> None:
        super().__init__(errno.ELOOP, f"a link of uid {owner} leads to what is another's; it is not followed", path)


class Place:
    """A name in an open directory."""

    __slots__ = ("directory", "info", "link_owner", "name", "path")

    def __init__(
        self, directory: int, name: str, info: Optional[os.stat_result], path: str, link_owner: Optional[int]
    ) -> None:
        self.directory = directory  # O_PATH; closed on exit
        self.name = name  # "." for the directory itself
        self.info = info  # of the name, not following a link; None: it is not there
        self.path = path  # inside the root, all links of its directories resolved
        self.link_owner = link_owner  # an ordinary user whose link was followed on the way

    def __enter__(self) -> Place:
        return self

    def __exit__(self, _: object, error: Optional[BaseException], __: object) -> None:
        os.close(self.directory)
        if isinstance(error, OSError):
            name_path(error, self.path)

    def open(self, flags: int, mode: int = 0o600) -> int:
        """Open the name itself; never through a link, and never waiting for the other end of a pipe."""
        return os.open(self.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode, dir_fd=self.directory)

    def look(self) -> Optional[os.stat_result]:
        """The name as it is now, not following a link."""
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def user(self) -> Optional[int]:
        """The ordinary user who owns the directory and can exchange what is in it at any moment, if one does."""
        owner = os.stat(self.directory).st_uid
        return None if is_trusted(owner) else owner

    def refuse_foreign(self) -> None:
        """After a user's link: go on only if the directory and what is there already are that user's own."""
        if self.link_owner is None:
            return
        theirs = os.stat(self.directory).st_uid == self.link_owner
        if not theirs or (self.info is not None and self.info.st_uid != self.link_owner):
            raise Unsafe(self.path, self.link_owner)

    def refuse_planted(self) -> None:
        """In a user's directory: what is not the user's own may be another's secret, put there to be copied.

        A file of root that all may read and that has no second name is taken: an administrator's editor made it.
        """
        user = self.user()
        if user is None or self.info is None or self.info.st_uid == user:
            return
        info = self.info
        if not (is_trusted(info.st_uid) and info.st_nlink == 1 and info.st_mode & stat.S_IROTH):
            raise PermissionError(errno.EPERM, f"it is uid {info.st_uid}'s, in a directory of uid {user}", self.path)

    def read(self) -> bytes:
        """The content of a regular file."""
        descriptor = self.open(os.O_RDONLY)
        try:
            info = os.stat(descriptor)
            require_regular(info, self.path)
            same = self.info is None or (info.st_dev, info.st_ino) == (self.info.st_dev, self.info.st_ino)
            if not same and self.user() is not None:
                raise OSError(errno.EAGAIN, "exchanged while it was being read", self.path)
            chunks: list[bytes] = []
            while True:
                chunk = os.read(descriptor, 1 << 20)
                if not chunk:
                    return b"".join(chunks)
                chunks.append(chunk)
        finally:
            os.close(descriptor)

    def write_in_place(self, content: bytes) -> None:
        """Write into the file that is there: what cannot be exchanged."""
        descriptor = self.open(os.O_WRONLY | os.O_TRUNC)
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Bring the directory's entries to the disk."""
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.directory)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove_siblings(self, prefix: str) -> None:
        """Remove everything in the directory whose name begins so."""
        try:
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.directory)
        except PermissionError:
            return  # may be entered, not listed
        try:
            for name in os.listdir(descriptor):
                if name.startswith(prefix):
                    remove_tree(descriptor, name)
        finally:
            os.close(descriptor)


def name_path(error: OSError, path: str) -> None:
    """Calls that are relative to an open directory report a bare name, or none: people want the path."""
    if error.errno is not None and not str(error.filename or "").startswith("/"):
        error.filename = path


def is_trusted(uid: int) -> bool:
    """Whether files of this uid are the administrator's: root's, or one's own (a dry run without root)."""
    return uid in (0, os.geteuid())


def require_regular(info: os.stat_result, path: str) -> None:
    """Raise OSError for anything but an ordinary file: a device or a pipe must be neither read nor replaced."""
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a directory is in the way", path)
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "not an ordinary file", path)


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything, however many calls it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def own(descriptor: int, mode: int, uid: Optional[int], gid: Optional[int]) -> None:
    """Owner first: chown(2) clears the set-id bits. Only what differs, so that ordinary users can work on their own."""
    info = os.stat(descriptor)
    uid = info.st_uid if uid is None else uid
    gid = info.st_gid if gid is None else gid
    if (uid, gid) != (info.st_uid, info.st_gid):
        os.chown(descriptor, uid, gid)
    os.fchmod(descriptor, mode)


def remove(directory: int, name: str, info: os.stat_result) -> None:
    """Remove a file, a link itself, or an empty directory."""
    if stat.S_ISDIR(info.st_mode):
        os.rmdir(name, dir_fd=directory)
    else:
        os.unlink(name, dir_fd=directory)


def remove_tree(directory: int, name: str) -> None:
    """Remove a name with everything below it; links are removed, never followed."""
    info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISDIR(info.st_mode):
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            for entry in os.listdir(descriptor):
                remove_tree(descriptor, entry)
        finally:
            os.close(descriptor)
    remove(directory, name, info)
