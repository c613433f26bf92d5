"""Everything that reaches the machine, built once in `cli` and handed down.

Boot, `--root DIR`, a test on a temporary directory and a dry run differ in these values only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # names only: what is not needed is not imported
    from guestinit.system.media import Media
    from guestinit.system.process import Process
    from guestinit.system.root import Root
    from guestinit.system.state import State


class System(NamedTuple):
    """The machine that a run works on."""

    root: Root
    process: Process
    media: Media
    state: State
    live: bool  # this running system; False: another root, offline


def open_system(root: str, writable: bool = True) -> System:
    """The machine to work on: this one, or a tree below a directory. One that is not writable blows up on a write."""
    import os

    from guestinit.system.media import Media
    from guestinit.system.process import Process
    from guestinit.system.root import Root
    from guestinit.system.state import State

    base = Root(root, writable=writable)
    return System(base, Process(slow=_say_slow), Media(), State(base), os.path.realpath(root) == "/")


def _say_slow(notice: str) -> None:
    """A program without a time limit takes long: said, never killed."""
    import sys

    sys.stderr.write(f"guestinit: {notice}\n")
    sys.stderr.flush()
