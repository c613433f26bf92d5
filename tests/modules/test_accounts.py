"""accounts: every way of writing users and groups, and what is planned for them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit import rooms
from guestinit.distros import ORDER
from guestinit.model import sudoers
from guestinit.model.accounts import Accounts, is_name
from guestinit.model.action import Absence, Because, Directory, File, Group, Step, User
from guestinit.model.facts import DefaultUser, Facts
from guestinit.model.problem import Problem
from guestinit.modules import accounts
from tests.modules.sections import DEBIAN, facts, messages, section

ADMIN = DefaultUser(
    "debian", "Debian", ("adm", "sudo", "netdev"), ("ALL=(ALL) NOPASSWD:ALL",), "/bin/bash"
)  # fmt: skip


def here(**fields: Any) -> Facts:
    wanted = {
        "distro": DEBIAN._replace(default_user=ADMIN),
        "groups": ("root", "adm", "sudo", "users", "docker"),
        "paths": frozenset({"/etc/sudoers.d"}),
        **fields,
    }
    return facts(**wanted)


def plan(text: str, machine: Facts | None = None) -> list[Step | Problem]:
    read, problems = section(accounts, text)
    assert [str(problem) for problem in problems] == []
    assert isinstance(read, Accounts)
    return list(accounts.plan(read, machine or here(), read))


def users(text: str, machine: Facts | None = None) -> dict[str, User]:
    steps = [step for step in plan(text, machine) if isinstance(step, Step)]
    return {step.action.name: step.action for step in steps if isinstance(step.action, User)}


def sudo(text: str, machine: Facts | None = None) -> str:
    for step in plan(text, machine):
        if isinstance(step, Step) and isinstance(step.action, File):
            assert (step.action.path, step.action.mode) == ("/etc/sudoers.d/90-guestinit", 0o440)
            assert isinstance(step.action.content, bytes)
            return "".join(step.action.content.decode().splitlines(keepends=True)[1:])
    return ""


# who the default user is


@pytest.mark.parametrize("text", ["{}", "users:", "users: [default]", "users: default", "users: {default: true}"])
def test_the_default_user_comes_unless_a_list_leaves_it_out(text: str) -> None:
    expected = User("debian", gecos="Debian", groups=("adm", "sudo", "netdev"), shell="/bin/bash")
    assert users(text) == {"debian": expected}
    assert sudo(text) == "debian ALL=(ALL) NOPASSWD:ALL\n"


@pytest.mark.parametrize("text", ["users: []", "users: ''", "users: {default: false}", "users: {}"])
def test_no_default_user(text: str) -> None:
    assert plan(text) == [
        Step("absence:/etc/sudoers.d/90-guestinit", "accounts", Absence("/etc/sudoers.d/90-guestinit"),
             Because(None, "nobody is given sudo rights"))
    ]  # fmt: skip


def test_proxmox_renames_the_default_user() -> None:
    text = "user: admin\nusers:\n  - default\n"
    assert users(text) == {"admin": User("admin", gecos="Debian", groups=("adm", "sudo", "netdev"), shell="/bin/bash")}
    assert sudo(text) == "admin ALL=(ALL) NOPASSWD:ALL\n"


def test_a_renamed_default_user_comes_even_if_users_leaves_it_out() -> None:
    assert list(users("user: admin\nusers: [alice]")) == ["admin", "alice"]


def test_proxmox_with_root_as_user_changes_nothing_else_of_root() -> None:
    text = "user: root\ndisable_root: False\n"
    assert users(text) == {"root": User("root")}
    assert sudo(text) == ""


def test_the_default_user_keeps_shell_and_name_where_it_exists_already() -> None:
    assert users("user: admin", here(users=("root", "admin"))) == {
        "admin": User("admin", groups=("adm", "sudo", "netdev"))
    }


@pytest.mark.parametrize(
    "text",
    [
        "user: {name: admin, groups: users, shell: /bin/sh, sudo: false}",
        "user: admin\nusers:\n- {name: default, groups: [users], shell: /bin/sh, sudo: null}",
        "user: admin\nusers:\n- default\n- {name: admin, groups: users, shell: /bin/sh, sudo: [False]}",
    ],
)
def test_fields_of_the_default_user_can_be_changed(text: str) -> None:
    read, _ = section(accounts, text)
    steps = [step.action for step in accounts.plan(read, here(), read) if isinstance(step, Step)]
    assert steps == [
        User("admin", gecos="Debian", groups=("users",), shell="/bin/sh"), Absence("/etc/sudoers.d/90-guestinit")
    ]  # fmt: skip


# all the shapes of users


@pytest.mark.parametrize(
    "text",
    [
        "users: [alice, bob]",
        "users: 'alice, bob'",
        "users: ['alice,bob']",
        "users: [[alice, bob]]",
        "users: [{name: alice}, {name: bob}]",
        "users: {alice: , bob: true, carol: false}",
        "users: {alice: {}, bob: {}}",
    ],
)
def test_shapes_of_users(text: str) -> None:
    assert users(text) == {"alice": User("alice"), "bob": User("bob")}


def test_one_user_without_the_dash_of_a_list() -> None:
    assert users("users:\n  name: alice\n  uid: 1200\n") == {"alice": User("alice", uid=1200)}


FULL = """
users:
  - name: alice
    gecos: Alice Example
    groups: users, docker, robots
    primary_group: staff
    uid: "1200"
    homedir: /srv/alice
    shell: /bin/zsh
    expiredate: 2032-02-29
    inactive: '5'
    no_log_init: true
    no_user_group: yes
    no_create_home: on
    selinux_user: staff_u
    lock_passwd: false
    sudo: ["ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart web, /bin/ls", "ALL=(www-data) ALL"]
