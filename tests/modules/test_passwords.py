"""passwords: where they come from, what they are, which one counts; and sshd's switch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model.accounts import Accounts
from guestinit.model.action import ONCE, Command, File, Lines, Password, Step
from guestinit.model.facts import Facts
from guestinit.model.password import GivenPassword, is_hash
from guestinit.model.problem import Position, Problem, Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.modules import accounts, passwords
from tests.modules.sections import facts, messages, section

# Of the right length; made up.
SHA256 = "$5$Zk3PqVb1$" + "o9Xk" * 10 + "abc"
SHA512 = "$6$rounds=5000$saltsalt$" + "ab" * 43
YESCRYPT = "$y$j9T$abcdefgh$" + "A" * 43


def plan(text: str, machine: Facts | None = None) -> list[Step | Problem]:
    declared, wrong = section(accounts, text)
    read, problems = section(passwords, text)
    assert [str(problem) for problem in (*wrong, *problems) if problem.severity == "error"] == []
    assert isinstance(declared, Accounts)
    return list(passwords.plan(read, machine or facts(), declared))


def chosen(text: str, machine: Facts | None = None) -> dict[str, Password]:
    steps = [step for step in plan(text, machine) if isinstance(step, Step)]
    for step in steps:
        if isinstance(step.action, Password):
            assert (step.id, step.frequency, step.vital) == (f"password:{step.action.user}", ONCE, True)
    return {step.action.user: step.action for step in steps if isinstance(step.action, Password)}


# the default user's


def test_what_proxmox_writes() -> None:
    text = f"user: admin\npassword: {SHA256}\nchpasswd:\n  expire: False\nusers:\n  - default\n"
    (step,) = plan(text)
    assert isinstance(step, Step)
    assert step.action == Password("admin", Secret(SHA256), hashed=True)
    assert (step.needs, str(step.because)) == (("user:admin",), "user-data:2:11")


@pytest.mark.parametrize(
    "hashed", [SHA256, SHA512, YESCRYPT, "$1$ab$" + "x" * 22, "$2b$12$" + "x" * 53, "$7$CU..../x$" + "y" * 43]
)
def test_hashes_are_known_by_their_shape(hashed: str) -> None:
    assert chosen(f"password: {hashed}")["debian"] == Password("debian", Secret(hashed), hashed=True, expire=True)


@pytest.mark.parametrize("text", ["010101", "'secret word'", "no", "1e3", "$5$", "$5$onlysalt", "'pa:ss'", "é1"])
def test_everything_else_is_clear_text_as_written(text: str) -> None:
    word = text.strip("'")
    assert chosen(f"password: {text}")["debian"] == Password("debian", Secret(word), hashed=False, expire=True)


def test_a_random_one() -> None:
    assert chosen("password: RANDOM")["debian"] == Password("debian", random=True, expire=True)


def test_without_a_default_user_it_is_nobodys() -> None:
    (problem,) = plan("password: secret\nusers: []")
    assert str(problem) == "user-data:1:11: password: there is no default user to have it"


# those of users


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (f"passwd: {SHA256}, lock_passwd: false", Password("alice", Secret(SHA256), True, locked=False)),
        (f"hashed-passwd: {SHA256}, lock-passwd: False", Password("alice", Secret(SHA256), True, locked=False)),
        ("plain_text_passwd: 0123, lock_passwd: no", Password("alice", Secret("0123"), False, locked=False)),
        (f"passwd: {SHA256}", Password("alice", Secret(SHA256), True, locked=True)),
        (f"passwd: {SHA256}, lock_passwd: true", Password("alice", Secret(SHA256), True, locked=True)),
        (f"passwd: '!{SHA256}', lock_passwd: false", Password("alice", Secret(SHA256), True, locked=True)),
        ("passwd: '*', lock_passwd: false", Password("alice", locked=True)),
        ("lock_passwd: true", Password("alice", locked=True)),
        ("lock_passwd: false", Password("alice", locked=False)),
    ],
)
def test_passwords_of_users(fields: str, expected: Password) -> None:
    assert chosen(f"users: [{{name: alice, {fields}}}]") == {"alice": expected}


def test_a_password_that_is_locked_by_default_is_pointed_out() -> None:
    assert messages(accounts, f"users:\n- name: a\n  passwd: {SHA256}\n") == [
        "warning user-data:3:11: users.0.lock_passwd: the password is locked, as by default even one that is given is"
    ]
    assert messages(accounts, f"users:\n- name: a\n  passwd: {SHA256}\n  lock_passwd: true\n") == []


def test_accounts_without_any_word_about_passwords() -> None:
    assert chosen("users: [alice]") == {}  # useradd makes it locked
    locked = Password("alice", locked=True, only_if_unset=True)
    assert chosen("users: [alice]", facts(users=("root", "alice"))) == {"alice": locked}


# chpasswd


def test_chpasswd_users() -> None:
    text = f"""
