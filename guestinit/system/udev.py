"""Waiting for drives: for events, never for time to pass (design: stages).

Early in a boot a driver such as sr_mod or ahci may only be loaded by udev's coldplug, and most platforms announce
nothing. So a machine on which nothing is settled waits until udev has nothing left to do, and not longer: `udevadm
settle` ends then. It also sees events that the daemon has not taken from the kernel yet, which looking at
/run/udev/queue does not. A drive that comes earlier is seen through pyudev's monitor. Only where the platform has
announced a drive does a quiet udev not end the wait.
"""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

# Seconds. Where many guests boot at once on a busy host, coldplug itself lasts for more than ten of them, and a drive
# that was not waited for is a machine that nobody has set up. What keeps udev busy for longer is something else.
LIMIT = 60.0

_CONTROL = "/run/udev/control"


class Events(NamedTuple):
    """Where news of block devices come from."""

    descriptor: int  # readable when there is something
    take: Callable[[], bool]  # take all that is there; False: the source has ended
    initialised: Callable[[], bool]  # whether udev has handled every block device
    close: Callable[[], object]


def arrivals(announced: bool) -> Iterator[None]:
    """Yield whenever another look at the drives is worth it; end when nothing more is to be expected.

    Without a running udevd there is nothing to wait for. `announced`: the platform has said that a drive is to come.
    """
    if not os.path.exists(_CONTROL):
        return
    events = _by_pyudev() or _by_udevadm()
    try:
        settled = _start(("udevadm", "settle", f"--timeout={LIMIT:.0f}"))
        try:
            yield from follow(events, settled.descriptor, announced, time.monotonic() + LIMIT)
        finally:
            settled.close()
    finally:
        events.close()


def follow(events: Events, settled: int, announced: bool, deadline: float) -> Iterator[None]:
    """The rule itself. `settled` is a descriptor that ends when udev's queue is empty."""
    yield  # what came between the last look and the first moment of listening
    poll = select.poll()
    listening = {settled, events.descriptor}
    for descriptor in listening:
        poll.register(descriptor, select.POLLIN)
    while listening and (left := deadline - time.monotonic()) > 0:
        ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
        ended = set()
        if settled in ready and not os.read(settled, 4096):
            ended.add(settled)
        if events.descriptor in ready and not events.take():
            ended.add(events.descriptor)
        for descriptor in ended:
            poll.unregister(descriptor)
        listening -= ended
        # Quiet before coldplug has begun is not the end: then devices are there that udev has never handled.
        is_over = settled not in listening and not announced and events.initialised()
        yield  # the last look comes after the last question
        if is_over:
            return


def _by_pyudev() -> Events | None:
    """The daemon's own messages: they come when a device is ready, its links and labels included."""
    try:
        import pyudev  # 16 ms, hence only where nothing was found at once
    except ImportError:
        return None
    try:
        context = pyudev.Context()
        monitor = pyudev.Monitor.from_netlink(context, "udev")
        monitor.filter_by("block")
        monitor.start()
    except (OSError, ImportError):
        return None  # no libudev

    def take() -> bool:
        try:
            while monitor.poll(timeout=0) is not None:
                pass
        except OSError as error:
            # More messages than the socket holds: some were lost, but that there is news is known.
            return error.errno == errno.ENOBUFS
        return True

    def initialised() -> bool:
        return all(device.is_initialized for device in context.list_devices(subsystem="block"))

    return Events(monitor.fileno(), take, initialised, lambda: None)


def _by_udevadm() -> Events:
    """The same without the library."""
    listener = _start(("udevadm", "monitor", "--udev", "--subsystem-match=block"))
    return Events(listener.descriptor, lambda: bool(os.read(listener.descriptor, 65536)), lambda: True, listener.close)


class _Child(NamedTuple):
    descriptor: int
    close: Callable[[], object]


def _start(argv: tuple[str, ...]) -> _Child:
    """A program whose output, and whose end, can be polled for."""
    import subprocess

    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.DEVNULL)
    except OSError:
        os.close(writer)  # not installed: the descriptor has ended, which reads as "nothing more to wait for"
        return _Child(reader, lambda: os.close(reader))
    os.close(writer)

    def close() -> None:
        os.close(reader)
        if process.poll() is None:
            process.terminate()
        process.wait()

    return _Child(reader, close)
