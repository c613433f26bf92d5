"""The kernel's random pool: written to, never shown, never looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from machine import as_root, look, machine

from guestinit.model.action import Entropy
from guestinit.model.plan import LEFT, MODIFY
from guestinit.model.secret import Secret
from guestinit.system import kinds
from guestinit.system.failed import Failed

BYTES = Secret(bytes(range(256)) * 2)


def test_shown_by_its_length(tmp_path: Path) -> None:
    change = look(Entropy(BYTES), machine(tmp_path))
    assert (change.change, change.before, change.after, change.note) == (MODIFY, None, None, "512 bytes, not shown")
    assert look(Entropy(BYTES), machine(tmp_path, live=False)).change == LEFT


@as_root
def test_written_into_the_device(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/urandom")
    fifo = os.open(tmp_path / "dev/urandom", os.O_RDONLY | os.O_NONBLOCK)
    kinds.apply(look(Entropy(BYTES), machine(tmp_path)), machine(tmp_path))
    assert os.read(fifo, 4096) == BYTES.reveal()
    os.close(fifo)


@as_root
def test_the_real_device_takes_it() -> None:
    kinds.apply(look(Entropy(BYTES), machine(Path("/"))), machine(Path("/")))


def test_no_device(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="there is no /dev/urandom"):
        kinds.apply(look(Entropy(BYTES), machine(tmp_path)), machine(tmp_path))
