"""Keys by their type, and the place of every mistake."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from guestinit.model.fields import Fields, Key, nearest
from guestinit.model.problem import MOST, Problems
from guestinit.reading.yaml_document import parse

KEYS = (
    Key("name", "text", ""),
    Key("lock_passwd", "true or false", "", aliases=("lock-passwd",)),
    Key("uid", "whole number", ""),
    Key("groups", "list of text", ""),
    Key("passwd", "text", "", secret=True),
    Key("snapuser", "text", "Ubuntu's own.", ignored=True),
    Key("inner", "mapping", ""),
)


def fields(text: str, check: bool = True) -> tuple[Fields, Problems]:
    problems = Problems()
    value = parse(text, "doc", problems)
    assert value is not None and not problems.found
    return Fields(value, "users.0", KEYS, problems, check), problems


def told(problems: Problems) -> list[str]:
    return [f"{problem.severity} {problem}" for problem in problems.found]


@pytest.mark.parametrize(
    ("text", "ask", "expected"),
    [
        ("name: 010", lambda f: f.text("name"), "010"),
        ("name: no", lambda f: f.text("name"), "no"),
        ("name: ''", lambda f: f.text("name"), ""),
        ("lock_passwd: True", lambda f: f.flag("lock_passwd"), True),
        ("lock_passwd: 'off'", lambda f: f.flag("lock_passwd"), False),
        ("lock_passwd: 1", lambda f: f.flag("lock_passwd"), True),
        ("uid: 1000", lambda f: f.number("uid"), 1000),
        ("uid: '1000'", lambda f: f.number("uid"), 1000),
    ],
)
def test_scalars(text: str, ask: Callable[[Fields], Any], expected: object) -> None:
    found, problems = fields(text)
    given = ask(found)
    assert (expected, []) == (given.value, problems.found)
    assert given.at.line == 1


@pytest.mark.parametrize("text", ["{}", "name:", "name: null", "name: ~"])
def test_absent(text: str) -> None:
    found, problems = fields(text)
    assert (found.text("name"), found.raw("name"), found.texts("name"), problems.found) == (None, None, None, [])


@pytest.mark.parametrize(
    ("text", "split", "expected"),
    [
        ("groups: a", "", ["a"]),
        ("groups: a, b,,c", ",", ["a", "b", "c"]),
        ("groups: 'a, b'", "", ["a, b"]),
        ("groups: [a, 1, null, no]", ",", ["a", "1", "no"]),
        ("groups: []", ",", []),
    ],
)
def test_texts(text: str, split: str, expected: list[str]) -> None:
    found, problems = fields(text)
    given = found.texts("groups", split)
    assert given is not None
    assert (expected, []) == ([item.value for item in given], problems.found)


@pytest.mark.parametrize(
    ("text", "ask", "said"),
    [
        ("name: [a]", lambda f: f.text("name"), "doc:1:7: users.0.name: expected text, got a list"),
        ('name: "a\\0b"', lambda f: f.text("name"), "doc:1:7: users.0.name: expected text without NUL characters"),
        (
            "lock_passwd: maybe",
            lambda f: f.flag("lock_passwd"),
            "doc:1:14: users.0.lock_passwd: expected true or false, got 'maybe'",
        ),
        ("uid: x", lambda f: f.number("uid"), "doc:1:6: users.0.uid: expected a whole number, got 'x'"),
        ("uid: ٣", lambda f: f.number("uid"), "doc:1:6: users.0.uid: expected a whole number, got '٣'"),
        ("uid: -1", lambda f: f.number("uid"), "doc:1:6: users.0.uid: expected a whole number, got '-1'"),
        ("uid: 99999999999", lambda f: f.number("uid"), "doc:1:6: users.0.uid: expected a number from 0 to 4294967294"),
        (
            "groups: {a: b}",
            lambda f: f.texts("groups"),
            "doc:1:9: users.0.groups: expected a list of text, got a mapping",
        ),
        ("groups: [[a], b]", lambda f: f.texts("groups"), "doc:1:10: users.0.groups.0: expected text, got a list"),
        (
            'groups: ["\\0"]',
            lambda f: f.texts("groups"),
            "doc:1:10: users.0.groups.0: expected text, got NUL characters",
        ),
        ("groups: a", lambda f: f.items("groups"), "doc:1:9: users.0.groups: expected a list, got 'a'"),
        ("inner: a", lambda f: f.mapping("inner", ()), "doc:1:8: users.0.inner: expected a mapping, got 'a'"),
    ],
)
def test_wrong_types(text: str, ask: Callable[[Fields], Any], said: str) -> None:
    found, problems = fields(text)
    ask(found)
    (problem,) = problems.found
    assert str(problem).startswith(said)


def test_the_safe_side() -> None:
    found, problems = fields("lock_passwd: maybe")
    given = found.flag("lock_passwd", safe=True)
    assert given is not None and given.value is True
    assert problems.found[0].hint == "taken as true; write true or false"


def test_a_secret_is_not_repeated() -> None:
    found, problems = fields("passwd: [geheim]")
    assert found.text("passwd") is None
    (problem,) = problems.found
    assert problem.width == 0
    assert "geheim" not in f"{problem} {problem.hint}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nam: x", "warning doc:1:1: users.0.nam: unknown key"),
        ("x-nam: x", None),
        ("lock-passwd: true", "note doc:1:1: users.0.lock-passwd: old spelling of 'lock_passwd'"),
        ("snapuser: x", "note doc:1:1: users.0.snapuser: has no effect here"),
        ("name: a\nname: b", "warning doc:2:1: users.0.name: given twice, first in line 1"),
        ('"a\\e[31m": 1', "warning doc:1:1: users.0.a\\x1b[31m: unknown key"),
    ],
)
def test_names(text: str, said: str | None) -> None:
    _, problems = fields(text)
    assert ([said] if said else []) == told(problems)
    assert told(fields(text, check=False)[1]) == []


def test_nearest_name() -> None:
    _, problems = fields("lock_password: x")
    assert problems.found[0].hint == "did you mean 'lock_passwd'?"
    names = ["dhcp-identifier", "dhcp4", "dhcp6", "gateway4", "gateway6"]
    assert [nearest(each, names) for each in ("dhcp", "gateway", "dhpc6", "Gateway6", "mtu")] == [
        "dhcp4", "gateway4", "dhcp6", "gateway6", "",
    ]  # fmt: skip


def test_alias_is_read() -> None:
    found, _ = fields("lock-passwd: false")
    given = found.flag("lock_passwd")
    assert given is not None and given.value is False
    assert str(found.key_at("lock_passwd")) == "doc:1:1"


def test_a_key_that_was_not_declared_is_a_mistake_of_the_reader() -> None:
    found, _ = fields("{}")
    with pytest.raises(KeyError):
        found.text("other")


def test_very_many_and_very_long_names() -> None:
    text = "".join(f"unknown{i}: 1\n" for i in range(30_000)) + "? " + "x" * 2_000_000 + "\n: 1\n"
    began = time.process_time()
    _, problems = fields(text)
    # Looking for a similar name for each of them takes minutes.
    assert time.process_time() - began < 30
    assert len(problems.found) == MOST + 1
    assert problems.found[-1].message == "more of this kind follow"
    problems.error(problems.found[0].position, "", "still heard")
    assert problems.found[-1].message == "still heard"
    assert max(len(str(problem)) for problem in problems.found) < 200
