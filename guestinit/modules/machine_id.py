"""No key: a clone gets a machine-id of its own, instead of the one that it inherited from its template.

Two machines with one id ask DHCP for the same lease and mix up their journals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guestinit.model.accounts import Accounts
from guestinit.model.action import ONCE, Because, Command, File, Link, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.seed import MetaData

KEYS: tuple[Key, ...] = ()

PATH = "/etc/machine-id"
DBUS = "/var/lib/dbus/machine-id"
_JOURNALD = "systemd-journald.service"


class Section(NamedTuple):
    """Nothing to configure."""


def read(fields: Fields, meta: MetaData) -> Section:
    """Nothing is read."""
    return Section()


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """Empty the file, then let systemd fill it.

    Empty, and never absent: if the power goes between the two, systemd makes an id at the next boot, while a missing
    file would count as the first boot of all and reset which services are enabled (machine-id(5)).
    """
    if not (facts.identity.is_new and facts.machine_id_inherited and facts.live):
        return
    because = Because(None, "inherited from the template; fully effective after the next boot")
    needs: tuple[str, ...] = ()
    if DBUS in facts.paths:
        # A file here is where systemd-machine-id-setup would take the old id from again.
        needs = (f"link:{DBUS}",)
        yield Step(needs[0], "machine_id", Link(DBUS, PATH), because, frequency=ONCE)
    empty = f"file:{PATH}"
    yield Step(empty, "machine_id", File(PATH, b"", 0o444), because, needs=needs, frequency=ONCE)
    # Under KVM it derives the id from the machine's uuid, as an image with an empty file does at its first boot.
    setup = Command(("systemd-machine-id-setup",), "systemd-machine-id-setup", may_repeat=True, log_output=False)
    yield Step("command:machine-id", "machine_id", setup, because, needs=(empty,), when_changed=(empty,))
    # journald goes on writing below the old id, where `journalctl -b` does not look: on the very boot that somebody may
    # have to look into. Not waited for: it is ordered with us through the boot's own transaction.
    restart = Command(
        ("systemctl", "--no-block", "restart", _JOURNALD), f"restart {_JOURNALD}", timeout=30.0, may_repeat=True,
        unit_active=_JOURNALD, log_output=False,
    )  # fmt: skip
    yield Step(
        "command:machine-id.journal", "machine_id", restart, Because(None, "the journal moves to the new machine-id"),
        needs=("command:machine-id",), when_changed=(empty,),
    )  # fmt: skip
