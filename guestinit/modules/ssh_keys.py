"""`ssh_authorized_keys`, `disable_root`: who may log in with a key; in ~/.ssh/authorized_keys, sshd's default place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional, Union

from guestinit.model import ssh_key
from guestinit.model.accounts import ROOT, Account, Accounts
from guestinit.model.action import Because, Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.problem import ERROR, Problem
from guestinit.model.seed import MetaData
from guestinit.model.value import Given

KEYS = (
    Key("ssh_authorized_keys", "list of public keys", "Who may log in as the default user with a key."),
    Key("allow_public_ssh_keys", "true or false", "Whether keys in the meta-data count too; true by default."),
    Key("disable_root", "true or false",
        "Whether the default user's keys only bring a message when they are used for root; true by default."),
    Key("disable_root_opts", "text",
        "Options in front of these keys of root instead; $USER and $DISABLE_USER stand for the default user and root."),
)  # fmt: skip


class Section(NamedTuple):
    """Keys beside those of `users`."""

    keys: tuple[Given[str], ...] = ()  # the default user's
    disable_root: bool = True
    root_options: Optional[str] = None


def read(fields: Fields, meta: MetaData) -> Section:
    """All usable keys; one that no sshd would read is reported."""
    allowed = fields.flag("allow_public_ssh_keys", safe=False)
    keys = list(ssh_key.read_keys(fields, "ssh_authorized_keys"))
    if allowed is None or allowed.value:
        keys += ssh_key.check(meta.public_keys, "public-keys", fields.problems)
    disabled = fields.flag("disable_root", safe=True)
    options = fields.text("disable_root_opts")
    if options is not None and not options.value.strip().isprintable():
        fields.problems.error(options.at, "disable_root_opts", "expected one line of options", "left out")
        options = None
    return Section(tuple(keys), disabled.value if disabled else True, options.value.strip() if options else None)


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Union[Step, Problem]]:
    """One step for each account. Keys that earlier runs added and that are no longer wanted go; all others stay."""
    people = accounts.everybody(facts)
    default = accounts.default_user(facts)
    keys = [*section.keys, *default.keys] if default else []
    if default is None and section.keys:
        yield Problem(
            ERROR, section.keys[0].at, "ssh_authorized_keys", "there is no default user to have these keys",
            "left out; add default to users, or give the keys to one of them",
        )  # fmt: skip
    for account in people:
        if default is not None and account.name == default.name:
            lines = _unique(keys)
        elif account.redirect and default is not None:
            lines = _redirected(keys, account.name, default.name, section.root_options)
        else:
            lines = _unique(account.keys)
        if account.name == ROOT and default is not None and default.name != ROOT:
            own = {_blob(line) for line in lines}
            lines += [line for line in _root_lines(section, keys, default.name) if _blob(line) not in own]
        source = keys if account == default else account.keys
        yield from _step(account.name, lines, _because(account, source, lines), facts, True)
    if default is not None and ROOT not in {account.name for account in people}:
        because = Because(keys[0].at if keys else None, "" if keys else "no keys are given")
        yield from _step(ROOT, _root_lines(section, keys, default.name), because, facts, False)


def _root_lines(section: Section, keys: list[Given[str]], default: str) -> list[str]:
    return _redirected(keys, ROOT, default, section.root_options) if section.disable_root else _unique(keys)


def _because(account: Account, keys: Iterable[Given[str]], lines: list[str]) -> Because:
    for key in keys:
        return Because(key.at)
    return Because(account.at, "" if lines else "no keys are given")


def _step(user: str, lines: list[str], because: Because, facts: Facts, declared: bool) -> Iterator[Step]:
    if not lines and facts.identity.is_new:
        return  # nothing to add, and nothing of ours to remove
    path = f"~{user}/.ssh/authorized_keys"
    action = Lines(path, tuple(lines), managed=True, mode=0o600, owner=user, directory_mode=0o700)
    needs = (f"user:{user}",) if declared else ()
    yield Step(f"lines:{path}", "ssh_keys", action, because, needs=needs, vital=True)


def _blob(line: str) -> str:
    key = ssh_key.parse(line)
    return f"{key.type} {key.blob}" if key else line


def _unique(keys: Iterable[Given[str]]) -> list[str]:
    """Each key once, as it was first given."""
    found: dict[str, str] = {}
    for key in keys:
        found.setdefault(_blob(key.value), key.value)
    return list(found.values())


def _redirected(keys: Iterable[Given[str]], user: str, default: str, options: str | None) -> list[str]:
    """The same keys, but all that they bring is a message; options of their own give way to it."""
    if options is None:
        message = f"This key is not for {user}: log in as {default} instead."
        # 142 is what scripts know from cloud-init.
        options = f"restrict,command=\"echo '{message}'; sleep 10; exit 142\""
    else:
        options = options.replace("$DISABLE_USER", user).replace("$USER", default)
    lines = []
    for line in _unique(keys):
        key = ssh_key.parse(line)
        if key is not None:
            lines.append(" ".join(filter(None, (options, key.type, key.blob, key.comment))))
    return lines
