"""The image configuration, from files in a root."""

from __future__ import annotations

import os

import pytest

from guestinit.model.facts import DefaultUser
from guestinit.model.image import DATASOURCES, Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document
from guestinit.model.value import data
from guestinit.reading import image


def read(*texts: str) -> tuple[Image, list[str]]:
    problems = Problems()
    documents = [Document(f"{index}.yaml", f"/{index}.yaml", text.encode()) for index, text in enumerate(texts, 1)]
    found = image.read(documents, problems)
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


def test_nothing() -> None:
    found, said = read()
    assert (
        found.default_user, found.options, found.datasources, data(found.defaults), said,
    ) == ((), (), DATASOURCES, {}, [])  # fmt: skip


FULL = """
default_user:
  name: ops
  gecos: Operator
  groups: adm, wheel
  sudo: ["ALL=(ALL) NOPASSWD:ALL"]
  shell: /bin/zsh
  lock_passwd: false
  uid: 1500
  primary_group: staff
  homedir: /srv/ops
datasources: [nocloud]
network: {renderer: NetworkManager, config: disabled}
report:
  agent_channel: no
  console: on
commands: {repeat_failed: true, on_failure: stop}
config:
  timezone: Europe/Berlin
"""


def test_everything() -> None:
    found, said = read(FULL)
    assert said == []
    assert DefaultUser(
        "ops", "Operator", ("adm", "wheel"), ("ALL=(ALL) NOPASSWD:ALL",), "/bin/zsh", False, "staff", 1500, "/srv/ops"
    ) == found.user(DefaultUser("debian"))
    assert dict(found.options) == {
        "network.renderer": "network-manager",
        "network.config": "disabled",
        "report.agent_channel": "false",
        "report.console": "true",
        "commands.repeat_failed": "true",
        "commands.on_failure": "stop",
    }
    assert data(found.defaults) == {"timezone": "Europe/Berlin"}
    assert (found.option("network.config"), found.option("network.nothing", "x")) == ("disabled", "x")


def test_later_files_replace_single_settings() -> None:
    found, said = read(
        FULL, "", "default_user: {name: boss, groups: []}\nconfig: {packages: [x]}\n", "report: {console: off}"
    )
    assert said == []
    user = found.user(DefaultUser("debian"))
    assert (user.name, user.groups, user.shell) == ("boss", (), "/bin/zsh")
    assert data(found.defaults) == {"timezone": "Europe/Berlin", "packages": ["x"]}
    assert (found.option("report.console"), found.option("report.agent_channel")) == ("false", "false")


@pytest.mark.parametrize("sudo", ["false", "[]", "no"])
def test_no_sudo(sudo: str) -> None:
    found, _ = read(f"default_user: {{sudo: {sudo}}}\n")
    assert found.user(DefaultUser("debian", sudo=("ALL",))).sudo == ()


def test_what_is_not_given_stays() -> None:
    found, _ = read("default_user: {name: ops}\n")
    before = DefaultUser("debian", "Debian", ("adm",), ("x",), "/bin/sh")
    assert before._replace(name="ops") == found.user(before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("default_users: {}\n", "warning /1.yaml:1:1: default_users: unknown key"),
        ("default_user: {nam: x}\n", "warning /1.yaml:1:16: default_user.nam: unknown key"),
        ("default_user: x\n", "error /1.yaml:1:15: default_user: expected a mapping, got 'x'"),
        ("default_user: {uid: 0}\n", "error /1.yaml:1:21: default_user.uid: expected a number from 1 to 4294967294"),
        (
            "network: {renderer: eni}\n",
            "error /1.yaml:1:21: network.renderer: expected auto, networkd, network-manager, netplan or ifupdown",
        ),
        ("report: {console: maybe}\n", "error /1.yaml:1:19: report.console: expected true or false, got 'maybe'"),
        ("config: [a]\n", "error /1.yaml:1:9: config: expected a mapping, got a list"),
        ("datasources: [azure]\n", "warning /1.yaml:1:15: datasources: a datasource that this version does not have"),
        ("- a\n", "error /1.yaml:1:1: expected a mapping of keys to values, got a list"),
        ("a: b: c\n", "error /1.yaml:1:5: ': ' is not expected here"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    _, told = read(text, "report: {console: true}")
    (message,) = told
    assert message.startswith(said)


def test_an_unusable_lock_is_a_lock() -> None:
    found, told = read("default_user: {lock_passwd: maybe}\n")
    assert (dict(found.default_user)["lock_passwd"], len(told)) == (True, 1)


class Directory:
    """A root directory, without the safety of the real one."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self, path: str) -> bytes | None:
        try:
            with open(self.path + path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def listdir(self, path: str) -> list[str]:
        return os.listdir(self.path + path) if os.path.isdir(self.path + path) else []


def test_load(tmp_path: object) -> None:
    assert Image() == image.load(Directory(str(tmp_path)), Problems())._replace(defaults=Image().defaults)
    os.makedirs(f"{tmp_path}/etc/guestinit/guestinit.d/dir.yaml")
    for name, user in (
        ("guestinit.yaml", "a"), ("guestinit.d/20-b.cfg", "b"), ("guestinit.d/10-c.yaml", "c"),
        ("guestinit.d/30-d.yaml.bak", "d"), ("guestinit.d/.40.yaml", "e"),
    ):  # fmt: skip
        with open(f"{tmp_path}/etc/guestinit/{name}", "w") as file:
            file.write(f"default_user: {{name: {user}}}\n")
    problems = Problems()
    found = image.load(Directory(str(tmp_path)), problems)
    assert found.default_user == (("name", "b"),)
    assert [str(p) for p in problems.found] == ["/etc/guestinit/guestinit.d/dir.yaml: cannot be read: Is a directory"]
