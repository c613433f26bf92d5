"""Whatever stands in a section: nothing is thrown, what is planned is safe, and planning twice gives the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.action import Command, File, Grow, Lines, Link, Step
from guestinit.model.secret import Secret
from guestinit.modules import bootcmd, files, grow, locale, packages, runcmd, timezone
from tests.modules.sections import NOBODY, facts, section

WORDS = [
    "path", "content", "encoding", "permissions", "owner", "append", "defer", "source", "mode", "devices", "apt", "dnf",
    "/etc/a", "../a", "b64", "gz+b64", "0644", "493", "root:root", "true", "off", "aGk=", "name-", "-x", "\0", "é",
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=14,
)
ALL = (bootcmd, files, grow, locale, packages, runcmd, timezone)


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__.rpartition(".")[2])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_there(module: Any, data: st.DataObject) -> None:
    document = {key.name: data.draw(values) for key in module.KEYS}
    read, _ = section(module, json.dumps(document))
    here = facts(paths=frozenset({"/etc/timezone", "/etc/locale.gen"}))
    planned = list(module.plan(read, here, NOBODY))
    assert planned == list(module.plan(read, here, NOBODY))
    found = [step for step in planned if isinstance(step, Step)]
    assert len({step.id for step in found}) == len(found)
    for step in found:
        action = step.action
        if isinstance(action, (File, Lines, Link)):
            assert action.path.startswith("/") and ".." not in action.path.split("/") and "\0" not in action.path
        if isinstance(action, File) and not isinstance(action.content, Secret):
            assert action.mode is not None and action.mode & 0o004
        if isinstance(action, Lines):
            assert all("\n" not in line for line in action.add)
        if isinstance(action, Link):
            assert ".." not in action.target
        if isinstance(action, Grow):
            assert action.mount.startswith("/")
        if isinstance(action, Command):
            assert action.argv and all("\0" not in word for word in action.argv)
            assert "\0" not in action.label and action.label.isprintable()
