"""What CloudStack's password server says, byte by byte (platforms.md 7 and 14, quirk 41)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from guestinit.system import lenient, password_server
from guestinit.system.http import NoAnswer

PYTHON3 = (
    b"HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.9.2\r\nDate: Sat, 21 Nov 2026 16:00:00 GMT\r\n"
    b"Content-type: text/plain\r\nServer: CloudStack Password Server\r\n\r\n"
)
SECOND = b"HTTP/1.0 400 Bad Request\r\nServer: BaseHTTP/0.3 Python/2.7.16\r\nDate: Sat, 21 Nov 2026 16:00:00 GMT\r\n"
NONE = "has no password for this machine"


@pytest.mark.parametrize(
    "said",
    [
        PYTHON3 + b"fQ7x",
        PYTHON3 + b"fQ7x\n",
        PYTHON3 + b"fQ7x\r\n",
        PYTHON3.replace(b"\r\n", b"\n") + b"fQ7x",
        PYTHON3.replace(b"Content-type", b"Content-Length: 4\r\nContent-type") + b"fQ7x",
        b"HTTP/1.1 200 OK\r\n\r\nfQ7x",
        b"fQ7x\n",
        b"fQ7x",
    ],
    ids=("no line break", "line break", "CRLF", "LF only", "a length", "no headers", "HTTP/0.9", "HTTP/0.9, bare"),
)
def test_password(said: bytes) -> None:
    secret, reason = password_server.read(lenient.read_line(said))
    assert secret is not None and secret.reveal() == b"fQ7x"
    assert reason == "hands over a password"


@pytest.mark.parametrize("password", ["  fQ7x ", "p:w: x", "HTTP", "pässwörd", "a" * 200, "saved_password1", "<3 you"])
def test_only_line_breaks_are_taken_off(password: str) -> None:
    secret, _ = password_server.read(lenient.read_line(PYTHON3 + password.encode() + b"\r\n"))
    assert secret is not None and secret.reveal() == password.encode()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (PYTHON3 + b"saved_password", NONE),
        (PYTHON3 + b"saved_password\n", NONE),
        (b"saved_password\n", NONE),
        (PYTHON3, NONE),
        (PYTHON3 + b"\n", NONE),
        (b"", NONE),
        (PYTHON3 + b"bad_request", "refuses the request"),
        (PYTHON3 + SECOND + b"bad_request\n", "refuses the request"),
        (PYTHON3 + SECOND + b"\r\nbad_request", "refuses the request"),
        (PYTHON3 + b"\xff\xfe", "answers something that is no password"),
        (PYTHON3 + b"a\x07b", "answers something that is no password"),
        (PYTHON3 + b"a" * 256, "answers something that is no password"),
        (PYTHON3 + b"<html><body>It works!</body></html>", "answers something that is no password"),
    ],
    ids=(
        "saved_password", "and a line break", "HTTP/0.9", "empty", "empty line", "closed without bytes", "bad_request",
        "bad_request inside 200", "and its own head", "no UTF-8", "a bell", "too long", "a page",
    ),
)  # fmt: skip
def test_no_password(said: bytes, reason: str) -> None:
    assert password_server.read(lenient.read_line(said)) == (None, reason)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\nfQ7x", "status 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://10.1.1.9/\r\n\r\n", "status 302"),
        (b"HTTP/1.1\r\n\r\nfQ7x", "does not speak HTTP"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nfQ7x", "the answer was cut short"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nfQ7x", "the answer was cut short"),
        (PYTHON3 + b"<html>\n<body>", "more than one line: another kind of server"),
        (b"SSH-2.0-OpenSSH_9.2\r\nsecond", "more than one line: another kind of server"),
    ],
)
def test_another_kind_of_server(said: bytes, reason: str) -> None:
    with pytest.raises(NoAnswer) as raised:
        lenient.read_line(said)
    assert raised.value.reason == reason


@given(some.binary())
def test_whatever_is_said_there_is_at_most_one_line(said: bytes) -> None:
    for text in (said, PYTHON3 + said, b"HTTP/" + said):
        with contextlib.suppress(NoAnswer):
            line = lenient.read_line(text)
            assert b"\n" not in line and b"\r" not in line
            secret, reason = password_server.read(line)
            assert reason
            assert secret is None or (secret.reveal() == line and line in text)


@given(some.text(some.characters(blacklist_categories=("C", "Z"), blacklist_characters="<"), min_size=1, max_size=60))
def test_every_password_comes_through_in_every_form(password: str) -> None:
    if password in ("saved_password", "bad_request") or password.startswith("HTTP/"):
        return
    for said in (PYTHON3 + password.encode(), PYTHON3 + password.encode() + b"\n", password.encode() + b"\n"):
        secret, _ = password_server.read(lenient.read_line(said))
        assert secret is not None and secret.reveal() == password.encode()
