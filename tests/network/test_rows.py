"""Every row of ROWS has its case, and the case holds what the row is about."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import pytest

from tests.network.test_cases_of_network import CASES, names

HERE = os.path.dirname(__file__)
# The chapters that must be there: the table of formats, and the quirks by number.
CHAPTERS = ("13", "34", "35", "36", "37", "38", "39", "39a", "lost elsewhere:")
# The rows of the table of formats, by the word that they begin with here.
OF_THE_TABLE = (
    "match by MAC", "match by name", "match by driver", "rename", "dhcp4", "dhcp6", "SLAAC", "static v4", "static v6",
    "gateway", "routes", "policy rules", "VRF", "metric", "mtu", "bond", "vlan", "bridge", "name servers", "search",
    "nothing",
)  # fmt: skip


class Row(NamedTuple):
    name: str
    case: str
    held: str


def rows() -> list[Row]:
    with open(os.path.join(HERE, "ROWS"), encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if line.strip() and not line.startswith("#")]
    return [Row(*(part.strip() for part in line.split("|", 2))) for line in lines]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_the_case_of_a_row_holds_what_it_is_about(row: Row) -> None:
    with open(os.path.join(CASES, row.case, "network-config"), encoding="utf-8") as file:
        assert squeezed(row.held) in squeezed(file.read())


def test_no_row_is_missing_or_stands_twice() -> None:
    found = [row.name for row in rows()]
    assert sorted(set(found)) == sorted(found)
    for chapter in CHAPTERS:
        assert any(name.startswith(chapter + " ") for name in found), chapter
    for word in OF_THE_TABLE:
        assert any(name.startswith(f"13 {word}") for name in found), word


def test_every_source_has_cases_beyond_the_rows() -> None:
    assert {row.case for row in rows()} < set(names())
