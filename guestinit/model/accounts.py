"""The accounts that a configuration declares; several modules need to know who they are."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Optional

from guestinit.model.facts import Facts
from guestinit.model.password import GivenPassword
from guestinit.model.problem import Position
from guestinit.model.value import Given

ROOT = "root"
# What useradd(8) of shadow 4.17 takes. A name of digits only would be taken for a uid by chown and sudo.
_NAME = re.compile(r"(?![0-9]+\Z)(?!\.{1,2}\Z)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,30}[$]?\Z")


def is_name(text: str) -> bool:
    """Whether useradd and groupadd take this as a name."""
    return _NAME.match(text) is not None and len(text) <= 32


class Account(NamedTuple):
    """One declared user. A field with its default value was not said: an existing account keeps what it has."""

    name: str
    at: Optional[Position] = None  # None: no document names it, only the image does
    gecos: Optional[str] = None
    uid: Optional[int] = None
    primary_group: str = ""
    groups: Optional[tuple[str, ...]] = None  # supplementary ones, at least these
    create_groups: bool = True  # make the groups above that do not exist
    home: str = ""
    shell: str = ""
    system: bool = False
    create_home: bool = True
    user_group: bool = True
    log_init: bool = True
    expires: str = ""
    inactive: Optional[int] = None
    selinux_user: str = ""
    sudo: Optional[tuple[str, ...]] = None  # rules without the user's name; () takes the image's rules away
    keys: tuple[Given[str], ...] = ()
    redirect: bool = False  # logging in with the default user's keys only tells to use that account
    password: Optional[GivenPassword] = None
    lock: Optional[bool] = None

    def over(self, base: Account) -> Account:
        """This account, with what it does not say taken from another."""
        said: dict[str, Any] = {
            name: value
            for name, value in zip(self._fields, self)
            if name in ("name", "at") or value != self._field_defaults[name]
        }
        return base._replace(**said)


class DeclaredGroup(NamedTuple):
    """A group of the key `groups`."""

    name: str
    at: Position
    members: tuple[Given[str], ...] = ()


class Accounts(NamedTuple):
    """All declared users and groups."""

    users: tuple[Account, ...] = ()  # the default user is not among them
    # What the documents change of the default user, under its new name or an empty one; None: they want none.
    default: Optional[Account] = None
    groups: tuple[DeclaredGroup, ...] = ()

    def default_user(self, facts: Facts) -> Account | None:
        """The default user as it is to be: the image's, changed by the documents."""
        default = self._default(facts)
        return self.everybody(facts)[0] if default else None

    def everybody(self, facts: Facts) -> tuple[Account, ...]:
        """Every declared account once, the default user first."""
        found: dict[str, Account] = {}
        default = self._default(facts)
        if default is not None:
            found[default.name] = default
        for account in self.users:
            base = found.get(account.name)
            found[account.name] = account.over(base)._replace(keys=base.keys + account.keys) if base else account
        return tuple(found.values())

    def _default(self, facts: Facts) -> Account | None:
        image = facts.distro.default_user
        name = (self.default.name or image.name) if self.default else ""
        if self.default is None or not name:
            return None
        wanted = self.default._replace(name=name)
        if name == ROOT:  # Proxmox's `user: root`: the image's groups, shell and sudo rule are for somebody else
            return wanted
        base = Account(name, groups=image.groups, sudo=image.sudo, lock=None if image.lock_passwd else False)
        if name not in facts.users:  # somebody who is here already keeps the shell and the name that are in use
            base = base._replace(
                gecos=image.gecos or None, shell=image.shell, home=image.home, primary_group=image.primary_group,
                uid=image.uid if image.uid >= 0 else None,
            )  # fmt: skip
        return wanted.over(base)
