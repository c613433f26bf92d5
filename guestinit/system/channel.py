"""The QEMU channels (agent-channel.md sections 5 and 6): the report for the host, best effort, never blocking.

A write to a port that nobody listens to would sleep for ever, an unknown line can confuse libvirt, and reading would
take the commands that the host means for qemu-ga. So: write-only, non-blocking, one line, and never beside qemu-ga.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping

from guestinit.system import agent

AGENT_PORT = "/dev/virtio-ports/org.qemu.guest_agent.0"
PRIVATE_PORT = "/dev/virtio-ports/org.guestinit.0"
LONGEST = 4096
PATIENCE = 1.0  # seconds; libvirt needs a moment from the opening of the port to its connection


def agent_line(data: Mapping[str, object], seconds: float) -> bytes:
    """The event line, in the shape of QMP events: ASCII, at most 4 KiB, without the keys `return` and `error`."""
    import json

    stamp = {"seconds": int(seconds), "microseconds": int(seconds * 1_000_000) % 1_000_000}
    line = json.dumps({"event": "GUESTINIT_REPORT", "data": data, "timestamp": stamp}).encode("ascii") + b"\n"
    if len(line) > LONGEST:
        short = {name: value for name, value in data.items() if isinstance(value, (int, bool)) or len(str(value)) < 200}
        line = json.dumps({"event": "GUESTINIT_REPORT", "data": short, "timestamp": stamp}).encode("ascii") + b"\n"
    return line if len(line) <= LONGEST else b""


def push(port: str, line: bytes, patience: float = PATIENCE) -> str:
    """Write one line to a port. An empty answer means delivered, else why not; nothing is ever read."""
    if not line:
        return "the line is too long"
    try:
        descriptor = os.open(port, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        return error.strerror or "cannot be opened"
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        # POLLHUP is what a port without a listener shows; poll returns at once with it, so wait for the rest in steps.
        waited = 0.0
        while not any(events & select.POLLOUT for _, events in poll.poll(50)):
            waited += 0.05
            if waited >= patience:
                return "no listener"
            select.select([], [], [], 0.05)
        # One write: the port takes up to 32 KiB at a time, and half a line would poison the reader's next parse.
        written = os.write(descriptor, line)
        return "" if written == len(line) else "cut short"
    except BlockingIOError:
        return "no listener"
    except OSError as error:
        return error.strerror or "cannot be written"
    finally:
        os.close(descriptor)


def report_to_agent_port(data: Mapping[str, object], seconds: float, root: str = "") -> str:
    """Push the report in place of an absent qemu-ga. An empty answer means delivered, else why not."""
    if agent.is_installed(root):
        return "qemu-ga is installed, the port is its own"
    if not os.path.exists(root + AGENT_PORT):
        return "no port"
    return push(root + AGENT_PORT, agent_line(data, seconds))


def report_to_private_port(data: Mapping[str, object], root: str = "") -> str:
    """The same document as JSON lines on our own port, with an empty object as the end mark."""
    if not os.path.exists(root + PRIVATE_PORT):
        return "no port"
    import json

    return push(root + PRIVATE_PORT, json.dumps(data).encode("ascii") + b"\n{}\n")
