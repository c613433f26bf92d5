"""`users`, `user` and `groups`: who has an account, in which groups, and who may use sudo.

Their passwords are applied by the module `passwords`, their keys by `ssh_keys`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

from guestinit.model import password, sudoers
from guestinit.model.accounts import Account, Accounts, DeclaredGroup
from guestinit.model.action import Absence, Because, Directory, File, Group, Step, User
from guestinit.model.facts import Facts
from guestinit.model.fields import FALSE, TRUE, Fields, Key
from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.seed import MetaData
from guestinit.model.user import USER_KEYS, check_name, read_account
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value

KEYS = (
    Key("users", "list of names and mappings",
        "The accounts of this machine; the word default stands for the image's default user, and a list without it "
        "means that there is none."),
    Key("user", "name or mapping", "Renames the default user, or changes other fields of it."),
    Key("groups", "list of names, or mapping of names to members", "Groups to be made, with members to be added."),
)  # fmt: skip

DEFAULT = "default"
SUDOERS = "/etc/sudoers.d/90-guestinit"
IMAGE = Position("image configuration")


# reading


def read(fields: Fields, meta: MetaData) -> Accounts:
    """Every declared account. One whose name cannot be used is left out whole; the others come."""
    users, default = _read_users(fields)
    override = _read_override(fields)
    if override is not None:
        default = override.over(default or Account(""))
    return Accounts(_each_once(users, fields.problems), default, _read_groups(fields))


def _read_users(fields: Fields) -> tuple[list[Account], Optional[Account]]:
    value = fields.raw("users")
    if value is None:
        return [], Account("")
    users: list[Account] = []
    default: Optional[Account] = None
    for account in _entries(value, fields.path_of("users"), fields.problems):
        if account.name == DEFAULT:
            default = account._replace(name="").over(default or Account(""))
        else:
            users.append(account)
    return users, default


def _entries(value: Value, path: str, problems: Problems) -> Iterator[Account]:
    if value.kind == SCALAR:
        yield from _names(value, path, problems)
    elif value.kind == LIST:
        for index, item in enumerate(value.items):
            where = f"{path}.{index}"
            if item.kind == MAP:
                yield from _one(item, where, problems)
            elif item.kind == SCALAR:
                yield from _names(item, where, problems)
            else:
                yield from _entries(item, where, problems)
    else:
        name = value.get("name")
        if name is not None and name.kind == SCALAR and name.text.lower() not in TRUE + FALSE:
            yield from _one(value, path, problems)  # one user without the dash of a list
            return
        for key, content in value.pairs:
            where = f"{path}.{key.text}"
            if content.kind == MAP:
                yield from _one(content, where, problems, Given(key.text, key.at))
            elif content.kind == SCALAR and (content.is_null or content.text.lower() in TRUE):
                yield from _names(key, where, problems)
            elif content.kind != SCALAR or content.text.lower() not in FALSE:
                problems.error(content.at, where, "expected a mapping with the user's fields, or true", "left out", 0)


def _names(value: Value, path: str, problems: Problems) -> Iterator[Account]:
    if value.is_null:
        return
    for name in value.text.split(","):
        if name.strip() and check_name(Given(name.strip(), value.at), path, problems):
            yield Account(name.strip(), value.at)


def _each_once(users: list[Account], problems: Problems) -> tuple[Account, ...]:
    found: dict[str, Account] = {}
    for account in users:
        first = found.get(account.name)
        if first is not None and account.at is not None and first.at is not None:
            problems.warning(
                account.at, "users", f"the user {account.name} is given twice, first in line {first.at.line}",
                "taken together; where both say something, the last one counts", 0,
            )  # fmt: skip
            keys = first.keys + account.keys
            account = account.over(first)._replace(keys=keys)
        found[account.name] = account
    return tuple(found.values())


def _read_override(fields: Fields) -> Account | None:
    value = fields.raw("user")
    if value is None:
        return None
    if value.kind == MAP:
        found = list(_one(value, "user", fields.problems, Given(DEFAULT, value.at)))
    elif value.kind == LIST:
        fields.wrong("user", value, "a name or a mapping", "left out; several accounts are given as 'users'")
        return None
    else:
        name = fields.text("user")
        found = [Account(name.value, name.at)] if name and check_name(name, "user", fields.problems) else []
    return found[0]._replace(name="" if found[0].name == DEFAULT else found[0].name) if found else None


def _one(value: Value, path: str, problems: Problems, key: Given[str] | None = None) -> Iterator[Account]:
    """The account of one mapping, or nothing. `key` is its name if it has none itself."""
    since = len(problems.found)
    fields = Fields(value, path, USER_KEYS, problems)
    name = fields.text("name") or key
    if name is None:
        problems.error(value.at, path, "a user without a name", "left out whole; write name:", 0)
    elif check_name(name, fields.path_of("name"), problems):
        yield read_account(name, fields)
    password.hide_lines(problems, since, value, USER_KEYS)


def _read_groups(fields: Fields) -> tuple[DeclaredGroup, ...]:
    value = fields.raw("groups")
    found: dict[str, DeclaredGroup] = {}
    entries: list[tuple[str, Value, Optional[Value]]] = []
    path = fields.path_of("groups")
    if value is not None and value.kind == MAP:
        entries = [(f"{path}.{name.text}", name, members) for name, members in value.pairs]
    elif value is not None:
        for index, item in enumerate((value,) if value.kind == SCALAR else value.items):
            where = path if value.kind == SCALAR else f"{path}.{index}"
            if item.kind == MAP:
                entries += [(f"{where}.{name.text}", name, members) for name, members in item.pairs]
            elif item.kind == SCALAR and not item.is_null:
                entries += [
                    (where, item._replace(text=name.strip()), None) for name in item.text.split(",") if name.strip()
                ]
            elif item.kind == LIST:
                fields.problems.error(item.at, where, "expected a name or a mapping, got a list", "left out")
    for where, name, listed in entries:
        if check_name(Given(name.text, name.at), where, fields.problems, "group"):
            members = found[name.text].members if name.text in found else ()
            members += _members(listed, where, fields.problems)
            found[name.text] = DeclaredGroup(name.text, name.at, members)
    return tuple(found.values())


def _members(value: Value | None, path: str, problems: Problems) -> tuple[Given[str], ...]:
    if value is None or value.is_null:
        return ()
    found = []
    for item in value.items if value.kind == LIST else (value,):
        if item.kind != SCALAR:
            problems.error(item.at, path, f"expected the name of a user, got a {item.kind}", "left out")
            continue
        names = (Given(name.strip(), item.at) for name in item.text.split(",") if name.strip())
        found += [name for name in names if check_name(name, path, problems)]
    return tuple(found)


# planning


def plan(section: Accounts, facts: Facts, accounts: Accounts) -> Iterator[Union[Step, Problem]]:
    """Groups first, since useradd wants them to exist; then the users, each in one step; then one file for sudo."""
    people = section.everybody(facts)
    default = section.default_user(facts)
    joined: dict[str, list[str]] = {}  # groups of the users declared here, by the key `groups`
    groups: dict[str, Step] = {}
    for group in section.groups:
        members = []
        for member in group.members:
            if any(member.value == account.name for account in people):
                joined.setdefault(member.value, []).append(group.name)
            elif member.value in facts.users:
                members.append(member.value)
            else:
                yield Problem(
                    ERROR, member.at, f"groups.{group.name}", f"there is no user {member.value}",
                    "left out; the group is made", len(member.value),
                )  # fmt: skip
        groups[group.name] = _group_step(group.name, Because(group.at), members=tuple(members))
    users: list[Step] = []
    for account in people:
        wanted = []
        for name in dict.fromkeys((account.primary_group, *(account.groups or ()), *joined.get(account.name, ()))):
            if not name:
                continue
            if name not in facts.groups and name not in groups:
                if not account.create_groups and name != account.primary_group:
                    yield Problem(
                        ERROR, account.at or IMAGE, "users", f"no group {name} exists, and create_groups is false",
                        f"left out; {account.name} comes without it", 0,
                    )  # fmt: skip
                    continue
                # What the image lists for its default user (netdev, lxd) belongs to packages that may come later, and
                # their installation scripts expect a system group or none.
                system = account == default and name in facts.distro.default_user.groups
                groups[name] = _group_step(name, _because(account), system=system)
            if name != account.primary_group:
                wanted.append(name)
        users.append(_user_step(account, tuple(wanted), groups, facts))
    yield from groups.values()
    yield from users
    yield from _plan_sudo(people, facts)


def _because(account: Account) -> Because:
    return Because(account.at, "" if account.at else "it is the default user of this image")


def _group_step(name: str, because: Because, members: tuple[str, ...] = (), system: bool = False) -> Step:
    return Step(f"group:{name}", "accounts", Group(name, system=system, members=members), because, vital=True)


def _user_step(account: Account, wanted: tuple[str, ...], groups: dict[str, Step], facts: Facts) -> Step:
    primary = account.primary_group
    if not primary and account.user_group and account.name not in facts.users:
        # useradd refuses to make the group of the same name a second time (`ciuser: admin` on Ubuntu).
        primary = account.name if account.name in facts.groups or account.name in groups else ""
    action = User(
        account.name, account.uid, account.gecos, primary, wanted, account.home, account.shell, account.system,
        account.create_home, account.user_group, account.log_init, account.expires, account.inactive,
        account.selinux_user,
    )  # fmt: skip
    needs = tuple(groups[name].id for name in dict.fromkeys((primary, *wanted)) if name in groups)
    return Step(f"user:{account.name}", "accounts", action, _because(account), needs=needs, vital=True)


def _plan_sudo(people: tuple[Account, ...], facts: Facts) -> Iterator[Union[Step, Problem]]:
    """All rules in one file that is written whole, so that a rule which is no longer wanted goes."""
    lines = []
    rules = []
    because: Optional[Because] = None
    for account in people:
        for rule in account.sudo or ():
            if not sudoers.is_rule(rule):
                yield Problem(ERROR, IMAGE, "default_user.sudo", "expected a sudo rule", "left out; nobody gets it", 0)
                continue
            rules.append(rule)
            lines.append(sudoers.line(account.name, rule))
            because = because or _because(account)
    has_directory = "/etc/sudoers.d" in facts.paths
    if because is None:
        if has_directory:
            nobody = Because(None, "nobody is given sudo rights")
            yield Step(f"absence:{SUDOERS}", "accounts", Absence(SUDOERS), nobody)
        return
    if not has_directory:  # sudo may come with the packages
        yield Step("directory:/etc/sudoers.d", "accounts", Directory("/etc/sudoers.d", 0o750), because)
    text = "# Written by guestinit as a whole: put other rules into a file of your own.\n" + "\n".join(lines) + "\n"
    action = File(SUDOERS, text.encode(), 0o440, check=sudoers.check(rules))
    yield Step(f"file:{SUDOERS}", "accounts", action, because, vital=True)
