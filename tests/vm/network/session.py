"""A guest that runs jobs: it stays on, and gets the code of this working tree with every job."""

from __future__ import annotations

import base64
import io
import json
import os
import select
import socket
import tarfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.vm.guest import HERE, Guest, Hardware
from tests.vm.network import cases
from tests.vm.network.nics import CABLES

REPOSITORY = os.path.dirname(os.path.dirname(HERE))
HARDWARE = Hardware(
    program=os.path.join(HERE, "network", "worker.py"), macs=(), cables=CABLES, agent_port=False, job_port=True,
    slim_initrd=True,
)  # fmt: skip
TREES = ("guestinit", "tests/network", "tests/vm/network")


class Jobs:
    """The line to the worker in a guest."""

    def __init__(self, path: str, limit: float = 900.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(limit)
        self._limit = limit
        directory = os.open(os.path.dirname(path), os.O_PATH)  # sun_path is short
        try:
            self._socket.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        finally:
            os.close(directory)

    def run(self, *argv: str) -> Iterator[dict[str, Any]]:
        """What a program of this tree prints, line by line. A failed program is an error."""
        self._greet()
        job = json.dumps({"tree": base64.b64encode(tree()).decode(), "argv": argv}) + "\n"
        self._socket.sendall(job.encode())
        with self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                if line == "hello\n":
                    continue  # to one of several
                answer = dict(json.loads(line))
                if "exit" in answer:
                    assert answer["exit"] == 0, (
                        f"{argv[:3]} ended with {answer['exit']} in the guest: {answer['stderr']}"
                    )
                    return
                yield answer
        raise AssertionError("the guest is gone")

    def _greet(self) -> None:
        """Wait until the worker listens: a job that was sent before that once was never read."""
        deadline = time.monotonic() + self._limit
        while time.monotonic() < deadline:
            self._socket.sendall(b"hello\n")
            said = b""
            while select.select([self._socket], [], [], 5)[0]:
                piece = self._socket.recv(1)
                assert piece, "the guest is gone"
                said += piece
                if said.endswith(b"hello\n"):  # before that, what is left of a job that nobody listens to any more
                    return
        raise AssertionError("the guest does not listen")

    def prove(self, renderer: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The outcome of each case, as it comes."""
        yield from self.run("python3", "-m", "tests.vm.network.driver", renderer, *names)


def prove_all(guest: Guest, renderer: str) -> Iterator[dict[str, Any]]:
    """The outcome of each case, as it comes from this guest."""
    path = os.path.join(guest.directory, "job.sock")
    wait_socket(path)
    yield from Jobs(path).prove(renderer, cases.proved_with(renderer))


def tree() -> bytes:
    """The code and the cases, compressed."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=6) as out:
        for each in TREES:
            out.add(os.path.join(REPOSITORY, each), each, filter=_wanted)
    return data.getvalue()


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


def wait_socket(path: str, limit: float = 60.0) -> None:
    """Wait until QEMU has made it."""
    deadline = time.monotonic() + limit
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)
