"""Colours only for somebody who sees them."""

from __future__ import annotations

import io

import pytest

from guestinit.show import colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"TERM": "xterm"}, True),
        ({"NO_COLOR": ""}, True),  # no-color.org: when present and not an empty string
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_on_a_terminal(environment: dict[str, str], expected: bool) -> None:
    assert colour.wanted(Terminal(), environment) is expected


def test_not_into_a_file_or_pipe() -> None:
    assert colour.wanted(io.StringIO(), {"TERM": "xterm"}) is False


def test_paint() -> None:
    assert colour.paint("x", colour.RED, True) == "\033[31mx\033[0m"
    assert colour.paint("x", colour.RED, False) == "x"
    assert colour.paint("", colour.RED, True) == ""
