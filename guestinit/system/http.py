"""One request to a metadata or seed server, with a deadline over all of it (platforms.md 8.2, dependencies.md 4.3).

The servers are on the link or a hop away, are asked before the network is configured, and are anybody's until they have
answered: nothing of what they do may hold a boot up longer than the deadline, fill the memory, or send a request
elsewhere. No proxy of the environment is used, and a redirect is an answer like any other.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Union

if TYPE_CHECKING:
    import socket

MIB = 1 << 20
LIMIT = 16 * MIB
RAW_LIMIT = 64 * 1024
_PIECE = 64 * 1024
_PATH = "/%:@!$&'()*+,;=~"  # what RFC 3986 lets a path say as it is, and what is escaped already


class Answer(NamedTuple):
    """What a server answered, whatever its status is."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class NoAnswer(Exception):
    """There was no answer, or none that is whole and HTTP.

    The reason is for people, to be put after the address: "connection refused". It holds nothing that a server said.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(NoAnswer):
    """The server answered with a status that asking again would not change; 0: it is not who it has to be."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class _Address(NamedTuple):
    """The parts of a URL."""

    host: str  # a name or an address, without brackets and zone
    zone: str  # the network card of a link-local address, if the URL names one
    port: int
    target: str  # path and query, as they are sent
    name: str  # the value of Host
    secure: bool


def request(
    url: str,
    deadline: float,
    *,
    nic: str = "",
    method: str = "GET",
    headers: Union[Mapping[str, str], Iterable[tuple[str, str]]] = (),
    limit: int = LIMIT,
) -> Answer:
    """One request over one connection, complete until `deadline` (a time.monotonic()). Raises NoAnswer.

    `nic` names the card that it has to go through. The body may have `limit` bytes. Where a server announces a length
    that many bytes are the body, as HTTP has it: fewer are no answer, what follows them is not looked at.
    """
    import http.client  # delayed: 12 ms, and most machines have a drive

    address = _parse(url)
    lines = [f"{method} {address.target} HTTP/1.1", f"Host: {address.name}", "Connection: close", "Accept: */*"]
    lines += ["User-Agent: guestinit", "Accept-Encoding: identity", *(["Content-Length: 0"] if method == "PUT" else [])]
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    if any(not line.isprintable() or not line.isascii() for line in lines):
        raise NoAnswer("a header that cannot be sent")
    sock = _connect(address.host, address.port, nic or address.zone, deadline)
    reader = _Reader(sock, deadline, limit)
    try:
        if address.secure:
            reader.sock = sock = _secure(sock, address.host, deadline)
        _send("\r\n".join((*lines, "", "")).encode(), sock, deadline)
        # Closed while what it reads from is open: the collector may come later, to a traceback in Python 3.13.
        with http.client.HTTPResponse(reader, method=method) as response:  # type: ignore[arg-type]  # it only reads
            response.begin()
            body = _body(response, limit)
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, body)
    except http.client.RemoteDisconnected:
        raise NoAnswer("closed the connection without an answer") from None
    except http.client.IncompleteRead:
        raise NoAnswer("the answer was cut short") from None
    except OSError as error:  # a certificate's is a ValueError too
        verdict = getattr(error, "verify_message", "")
        if verdict:
            raise Refused(f"its certificate cannot be trusted: {verdict}", 0) from None
        raise NoAnswer(_describe(error, reader.received)) from None
    except (http.client.HTTPException, ValueError):
        raise NoAnswer("does not speak HTTP") from None
    finally:
        sock.close()


def raw(address: str, port: int, text: bytes, deadline: float, nic: str = "") -> bytes:
    """Everything that a server says until it closes, at most 64 KiB: CloudStack's password server is not quite HTTP.

    Raises NoAnswer. A server that closes without a word has answered, with nothing.
    """
    sock = _connect(address, port, nic, deadline)
    reader = _Reader(sock, deadline, RAW_LIMIT)
    said = b""
    try:
        _send(text, sock, deadline)
        while len(said) <= RAW_LIMIT:
            piece = reader.read(_PIECE)
            if not piece:
                return said
            said += piece
    except OSError as error:
        raise NoAnswer(_describe(error, len(said))) from None
    finally:
        sock.close()
    raise NoAnswer(f"more than {RAW_LIMIT // 1024} KiB")


# the connection


