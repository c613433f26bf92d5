"""One request, to real servers on the addresses that metadata services have (platforms.md 14, quirk 40)."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestinit.system import http
from tests.http.listener import Behave, Listener, answer, say
from tests.http.namespaces import EC2_IPV6, OPENSTACK, OPENSTACK_LINK, Ends

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

URL = f"http://{OPENSTACK}/openstack"


def ask(ends: Ends, behave: Behave, seconds: float = 20.0, **more: object) -> http.Answer:
    """What one request over eth0 brings."""
    guest, cloud = ends
    options = {"nic": "eth0", **more}
    with Listener(cloud, OPENSTACK, behave):
        return guest.run(lambda: http.request(URL, time.monotonic() + seconds, **options))  # type: ignore[arg-type]


def refusal(ends: Ends, behave: Behave, seconds: float = 20.0, **more: object) -> str:
    with pytest.raises(http.NoAnswer) as raised:
        ask(ends, behave, seconds, **more)
    return raised.value.reason


def took(start: float) -> float:
    return time.monotonic() - start


def test_answer_has_status_headers_and_body(ends: Ends) -> None:
    assert ask(ends, say(answer("200 OK", b"latest\n", ETag="x1"))) == http.Answer(
        200, {"content-length": "7", "etag": "x1"}, b"latest\n"
    )


def test_request_is_plain_and_complete(ends: Ends) -> None:
    guest, cloud = ends
    with Listener(cloud, OPENSTACK, say(answer("200 OK"))) as server:
        guest.run(lambda: http.request(f"http://{OPENSTACK}/a b?c=%20d e", time.monotonic() + 20, method="PUT",
                                       headers={"X-Token": "t"}))  # fmt: skip
    assert server.requests == [
        b"PUT /a%20b?c=%20d%20e HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\nAccept: */*\r\n"
        b"User-Agent: guestinit\r\nAccept-Encoding: identity\r\nContent-Length: 0\r\nX-Token: t\r\n\r\n"
    ]


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "302 Found", "429 Too Many Requests"])
def test_every_status_is_an_answer_and_no_redirect_is_followed(status: str, ends: Ends) -> None:
    given = ask(ends, say(answer(status, b"x", Location="http://10.0.0.2/elsewhere")))
    assert (given.status, given.body) == (int(status[:3]), b"x")


def test_chunks_are_put_together(ends: Ends) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert ask(ends, say(head, b"4\r\nuser\r\n", b"5\r\n-data\r\n0\r\n\r\n")).body == b"user-data"
    assert refusal(ends, say(head, b"4\r\nuser\r\n", b"5\r\n-da")) == "the answer was cut short"


def test_body_without_a_length_lasts_until_the_server_has_closed_its_half(ends: Ends) -> None:
    def behave(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nall of it")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # the other half stays open until the guest has what it wants

    assert ask(ends, behave).body == b"all of it"


# what is no answer


def test_half_closed_connection_without_an_answer(ends: Ends) -> None:
    def behave(connection: socket.socket, _request: bytes) -> None:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    assert refusal(ends, behave) == "closed the connection without an answer"


def test_length_that_promises_too_much_is_no_answer(ends: Ends) -> None:
    behave = say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n#cloud-config")
    assert refusal(ends, behave) == "the answer was cut short: 13 of 100 bytes"


def test_length_that_promises_too_little_ends_the_body(ends: Ends) -> None:
    assert ask(ends, say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nuser-data")).body == b"user-"


def test_server_that_never_answers_is_left_at_the_deadline(ends: Ends) -> None:
    start = time.monotonic()

    def behave(connection: socket.socket, _request: bytes) -> None:
        connection.recv(1)

    assert refusal(ends, behave, 1) == "no answer in time"
    assert 1 <= took(start) < 10


def drip(head: bytes) -> Behave:
    def behave(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        for _ in range(300):
            time.sleep(0.1)
            connection.sendall(b"x")  # fails as soon as the guest has gone

    return behave


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_slow_drip_ends_at_the_deadline_wherever_it_begins(head: bytes, ends: Ends) -> None:
    start = time.monotonic()
    assert refusal(ends, drip(head), 1.5).startswith("the answer was not complete in time (")
    assert 1.5 <= took(start) < 15


def test_ten_megabytes_are_fine_and_more_than_the_limit_is_not_taken(ends: Ends) -> None:
    body = os.urandom(1 << 20) * 10
    assert ask(ends, say(answer("200 OK", body)), 60).body == body
    assert refusal(ends, say(answer("200 OK", body)), limit=4 << 20) == "more than 4 MiB"
    assert refusal(ends, say(b"HTTP/1.1 200 OK\r\n\r\n", body), limit=4 << 20) == "more than 4 MiB"


def test_chunk_of_the_size_minus_one_has_an_end(ends: Ends) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
    # Python 3.9 takes the size for a mistake, later ones for "all that comes".
    reason = refusal(ends, say(head, *[bytes(1 << 20)] * 10), limit=1 << 20)
    assert reason in ("more than 1 MiB", "does not speak HTTP")


LINES = st.one_of(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 100 Continue", b"Content-Length: 5", b"Content-Length: -5", b"",
                     b"-1", b"Transfer-Encoding: chunked", b"5", b"0", b"ffffffffffffffffffff",
                     b"hello", b"HTTP/9 999 x"]),
    st.binary(max_size=20),
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=8))
def test_whatever_a_server_says_is_an_answer_or_none(ends: Ends, lines: list[bytes]) -> None:
    try:
        assert isinstance(ask(ends, say(b"\r\n".join(lines))), http.Answer)
    except http.NoAnswer as no_answer:
        assert no_answer.reason.isprintable()


@pytest.mark.parametrize(
    "said", [b"saved_password", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x00\xa5\x01" * 40, b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_is_not_http_is_no_answer_and_is_not_repeated(said: bytes, ends: Ends) -> None:
    assert refusal(ends, say(said)) == "does not speak HTTP"


def test_nobody_listens_and_nobody_is_there(ends: Ends) -> None:
    guest, _ = ends
    for url, reason in {
        URL: "connection refused",
        "http://10.0.0.77/": "no connection in time|no route to host",
        "http://[fe80::77]/": "no connection in time|no route to host",
        "http://[fe80::77%25nic7]/": "no connection in time|no route to host",
        "http://nobody.invalid/": "the name nobody.invalid has no address|.* was not resolved in time",
        "ftp://10.0.0.2/": "not an http:// or https:// address",
        "http://user:word@10.0.0.2/": "an address with a user name is not supported",
        "http://10.0.0.2:port/": "not an address that can be asked",
    }.items():
        start = time.monotonic()
        with pytest.raises(http.NoAnswer, match=f"^({reason})$"):
            guest.run(lambda url=url: http.request(url, time.monotonic() + 1, nic="eth0"))  # type: ignore[misc]
        assert took(start) < 10


# the card


def test_link_local_address_is_on_the_named_card_and_host_has_no_zone(ends: Ends) -> None:
    guest, cloud = ends
    for url, nic in ((f"http://[{OPENSTACK_LINK}]/openstack", "eth0"), (f"http://[{OPENSTACK_LINK}%25eth0]/x", ""),
                     (f"http://[{OPENSTACK_LINK}%eth0]/x", "")):  # fmt: skip
        with Listener(cloud, OPENSTACK_LINK, say(answer("200 OK", b"latest"))) as server:
            assert guest.run(lambda: http.request(url, time.monotonic() + 20, nic=nic)).body == b"latest"  # noqa: B023
        assert b"\r\nHost: [fe80::a9fe:a9fe]\r\n" in server.requests[0]


def test_link_local_address_without_a_card_is_refused(ends: Ends) -> None:
    guest, _ = ends
    for nic, reason in (("", "a link-local address, and no network card is named"),
                        ("eth7", "there is no network card eth7")):  # fmt: skip
        with pytest.raises(http.NoAnswer) as raised:
            guest.run(lambda: http.request(f"http://[{OPENSTACK_LINK}]/", time.monotonic() + 5, nic=nic))  # noqa: B023
        assert raised.value.reason == reason


def test_global_address_of_ec2_is_reached_over_the_card(ends: Ends) -> None:
    guest, cloud = ends
    with Listener(cloud, EC2_IPV6, say(answer("200 OK", b"latest"))) as server:
        guest.run(lambda: http.request(f"http://[{EC2_IPV6}]/latest", time.monotonic() + 20, nic="eth0"))
    assert b"\r\nHost: [fd00:ec2::254]\r\n" in server.requests[0]


def test_request_goes_through_its_card_whatever_the_routes_say(ends: Ends) -> None:
    guest, _ = ends
    guest.ip("link add eth1 type veth peer name far1", "link set eth1 up", "link set far1 up")
    try:
        with Listener(ends.cloud, OPENSTACK, say(answer("200 OK", b"it is there"))) as server:
            with pytest.raises(http.NoAnswer):
                guest.run(lambda: http.request(URL, time.monotonic() + 1, nic="eth1"))
            assert guest.run(lambda: http.request(URL, time.monotonic() + 20, nic="eth0")).body == b"it is there"
        assert len(server.requests) == 1
    finally:
        guest.ip("link del eth1")


def test_proxies_of_the_environment_are_not_asked(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    guest, cloud = ends
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://10.0.0.2:3128")
    with Listener(cloud, "10.0.0.2", say(answer("200 OK", b"the proxy")), 3128) as proxy:
        assert ask((guest, cloud), say(answer("200 OK", b"the service"))).body == b"the service"
    assert proxy.requests == []


def test_what_is_given_up_is_closed() -> None:
    """Python 3.13 prints a traceback into a guest's journal otherwise; with -X dev older ones do."""
    program = """
import gc, socket, threading, time
from guestinit.system import http
server = socket.create_server(("127.0.0.1", 0))
head = b"HTTP/1.1 200 OK\\r\\n"
answers = b"", b"hello", head + b"Content-Length: 60\\r\\n\\r\\nlatest", head + b"Content-Length: 99999999\\r\\n\\r\\n"
def serve():
    for said in answers:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(said)
    server.close()
thread = threading.Thread(target=serve)
thread.start()
for _ in answers:
    try:
        http.request(f"http://127.0.0.1:{server.getsockname()[1]}/", time.monotonic() + 20)
    except http.NoAnswer as no_answer:
        no_answer.itself = no_answer  # a circle, which is collected in any order
thread.join()
gc.collect()
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


# https


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of nobody's, for the address of the service."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-subj", "/CN=seed", "-addext", f"subjectAltName=IP:{OPENSTACK}", "-keyout", str(path),
         "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_https_is_verified_unless_it_is_switched_off(
    ends: Ends, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest, cloud = ends
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Secure(Listener):
        def _answer(self, connection: socket.socket) -> None:
            try:
                super()._answer(context.wrap_socket(connection, server_side=True))
            except OSError:  # the guest does not want to
                connection.close()

    def get() -> bytes:
        url = f"https://{OPENSTACK}/user-data"
        return guest.run(lambda: http.request(url, time.monotonic() + 20, nic="eth0")).body

    with Secure(cloud, OPENSTACK, say(answer("200 OK", b"seed")), 443):
        with pytest.raises(http.NoAnswer, match=r"^its certificate cannot be trusted: self[- ]signed certificate$"):
            get()
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        assert get() == b"seed"


# the password server


@pytest.mark.parametrize("said", [b"", b"saved_password", b"HTTP/1.0 200 OK\r\n\r\nfQ7x\n", b"bad_request\n"])
def test_raw_has_all_that_is_said_until_the_server_closes(said: bytes, ends: Ends) -> None:
    guest, cloud = ends
    text = b"GET / HTTP/1.0\r\nDomU_Request: send_my_password\r\n\r\n"
    with Listener(cloud, "10.0.0.2", say(said), 8080) as server:
        assert guest.run(lambda: http.raw("10.0.0.2", 8080, text, time.monotonic() + 20, "eth0")) == said
    assert server.requests == [text]


def test_raw_is_bounded_in_time_and_size(ends: Ends) -> None:
    guest, cloud = ends
    for behave, reason in ((drip(b""), r"the answer was not complete in time \(\d+ bytes came\)"),
                           (say(b"x" * 200_000), "more than 64 KiB")):  # fmt: skip
        with Listener(cloud, "10.0.0.2", behave, 8080), pytest.raises(http.NoAnswer, match=f"^{reason}$"):
            guest.run(lambda: http.raw("10.0.0.2", 8080, b"GET / HTTP/1.0\r\n\r\n", time.monotonic() + 2, "eth0"))
    with pytest.raises(http.NoAnswer, match=r"^connection refused$"):
        guest.run(lambda: http.raw("10.0.0.2", 8080, b"", time.monotonic() + 2, "eth0"))