users: []
chpasswd:
  expire: false
  users:
    - {{name: root, password: {SHA256}, type: hash}}
    - {{name: daemon, password: 010101, type: text}}
    - {{name: www-data, type: RANDOM}}
"""
    assert chosen(text) == {
        "root": Password("root", Secret(SHA256), True),
        "daemon": Password("daemon", Secret("010101"), False),
        "www-data": Password("www-data", random=True),
    }


@pytest.mark.parametrize(
    "written",
    [
        f"|\n    root:{SHA256}\n\n    daemon:pa:ss\n    www-data:R\n",
        f"['root:{SHA256}', 'daemon:pa:ss', 'www-data:RANDOM']",
    ],
)
def test_the_old_list_as_text_and_as_list(written: str) -> None:
    assert chosen(f"users: []\nchpasswd:\n  list: {written}") == {
        "root": Password("root", Secret(SHA256), True, expire=True),
        "daemon": Password("daemon", Secret("pa:ss"), False, expire=True),
        "www-data": Password("www-data", random=True, expire=True),
    }


def test_virt_install() -> None:
    text = (
        "chpasswd:\n  list: |\n    root:Xy7\n  expire: True\nusers:\n  - default\n"
        "  - name: root\n    ssh_authorized_keys: []\n"
    )
    assert chosen(text) == {"root": Password("root", Secret("Xy7"), False, expire=True)}


def test_which_one_counts() -> None:
    text = f"""
user: admin
password: from-password
users:
  - {{name: default, plain_text_passwd: from-users, lock_passwd: true}}
  - {{name: alice, passwd: {SHA256}, lock_passwd: true}}
