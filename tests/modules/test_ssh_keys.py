"""ssh_keys: whose keys go where, and what counts as a key."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model import ssh_key
from guestinit.model.accounts import Accounts
from guestinit.model.action import Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields
from guestinit.model.identity import Identity
from guestinit.model.problem import Position, Problem, Problems
from guestinit.model.seed import MetaData
from guestinit.model.value import Given
from guestinit.modules import accounts, ssh_keys
from tests.modules.sections import facts, section
from tests.values import parse


def key(number: int, kind: str = "ssh-ed25519", comment: str = "") -> str:
    """A key that is none, but has the form: its blob names its type."""
    blob = len(kind).to_bytes(4, "big") + kind.encode() + (32).to_bytes(4, "big") + bytes([number]) * 32
    return " ".join(filter(None, (kind, base64.b64encode(blob).decode(), comment)))


ONE, TWO, THREE = key(1, comment="ops@bastion"), key(2, "ssh-rsa"), key(3, "ecdsa-sha2-nistp256", "third key")
RECONFIGURED = facts(identity=Identity("reconfigured", "the seed has changed"))


def plan(text: str, machine: Facts | None = None, meta: tuple[str, ...] = (), notes: int = 0) -> list[Step | Problem]:
    declared, wrong = section(accounts, text)
    assert [problem.severity for problem in wrong] == ["note"] * notes
    problems = Problems()
    given = MetaData("i-1", True, public_keys=tuple(Given(text, Position("meta-data", 2, 3)) for text in meta))
    read = ssh_keys.read(Fields(parse(text), "", ssh_keys.KEYS, problems, check=False), given)
    assert [str(problem) for problem in problems.found] == []
    assert isinstance(declared, Accounts)
    return list(ssh_keys.plan(read, machine or facts(), declared))


def lines(
    text: str, machine: Facts | None = None, meta: tuple[str, ...] = (), notes: int = 0
) -> dict[str, tuple[str, ...]]:
    found = {}
    for step in plan(text, machine, meta, notes):
        assert isinstance(step, Step) and isinstance(step.action, Lines)
        user = step.action.owner
        path = f"~{user}/.ssh/authorized_keys"
        assert step.action._replace(add=()) == Lines(
            path, (), managed=True, mode=0o600, owner=user, directory_mode=0o700
        )
        assert (step.id, step.vital) == (f"lines:{path}", True)
        found[user] = step.action.add
    return found


def refusal(user: str, line: str, default: str = "debian") -> str:
    message = f"This key is not for {user}: log in as {default} instead."
    return f"restrict,command=\"echo '{message}'; sleep 10; exit 142\" {line}"


def test_what_proxmox_writes() -> None:
    text = f"user: admin\nssh_authorized_keys:\n  - {ONE}\r\n  - {TWO}\nusers:\n  - default\n"
    text = text.replace("\r\n", "\n").replace(ONE, f'"{ONE}\\r"')
    assert lines(text) == {
        "admin": (ONE, TWO), "root": (refusal("root", ONE, "admin"), refusal("root", TWO, "admin"))
    }  # fmt: skip
    first, second = plan(text)
    assert isinstance(first, Step) and isinstance(second, Step)
    assert (first.needs, str(first.because), second.needs) == (("user:admin",), "user-data:3:5", ())


def test_proxmox_with_root_as_user() -> None:
    assert lines(f"user: root\ndisable_root: False\nssh_authorized_keys: [{ONE}]\n") == {"root": (ONE,)}
    assert lines(f"user: root\nssh_authorized_keys: [{ONE}]\n") == {"root": (ONE,)}


def test_root_may_be_let_in() -> None:
    assert lines(f"disable_root: false\nssh_authorized_keys: [{ONE}]") == {"debian": (ONE,), "root": (ONE,)}


def test_options_of_ones_own_for_root() -> None:
    text = f'disable_root_opts: no-pty,command="echo $USER not $DISABLE_USER"\nssh_authorized_keys: [{ONE}]'
    assert lines(text)["root"] == (f'no-pty,command="echo debian not root" {ONE}',)


def test_keys_of_the_platform() -> None:
    assert lines("{}", meta=(f"{ONE}\n{TWO}\n",))["debian"] == (ONE, TWO)
    assert lines(f"ssh_authorized_keys: [{TWO}]", meta=(ONE, TWO))["debian"] == (TWO, ONE)
    assert lines("allow_public_ssh_keys: false", meta=(ONE,)) == {}


def test_keys_of_users() -> None:
    text = f"""
ssh_authorized_keys: {ONE}
users:
  - default
  - name: alice
    ssh-authorized-keys:
      - {TWO}
  - name: bob
    ssh_authorized_keys: |
      {TWO}

      {THREE}
  - {{name: carol, ssh_redirect_user: true}}
"""
    found = lines(text, notes=1)
    assert found == {
        "debian": (ONE,), "alice": (TWO,), "bob": (TWO, THREE), "carol": (refusal("carol", ONE),),
        "root": (refusal("root", ONE),),
    }  # fmt: skip


def test_virt_install_gives_root_keys_of_its_own() -> None:
    text = f"""
ssh_authorized_keys: [{ONE}]
users:
  - default
  - name: root
    ssh_authorized_keys: [{TWO}, {ONE}]
