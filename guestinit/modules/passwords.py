"""`password`, `chpasswd`, `ssh_pwauth` and the passwords of `users`: who may log in with one, and whether ssh takes it.

A password is applied once for each value of its input: what a user sets with passwd(1) survives an edited address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

from guestinit.model import password
from guestinit.model.accounts import Account, Accounts
from guestinit.model.action import ONCE, Because, Command, File, Lines, Password, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.password import GivenPassword
from guestinit.model.problem import ERROR, NOTE, WARNING, Problem, Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.model.user import check_name
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value

KEYS = (
    Key(
        "password", "password hash or text", "The default user's password; a crypt(5) hash is known by its shape.", True
    ),
    Key("chpasswd", "mapping", "Passwords of any accounts, and whether they must be changed at the first login.", True),
    Key("ssh_pwauth", "true, false or unchanged", "Whether sshd takes passwords; without it, as the image has it."),
)
CHPASSWD_KEYS = (
    Key("expire", "true or false", "Whether these passwords must be changed at the first login; true by default."),
    Key("users", "list of mappings", "Name, password and type of each.", True),
    Key(
        "list",
        "list of name:password",
        "The old form, also as one text with a line for each; R makes a random one.",
        True,
    ),
)
CHPASSWD_USER_KEYS = (
    Key("name", "name", "The login name."),
    Key("password", "password hash or text", "The password; none with the type RANDOM.", True),
    Key(
        "type",
        "hash, text or RANDOM",
        "What the password is; a hash by default. RANDOM makes one, shown on the console.",
    ),
)

SSHD_DIRECTORY = "/etc/ssh/sshd_config.d"


class Entry(NamedTuple):
    """A password for one account."""

    user: str
    password: GivenPassword


class Section(NamedTuple):
    """What is said beside `users`."""

    default: Optional[GivenPassword] = None  # the default user's
    entries: tuple[Entry, ...] = ()
    expire: bool = True
    ssh: Optional[Given[bool]] = None
    platform: Optional[GivenPassword] = None  # the default user's, if nothing else says anything of that


# reading


def read(fields: Fields, meta: MetaData) -> Section:
    """A password that cannot be used is left out, and its text is in no message."""
    given = fields.text("password")
    default = password.read_either(given, fields.path_of("password"), fields.problems) if given else None
    chpasswd = fields.mapping("chpasswd", CHPASSWD_KEYS)
    if chpasswd is None:
        return Section(default, ssh=_read_ssh(fields), platform=meta.password)
    expire = chpasswd.flag("expire", safe=True)
    entries = (*_read_list(chpasswd), *_read_users(chpasswd))
    return Section(default, entries, expire.value if expire else True, _read_ssh(fields), meta.password)


def _read_ssh(fields: Fields) -> Given[bool] | None:
    value = fields.raw("ssh_pwauth")
    if value is None or (value.kind == SCALAR and value.text.lower() in ("unchanged", "")):
        return None
    return fields.flag("ssh_pwauth", safe=False)


def _read_users(fields: Fields) -> Iterator[Entry]:
    for index, item in enumerate(fields.items("users") or ()):
        path = f"{fields.path_of('users')}.{index}"
        if item.kind != MAP:
            fields.problems.error(item.at, path, "expected a mapping with name and password", "left out", 0)
            continue
        since = len(fields.problems.found)
        yield from _read_one(Fields(item, path, CHPASSWD_USER_KEYS, fields.problems))
        password.hide_lines(fields.problems, since, item, CHPASSWD_USER_KEYS)


def _read_one(fields: Fields) -> Iterator[Entry]:
    name, text, kind = fields.text("name"), fields.text("password"), fields.text("type")
    path = fields.path_of("password")
    if name is None:
        fields.problems.error(fields.at, fields.path, "a password without the name of a user", "left out", 0)
        return
    if not check_name(name, fields.path_of("name"), fields.problems):
        return
    word = kind.value.lower() if kind else "hash"
    found: Optional[GivenPassword] = None
    if word == "random":
        found = GivenPassword(name.at, random=True)
    elif word not in ("hash", "text"):
        fields.problems.error(
            kind.at if kind else name.at, fields.path_of("type"), "expected hash, text or RANDOM", "left out"
        )
    elif text is None:
        fields.problems.error(name.at, path, "no password is given", "left out", 0)
    elif word == "text":
        found = password.read_text(text, path, fields.problems)
    else:
        found = password.read_hash(text, path, fields.problems)
    if found is not None:
        yield Entry(name.value, found)


def _read_list(fields: Fields) -> Iterator[Entry]:
    value = fields.raw("list")
    if value is None:
        return
    path = fields.path_of("list")
    if value.kind == MAP:
        fields.wrong("list", value, "a list of name:password")
        return
    for index, item in enumerate(value.items if value.kind == LIST else (value,)):
        where = f"{path}.{index}" if value.kind == LIST else path
        if item.kind != SCALAR:
            fields.problems.error(item.at, where, "expected name:password", "left out; put it into quotes", 0)
            continue
        for line in item.text.splitlines():
            if line.strip():
                yield from _read_line(line, item, where, fields.problems)


def _read_line(line: str, item: Value, path: str, problems: Problems) -> Iterator[Entry]:
    name, colon, text = line.strip().partition(":")
    if not colon:
        problems.error(item.at, path, "expected name:password, got a line without ':'", "left out", 0)
    elif not check_name(Given(name, item.at), path, problems):
        problems.found[-1] = problems.found[-1]._replace(width=0)
    else:
        found = password.read_either(Given(text, item.at), path, problems)
        if found is not None:
            yield Entry(name, found)


# planning


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Union[Step, Problem]]:
    """One step for each account: `chpasswd` counts before `password`, then comes `users`, and last the platform."""
    people = accounts.everybody(facts)
    default = accounts.default_user(facts)
    wanted: dict[str, tuple[Password, Because]] = {}
    for account in people:
        action = _of_account(account, facts)
        if action is not None:
            at = account.password.at if account.password else account.at
            wanted[account.name] = action, Because(at, "" if at else "this is the default user of the image")
    if section.platform is not None:
        refusal = _refuse(section.platform, default)
        if refusal is not None:
            yield refusal
        elif default is not None and default.password is None:
            action = Password(default.name, section.platform.secret, section.platform.hashed)
            wanted[default.name] = action, Because(section.platform.at)
    given = list(section.entries)
    if section.default is not None:
        if default is not None:
            given.insert(0, Entry(default.name, section.default))
        else:
            yield Problem(
                ERROR,
                section.default.at,
                "password",
                "there is no default user to have it",
                "left out; add default to users",
                0,
            )
    declared = {account.name for account in people}
    for user, entry in given:
        if user not in declared and user not in facts.users:
            yield Problem(ERROR, entry.at, "chpasswd", f"there is no user {user}", "the password is left out", 0)
            continue
        # A password that is given here opens the account, also one that `users` locks: chpasswd always did that.
        action = Password(user, entry.secret, entry.hashed, expire=section.expire, random=entry.random)
        wanted[user] = action, Because(entry.at)
    for user, (action, because) in wanted.items():
        needs = (f"user:{user}",) if user in declared else ()
        yield Step(
            f"password:{user}",
            "passwords",
            action,
            because,
            needs=needs,
            frequency=ONCE,
            basis=_basis(action),
            vital=True,
        )
    if section.ssh is not None:
        yield from _plan_sshd(section.ssh, facts)


def _refuse(given: GivenPassword, default: Optional[Account]) -> Optional[Problem]:
    """Why the platform's password is not for anybody.

    No error: Nova makes up a password for every machine, whether somebody wants one or not.
    """
    if default is None:
        message = "there is no default user to have it"
        return Problem(WARNING, given.at, "password", message, "left out; add default to users", 0)
    if default.lock:
        return Problem(NOTE, given.at, "password", f"users locks the password of {default.name}", "left out", 0)
    return None


def _of_account(account: Account, facts: Facts) -> Password | None:
    """What `users` says; nothing for a new account without a password, which useradd makes locked anyway."""
    given = account.password
    if given is not None:
        return Password(account.name, given.secret, given.hashed, locked=account.lock is not False)
    if account.lock is not None:
        return Password(account.name, locked=account.lock)
    if account.name in facts.users:
        return Password(account.name, locked=True, only_if_unset=True)
    return None


def _basis(action: Password) -> Secret:
    secret = action.secret.reveal() if action.secret else b""
    words = f"{action.hashed} {action.locked} {action.expire} {action.random} {action.only_if_unset}"
    return Secret(words.encode() + b"\0" + secret)


def _plan_sshd(wanted: Given[bool], facts: Facts) -> Iterator[Step]:
    line = f"PasswordAuthentication {'yes' if wanted.value else 'no'}"
    because = Because(wanted.at)
    if SSHD_DIRECTORY in facts.paths:
        path = f"{SSHD_DIRECTORY}/50-guestinit.conf"
        text = f"# Written by guestinit, because ssh_pwauth was given.\n{line}\n"
        written = f"file:{path}"
        yield Step(written, "passwords", File(path, text.encode(), 0o600), because)
    else:
        # At the place of the line that every sshd_config ships with: the end may be inside of a Match block.
        path = "/etc/ssh/sshd_config"
        written = f"lines:{path}"
        replace = r"^#?PasswordAuthentication\s+(yes|no)\s*$"
        yield Step(written, "passwords", Lines(path, (line,), replace, mode=None), because)
    unit = facts.distro.ssh_unit
    # Without waiting: at boot sshd may be ordered after the unit that we run in.
    reload = Command(
        ("systemctl", "--no-block", "reload", unit),
        f"reload of {unit}",
        may_repeat=True,
        log_output=False,
        unit_active=unit,
    )
    yield Step(
        "command:ssh_pwauth.reload", "passwords", reload, Because(None, f"{path} changes"), needs=(written,),
        when_changed=(written,),
    )  # fmt: skip
