from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from machine import FakeProcess, look, machine

from guestinit.model.action import Command, Gentler
from guestinit.model.plan import LEFT, RUN, UNCHANGED
from guestinit.system import kinds
from guestinit.system.failed import Failed
from guestinit.system.process import Finished, Process
from guestinit.system.system import System

ACTIVE = ("systemctl", "is-active", "--quiet", "systemd-networkd.service")


class Inside(Process):
    """Runs without the chroot that another root means: the test's tree has no programs."""

    def run(self, argv, **more):  # type: ignore[no-untyped-def]
        return super().run(argv[2:] if argv[0] == "chroot" else argv, **more)


def system(tree: Path) -> System:
    return machine(tree, Inside())


def sh(text: str, **more) -> Command:  # type: ignore[no-untyped-def]
    return Command(("sh", "-c", text), more.pop("label", "the test's command"), **more)


def test_it_is_shown_and_run(tmp_path: Path) -> None:
    change = look(sh("echo 'a b'"), system(tmp_path))
    assert (change.change, change.before, change.after) == (RUN, "", "sh -c 'echo '\"'\"'a b'\"'\"''\n")
    done = kinds.apply(change, system(tmp_path))
    assert done.code == 0
    log = (tmp_path / "var/log/guestinit.log").read_text().splitlines()
    assert log[1] == "a b"
    assert log[0].startswith("--- 20") and log[0].endswith("sh -c 'echo '\"'\"'a b'\"'\"''")
    assert log[2].startswith("--- 20") and " exit status 0, " in log[2]
    assert (tmp_path / "var/log/guestinit.log").stat().st_mode & 0o777 == 0o640


def test_the_text_of_a_users_command_is_nowhere(tmp_path: Path) -> None:
    action = sh("echo hunter2; exit 3", label="runcmd item 1 of 1, 20 bytes", hidden=True)
    change = look(action, system(tmp_path))
    assert (change.before, change.after, change.note) == (None, None, "runcmd item 1 of 1, 20 bytes")
    with pytest.raises(Failed) as caught:
        kinds.apply(change, system(tmp_path))
    assert caught.value.message == "exit status 3; its output is in /var/log/guestinit.log"
    assert caught.value.code == 3
    log = (tmp_path / "var/log/guestinit.log").read_text()
    assert log.count("hunter2") == 1  # what it printed, not what it is
    assert "runcmd item 1 of 1, 20 bytes" in log


def test_failures_say_why(tmp_path: Path) -> None:
    for action, message, code in (
        (sh("echo one; echo two; exit 4"), "exit status 4: sh: two", 4),
        (sh("exit 4"), "exit status 4", 4),
        (sh("kill -9 $$"), "killed by signal 9", -9),
        (Command(("no-such-program",), "x"), "no-such-program is not installed", 127),
    ):
        with pytest.raises(Failed) as caught:
            kinds.apply(look(action, system(tmp_path)), system(tmp_path))
        assert (caught.value.message, caught.value.code) == (message, code)


def test_codes_that_mean_success(tmp_path: Path) -> None:
    assert kinds.apply(look(sh("exit 100", codes=(0, 100)), system(tmp_path)), system(tmp_path)).code == 100
    with pytest.raises(Failed):
        kinds.apply(look(sh("exit 0", codes=(100,)), system(tmp_path)), system(tmp_path))


def test_time_limit(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="killed after 1 s"):
        kinds.apply(look(sh("sleep 30", timeout=1), system(tmp_path)), system(tmp_path))


def test_output_may_stay_out_of_the_log(tmp_path: Path) -> None:
    kinds.apply(look(sh("echo secret", log_output=False), system(tmp_path)), system(tmp_path))
    assert not (tmp_path / "var").exists()


def test_environment(tmp_path: Path) -> None:
    action = sh("test $A = 1 && test $HOME = /root", environment=(("A", "1"),))
    assert kinds.apply(look(action, system(tmp_path)), system(tmp_path)).code == 0


def test_nothing_to_do_where_its_result_is_there(tmp_path: Path) -> None:
    action = sh("touch $X", creates="/made", environment=(("X", str(tmp_path / "made")),))
    assert look(action, system(tmp_path)).change == RUN
    kinds.apply(look(action, system(tmp_path)), system(tmp_path))
    change = look(action, system(tmp_path))
    assert (change.change, change.note) == (UNCHANGED, "/made exists")


