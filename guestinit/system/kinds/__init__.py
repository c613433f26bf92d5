"""What can be done to a machine, one file for each kind of action (model/action.py).

Every file has `observe(step, system) -> Change`, which never writes, and `apply(change, system) -> Done`, which raises
`Failed`. A file is imported when its first step comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from guestinit import rooms
from guestinit.model.action import KINDS, Grow, Step, User
from guestinit.model.plan import MODIFY, Change
from guestinit.system.failed import Failed

if TYPE_CHECKING:
    from guestinit.model.secret import Secret
    from guestinit.system.system import System


class Done(NamedTuple):
    """How an action went that did what was asked."""

    message: str = ""  # one line worth knowing
    code: Optional[int] = None  # exit status, of a command
    reveal: Optional[Secret] = None  # a password that was made here: for the console, once


def observe(step: Step, system: System) -> Change:
    """The step beside what the machine has. What cannot be looked at is a change whose note says why."""
    try:
        change: Change = rooms.one("system.kinds", KINDS[type(step.action)]).observe(step, system)
    except OSError as error:
        return Change(step, MODIFY, note=f"cannot be compared: {words(error)}")
    except Failed as failure:
        return Change(step, MODIFY, note=f"cannot be compared: {failure.message}")
    except UnicodeError:
        return Change(step, MODIFY, note="cannot be compared: its text cannot be written in UTF-8")
    return change


def apply(change: Change, system: System) -> Done:
    """Bring it about; raises `Failed`."""
    try:
        done: Done = rooms.one("system.kinds", KINDS[type(change.step.action)]).apply(change, system)
    except OSError as error:
        raise Failed(words(error)) from error
    except UnicodeError:
        raise Failed("its text cannot be written in UTF-8") from None  # the error itself would show the text
    return done


def mend(step: Step, system: System) -> None:
    """Before a step is looked at again that a power cut ended in the middle; raises `Failed`."""
    if isinstance(step.action, User):
        rooms.one("system.kinds", "user").mend(step, system)


def disk_size(step: Step, system: System) -> tuple[str, int] | None:
    """For a step that grows: the kernel's name of the disk below and its size in sectors of 512 bytes."""
    if not isinstance(step.action, Grow):
        return None
    size: Optional[tuple[str, int]] = rooms.one("system.kinds", "grow").disk_size(step.action, system)
    return size


def contested_names(step: Step, system: System) -> tuple[tuple[str, str], ...]:
    """For a step that names interfaces: MAC and name where another interface may have the name when a boot begins."""
    found: tuple[tuple[str, str], ...] = rooms.one("system.kinds", "rename").contested(step.action, system)
    return found


def words(error: OSError) -> str:
    """An error as people read it."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
