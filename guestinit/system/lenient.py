"""Servers that nearly speak HTTP, and answer with one line: CloudStack's password server (platforms.md 7).

There may be no head at all, two Server headers, a second status line inside of the body, no length, any line breaks, or
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

_VERSION = b"HTTP/"


def ask(address: str, port: int, headers: Iterable[tuple[str, str]], deadline: float, nic: str = "") -> bytes:
    """The one line that a server answers with; empty if it says none. Raises http.NoAnswer."""
    from guestinit.system import http

    lines = ["GET / HTTP/1.0", f"Host: {address}:{port}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return read_line(http.raw(address, port, "\r\n".join(lines).encode(), deadline, nic))


def read_line(said: bytes) -> bytes:
    """The line in everything that a server said, without line breaks around it. Raises http.NoAnswer."""
    from guestinit.system.http import NoAnswer

    head, body = _split(said) if said.startswith(_VERSION) else (b"", said)
    if head:
        status = head.split(b"\n", 1)[0].split()[1:2]
        if status != [b"200"]:
            raise NoAnswer(f"status {status[0].decode('ascii', 'replace')[:3]}" if status else "does not speak HTTP")
        body = _whole(head, body)
    if body.startswith(_VERSION):  # the server thought better of it when the first status line was out already
        inner, rest = _split(body)
        body = rest or inner.rstrip(b"\r\n").rpartition(b"\n")[2]
    line = body.strip(b"\r\n")
    if b"\n" in line or b"\r" in line:
        raise NoAnswer("more than one line: another kind of server")
    return line


def _split(said: bytes) -> tuple[bytes, bytes]:
    """Head and body, at the first empty line."""
    ends = [(said.find(mark), mark) for mark in (b"\r\n\r\n", b"\n\n") if mark in said]
    if not ends:
        return said, b""
    at, mark = min(ends)
    return said[:at], said[at + len(mark) :]


def _whole(head: bytes, body: bytes) -> bytes:
    """The body, if it is as long as the head promises, where that promises anything."""
    from guestinit.system.http import NoAnswer

    for line in head.split(b"\n")[1:]:
        name, _, value = line.partition(b":")
        digits = value.strip()
        if name.strip().lower() == b"content-length" and digits.isdigit():
            # int() refuses thousands of digits.
            if len(digits) > 9 or len(body) < int(digits):
                raise NoAnswer("the answer was cut short")
            return body[: int(digits)]
    return body
