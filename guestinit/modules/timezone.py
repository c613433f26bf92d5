"""`timezone`: which of the zones in /usr/share/zoneinfo is local time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from guestinit.model.accounts import Accounts
from guestinit.model.action import Because, File, Link, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.seed import MetaData
from guestinit.model.value import Given

KEYS = (
    Key("timezone", "name of a time zone", "The local time zone, by its name in /usr/share/zoneinfo: Europe/Berlin."),
)

_ZONES = "/usr/share/zoneinfo"
_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/.")


class Section(NamedTuple):
    """The zone, if one is given."""

    zone: Optional[Given[str]] = None


def read(fields: Fields, meta: MetaData) -> Section:
    """A name that cannot lead out of the directory of zones; whether it exists is seen when it is applied."""
    zone = fields.text("timezone")
    if zone is None:
        return Section()
    name = zone.value.strip()
    parts = name.split("/")
    if not set(name) <= _CHARACTERS or any(part == "" or part.startswith((".", "-")) for part in parts):
        value = fields.raw("timezone")
        if value is not None:
            fields.wrong("timezone", value, "a time zone such as Europe/Berlin")
        return Section()
    return Section(Given(name, zone.at))


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """The link, and Debian's /etc/timezone where the image has it. Neither timedatectl nor D-Bus runs this early."""
    if section.zone is None:
        return
    because = Because(section.zone.at)
    link = "link:/etc/localtime"
    yield Step(link, "timezone", Link("/etc/localtime", f"{_ZONES}/{section.zone.value}", must_exist=True), because)
    if "/etc/timezone" in facts.paths:
        content = f"{section.zone.value}\n".encode()
        yield Step("file:/etc/timezone", "timezone", File("/etc/timezone", content), because, needs=(link,))
