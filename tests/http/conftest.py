"""The cable between a guest and the metadata services of a cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestinit.datasources import asking
from tests.http.namespaces import Ends, link


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    with link() as both:
        yield both


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is asked again after a moment; test_asking.py has how long that really is."""
    monkeypatch.setattr(asking, "FIRST", 0.02)
