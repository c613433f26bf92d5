"""What "same content" means: everything but OpenStack's random_seed (quirk 19 of platforms.md)."""

from __future__ import annotations

import json
import os
import time

import pytest

from guestinit.system.digest import of_documents, without_random_seed


def digest(meta: object, indent: int | None = None) -> str:
    return of_documents(b"key", {"meta-data": json.dumps(meta, indent=indent).encode(), "user-data": b""})


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "before", [{}, {"meta": {"random_seed": "mine"}}, {"meta": {"random_seed": 5}}, {"name": '"random_seed": "x"'}]
)
def test_another_random_seed_makes_no_difference(before: dict[str, object], indent: int | None) -> None:
    first, second = ({"uuid": "a", **before, "random_seed": seed, "z": "end"} for seed in ("QUJD", "REVGRw=="))
    assert digest(first, indent) == digest(second, indent)
    assert digest(first, indent) != digest({**first, "z": "another end"}, indent)
    assert digest(first, indent) != digest({**first, "uuid": "b"}, indent)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"random_seed"', b'{"random_seed": 5}', b'"random_seed": "', b"\xff"]
)
def test_what_holds_none_stays_as_it_is(content: bytes) -> None:
    assert without_random_seed(content).startswith(content.partition(b": ")[0])
    assert without_random_seed(b"x" + content) == b"x" + without_random_seed(content)


def test_many_of_them_take_no_time() -> None:
    """Of 16 MiB of them, which a quadratic search would take ten minutes for."""
    began = time.process_time()
    assert len(without_random_seed(b'"random_seed": "abc",' * 800_000)) == 800_000 * len(b'"random_seed",')
    assert time.process_time() - began < 30


def test_a_name_in_any_bytes() -> None:
    """As the kernel shows a drive whose writer had another encoding: os.listdir(b"...\\xff") as a text."""
    names = [os.fsdecode(b"content/" + name) for name in (b"\xff", b"\xfe")]
    assert len({of_documents(b"key", {name: b""}) for name in names}) == 2