"""
    assert lines(text) == {"debian": (ONE,), "root": (TWO, ONE)}
    assert lines(text.replace(f", {ONE}]", "]"))["root"] == (TWO, refusal("root", ONE))


def test_keys_given_to_the_default_user_in_both_ways() -> None:
    text = f"ssh_authorized_keys: [{ONE}]\nusers:\n- name: default\n  ssh_authorized_keys: [{TWO}, {ONE} again]\n"
    assert lines(text)["debian"] == (ONE, TWO)
    text = f"ssh_authorized_keys: [{ONE}]\nusers:\n- default\n- name: debian\n  ssh_authorized_keys: [{TWO}]\n"
    assert lines(text)["debian"] == (ONE, TWO)


def test_options_of_a_key_stay_but_do_not_soften_the_refusal() -> None:
    line = f'from="10.0.0.0/8,!10.1.1.1",no-pty {ONE}'
    assert lines(f"ssh_authorized_keys: ['{line}']") == {"debian": (line,), "root": (refusal("root", ONE),)}


def test_a_comment_that_made_a_mapping_of_the_key() -> None:
    assert lines(f"ssh_authorized_keys:\n  - {key(1)} alice: laptop\n")["debian"] == (f"{key(1)} alice: laptop",)


def test_keys_that_are_no_longer_wanted_go_but_only_where_some_could_be_ours() -> None:
    assert lines("users: [default, alice]") == {}
    assert lines("users: [default, alice]", RECONFIGURED) == {"debian": (), "alice": (), "root": ()}


def test_without_a_default_user() -> None:
    (problem,) = plan(f"users: []\nssh_authorized_keys: [{ONE}]")
    assert str(problem) == "user-data:2:23: ssh_authorized_keys: there is no default user to have these keys"


@pytest.mark.parametrize(
    "bad", ["ssh-rsa AAAA", "ssh-ed25519", "hello", TWO.replace("ssh-rsa", "ssh-dss"), ONE[:40], f"'{ONE}' {ONE}"]
)
def test_a_bad_key_costs_only_itself(bad: str) -> None:
    quoted = bad.replace("'", "''")
    read, problems = section(ssh_keys, f"ssh_authorized_keys:\n- '{quoted}'\n- {ONE}\n")
    assert [str(problem) for problem in problems] == [
        "user-data:2:3: ssh_authorized_keys.0: expected a public key such as 'ssh-ed25519 AAAA... comment', "
        "got something else"
    ]
    assert [given.value for given in read.keys] == [ONE]


def test_a_private_key_in_the_wrong_place_is_not_shown() -> None:
    begin, end = (f"-----{word} OPENSSH PRIVATE KEY-----" for word in ("BEGIN", "END"))
    text = f"ssh_authorized_keys:\n- |\n  {begin}\n  hunter2\n  {end}\n"
    _, problems = section(ssh_keys, text)
    assert problems and all(problem.width == 0 and "hunter2" not in str(problem) for problem in problems)


@pytest.mark.parametrize("text", ["disable_root: flase", "disable_root: [true]"])
def test_the_safe_side_of_disable_root(text: str) -> None:
    assert section(ssh_keys, text)[0].disable_root is True


def test_the_safe_side_of_allow_public_ssh_keys() -> None:
    problems = Problems()
    meta = MetaData("i-1", True, public_keys=(Given(ONE, Position("meta-data")),))
    fields = Fields(parse("allow_public_ssh_keys: flase"), "", ssh_keys.KEYS, problems, check=False)
    assert ssh_keys.read(fields, meta).keys == ()
    assert len(problems.found) == 1


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_ssh_keygen_makes_is_a_key(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "a comment", "-f", str(path)], check=True)
    found = ssh_key.parse(path.with_suffix(".pub").read_text().strip())
    assert found is not None and found.comment == "a comment" and found.options == ""


@pytest.mark.parametrize("name", ["allowed", "refused", "options"])
def test_ssh_keygen_reads_what_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(path)], check=True)
    public = path.with_suffix(".pub").read_text().strip()
    if name == "options":
        public = f'environment="A=b c",from="10.*" {public}'
    found: Any = lines("ssh_authorized_keys: [" + '"' + public.replace('"', '\\"') + '"]')
    file = tmp_path / "authorized_keys"
    file.write_text("\n".join(found["root" if name == "refused" else "debian"]) + "\n")
    listed = subprocess.run(["ssh-keygen", "-l", "-f", str(file)], capture_output=True, text=True, check=True).stdout
    assert listed.split()[2:] == ["me", "(ED25519)"]


@given(st.text(max_size=300))
def test_any_text_is_a_key_of_one_line_or_none(text: str) -> None:
    problems = Problems()
    for found in ssh_key.check([Given(text, Position("x"))], "x", problems):
        assert ssh_key.parse(found.value) is not None and found.value.isprintable()


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60))
def test_comments_and_quoted_options_come_through(text: str) -> None:
    words = " ".join(text.split())
    found = ssh_key.parse(f"{key(7)} {words}".strip())
    assert found is not None and found.comment == words
    option = 'command="' + words.replace("\\", "").replace('"', '\\"') + '"'
    found = ssh_key.parse(f"{option} {key(7)}")
    assert found is not None and found.options == option