"""


@pytest.mark.parametrize("text", [FULL, FULL.replace("_", "-").replace("staff-u", "staff_u")])
def test_every_key_in_both_spellings(text: str) -> None:
    read, problems = section(accounts, text)
    assert all(problem.severity == "note" for problem in problems)
    steps = {step.id: step for step in accounts.plan(read, here(), read) if isinstance(step, Step)}
    assert steps["user:alice"].action == User(
        "alice", uid=1200, gecos="Alice Example", primary_group="staff", groups=("users", "docker", "robots"),
        home="/srv/alice", shell="/bin/zsh", create_home=False, user_group=False, log_init=False, expires="2032-02-29",
        inactive=5, selinux_user="staff_u",
    )  # fmt: skip
    assert steps["user:alice"].needs == ("group:staff", "group:robots")
    assert steps["user:alice"].vital
    assert [steps[name].action for name in ("group:staff", "group:robots")] == [Group("staff"), Group("robots")]
    content = steps["file:/etc/sudoers.d/90-guestinit"].action.content  # type: ignore[union-attr]
    assert content.splitlines()[1:] == [  # type: ignore[union-attr]
        b"alice ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart web, /bin/ls", b"alice ALL=(www-data) ALL"
    ]  # fmt: skip


def test_steps_say_where_they_come_from() -> None:
    steps = [step for step in plan("users:\n  - name: alice\n    groups: robots\n") if isinstance(step, Step)]
    assert [(step.id, str(step.because)) for step in steps[:2]] == [
        ("group:robots", "user-data:2:11"), ("user:alice", "user-data:2:11")
    ]  # fmt: skip


def test_a_service_account_has_no_home() -> None:
    assert users("users: [{name: web, system: true}]") == {"web": User("web", system=True, create_home=False)}


def test_existing_users_get_what_is_said_and_nothing_else() -> None:
    text = "users: [{name: www-data, shell: /bin/sh}]"
    assert users(text) == {"www-data": User("www-data", shell="/bin/sh")}


def test_a_user_whose_group_exists_already_joins_it() -> None:
    assert users("users: [docker]")["docker"].primary_group == "docker"
    assert users("groups: [robots]\nusers: [robots]")["robots"].primary_group == "robots"
    assert users("users: [root]")["root"].primary_group == ""


def test_the_default_users_missing_groups_are_system_groups() -> None:
    machine = here(groups=("root", "adm"))
    groups = [step.action for step in plan("{}", machine) if isinstance(step, Step) and isinstance(step.action, Group)]
    assert groups == [Group("sudo", system=True), Group("netdev", system=True)]


def test_groups_that_must_not_be_made() -> None:
    found = plan("users: [{name: alice, groups: [users, nope], create_groups: false}]")
    assert [str(problem) for problem in found if isinstance(problem, Problem)] == [
        "user-data:1:16: users: no group nope exists, and create_groups is false"
    ]
    step = next(step for step in found if isinstance(step, Step))
    assert step.action == User("alice", groups=("users",))


# groups


@pytest.mark.parametrize(
    "text",
    [
        "groups: [ops, dev]",
        "groups: 'ops, dev'",
        "groups: {ops: , dev: []}",
        "groups: [{ops: []}, dev]",
        "groups: ['ops,dev']",
    ],
)
def test_shapes_of_groups(text: str) -> None:
    found = [step.action for step in plan(text + "\nusers: []") if isinstance(step, Step)]
    assert found[:2] == [Group("ops"), Group("dev")]


def test_members_of_a_group() -> None:
    found = plan("groups:\n- ops: [www-data, alice, ghost]\nusers: [alice]")
    steps = {step.id: step.action for step in found if isinstance(step, Step)}
    assert steps["group:ops"] == Group("ops", members=("www-data",))
    assert steps["user:alice"] == User("alice", groups=("ops",))
    assert [str(problem) for problem in found if isinstance(problem, Problem)] == [
        "user-data:2:26: groups.ops: there is no user ghost"
    ]


# sudo


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("alice", "alice"),
        ("ALL", '"ALL"'),
        ("Defaults", '"Defaults"'),
        ("ADMIN", '"ADMIN"'),
        ("web$", '"web$"'),
        ("9x", "9x"),
    ],
)
def test_names_that_mean_something_to_sudo_are_quoted(name: str, line: str) -> None:
    assert sudo(f"users: [{{name: {name}, sudo: 'ALL=(ALL) ALL'}}]") == f"{line} ALL=(ALL) ALL\n"


def test_a_directory_for_the_rules_where_sudo_is_not_there_yet() -> None:
    found = [step.action for step in plan("{}", here(paths=frozenset())) if isinstance(step, Step)]
    assert Directory("/etc/sudoers.d", 0o750) in found


@pytest.mark.parametrize(
    "rule",
    [
        "ALL=(ALL) NOPASSWD:ALL\\nmallory ALL=(ALL) ALL", "ALL", "true", "ALL=(ALL NOPASSWD:ALL",
        "ALL=(ALL) NOPASSWD:ALL #",
        "ALL=(ALL) /bin/ls, ", "ALL=(ALL) ls", "ALL=(ALL) NOPASSWORD: ALL", "@include /tmp/x", "ALL=(ALL) ALL \\\\",
        "ALL=(ALL) /bin/a b:c", "=ALL", "ALL=(ALL) /bin/ls/ -l",
    ],
)  # fmt: skip
def test_a_rule_that_sudo_might_not_read_is_left_out(rule: str) -> None:
    text = f'users:\n- name: alice\n  sudo: ["{rule}", "ALL=(ALL) ALL"]\n'
    read, problems = section(accounts, text)
    assert [str(problem) for problem in problems] == [
        "user-data:3:10: users.0.sudo: expected a sudo rule such as ALL=(ALL) NOPASSWD:ALL"
    ]
    assert read.users[0].sudo == ("ALL=(ALL) ALL",)


@pytest.mark.parametrize("value", ["", "~", "false", "False", "no", "[]", "[false]", "'False'", "{a: b}"])
def test_no_sudo(value: str) -> None:
    read, _ = section(accounts, f"user:\n  sudo: {value}\n")
    assert read.default.sudo == ()


PIECES = (
    "ALL", "=", "(ALL)", "(", ")", " ", "\t", "NOPASSWD:", "/bin/ls", " -l", ",", "!", "(root:wheel)", "(%adm)",
    "(#1000)", "SETENV: ", "TYPE=sysadm_t ", "sudoedit /etc/x", "\\:", "\\,", "\\=", "*", "$",
    "FOO", "host1", "10.0.0.0",
    ' ""', "/",
    "{", "&", ";", "<", "|", "'", "%", "@", "+", "#", "^", ":", '"', "[", "]",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("visudo") is None, reason="visudo is not installed")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), min_size=20, max_size=60))
def test_visudo_reads_every_rule_that_is_let_through(
    tmp_path_factory: pytest.TempPathFactory, tails: list[str]
) -> None:
    rules = [rule for tail in tails for rule in (f"ALL=(ALL) {tail}", f"ALL={tail}", tail) if sudoers.is_rule(rule)]
    file = Path(tmp_path_factory.mktemp("sudo")) / "rules"
    file.write_text("".join(sudoers.line("alice", rule) + "\n" for rule in rules))
    file.chmod(0o440)
    checked = subprocess.run(["visudo", "-cf", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, (checked.stderr, rules)


@given(st.text(st.sampled_from("AL=() /,:!NOPASWD\\"), max_size=1200))
@settings(max_examples=300, deadline=200)
def test_checking_a_rule_is_quick_whatever_it_is(text: str) -> None:
    sudoers.is_rule("ALL=" + text)


# mistakes


@pytest.mark.parametrize(
    "name",
    ["12345", "'bob smith'", "-x", "'a:b'", "''", ".", "'..'", "ä", "'a/b'", "a234567890123456789012345678901234"],
)
def test_a_bad_name_costs_that_user_only(name: str) -> None:
    read, problems = section(accounts, f"users:\n- name: {name}\n  sudo: false\n- name: alice\n- default\n")
    assert [account.name for account in read.users] == ["alice"]
    assert read.default is not None
    if name != "''":
        assert [str(problem) for problem in problems] == ["user-data:2:9: users.0.name: this is not a name for a user"]


@pytest.mark.parametrize("name", ["no", "1e3", "on", "2026-01-01", "0x1f"])
def test_names_without_quotes_stay_text(name: str) -> None:
    assert list(users(f"users: [{{name: {name}}}]")) == [name]


def test_wrong_fields_are_left_out_and_the_user_comes() -> None:
    text = """
