"""The file system below a root directory: the running system's "/", a mounted image, a test's directory.

Every path is resolved inside the root, links too (resolve.py). A write is all or nothing: a temporary name in the same
directory, owner, mode and label, fsync, rename, fsync of the directory. Check and use are one step: both go through the
same open directory, so that a user who exchanges `~/.ssh` meanwhile wins nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from guestinit.system import labels, resolve
from guestinit.system.place import Place, is_trusted, own, remove, remove_tree, require_regular, write_all

if TYPE_CHECKING:
    from guestinit.system.labels import Labels

# What a power cut leaves behind has this prefix; the next write to the directory removes it.
TEMPORARY = ".guestinit-new-"


class Untouchable(AssertionError):
    """Something tried to write through a root that must not be written: a bug, not a failure."""


class Root:
    """Files below one directory. Paths are absolute inside it; all errors are OSError."""

    def __init__(self, path: str = "/", writable: bool = True, labels: Optional[Labels] = None) -> None:
        self.path = path
        self.writable = writable
        self._labels = labels
        self._cleaned: set[tuple[int, int]] = set()

    # looking

    def read(self, path: str) -> bytes | None:
        """The content of a regular file; None if it is absent. Links are followed inside the root."""
        try:
            with self._find(path) as place:
                return None if place.info is None else place.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: str) -> bool:
        """Whether there is something at the end of all links."""
        return self.stat(path) is not None

    def stat(self, path: str) -> os.stat_result | None:
        """What is at the end of all links; None if nothing is."""
        return self._look(path, follow=True)

    def lstat(self, path: str) -> os.stat_result | None:
        """What has this name, a link itself included; None if nothing has."""
        return self._look(path, follow=False)

    def listdir(self, path: str) -> list[str]:
        """The sorted names in a directory; empty if it is absent or no directory."""
        try:
            with self._find(path) as place:
                descriptor = place.open(os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)

    def readlink(self, path: str) -> str | None:
        """What a link says; None if the name is absent or no link."""
        try:
            with self._find(path, follow=False) as place:
                if place.info is None or not stat.S_ISLNK(place.info.st_mode):
                    return None
                return os.readlink(place.name, dir_fd=place.directory)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def outside(self, path: str) -> str:
        """The name under which other programs find `path`, links resolved; for a path that nobody else can exchange."""
        with self._find(path) as place:
            return self.path.rstrip("/") + place.path

    def check_change(self, path: str) -> None:
        """Raise OSError where `update` would refuse because of who owns what on the way; writes nothing."""
        try:
            with self._find(path) as place:
                place.refuse_foreign()
                place.refuse_planted()
        except (FileNotFoundError, NotADirectoryError):
            return

    # files

    def write(
        self,
        path: str,
        content: bytes,
        mode: Optional[int] = None,
        uid: Optional[int] = None,
        gid: Optional[int] = None,
    ) -> None:
        """Replace a file, or make it with its missing parent directories.

        None keeps what an existing file has; a new one is 0644 and belongs to whom a directory's owner would expect.
        """
        self._touch(path)
        with self._find(path, make=self._make_parent) as place:
            place.refuse_foreign()
            self._replace(place, content, mode, uid, gid)

    def update(
        self,
        path: str,
        change: Callable[[Optional[bytes]], bytes],
        mode: Optional[int] = None,
        uid: Optional[int] = None,
        gid: Optional[int] = None,
    ) -> None:
        """Replace a file by what `change` makes of its content (None: absent); one directory for both."""
        self._touch(path)
        with self._find(path, make=self._make_parent) as place:
            place.refuse_foreign()
            place.refuse_planted()
            old = place.read() if place.info is not None else None
            self._replace(place, change(old), mode, uid, gid)

    def append(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add to the end of a file and bring it to the disk: a journal. `mode` is for a new one."""
        descriptor = self.open_log(path, mode)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def open_log(self, path: str, mode: int = 0o640) -> int:
        """A descriptor that can be read and whose writes go to the end of the file. `mode` is for a new one."""
        self._touch(path)
        with self._find(path, make=self._make_parent) as place:
            place.refuse_foreign()
            place.refuse_planted()
            descriptor = place.open(os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                require_regular(os.stat(descriptor), path)
                if place.info is None:
                    self._label_new(descriptor, place, "file")
                    os.fchmod(descriptor, mode)
                    os.fsync(descriptor)
                    place.sync()
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

    def set_value(self, path: str, content: bytes) -> None:
        """Write into a file of the kernel (/proc, /sys), which cannot be replaced."""
        self._touch(path)
        with self._find(path) as place:
            place.write_in_place(content)

    # directories and links

    def make_directory(
        self, path: str, mode: int = 0o755, uid: Optional[int] = None, gid: Optional[int] = None
    ) -> None:
        """Make a directory with its missing parents, or give an existing one this mode and owner."""
        self._touch(path)
        with self._find(path, make=self._make_parent) as place:
            place.refuse_foreign()
            if place.info is None:
                self._new_directory(place, mode, uid, gid)
                return
            descriptor = place.open(os.O_RDONLY | os.O_DIRECTORY)
            try:
                own(descriptor, mode, uid, gid)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def link(self, path: str, target: str, uid: Optional[int] = None, gid: Optional[int] = None) -> None:
        """Make or replace a symbolic link; a directory or a device in its place is an error."""
        self._touch(path)
        with self._find(path, follow=False, make=self._make_parent) as place:
            place.refuse_foreign()
            if place.info is not None and not stat.S_ISLNK(place.info.st_mode):
                require_regular(place.info, path)
            temporary = self._temporary(place)
            os.symlink(target, temporary, dir_fd=place.directory)
            try:
                if uid is not None or gid is not None:
                    os.chown(
                        temporary, -1 if uid is None else uid, -1 if gid is None else gid,
                        dir_fd=place.directory, follow_symlinks=False,
                    )  # fmt: skip
                os.rename(temporary, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
            except BaseException:
                _discard(place, temporary)
                raise
            place.sync()

    def remove(self, path: str) -> None:
        """Remove a file, a link itself, or an empty directory; nothing to do if it is absent."""
        self._touch(path)
        try:
            with self._find(path, follow=False) as place:
                if place.info is None:
                    return
                place.refuse_foreign()
                remove(place.directory, place.name, place.info)
                place.sync()
        except (FileNotFoundError, NotADirectoryError):
            return

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory; nothing to do if it is absent."""
        self.remove(path)

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all that is in it, or a file; links are removed, never followed."""
        self._touch(path)
        try:
            with self._find(path, follow=False) as place:
                if place.info is None:
                    return
                place.refuse_foreign()
                remove_tree(place.directory, place.name)
                place.sync()
        except (FileNotFoundError, NotADirectoryError):
            return

    def sync(self, path: str) -> None:
        """Bring a file, or the names in a directory, that another program wrote to the disk."""
        self._touch(path)
        with self._find(path) as place:
            descriptor = place.open(os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def sync_all(self) -> None:
        """Bring everything that any program wrote, wherever it did, to the disk."""
        self._touch("/")
        os.sync()

    # inside

    def _touch(self, path: str) -> None:
        if not self.writable:
            raise Untouchable(f"{path}: this root must not be written")

    def _find(self, path: str, follow: bool = True, make: Optional[resolve.Make] = None) -> Place:
        return resolve.find(self.path, path, follow, make)

    def _look(self, path: str, follow: bool) -> os.stat_result | None:
        try:
            with self._find(path, follow) as place:
                return place.info
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _replace(
        self, place: Place, content: bytes, mode: Optional[int], uid: Optional[int], gid: Optional[int]
    ) -> None:
        old = place.look()
        if old is not None:
            require_regular(old, place.path)
            mode = stat.S_IMODE(old.st_mode) if mode is None else mode
            uid = old.st_uid if uid is None else uid
            gid = old.st_gid if gid is None else gid
        elif uid is None and place.user() is not None:
            parent = os.stat(place.directory)
            uid, gid = parent.st_uid, parent.st_gid if gid is None else gid
        temporary = self._temporary(place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o600, dir_fd=place.directory)
        try:
            try:
                write_all(descriptor, content)
                labelled = self._label_new(descriptor, place, "file")
                own(descriptor, 0o644 if mode is None else mode, uid, gid)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except OSError as error:
            _discard(place, temporary)
            if error.errno != errno.EBUSY:
                raise
            # Something is mounted on the very file (/etc/hosts in a container): it cannot be exchanged, only written.
            place.write_in_place(content)
            return
        except BaseException:
            _discard(place, temporary)
            raise
        place.sync()
        if not labelled:
            self._policy().restore(place.path)

    def _temporary(self, place: Place) -> str:
        """A free name beside the place; what earlier runs left behind is removed first."""
        name = TEMPORARY + os.fsdecode(os.fsencode(place.name)[-200:])
        info = os.stat(place.directory)
        if (info.st_dev, info.st_ino) not in self._cleaned:
            self._cleaned.add((info.st_dev, info.st_ino))
            place.remove_siblings(TEMPORARY)
        try:
            os.unlink(name, dir_fd=place.directory)
        except FileNotFoundError:
            return name
        return name

    def _make_parent(self, parent: int, name: str, path: str) -> None:
        info = os.stat(parent)
        uid, gid = (None, None) if is_trusted(info.st_uid) else (info.st_uid, info.st_gid)
        place = Place(os.dup(parent), name, None, path, None)
        with place:
            self._new_directory(place, 0o700 if name == ".ssh" else 0o755, uid, gid)

    def _new_directory(self, place: Place, mode: int, uid: Optional[int], gid: Optional[int]) -> None:
        try:
            os.mkdir(place.name, 0o700, dir_fd=place.directory)
        except FileExistsError:
            return  # somebody was faster; what is there is judged like any other directory
        descriptor = place.open(os.O_RDONLY | os.O_DIRECTORY)
        try:
            # In a user's directory another one may have been put into its place meanwhile.
            if os.stat(descriptor).st_uid != os.geteuid() or os.listdir(descriptor):
                raise OSError(errno.EEXIST, "another directory was put into the place of a new one", place.path)
            labelled = self._label_new(descriptor, place, "dir")
            own(descriptor, mode, uid, gid)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        place.sync()
        if not labelled:
            self._policy().restore(place.path)

    # labels

    def _policy(self) -> Labels:
        if self._labels is None:
            # Offline the host's policy says nothing about the tree.
            self._labels = labels.Labels() if self.path == "/" else labels.Labels(enabled=False)
        return self._labels

    def _label_new(self, descriptor: int, place: Place, kind: str) -> bool:
        """Give a new file the label of the one it replaces, else the policy's, else (offline) its directory's.

        False if the policy has to be asked again once the name is in its place.
        """
        policy = self._policy()
        label = _label_of(place.directory, place.name)
        if label is None and policy.enabled:
            label = policy.default(place.path, kind)
        elif label is None:
            label = _label_of(place.directory, ".")
        if label is not None:
            return labels.put(descriptor, label) or not policy.enabled
        return not policy.enabled


def _discard(place: Place, temporary: str) -> None:
    try:
        os.unlink(temporary, dir_fd=place.directory)
    except FileNotFoundError:
        return


def _label_of(directory: int, name: str) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    try:
        return labels.of(descriptor)
    finally:
        os.close(descriptor)
