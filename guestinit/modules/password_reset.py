"""A password that somebody had the platform set: CloudStack hands it over until it hears that it was applied.

It is newer than whatever the seed says about passwords, so it goes before all of that, and has a step of its own: what
was once applied for `password` or `users` is not applied again because a reset came between. For each value it is
applied once: a backup router that hands over an old one does not undo what the user set with passwd(1).

The server is told in a step of its own too, after the password is on the disk: were it told first, a power cut between
the two would lose the password for good. It is told each time, also when the password had been applied before: that the
server asks again means that it has not heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

from guestinit.model.accounts import Accounts
from guestinit.model.action import FINAL, ONCE, Because, Password, Request, Step
from guestinit.model.cloudstack import PASSWORD_PORT, REQUEST, SAVED
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields
from guestinit.model.password import GivenPassword
from guestinit.model.problem import WARNING, Problem
from guestinit.model.seed import MetaData

KEYS = ()


class Section(NamedTuple):
    """What meta-data says."""

    password: Optional[GivenPassword] = None
    server: str = ""  # that waits to hear of it


def read(fields: Fields, meta: MetaData) -> Section:
    """Nothing of this is in cloud-config."""
    return Section(meta.reset, meta.password_server)


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Union[Step, Problem]]:
    """The default user's password, and the word to the server."""
    given, user = section.password, accounts.default_user(facts)
    if given is None:
        return
    if user is None:
        # The journal shows the message alone, at each boot: the platform does not hear that it was applied.
        message = "the platform hands over a password, and there is no default user to have it; add default to users"
        yield Problem(WARNING, given.at, "password", message, "left out", 0)
        return
    declared = {account.name for account in accounts.everybody(facts)}
    needs = (f"user:{user.name}",) if user.name in declared else ()
    because = Because(given.at, "the platform hands over this password")
    action = Password(user.name, given.secret, given.hashed)
    basis = given.secret
    applied = Step("password:reset", "password_reset", action, because, needs=needs, frequency=ONCE, basis=basis,
                   vital=True)  # fmt: skip
    yield applied
    if section.server:
        tell = Request(
            f"http://{section.server}:{PASSWORD_PORT}/", f"password server {section.server}: {SAVED}",
            ((REQUEST, SAVED),), SAVED,
        )  # fmt: skip
        yield Step("request:password_server", "password_reset", tell,
                   Because(given.at, "it keeps the password until it hears that it was applied"),
                   stage=FINAL, needs=(applied.id,))  # fmt: skip