users:
  - name: alice
    lock_passwd: maybe
    uid: 0
    shell: bash
    homedir: /home/../etc
    gecos: "a:b"
    expiredate: 2031-02-29
    inactive: soon
    system: perhaps
    groups: [users, "b d"]
    ssh_import_id: [gh:alice]
    doas: [permit nopass]
    shel: /bin/sh
"""
    assert messages(accounts, text) == [
        "warning user-data:15:5: users.0.shel: unknown key",
        "error user-data:13:5: users.0.ssh_import_id: not supported",
        "error user-data:14:5: users.0.doas: not supported",
        "error user-data:11:13: users.0.system: expected true or false, got 'perhaps'",
        "error user-data:4:18: users.0.lock_passwd: expected true or false, got 'maybe'",
        "error user-data:5:10: users.0.uid: expected a number from 1 to 4294967294, got '0'",
        "error user-data:10:15: users.0.inactive: expected a whole number, got 'soon'",
        "error user-data:8:12: users.0.gecos: expected text without ':' and line breaks",
        "error user-data:12:21: users.0.groups: this is not a name for a group",
        "error user-data:7:14: users.0.homedir: expected an absolute path",
        "error user-data:6:12: users.0.shell: expected an absolute path",
        "error user-data:9:17: users.0.expiredate: expected a date such as 2030-12-31",
    ]
    read, _ = section(accounts, text)
    assert read.users[0].lock is True
    found = [step.action for step in accounts.plan(read, here(), read) if isinstance(step, Step)]
    assert found[0] == User("alice", groups=("users",))


def test_a_user_without_a_name() -> None:
    assert messages(accounts, "users:\n- sudo: false\n") == ["error user-data:2:3: users.0: a user without a name"]


def test_a_user_given_twice_is_one() -> None:
    text = "users:\n- {name: alice, uid: 1200, shell: /bin/sh}\n- {name: alice, shell: /bin/zsh}\n"
    assert messages(accounts, text) == ["warning user-data:3:10: users: the user alice is given twice, first in line 2"]
    read, _ = section(accounts, text)
    assert [(account.uid, account.shell) for account in read.users] == [(1200, "/bin/zsh")]


@pytest.mark.parametrize(
    "text",
    [
        "users:\n- {name: 'a b', passwd: hunter2, shell: x, pasword: hunter2}\n",
        "users:\n- name: alice\n  pasword: hunter2\n  passwd: hunter2\n",
        "users: {alice: hunter2}\n",
        "users: ['alice:hunter2']\n",
        "user: {name: alice, plain_text_passwd: [hunter2], uid: hunter2x}\n",
    ],
)
def test_no_problem_shows_a_password_or_a_line_that_may_hold_one(text: str) -> None:
    read, problems = section(accounts, text)
    assert problems
    lines = text.split("\n")
    for problem in problems:
        if "uid" not in problem.path:  # the value of a key that is no secret
            assert "hunter2" not in f"{problem} {problem.hint}"
        assert problem.width == 0 or "hunter2" not in lines[problem.position.line - 1]
    assert "hunter2" not in repr(read)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.sampled_from(["alice", "default", "true", "", "null", "7", "ALL=(ALL) ALL", "a, b", "$6$x$y"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["name", "sudo", "groups", "passwd", "uid", "alice", "x"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_stands_there_nothing_is_thrown_and_every_name_is_safe(value: Any) -> None:
    import json

    for key in ("users", "user", "groups"):
        read, _ = section(accounts, json.dumps({key: value}))
        for step in accounts.plan(read, here(), read):
            if isinstance(step, Step) and isinstance(step.action, (User, Group)):
                assert is_name(step.action.name)
                assert all(map(is_name, getattr(step.action, "groups", ())))


# what the distributions bring


@pytest.mark.parametrize("name", ORDER)
def test_default_users_of_the_distributions(name: str) -> None:
    distro = rooms.one("distros", name).DISTRO
    user = distro.default_user
    assert distro.name == name
    assert is_name(user.name) and all(map(is_name, user.groups))
    assert distro.admin_group in user.groups
    assert all(map(sudoers.is_rule, user.sudo)) and user.sudo
    assert distro.ssh_unit.endswith(".service") and distro.locale_file.startswith("/etc/")
