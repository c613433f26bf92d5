"""SELinux labels. Without SELinux nothing here costs anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from guestinit.system.process import Process

ATTRIBUTE = "security.selinux"


class Labels:
    """What the policy wants new files to be labelled with; asked from libselinux' own programs."""

    def __init__(self, process: Optional[Process] = None, enabled: Optional[bool] = None) -> None:
        self._process = process
        self.enabled = os.path.exists("/sys/fs/selinux/enforce") if enabled is None else enabled

    def _run(self, *argv: str) -> tuple[int, str]:
        if self._process is None:
            from guestinit.system.process import Process  # delayed: only where SELinux is on

            self._process = Process()
        finished = self._process.run(argv, timeout=30)
        return finished.code, finished.output

    def default(self, path: str, kind: str) -> bytes | None:
        """The policy's label for a path that is about to be made; `kind` is matchpathcon's: file, dir, symlink."""
        if not self.enabled:
            return None
        code, output = self._run("matchpathcon", "-n", "-m", kind, path)
        label = output.strip()
        if code != 0 or not label or label.startswith("<<"):
            return None
        return label.encode()

    def restore(self, path: str) -> None:
        """Label a path that is there already, for systems with restorecon alone."""
        if self.enabled:
            self._run("restorecon", path)


def of(descriptor: int) -> bytes | None:
    """The label of an open file, or None where there are no labels."""
    try:
        return os.getxattr(descriptor, ATTRIBUTE)
    except OSError:
        return None


def put(descriptor: int, label: bytes) -> bool:
    """Label an open file; False where the file system or the policy refuses."""
    try:
        os.setxattr(descriptor, ATTRIBUTE, label)
    except OSError:
        return False
    return True
