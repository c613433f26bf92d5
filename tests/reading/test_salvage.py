"""A document that is not valid YAML: its keys and root access come all the same (platforms.md 2.2; 14, 27 and 29)."""

from __future__ import annotations

from typing import Any

import pytest

from guestinit.model.problem import Problems
from guestinit.model.value import data
from guestinit.reading import salvage

RSA = "ssh-rsa AAAAB3NzaC1yc2E"
ED = "ssh-ed25519 AAAAC3NzaC1lZDI1"

PROXMOX = """#cloud-config
hostname: web01
manage_etc_hosts: true
fqdn: web01.example.test
user: admin
password: $5$Zk3PqVb1$o9Xk
ssh_authorized_keys:
  - {first}
  - {second}
chpasswd:
  expire: False
users:
  - default
package_upgrade: true
"""


def read(text: str) -> tuple[Any, list[str]]:
    problems = Problems()
    value = salvage.read(text, "user-data", problems)
    return (None if value is None else data(value)), [f"{problem.severity} {problem}" for problem in problems.found]


NOTE = "note user-data:{}: ssh_authorized_keys: ': ' in the comment of a key"


@pytest.mark.parametrize(
    "first",
    [
        f"{RSA} ops: laptop",
        f"{RSA} a: b: c",
        f"{RSA} ops:",
        f"{RSA} it's: mine",
        f'from="10.0.0.0/8",no-pty {RSA} a: b',
        f"{RSA}{'A' * 2000} ops: laptop",
    ],
)
def test_colon_in_the_comment_of_a_key(first: str) -> None:
    found, said = read(PROXMOX.format(first=first, second=f"{ED} second"))
    assert [first, f"{ED} second"] == found["ssh_authorized_keys"]
    assert (
        found["hostname"],
        found["user"],
        found["users"],
        found["package_upgrade"],
    ) == ("web01", "admin", ["default"], True)
    assert said in ([NOTE.format("8:5")], [NOTE.format("8:1")])


def test_both_keys_need_it() -> None:
    found, said = read(PROXMOX.format(first=f"{RSA} a: b: c", second=f"{ED} x: y"))
    assert [f"{RSA} a: b: c", f"{ED} x: y"] == found["ssh_authorized_keys"]
    assert [NOTE.format("8:1"), NOTE.format("9:1")] == said


@pytest.mark.parametrize("first", [f"{RSA} ops@bastion", f'"{RSA} a: b"', f"'{RSA} a: b: c'", f"{RSA} ops # old"])
def test_keys_in_order_stay_as_they_are(first: str) -> None:
    found, said = read(PROXMOX.format(first=first, second=f"{ED} second"))
    assert said == []
    assert [first.strip("'\"").split(" #")[0], f"{ED} second"] == found["ssh_authorized_keys"]


def test_keys_of_users() -> None:
    text = f"users:\n- default\n- name: a\n  ssh-authorized-keys:\n  - {RSA} a: b: c\n  - {ED} d\n  shell: /bin/sh\n"
    found, said = read(text)
    assert {"name": "a", "ssh-authorized-keys": [f"{RSA} a: b: c", f"{ED} d"], "shell": "/bin/sh"} == found["users"][1]
    assert [NOTE.format("5:1")] == said


def test_content_of_a_file_is_not_touched() -> None:
    inner = f"      ssh_authorized_keys:\n      - {RSA} in: a: file\n"
    text = f"write_files:\n  - path: /x\n    content: |\n{inner}ssh_authorized_keys:\n  - {RSA} a: b: c\n"
    found, said = read(text)
    assert f"ssh_authorized_keys:\n- {RSA} in: a: file\n" == found["write_files"][0]["content"]
    assert [NOTE.format("7:1")] == said


BROKEN_BELOW = "coreos:\n  units:\n\t- name: x\n"


@pytest.mark.parametrize("order", ["first", "last"])
def test_access_survives_a_mistake_elsewhere(order: str) -> None:
    good = f"hostname: web1\nusers:\n- default\n- name: bob\nruncmd:\n- echo\nssh_authorized_keys:\n- {ED} x\n"
    found, said = read("#cloud-config\n" + (BROKEN_BELOW + good if order == "first" else good + BROKEN_BELOW))
    assert {"hostname": "web1", "users": ["default", {"name": "bob"}], "ssh_authorized_keys": [f"{ED} x"]} == found
    line = 4 if order == "first" else 12
    assert [f"error user-data:{line}:1: a tab in the indentation"] == said


def test_what_is_used_is_named() -> None:
    problems = Problems()
    salvage.read("hostname: web1\nruncmd: [\n", "user-data", problems)
    (problem,) = problems.found
    assert problem.hint.endswith("of this document only these are used: hostname")


def test_positions_stay() -> None:
    value = salvage.read(BROKEN_BELOW + "hostname: web1\nuser: x\n", "user-data", Problems())
    assert value is not None
    assert [str(key.at) for key, _ in value.pairs] == ["user-data:4:1", "user-data:5:1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("users:\n- name: a\n  sudo: [\nhostname: x\n", {"hostname": "x"}),  # never half a section
        ("users:\n- name: a\n<<<<<<< HEAD\nhostname: x\n", {"users": [{"name": "a"}], "hostname": "x"}),
        ("hostname: x\nruncmd: [\n---\nuser: other\n", {"hostname": "x"}),
        ("runcmd: [\nwrite_files:\n- path: /x\n", None),
        ("packages: 'a\n", None),
    ],
)
def test_what_is_left(text: str, expected: object) -> None:
    found, said = read(text)
    assert expected == found
    (error,) = said
    assert error.startswith("error user-data:")


def test_a_list_that_is_no_key_is_left_to_its_reader() -> None:
    found, said = read("ssh_authorized_keys:\n- a: b\n")
    assert (found, said) == ({"ssh_authorized_keys": [{"a": "b"}]}, [])
