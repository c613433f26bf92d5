"""Values as YAML text, in the eyes of a reader with YAML 1.1's idea of types."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model import yaml_text

LEAVES = st.text(max_size=12) | st.integers(-(2**40), 2**40) | st.booleans()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@given(st.dictionaries(st.text(max_size=8), TREES, max_size=4))
@settings(deadline=None)  # a machine that does other things too takes its time
def test_any_tree_is_read_as_it_was(tree: Any) -> None:
    text = yaml_text.document(tree)
    if tree:
        assert yaml.safe_load(text) == tree
        assert type(next(iter(yaml.safe_load(text).values()))) is type(next(iter(tree.values())))
    assert text == yaml_text.document(tree)


@pytest.mark.parametrize(
    "text",
    ["52:54:00:12:34:56", "on", "No", "null", "~", "10", "1e3", "0x10", "2026-11-21", "=", "<<", "", " a"],
)
def test_a_text_is_never_taken_for_something_else(text: str) -> None:
    assert yaml.safe_load(yaml_text.document({text: [text]})) == {text: [text]}


def test_what_cannot_be_mistaken_has_no_quotes() -> None:
    tree = {
        "network": {"ethernets": {"eth0": {"match": {"name": "en*"}, "dhcp4": True, "addresses": []}}, "version": 2}
    }
    assert (
        yaml_text.document(tree)
        == """\
network:
  ethernets:
    eth0:
      match:
        name: "en*"
      dhcp4: true
      addresses: []
  version: 2
"""
    )
