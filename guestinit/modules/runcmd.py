"""`runcmd`: the user's own commands, at the end of the first boot, each run and recorded by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from guestinit.model.accounts import Accounts
from guestinit.model.action import FINAL, ONCE, Because, Command, File, Step
from guestinit.model.commands import Item, Items, is_true, read_commands
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.problem import Position
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData

KEYS = (
    Key(
        "runcmd", "list of commands",
        "Commands to run once, at the end of the first boot: a text for /bin/sh or a list with a program and its "
        "arguments. Each item runs by itself and has its own exit status; a changed list is run again as a whole.",
        secret=True,
    ),
)  # fmt: skip

SCRIPTS = "/var/lib/guestinit/scripts"
# systemd gives a system service no HOME, and many installers stop without one.
ENVIRONMENT = (("HOME", "/root"),)
# Linux takes no single argument of 128 KiB or more (MAX_ARG_STRLEN): longer texts go through a file.
_LONGEST_ARGUMENT = 128 * 1024 - 1


class Section(NamedTuple):
    """The commands, in order."""

    commands: Items = Items()


def read(fields: Fields, meta: MetaData) -> Section:
    """The commands that can be run; each of the others is reported."""
    return Section(read_commands(fields, "runcmd"))


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """One step for each item; with `commands.on_failure: stop` each needs the one before it."""
    repeat, stop = _options(facts)
    previous = ""
    for item in section.commands.items:
        step_id = f"command:runcmd.{item.number}"
        needs = [previous] if previous and stop else []
        argv = item.argv
        if argv[1:2] == ("-c",) and len(argv[2].encode("utf-8", "surrogateescape")) > _LONGEST_ARGUMENT:
            path = f"{SCRIPTS}/runcmd-{item.number}"
            yield from _script_file(path, argv[2], item.at)
            needs.append(f"file:{path}")
            argv = ("/bin/sh", path)
        yield Step(
            id=step_id,
            module="runcmd",
            action=Command(argv, _label(item, section.commands.total), ENVIRONMENT, may_repeat=repeat, hidden=True),
            because=Because(item.at),
            stage=FINAL,
            needs=tuple(needs),
            frequency=ONCE,
            basis=section.commands.basis,
        )
        previous = step_id


def script_steps(scripts: Sequence[tuple[str, bytes]], facts: Optional[Facts] = None) -> Iterator[Step]:
    """Whole scripts of user-data (`#!` documents and MIME parts), run once, in order: each (document's label, text).

    They are kept in /var/lib/guestinit/scripts, readable by root only, and run by the interpreter that they name.
    Without `facts` the options of the image configuration have their defaults.
    """
    repeat, stop = _options(facts) if facts is not None else (False, False)
    previous = ""
    for number, (label, script) in enumerate(scripts, 1):
        path = f"{SCRIPTS}/part-{number:03}"
        at = Position(label)
        yield from _script_file(path, script, at)
        step_id = f"command:script.{number}"
        content = Secret(script)
        label = f"script {label}, {len(content)} bytes"
        yield Step(
            id=step_id,
            module="runcmd",
            action=Command((path,), label, ENVIRONMENT, may_repeat=repeat, hidden=True),
            because=Because(at),
            stage=FINAL,
            needs=(f"file:{path}", *((previous,) if previous and stop else ())),
            frequency=ONCE,
            basis=content,
        )
        previous = step_id


def _options(facts: Facts) -> tuple[bool, bool]:
    """Whether commands may be run again, and whether the first failure stops those after it."""
    return is_true(facts.option("commands.repeat_failed")), facts.option("commands.on_failure") == "stop"


def _script_file(path: str, text: str | bytes, at: Position) -> Iterator[Step]:
    # Once: the file goes when the run is settled, and is not wanted again.
    content = Secret(text)
    yield Step(f"file:{path}", "runcmd", File(path, content, 0o700), Because(at), FINAL, frequency=ONCE, basis=content)


def _label(item: Item, count: int) -> str:
    return f"runcmd item {item.number} of {count}, {item.size} bytes"
