"""The waiting rule, with pipes in the place of udev: what is written is an event, what is closed has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from guestinit.system import udev


class Pipe:
    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def tell(self) -> None:
        os.write(self.writer, b"x")

    def end(self) -> None:
        os.close(self.writer)
        self.writer = -1


class Udev:
    """The daemon as `follow` sees it."""

    def __init__(self) -> None:
        self.news = Pipe()
        self.queue = Pipe()  # ends when the queue is empty
        self.is_initialised = True
        self.events = udev.Events(
            self.news.reader, lambda: bool(os.read(self.news.reader, 100)), lambda: self.is_initialised, lambda: None
        )

    def follow(self, announced: bool, seconds: float = 30.0) -> Iterator[None]:
        return udev.follow(self.events, self.queue.reader, announced, time.monotonic() + seconds)


@pytest.fixture
def daemon() -> Iterator[Udev]:
    daemon = Udev()
    yield daemon
    for pipe in (daemon.news, daemon.queue):
        os.close(pipe.reader)
        if pipe.writer >= 0:
            os.close(pipe.writer)


def test_a_quiet_udev_ends_the_wait_after_one_more_look(daemon: Udev) -> None:
    daemon.queue.end()
    assert len(list(daemon.follow(announced=False))) == 2  # at the beginning, and when it is quiet


def test_each_event_is_worth_a_look(daemon: Udev) -> None:
    looks = daemon.follow(announced=False)
    next(looks)
    for _ in range(3):
        daemon.news.tell()
        next(looks)
    daemon.queue.end()
    assert len(list(looks)) == 1


def test_an_announced_drive_is_awaited_beyond_a_quiet_udev(daemon: Udev) -> None:
    looks = daemon.follow(announced=True)
    next(looks)
    daemon.queue.end()
    next(looks)
    daemon.news.tell()  # the drive
    next(looks)


def test_an_announced_drive_that_never_comes_costs_the_limit_and_no_more(daemon: Udev) -> None:
    daemon.queue.end()
    start = time.monotonic()
    looks = len(list(daemon.follow(announced=True, seconds=0.3)))
    assert 0.25 < time.monotonic() - start < 20
    assert looks == 3  # at the beginning, when quiet, at the end


def test_a_udev_that_is_busy_for_ever_costs_the_limit_and_no_more(daemon: Udev) -> None:
    assert len(list(daemon.follow(announced=False, seconds=0.2))) == 2


def test_quiet_before_coldplug_is_not_the_end(daemon: Udev) -> None:
    daemon.is_initialised = False
    daemon.queue.end()
    looks = daemon.follow(announced=False)
    next(looks)
    next(looks)
    daemon.news.tell()
    daemon.is_initialised = True
    assert len(list(looks)) == 1


def test_when_nothing_can_tell_any_more_the_wait_ends(daemon: Udev) -> None:
    daemon.queue.end()
    daemon.news.end()
    assert len(list(daemon.follow(announced=True))) == 2


def test_without_udevd_nothing_is_awaited() -> None:
    if os.path.exists("/run/udev/control"):
        pytest.skip("this machine runs udevd")
    assert list(udev.arrivals(announced=True)) == []


def test_a_program_that_is_not_installed_has_ended() -> None:
    child = udev._start(("no-such-program",))
    assert os.read(child.descriptor, 1) == b""
    child.close()


def test_a_program_is_stopped_when_it_is_no_longer_needed() -> None:
    start = time.monotonic()
    child = udev._start(("sleep", "60"))
    child.close()
    assert time.monotonic() - start < 30