def test_a_manager_is_only_reloaded_if_it_runs(tmp_path: Path) -> None:
    reload = Command(("networkctl", "reload"), "networkctl reload", unit_active=ACTIVE[-1], log_output=False)
    process = FakeProcess({ACTIVE: Finished(3, "", 0)})
    change = look(reload, machine(tmp_path, process))
    assert (change.change, change.note) == (UNCHANGED, "systemd-networkd.service is not running")
    assert look(reload, machine(tmp_path, FakeProcess({ACTIVE: Finished(127, "", 0)}))).change == UNCHANGED
    running = look(reload, machine(tmp_path, FakeProcess({ACTIVE: Finished(0, "", 0)})))
    assert (running.change, running.after) == (RUN, "networkctl reload\n")
    # Between looking and running it stopped.
    assert kinds.apply(running, machine(tmp_path, process)).message == "systemd-networkd.service is not running"


@pytest.mark.parametrize(
    ("state", "gentle", "ran"),
    [
        ("in use", "echo gently", ["gently"]), ("not in use", "echo gently", ["up"]),
        ("in use", "echo no; exit 4", ["no", "up"]),
    ],
    ids=["fits", "does not fit", "fails"],
)  # fmt: skip
def test_a_gentler_way_comes_first(tmp_path: Path, state: str, gentle: str, ran: list[str]) -> None:
    way = Gentler(("sh", "-c", gentle), ("echo", f" {state} "), "in use")
    change = look(sh("echo up", gentler=way), system(tmp_path))
    assert change.after == f"sh -c '{gentle}' || sh -c 'echo up'\n"
    assert kinds.apply(change, system(tmp_path)).code == 0
    log = (tmp_path / "var/log/guestinit.log").read_text().splitlines()
    assert [line for line in log if not line.startswith("---")] == ran


def test_offline(tmp_path: Path) -> None:
    assert look(sh("x"), machine(tmp_path, live=False)).change == LEFT
    inside = Command(("locale-gen",), "locale-gen", needs_live=False, log_output=False)
    assert look(inside, machine(tmp_path, live=False)).change == RUN
    process = FakeProcess({("chroot", str(tmp_path), "locale-gen"): Finished(0, "", 0)})
    kinds.apply(look(inside, machine(tmp_path, process, live=False)), machine(tmp_path, process, live=False))
    assert len(process.started) == 1


HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(1.2)
"""


def test_a_lock_of_another_program_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    start = time.monotonic()
    action = sh("true", locks=("/lock", "/absent"))
    kinds.apply(look(action, system(tmp_path)), system(tmp_path))
    assert time.monotonic() - start > 0.8
    holder.wait()
    holder.stdout.close()


def test_a_lock_that_never_comes_free_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guestinit.system.kinds import command

    monkeypatch.setattr(command, "LONGEST_LOCK", 0.1)
    (tmp_path / "lock").touch()
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(Failed, match="another program has held /lock"):
        kinds.apply(look(sh("true", locks=("/lock",)), system(tmp_path)), system(tmp_path))
    holder.wait()
    holder.stdout.close()


def test_the_password_of_a_package_address_is_not_shown(tmp_path: Path) -> None:
    address = "https://user:hunter2@repository.example.test/a@b.deb"
    change = look(Command(("apt-get", "install", address, "user@host", "a b"), "apt-get install"), system(tmp_path))
    assert change.after == "apt-get install 'https://***@repository.example.test/a@b.deb' user@host 'a b'\n"


def test_what_is_written_anew_without_need_stays_the_file_it_was(tmp_path: Path) -> None:
    """systemd-networkd takes another inode for another configuration."""
    there = tmp_path / "run/systemd/network"
    there.mkdir(parents=True)
    for name in ("same", "other", "mode", "gone"):
        (there / name).write_text(name)
    before = {path.name: path.stat() for path in there.iterdir()}
    script = f"""cd {there}; rm *; printf same > same; printf changed > other; printf new > new
        printf mode > mode; chmod 600 mode; exit 3"""
    with pytest.raises(Failed):
        kinds.apply(look(sh(script, rewrites="/run/systemd/network"), system(tmp_path)), system(tmp_path))
    after = {path.name: path.stat() for path in there.iterdir()}
    assert sorted(after) == ["mode", "new", "other", "same"]
    same = [name for name in before if name in after and after[name].st_ino == before[name].st_ino]
    assert same == ["same"]
    assert after["same"].st_mtime_ns == before["same"].st_mtime_ns
    assert (there / "other").read_text() == "changed"
    assert [path.name for path in there.parent.iterdir()] == ["network"]


def test_a_directory_that_is_not_there_yet_needs_no_keeping(tmp_path: Path) -> None:
    done = kinds.apply(look(sh("true", rewrites="/run/systemd/network"), system(tmp_path)), system(tmp_path))
    assert done.code == 0
    assert not (tmp_path / "run/systemd").exists()
