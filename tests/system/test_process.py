from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from guestinit.model.secret import Secret
from guestinit.system import process
from guestinit.system.process import TAIL, Process
from guestinit.system.root import Root


def sh(text: str, **more) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    finished = Process().run(("sh", "-c", text), **more)
    return finished.code, finished.output


def test_code_and_output_of_both_streams() -> None:
    assert sh("echo out; echo err >&2; exit 3") == (3, "out\nerr\n")
    assert sh("kill -9 $$") == (-9, "")


def test_what_cannot_be_started_has_a_code_of_the_shell(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x")
    assert Process().run(("no-such-program-here",)).code == 127
    assert Process().run((str(tmp_path / "text"),)).code == 126
    assert Process().run(("true", "a\0b")).code == 126
    assert Process().run(("true", "\ud800")).code == 126
    assert "no such program" in Process().run(("/no/such",)).output


def test_the_environment_is_clean(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LD_PRELOAD_X", "1")
    code, output = sh("env", environment={"DEBIAN_FRONTEND": "noninteractive"})
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert code == 0
    assert {"PATH", "LANG", "HOME", "DEBIAN_FRONTEND"} <= names <= {
        "PATH", "LANG", "HOME", "DEBIAN_FRONTEND", "GUESTINIT_RUNNING", "PWD", "SHLVL", "_", "OLDPWD",
    }  # fmt: skip


def test_standard_input() -> None:
    assert sh("cat") == (0, "")
    assert sh("cat", stdin=b"") == (0, "")
    assert sh("cat", stdin=b"one\ntwo\n") == (0, "one\ntwo\n")
    code, output = sh("wc -c", stdin=b"x" * 1_000_000)
    assert (code, output.strip()) == (0, "1000000")
    assert sh("exec <&-; exit 4", stdin=b"x" * 1_000_000)[0] == 4


def test_only_the_end_of_much_output_is_kept() -> None:
    code, output = sh("seq 1 200000; echo end")
    assert code == 0
    assert len(output) <= TAIL
    assert output.endswith("200000\nend\n")


def test_output_that_is_no_text() -> None:
    assert sh(r"printf 'a\377b'") == (0, "a\ufffdb")


def test_a_time_limit_takes_the_children_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    start = time.monotonic()
    finished = Process().run(("sh", "-c", f"(sleep 3; touch {mark}) & wait"), timeout=0.3)
    assert finished.timed_out
    assert finished.code < 0
    assert time.monotonic() - start < 3
    time.sleep(3.2)
    assert not mark.exists()


def test_somebody_else_may_end_it_by_a_descriptor(tmp_path: Path) -> None:
    """Its children too; also where that was said before it began."""
    mark = tmp_path / "mark"
    readable, writable = os.pipe()
    try:
        threading.Timer(0.2, os.write, (writable, b".")).start()
        for _ in range(2):
            began = time.monotonic()
            finished = Process().run(("sh", "-c", f"(sleep 30; touch {mark}) & wait"), timeout=60, until=readable)
            assert finished.timed_out and finished.code == -15
            assert time.monotonic() - began < 20
    finally:
        os.close(readable)
        os.close(writable)
    assert not mark.exists()


def test_who_ignores_the_polite_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.5)
    finished = Process().run(("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"), timeout=0.2)
    assert finished.timed_out
    assert finished.code == -9
    assert 0.7 <= finished.seconds < 5


def test_a_daemon_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    finished = Process().run(("sh", "-c", "echo started; sleep 5 & exit 0"))
    assert (finished.code, finished.output) == (0, "started\n")
    assert finished.seconds < 3
    log = Root(str(tmp_path)).open_log("/log")
    finished = Process().run(("sh", "-c", "echo started; (sleep 1; echo later) & exit 0"), output_to=log)
    assert finished.output == "started\n"
    time.sleep(1.3)
    assert (tmp_path / "log").read_text() == "started\nlater\n"
    os.close(log)


def test_output_to_a_log_is_appended_and_its_end_returned(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    log = Root(str(tmp_path)).open_log("/log")
    assert sh("echo one", output_to=log) == (0, "one\n")
    code, output = sh("seq 1 100000", output_to=log)
    assert len(output) == TAIL
    assert sh("true", output_to=log) == (0, "")
    assert (tmp_path / "log").read_text().startswith("before\none\n1\n2\n")
    assert code == 0
    os.close(log)


def test_slow_programs_are_told_of_once_and_not_stopped() -> None:
    told: list[str] = []
    finished = Process(told.append, slow_after=0.1).run(("sleep", "0.6"), label="apt-get update")
    assert finished.code == 0
    assert len(told) == 1
    assert told[0].startswith("apt-get update has been running")
    Process(told.append, slow_after=0.1).run(("sleep", "0.3"), timeout=5)
    assert len(told) == 1


def test_secrets_are_masked() -> None:
    hidden = (Secret("hunter2"), Secret(""))
    assert sh("echo pass=$X", environment={"X": "hunter2"}, secrets=hidden) == (0, "pass=***\n")


def test_no_descriptor_of_ours_is_inherited_and_none_leaks(tmp_path: Path) -> None:
    held = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(held, True)
    before = len(os.listdir("/proc/self/fd"))
    code, output = sh("ls /proc/self/fd | wc -l", stdin=b"")
    assert (code, output.strip()) == (0, "4")  # the three, and the directory that ls reads
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(held)


def test_without_pidfd(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Kernels before 5.3 and seccomp filters: the end is noticed all the same."""
    monkeypatch.delattr(os, "pidfd_open")
    assert sh("sleep 0.1; echo done; exit 2", stdin=b"x") == (2, "done\n")
    assert Process().run(("sleep", "5"), timeout=0.2).timed_out
