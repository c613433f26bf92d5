"""One run at a time, and a run inside a run does not wait for its own parent."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from guestinit.system.lock import NESTED, Lock


def is_locked(directory: Path) -> bool:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def second() -> None:
        with Lock(str(tmp_path)):
            order.append("second")

    with Lock(str(tmp_path)):
        assert is_locked(tmp_path)
        thread = threading.Thread(target=second)
        thread.start()
        while "waiting" not in capsys.readouterr().err:
            assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not is_locked(tmp_path)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Lock(str(tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_inside_a_run_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Lock(str(tmp_path)):
        monkeypatch.setenv(NESTED, "1")
        with Lock(str(tmp_path)):
            assert is_locked(tmp_path)
