"""`bootcmd`: the user's own commands, early in every boot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guestinit.model.accounts import Accounts
from guestinit.model.action import EVERY_BOOT, LOCAL, Because, Command, Step
from guestinit.model.commands import Items, read_commands
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.seed import MetaData

KEYS = (
    Key(
        "bootcmd", "list of commands",
        "Commands to run early in every boot, before the network: written as in `runcmd`; INSTANCE_ID is in their "
        "environment.", secret=True,
    ),
)  # fmt: skip


class Section(NamedTuple):
    """The commands, in order."""

    commands: Items = Items()


def read(fields: Fields, meta: MetaData) -> Section:
    """The commands that can be run; each of the others is reported."""
    return Section(read_commands(fields, "bootcmd"))


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """One step for each item; with `commands.on_failure: stop` each needs the one before it."""
    stop = facts.option("commands.on_failure") == "stop"
    environment = (("HOME", "/root"), ("INSTANCE_ID", facts.identity.instance_id))
    previous = ""
    for item in section.commands.items:
        step_id = f"command:bootcmd.{item.number}"
        label = f"bootcmd item {item.number} of {section.commands.total}, {item.size} bytes"
        yield Step(
            id=step_id,
            module="bootcmd",
            action=Command(item.argv, label, environment, may_repeat=True, hidden=True),
            because=Because(item.at),
            stage=LOCAL,
            needs=(previous,) if previous and stop else (),
            frequency=EVERY_BOOT,
        )
        previous = step_id
