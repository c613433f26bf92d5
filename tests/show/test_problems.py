"""Problems as people read them: the place, the line with a caret, what to write; and never a secret."""

from __future__ import annotations

import json

import pytest

from guestinit.model.problem import ERROR, NOTE, WARNING, Position, Problem
from guestinit.show import problems

USER_DATA = "users:\n- name: alice\n  lock_passwd: maybe\n"


def problem(line: int, column: int, width: int = 1, **fields: object) -> Problem:
    base = Problem(ERROR, Position("user-data", line, column), "a.b", "expected text, got a list", "left out", width)
    return base._replace(**fields)  # type: ignore[arg-type]


def excerpt(text: str, line: int, column: int, width: int) -> list[str]:
    """The lines below the message."""
    return problems.format(problem(line, column, width), {"user-data": text}).split("\n")[1:]


def test_the_whole_of_it() -> None:
    wrong = Problem(
        ERROR,
        Position("seed/user-data", 3, 16),
        "users.0.lock_passwd",
        "expected true or false, got 'maybe'",
        "taken as true (locked); write true or false",
        5,
    )
    assert (
        problems.format(wrong, {"seed/user-data": USER_DATA})
        == """\
seed/user-data:3:16: users.0.lock_passwd: expected true or false, got 'maybe'
   3 |   lock_passwd: maybe
     |                ^^^^^  taken as true (locked); write true or false"""
    )


def test_without_the_document_only_the_hint_is_left() -> None:
    assert problems.format(problem(3, 16), {}) == "user-data:3:16: a.b: expected text, got a list\n  left out"


def test_width_0_never_shows_the_line() -> None:
    assert excerpt(USER_DATA, 3, 16, 0) == ["  left out"]


def test_a_problem_of_the_document_as_a_whole() -> None:
    whole = problem(0, 0, path="", message="not valid UTF-8", hint="")
    assert problems.format(whole, {"user-data": USER_DATA}) == "user-data: not valid UTF-8"


@pytest.mark.parametrize(("severity", "ending"), [(ERROR, ""), (WARNING, " [warning]"), (NOTE, " [note]")])
def test_the_severity(severity: str, ending: str) -> None:
    text = problems.format(problem(0, 0, severity=severity, hint=""), {})
    assert text == "user-data: a.b: expected text, got a list" + ending


def test_colours() -> None:
    text = problems.format(problem(1, 1, 5, hint=""), {"user-data": "users\n"}, colour=True)
    assert text == (
        "\033[1muser-data:1:1:\033[0m \033[31ma.b: expected text, got a list\033[0m\n"
        "   1 | users\n     | \033[31m^^^^^\033[0m"
    )


def test_tabs_are_blanks_on_both_lines() -> None:
    assert excerpt("\tab\tcd\n", 1, 5, 2) == ["   1 |     ab  cd", "     |         ^^  left out"]


def test_wide_and_combining_characters_move_the_caret() -> None:
    assert excerpt("名前: e\u0301x\n", 1, 5, 3) == ["   1 | 名前: e\u0301x", "     |       ^^  left out"]
    assert excerpt("a: 名前 b\n", 1, 4, 2) == ["   1 | a: 名前 b", "     |    ^^^^  left out"]


def test_a_long_line_is_cut_around_the_mistake() -> None:
    line = "a" * 200 + "WRONG" + "b" * 200
    text, caret = excerpt(line, 1, 201, 5)
    assert text == "   1 | ... " + "a" * 50 + "WRONG" + "b" * 45 + " ..."
    assert caret == "     | " + " " * 54 + "^^^^^  left out"
    assert len(excerpt("c" * 100000, 1, 1, 100000)[1]) < 150


def test_a_line_number_of_many_digits() -> None:
    assert excerpt("\n" * 12344 + "a: b", 12345, 4, 1) == ["  12345 | a: b", "        |    ^  left out"]


def test_the_end_of_a_line_can_be_wrong() -> None:
    assert excerpt("a:\nb: c\n", 1, 3, 1) == ["   1 | a:", "     |   ^  left out"]


def test_places_that_the_text_does_not_have() -> None:
    assert excerpt("a\n", 7, 1, 1) == ["  left out"]
    assert excerpt("a\n", 1, 70, 1) == ["  left out"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\u2028"])
def test_every_line_ending_of_yaml_counts(ending: str) -> None:
    assert excerpt(f"a{ending}b: c{ending}d", 2, 4, 1) == ["   2 | b: c", "     |    ^  left out"]


def test_what_a_terminal_would_obey_is_written_out() -> None:
    evil = problem(1, 1, message="got '\x1b[2J'", path="a\r\u202eb", hint="\x07")
    text = problems.format(evil, {"user-data": "\x1b[31m\u202eb\x07\n"})
    assert text == (
        "user-data:1:1: a\\r\\u202eb: got '\\x1b[2J'\n"
        "   1 | ·[31m·b·\n"
        "     | ^  \\x07"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "marked", "shown"),
    [
        ("{name: maybe, passwd: hunter2}", "maybe", "{name: maybe, passwd: ***"),
        ("{x: maybe, password: hunter2}", "maybe", "{x: maybe, password: ***"),
        ("{name: maybe, 'plain_text_passwd': hunter2}", "maybe", "{name: maybe, 'plain_text_passwd': ***"),
        ("url: maybe https://me:hunter2@example.org", "maybe", "url: maybe https ***"),
        ("a: maybe $6$hunter2$x", "maybe", "a: maybe  ***"),
        ("pasword: hunter2", "pasword", "pasword: ***"),
        ('"pasword": hunter2', "pasword", '"pasword": ***'),
    ],
)
def test_a_secret_beside_the_mistake_is_cut_away(line: str, marked: str, shown: str) -> None:
    text, caret = excerpt(line, 1, line.index(marked) + 1, len(marked))
    assert text.replace(": ***", ": ***").rstrip() == f"   1 | {shown}".rstrip()
    assert "hunter2" not in text
    assert caret.index("^") - 7 == line.index(marked)


@pytest.mark.parametrize(
    ("line", "marked"),
    [("{passwd: hunter2, lock: maybe}", "maybe"), ("token=hunter2 maybe", "maybe"), ("a $6$hunter2$x maybe", "maybe")],
)
def test_a_line_with_a_secret_before_the_mistake_is_not_shown(line: str, marked: str) -> None:
    assert excerpt(line, 1, line.index(marked) + 1, len(marked)) == ["  left out"]


def test_json() -> None:
    assert json.loads(problems.json([problem(3, 16)])) == [
        {
            "severity": "error", "file": "user-data", "line": 3, "column": 16, "path": "a.b",
            "message": "expected text, got a list", "hint": "left out",
        }
    ]  # fmt: skip