"""
    assert chosen(text)["admin"].secret == Secret("from-password")
    assert chosen(text)["admin"].locked is None
    text += "chpasswd: {list: ['admin:from-list', 'alice:opened']}\n"
    found = chosen(text)
    assert (found["admin"].secret, found["alice"]) == (
        Secret("from-list"), Password("alice", Secret("opened"), expire=True)
    )  # fmt: skip


def test_somebody_who_is_not_here() -> None:
    (problem,) = plan("users: []\nchpasswd: {list: ['ghost:boo']}")
    assert str(problem) == "user-data:2:19: chpasswd: there is no user ghost"


# once


def basis(text: str) -> Secret:
    (step,) = plan(text)
    assert isinstance(step, Step) and step.basis is not None
    return step.basis


def test_only_another_input_makes_it_due_again() -> None:
    text = "password: one\nhostname: a\n"
    assert basis(text) == basis(text.replace("hostname: a", "hostname: b"))
    others = ("password: two", "password: RANDOM", "password: one\nchpasswd: {expire: false}")
    assert len({basis(text), *map(basis, others)}) == 4


# mistakes, and secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: [a]", "error user-data:1:11: password: expected text, got a list"),
        ("password: ''", "error user-data:1:11: password: an empty password would let anybody in"),
        ('password: "a\\nroot:b"',
         "error user-data:1:11: password: a password cannot hold a line break or a control character"),
        ("chpasswd: hunter2", "error user-data:1:11: chpasswd: expected a mapping, got a text"),
        ("chpasswd: {list: {a: hunter2}}",
         "error user-data:1:18: chpasswd.list: expected a list of name:password, got a mapping"),
        ("chpasswd: {list: [hunter2]}",
         "error user-data:1:19: chpasswd.list.0: expected name:password, got a line without ':'"),
        ("chpasswd: {list: ['a b:hunter2']}", "error user-data:1:19: chpasswd.list.0: this is not a name for a user"),
        ("chpasswd: {list: [a: hunter2]}", "error user-data:1:19: chpasswd.list.0: expected name:password"),
        ("chpasswd: {users: [hunter2]}",
         "error user-data:1:20: chpasswd.users.0: expected a mapping with name and password"),
        ("chpasswd: {users: [{password: hunter2}]}",
         "error user-data:1:20: chpasswd.users.0: a password without the name of a user"),
        ("chpasswd: {users: [{name: a, password: hunter2}]}",
         "error user-data:1:40: chpasswd.users.0.password: "
         "expected a password hash such as $6$..., got something else"),
        ("chpasswd: {users: [{name: a, password: hunter2, type: sha}]}",
         "error user-data:1:55: chpasswd.users.0.type: expected hash, text or RANDOM"),
        ("chpasswd: {users: [{name: a, type: text}]}",
         "error user-data:1:27: chpasswd.users.0.password: no password is given"),
        ("chpasswd: {users: [{name: a, pasword: hunter2, type: RANDOM}]}",
         "warning user-data:1:30: chpasswd.users.0.pasword: unknown key"),
        ("chpasswd: {expire: soon}", "error user-data:1:20: chpasswd.expire: expected true or false, got 'soon'"),
        (f"password: {SHA256[:-1]}",
         "warning user-data:1:11: password: the hash has 42 characters behind its salt, not 43"),
    ],
)  # fmt: skip
def test_mistakes(text: str, expected: str) -> None:
    read, problems = section(passwords, text)
    assert [f"{problem.severity} {problem}" for problem in problems] == [expected]
    assert "hunter2" not in repr((read, problems))
    if "hunter2" in text:
        assert problems[0].width == 0


@pytest.mark.parametrize("text", ["chpasswd: {expire: soon}", "chpasswd: {}", "{}"])
def test_the_safe_side_of_expire_is_true(text: str) -> None:
    assert section(passwords, text)[0].expire is True


def test_a_clear_text_in_the_place_of_a_hash_opens_nothing() -> None:
    text = "users: [{name: alice, passwd: hunter2, lock_passwd: false}]"
    declared, problems = section(accounts, text)
    assert [problem.path for problem in problems] == ["users.0.passwd"]
    (account,) = declared.users
    assert (account.password, account.lock) == (None, None)


@given(st.text(max_size=200))
def test_nothing_that_could_begin_another_line_is_ever_a_password(text: str) -> None:
    import json

    from guestinit.model.fields import Fields
    from guestinit.model.seed import MetaData
    from tests.values import parse

    try:
        value = parse(json.dumps({"password": text, "chpasswd": {"list": [f"root:{text}"]}}))
    except AssertionError:
        return  # no YAML at all
    read = passwords.read(Fields(value, "", passwords.KEYS, Problems(), check=False), MetaData("i", True))
    for found in (read.default, *(entry.password for entry in read.entries)):
        secret = found.secret.reveal().decode() if found and found.secret else ""
        assert secret.isprintable()
        assert not (found and found.hashed) or (is_hash(secret) and ":" not in secret)


# sshd


DROP_IN = "/etc/ssh/sshd_config.d/50-guestinit.conf"


def sshd(text: str, *paths: str) -> list[Step]:
    return [step for step in plan("users: []\n" + text, facts(paths=frozenset(paths))) if isinstance(step, Step)]


@pytest.mark.parametrize("text", ["", "ssh_pwauth:", "ssh_pwauth: unchanged", "ssh_pwauth: ''"])
def test_sshd_is_left_alone(text: str) -> None:
    assert sshd(text, "/etc/ssh/sshd_config.d") == []


@pytest.mark.parametrize(("value", "word"), [("true", "yes"), ("1", "yes"), ("False", "no"), ("no", "no")])
def test_a_file_of_our_own_for_sshd(value: str, word: str) -> None:
    file, reload = sshd(f"ssh_pwauth: {value}", "/etc/ssh/sshd_config.d")
    text = f"# Written by guestinit, because ssh_pwauth was given.\nPasswordAuthentication {word}\n"
    assert (file.id, file.action) == (f"file:{DROP_IN}", File(DROP_IN, text.encode(), 0o600))
    assert (reload.when_changed, reload.needs) == ((file.id,), (file.id,))
    assert isinstance(reload.action, Command)
    assert reload.action.argv == ("systemctl", "--no-block", "reload", "ssh.service")
    assert reload.action.unit_active == "ssh.service"


def test_a_line_where_sshd_has_no_directory() -> None:
    import re

    lines, _ = sshd("ssh_pwauth: true")
    assert isinstance(lines.action, Lines)
    assert (lines.action.path, lines.action.add, lines.action.mode) == (
        "/etc/ssh/sshd_config", ("PasswordAuthentication yes",), None
    )  # fmt: skip
    replaced = re.compile(lines.action.replace)
    assert replaced.search("#PasswordAuthentication yes") and replaced.search("PasswordAuthentication no")
    assert not replaced.search("# PasswordAuthentication.  Depending on your PAM configuration,")
    assert not replaced.search("    PasswordAuthentication no")  # within a Match block


def test_the_safe_side_of_ssh_pwauth_is_no() -> None:
    read, problems = section(passwords, "ssh_pwauth: ture")
    assert read.ssh.value is False
    assert [str(problem) for problem in problems] == ["user-data:1:13: ssh_pwauth: expected true or false, got 'ture'"]


def test_the_section_prints_no_secret() -> None:
    read: Any = section(passwords, f"password: hunter2\nchpasswd: {{list: ['root:hunter3', 'a:{SHA256}']}}")[0]
    assert "hunter" not in repr(read) and SHA256 not in repr(read)
    assert repr(plan("password: hunter2")).count("***") == 2


# the platform's


PLATFORM = MetaData("i-1", True, password=GivenPassword(Position("meta-data", 1, 9), Secret("from the platform")))
APPLIED = Password("debian", Secret("from the platform"))


def with_platform(text: str, machine: Facts | None = None) -> tuple[dict[str, Step], list[str]]:
    declared, _ = section(accounts, text)
    read, _ = section(passwords, text, PLATFORM)
    planned = list(passwords.plan(read, machine or facts(), declared))
    steps = {step.action.user: step for step in planned if isinstance(step, Step) and isinstance(step.action, Password)}
    return steps, [f"{found.severity} {found}" for found in planned if isinstance(found, Problem)]


@pytest.mark.parametrize(
    "text",
    ["", "users: [default]", "users: [default, {name: bob}]", "users: [{name: debian, lock_passwd: false}, default]",
     "chpasswd: {expire: true}", "chpasswd: {list: ['root:abc']}"],
)  # fmt: skip
def test_platforms_password_is_the_default_users(text: str) -> None:
    """It never has to be changed at the first login, and sshd takes what it took before."""
    steps, said = with_platform(text, facts(users=("root", "debian")))
    step = steps["debian"]
    assert (step.action, step.frequency, step.vital, said) == (APPLIED, ONCE, True, [])
    assert (str(step.because), step.needs) == ("meta-data:1:9", ("user:debian",))


def test_platforms_password_is_applied_once_for_each_value() -> None:
    first, second = (with_platform("")[0]["debian"].basis for _ in range(2))
    assert first == second
    read, _ = section(passwords, "", MetaData("i-1", True, password=GivenPassword(Position("m"), Secret("another"))))
    declared, _ = section(accounts, "")
    (step,) = passwords.plan(read, facts(), declared)
    assert isinstance(step, Step) and step.basis != first


@pytest.mark.parametrize(
    "text",
    [
        "password: mine",
        "chpasswd: {users: [{name: debian, password: mine, type: text}]}",
        "chpasswd: {list: ['debian:mine']}",
        "users: [default, {name: debian, plain_text_passwd: mine}]",
    ],
)
def test_any_password_of_cloud_config_goes_before_the_platforms(text: str) -> None:
    steps, said = with_platform(text)
    action = steps["debian"].action
    assert isinstance(action, Password) and action.secret is not None
    assert (action.secret.reveal(), said) == (b"mine", [])


def test_platforms_password_does_not_open_what_the_user_locks() -> None:
    steps, said = with_platform("users: [default, {name: debian, lock_passwd: true}]")
    assert steps["debian"].action == Password("debian", locked=True)
    assert said == ["note meta-data:1:9: password: users locks the password of debian"]


@pytest.mark.parametrize("text", ["users: []", "users: [{name: bob}]"])
def test_platforms_password_without_a_default_user(text: str) -> None:
    steps, said = with_platform(text)
    assert all(step.action != APPLIED for step in steps.values())
    assert said == ["warning meta-data:1:9: password: there is no default user to have it"]