class _Reader(io.RawIOBase):
    """What a server says: each read waits at most until the deadline, however slowly it comes.

    http.client is given this in place of a socket, whose own time limit would start again with every byte.
    """

    def __init__(self, sock: socket.socket, deadline: float, limit: int) -> None:
        self.sock = sock
        self.received = 0
        self._deadline = deadline
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(_left(self._deadline))
        count = self.sock.recv_into(buffer)
        self.received += count
        # Headers and the framing of chunks are extra. http.client takes a chunk of the size -1 as one without end.
        if self.received > 2 * self._limit + MIB:
            raise NoAnswer(f"more than {_size(self._limit)}")
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _send(text: bytes, sock: socket.socket, deadline: float) -> None:
    sock.settimeout(_left(deadline))
    sock.sendall(text)


def _connect(host: str, port: int, nic: str, deadline: float) -> socket.socket:
    """The first address of a host that takes a connection. Each has its share of the time that is left."""
    import socket

    found = _resolve(host, port, nic, deadline)
    reason = f"the name {host} has no address"
    for position, (family, address) in enumerate(found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if nic:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, nic.encode())
            sock.settimeout(_left(deadline) / (len(found) - position))
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            reason = _describe(error, None)
    raise NoAnswer(reason)


def _resolve(host: str, port: int, nic: str, deadline: float) -> list[tuple[int, Any]]:
    """Family and socket address of each address of a host; a link-local one is on the link of `nic`."""
    import socket

    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = _look_up(host, port, deadline)
    addresses: list[tuple[int, Any]] = []
    for family, _, _, _, address in found:
        if family == socket.AF_INET6 and _is_link_local(str(address[0])):
            if not nic:
                raise NoAnswer("a link-local address, and no network card is named")
            try:
                address = (address[0], port, 0, socket.if_nametoindex(nic))  # type: ignore[assignment]
            except OSError:
                raise NoAnswer(f"there is no network card {nic}") from None
        addresses.append((family, address))
    return addresses


def _look_up(name: str, port: int, deadline: float) -> list[Any]:
    """The addresses of a name. The C library has no time limit of ours: it is left behind when the time is up."""
    import socket
    import threading

    found: list[Any] = []
    wrong: list[str] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            wrong.append(f"the name {name} has no address")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0))
    if wrong or not found:
        raise NoAnswer(wrong[0] if wrong else f"the name {name} was not resolved in time")
    return list(found)


def _secure(sock: socket.socket, host: str, deadline: float) -> socket.socket:
    import ssl  # delayed: 15 ms, for seeds from https:// only

    context = ssl.create_default_context()
    sock.settimeout(_left(deadline))
    return context.wrap_socket(sock, server_hostname=host)


# what is sent and what came


def _parse(url: str) -> _Address:
    """The parts of an http:// or https:// address; a zone may be written %eth0 or, as RFC 6874 has it, %25eth0."""
    from urllib.parse import quote, urlsplit  # http.client has it loaded

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NoAnswer("not an address that can be asked") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NoAnswer("not an http:// or https:// address")
    if parts.username is not None:
        raise NoAnswer("an address with a user name is not supported")
    host, _, zone = parts.hostname.partition("%")
    target = quote(parts.path or "/", safe=_PATH)
    if parts.query:
        target += f"?{quote(parts.query, safe=_PATH + '?')}"
    shown = f"[{host}]" if ":" in host else host
    name = shown if port is None else f"{shown}:{port}"
    default = 443 if parts.scheme == "https" else 80
    return _Address(host, zone[2:] if zone.startswith("25") else zone, port or default, target, name, default == 443)


def _is_link_local(address: str) -> bool:
    return address.lower()[:3] in ("fe8", "fe9", "fea", "feb")


def _body(response: Any, limit: int) -> bytes:
    """The whole body. http.client does not mind one that ends early, if it is read in pieces."""
    announced = response.length  # None: chunked, or until the connection closes
    if announced is not None and announced > limit:
        raise NoAnswer(f"more than {_size(limit)}")
    body = bytearray()
    while piece := response.read(_PIECE):
        body += piece
        if len(body) > limit:
            raise NoAnswer(f"more than {_size(limit)}")
    if announced is not None and len(body) < announced:
        raise NoAnswer(f"the answer was cut short: {len(body)} of {announced} bytes")
    return bytes(body)


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit // 1024} KiB"


def _describe(error: OSError, received: int | None) -> str:
    """What went wrong; `received` counts the bytes of an answer, and is None while there was no connection."""
    import socket

    if isinstance(error, (socket.timeout, TimeoutError)):
        if received is None:
            return "no connection in time"
        return f"the answer was not complete in time ({received} bytes came)" if received else "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionError, BrokenPipeError)):
        return "the answer was cut short" if received else "closed the connection without an answer"
    if getattr(error, "reason", ""):  # of TLS
        return f"no TLS connection: {getattr(error, 'reason', '')}".lower().replace("_", " ")
    return (error.strerror or "not reachable").lower()
