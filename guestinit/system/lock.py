"""One run at a time."""

from __future__ import annotations

import fcntl
import os
import sys

LIVE = "/run/guestinit"
# Set in the environment of everything we start: a run that a user's command starts must not wait for its own parent.
NESTED = "GUESTINIT_RUNNING"


class Lock:
    """Held while a run plans and applies; the kernel releases it when the process ends, however it ends.

    A directory is locked and no file of its own: this machine's /run/guestinit, or the root of another tree.
    """

    def __init__(self, root: str = "/") -> None:
        self._directory = LIVE if os.path.realpath(root) == "/" else root
        self._descriptor = -1

    def __enter__(self) -> Lock:
        if os.environ.get(NESTED):
            return self
        if self._directory == LIVE:
            os.makedirs(LIVE, 0o755, exist_ok=True)
        self._descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("guestinit: another run is at work here; waiting for it to end\n")
            sys.stderr.flush()
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
