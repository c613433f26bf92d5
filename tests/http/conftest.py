"""The cable between a guest and the metadata services of a cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.namespaces import Ends, link


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    with link() as both:
        yield both
