"""A server that says exactly what a test wants, byte by byte and whenever it wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from tests.http.namespaces import Namespace

Behave = Callable[[socket.socket, bytes], None]


class Listener:
    """Takes connections at an address in a namespace, reads a request each, and lets `behave` answer."""

    def __init__(self, namespace: Namespace, address: str, behave: Behave, port: int = 80) -> None:
        self.requests: list[bytes] = []
        self.stopped = threading.Event()
        self._behave = behave
        self._socket = namespace.run(lambda: listen(address, port))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stopped.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._answer, args=(connection,)))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(4096)
                if not piece:
                    break
                request += piece
            self.requests.append(request)
            self._behave(connection, request)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket; a link-local address is on whichever card has it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET:
        sock.bind((address, port))
    else:
        zone = socket.if_nametoindex("cloud0") if address.startswith("fe80") else 0
        sock.bind((address, port, 0, zone))
    sock.listen(256)
    return sock


def say(*pieces: bytes) -> Behave:
    """Say this, and close."""

    def behave(connection: socket.socket, _request: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return behave


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer of HTTP; `retry_after="3"` is a header."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def in_turn(*answers: bytes) -> Behave:
    """One of these for each connection; the last one for all that follow."""
    left = list(answers)

    def behave(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return behave
