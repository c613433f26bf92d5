"""NoCloud's seed on a server: real ones, on the loopback (platforms.md 14, 42)."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guestinit.datasources import Search, nocloud, seedfrom
from guestinit.model.seed import Document
from guestinit.system.root import Root
from guestinit.system.system import System
from guestinit.system.uplink import Uplink

FILES = {
    "meta-data": b"instance-id: i-1\n",
    "user-data": b"#cloud-config\n\xff",
    "vendor-data": b"",
    "network-config": b"{}",
}
LOOPBACK = Uplink("lo", 4, ("127.0.0.1/8",))


class Server:
    """A server with these files, by their path and query; whatever else is asked for is not there."""

    def __init__(self, files: dict[str, bytes], context: ssl.SSLContext | None = None, port: int = 0) -> None:
        asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                status = 200 if self.path in files else 404
                content = files.get(self.path, b"<!DOCTYPE html><title>no</title>")
                self.send_response(int(content[4:7]) if content.startswith(b"GO: ") else status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.asked = asked
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"http{'s' if context else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Server] = []

    def run(files: dict[str, bytes], *arguments: Any) -> Server:
        servers.append(Server(files, *arguments))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


def at(directory: str, files: dict[str, bytes] = FILES) -> dict[str, bytes]:
    return {f"{directory}{name}": content for name, content in files.items()}


Ask = Callable[..., Search]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """What a machine that is told `ds=nocloud;s=ADDRESS` fetches."""

    def fetch(address: str, seconds: float = 5.0, uplink: Uplink = LOOPBACK, **dmi: str) -> Search:
        files = {f"sys/class/dmi/id/{name}": text for name, text in dmi.items()}
        for name, text in {"proc/cmdline": f"ds=nocloud;s={address}", **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        unused: Any = None
        system = System(Root(str(tmp_path), writable=False), unused, unused, unused, True)
        return nocloud.fetch(uplink, system, time.monotonic() + seconds)

    return fetch


def refused(search: Search) -> str:
    assert search.seed is None
    (reason,) = search.reasons
    return reason


def test_four_files(start: Start, ask: Ask) -> None:
    server = start(at("/web1/"))
    seed = ask(f"{server.address}/web1/").seed
    assert seed is not None
    assert (seed.datasource, seed.where, seed.reason) == (
        "nocloud", f"{server.address}/web1/", "the kernel command line names it",
    )  # fmt: skip
    assert seed.documents == tuple(
        Document(name, f"{server.address}/web1/{name}", FILES[name])
        for name in ("meta-data", "user-data", "vendor-data", "network-config")
    )


def test_slash_at_the_end_is_added(start: Start, ask: Ask) -> None:
    """Quirk 42: seedfrom missing slash."""
    server = start(at("/web1/"))
    assert ask(f"{server.address}/web1").seed is not None
    assert ask(server.address).seed is None
    assert server.asked[-1] == "/meta-data"


def test_query_takes_the_name_at_its_end_and_is_not_shown(start: Start, ask: Ask) -> None:
    """Quirk 42: query string. It may hold a password."""
    server = start(at("/seed?key=hush&file="))
    search = ask(f"{server.address}/seed?key=hush&file=")
    assert search.seed is not None
    assert [document.label for document in search.seed.documents][:1] == [f"{server.address}/seed?...:meta-data"]
    assert "hush" not in repr(search)
    wrong = ask(f"{server.address}/seed?key=hush&name=")
    assert "hush" not in repr(wrong) and wrong.seed is None


def test_name_goes_where_it_is_wanted(start: Start, ask: Ask) -> None:
    """Quirk 42: %s."""
    server = start({f"/{name}.web1?x=1": content for name, content in FILES.items()})
    assert ask(f"{server.address}/%s.web1?x=1").seed is not None


def test_dmi_fields_are_filled_in(start: Start, ask: Ask) -> None:
    """Quirk 42: __dmi...__, with what an address may not hold written as it has to be."""
    server = start(at("/My%20Maker/77/"))
    address = f"{server.address}/__dmi.system-manufacturer__/__dmi.chassis-serial-number__/"
    assert ask(address, sys_vendor="My Maker\n", chassis_serial="77\n").seed is not None


@pytest.mark.parametrize("status", [b"", b"GO: 403", b"GO: 410"])
def test_two_files_need_not_be_there(status: bytes, start: Start, ask: Ask) -> None:
    """Quirk 42: 404 optional files; an object store says 403."""
    files = {name: FILES[name] for name in ("meta-data", "user-data")}
    server = start(at("/", {**files, **({"vendor-data": status} if status else {})}))
    seed = ask(server.address).seed
    assert seed is not None
    assert [document.name for document in seed.documents] == ["meta-data", "user-data"]


@pytest.mark.parametrize("name", ["meta-data", "user-data"])
def test_two_files_have_to_be_there(name: str, start: Start, ask: Ask) -> None:
    """Quirk 42: `python3 -m http.server` has no meta-data that nobody made."""
    server = start(at("/", {other: content for other, content in FILES.items() if other != name}))
    assert refused(ask(server.address, 60)) == (
        f"nocloud: {server.address}/{name}: the server has no such file; meta-data and user-data have to be there, "
        "if only empty"
    )


def test_optional_file_that_cannot_be_had_is_not_taken_for_absent(start: Start, ask: Ask) -> None:
    server = start({**at("/"), "/network-config": b"GO: 500"})
    assert refused(ask(server.address, 2)).startswith(f"nocloud: {server.address}/network-config: status 500")


def test_listing_of_a_directory_is_no_seed(start: Start, ask: Ask) -> None:
    server = start(
        dict.fromkeys([f"/?x={name}" for name in FILES], b"<!DOCTYPE HTML>\n<title>Directory listing</title>")
    )
    assert refused(ask(f"{server.address}/?x=", 60)) == (
        f"nocloud: {server.address}/?...:meta-data: an HTML page: a captive portal or a proxy, not a metadata service; "
        "the address has to end in the directory that holds meta-data"
    )


def test_server_that_is_up_late_is_waited_for(start: Start, ask: Ask) -> None:
    """Quirk 42: server up late."""
    probe = start({})
    port = int(probe.address.rpartition(":")[2])
    probe.stop()
    started: list[Server] = []
    timer = threading.Timer(1.0, lambda: started.append(start(at("/"), None, port)))
    timer.start()
    try:
        assert ask(probe.address, 20).seed is not None
    finally:
        timer.join()


def test_server_that_never_comes_is_given_up_at_the_deadline(start: Start, ask: Ask) -> None:
    probe = start({})
    probe.stop()
    before = time.monotonic()
    assert "connection refused" in refused(ask(probe.address, 2))
    assert time.monotonic() - before < 4


def test_self_signed_certificate_is_refused_at_once(
    start: Start, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quirk 42: self-signed https; trusted only where the image's own store of authorities has it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         key, "-out", certificate, "-days", "2", "-subj", "/CN=seed", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = start(at("/"), context)
    before = time.monotonic()
    reason = refused(ask(server.address, 60)).replace("-", " ")
    assert reason == f"nocloud: {server.address}/meta data: its certificate cannot be trusted: self signed certificate"
    assert time.monotonic() - before < 20
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ask(server.address, 60).seed is not None


@pytest.mark.parametrize(
    ("host", "families"),
    [
        ("10.0.0.1:80", {4}),
        ("[fd00::1]:8000", {6}),
        ("seed.example.org", {4, 6}),
        ("10.example.org", {4, 6}),
        ("10", {4}),
    ],
)
def test_an_address_is_asked_over_its_own_family(host: str, families: set[int]) -> None:
    place = seedfrom.Place(f"http://{host}/", f"http://{host}/")
    ways = (Uplink("eth0", 4, ("10.0.0.5/24",)), Uplink("eth0", 6, ("fe80::5/64", "2001:db8::5/64")))
    assert {uplink.family for uplink in ways if not seedfrom.obstacle(place, uplink)} == families


@pytest.mark.parametrize(("host", "why"), [
    ("seed.example.org", "no name leads over a link-local address, and eth0 has no other"),
    ("10.0.0.1", "not an IPv6 address"),
    ("[fe80::1]", ""),
])  # fmt: skip
def test_a_link_local_address_leads_to_no_name(host: str, why: str) -> None:
    place = seedfrom.Place(f"http://{host}/", f"http://{host}/")
    assert seedfrom.obstacle(place, Uplink("eth0", 6, ("fe80::5/64",))) == why


def test_the_wrong_family_is_not_waited_for(ask: Ask) -> None:
    before = time.monotonic()
    search = ask("http://[fd00::1]/", 60)
    assert refused(search) == "nocloud: http://[fd00::1]/: not an IPv4 address"
    assert time.monotonic() - before < 10
