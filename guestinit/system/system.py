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
