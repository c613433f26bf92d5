"""A CloudStack virtual router as a guest sees it: metadata on port 80, the password server on port 8080.

    python3 -m tests.http.cloudstack_router --bind 10.1.1.1 --state DIRECTORY [--password-server KIND]

Everything that it says lies in the directory and is read at each request, so that a test changes it with plain files:

    meta-data/KEY     one leaf; a file without a byte is answered with 200 and nothing, as while a router is rebuilt
    user-data         absent: 404
    password          what the password server hands over; `saved_password` removes it
    clients           the addresses that it knows, a line each; absent: everybody. Others get a 404
    log               written: every request, a line each: "GET /latest/user-data 10.1.1.23", "saved_password 10.1.1.23"

KIND is how the password server answers (platforms.md 7, quirk 41): a name in `KINDS`.
"""

from __future__ import annotations

import argparse
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

PORT, PASSWORD_PORT = 80, 8080
PYTHON2 = "BaseHTTP/0.3 Python/2.7.16"
PYTHON3 = "BaseHTTP/0.6 Python/3.9.2"
DATE = "Sat, 21 Nov 2026 16:00:00 GMT"


class Reply:
    """What the password server says around a word."""

    def python3(self, word: str) -> bytes:
        """Two Server headers, no Content-Length, nothing behind the last byte."""
        return (
            f"HTTP/1.0 200 OK\r\nServer: {PYTHON3}\r\nDate: {DATE}\r\nContent-type: text/plain\r\n"
            f"Server: CloudStack Password Server\r\n\r\n{word}"
        ).encode()

    def python2(self, word: str) -> bytes:
        """The same of old system templates; a bad request has a second status line inside of the first one's body."""
        inner = f"HTTP/1.0 400 Bad Request\r\nServer: {PYTHON2}\r\nDate: {DATE}\r\n" if word == "bad_request" else ""
        return (
            f"HTTP/1.0 200 OK\r\nServer: {PYTHON2}\r\nDate: {DATE}\r\nContent-type: text/plain\r\n"
            f"Server: CloudStack Password Server\r\n\r\n{inner}{word}\n"
        ).encode()

    def shell(self, word: str) -> bytes:
        """The script behind socat that came before: a line, and no HTTP around it."""
        return f"{word}\n".encode()

    def nothing(self, word: str) -> bytes:
        """Closed without a byte where there is no password: the server itself failed."""
        return b"" if word == "saved_password" else self.python3(word)

    def empty(self, word: str) -> bytes:
        """No word where there is no password."""
        return self.python3("" if word == "saved_password" else word)

    def refusing(self, word: str) -> bytes:
        """A router that does not know the request, or does not want to."""
        return self.python2("bad_request")


KINDS = ("python3", "python2", "shell", "nothing", "empty", "refusing", "mute", "closed")


class Router:
    """Both servers of one router, on one address, until `close`."""

    def __init__(self, address: str, state: Path, kind: str = "python3") -> None:
        (state / "meta-data").mkdir(parents=True, exist_ok=True)
        self.state = state
        self.address = address
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._servers: list[socketserver.BaseServer] = [self._metadata(PORT)]
        if kind != "closed":
            self._servers.append(self._passwords(PASSWORD_PORT, kind))
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._stopped.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def log(self) -> list[str]:
        """Every request so far, without the client's address."""
        path = self.state / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.rpartition(" ")[0] for line in lines]

    def _note(self, what: str, client: str) -> None:
        with self._lock, (self.state / "log").open("a") as file:
            file.write(f"{what} {client}\n")

    def _knows(self, client: str) -> bool:
        path = self.state / "clients"
        return not path.exists() or client in path.read_text().split()

    def _content(self, path: str) -> Optional[bytes]:
        """What is at a path; None: 404."""
        if path == "/latest/meta-data/":
            return "\n".join(sorted(leaf.name for leaf in (self.state / "meta-data").iterdir())).encode()
        name = path[len("/latest/") :] if path.startswith("/latest/") else ".."
        if ".." in name or not name:
            return None
        for file in (self.state / name, self.state / "meta-data" / name):
            if file.is_file() and (name == "user-data" or file.parent.name == "meta-data"):
                return file.read_bytes()
        return None

    def _metadata(self, port: int) -> socketserver.BaseServer:
        router = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                router._note(f"GET {self.path}", self.client_address[0])
                if self.path == "/latest/meta-data":
                    self.answer(301, b"<html><body>Moved Permanently</body></html>", "/latest/meta-data/")
                    return
                content = router._content(self.path) if router._knows(self.client_address[0]) else None
                if content is None:
                    self.answer(404, b"<!DOCTYPE HTML><html><body><h1>Not Found</h1></body></html>")
                else:
                    self.answer(200, content)

            def answer(self, status: int, content: bytes, location: str = "") -> None:
                self.send_response(status)
                if location:
                    self.send_header("Location", f"http://{router.address}{location}")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return ThreadingHTTPServer((self.address, port), Handler)

    def _passwords(self, port: int, kind: str) -> socketserver.BaseServer:
        router = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = ""
                while True:
                    line = self.rfile.readline(4096).decode("latin-1").strip()
                    if not line:
                        break
                    name, _, value = line.partition(": ")
                    if name == "DomU_Request":  # the script behind socat knows this spelling only
                        request = value
                router._note(request or "nothing", self.client_address[0])
                if kind == "mute":
                    router._stopped.wait(60)
                    return
                word = router._answer(request, self.client_address[0])
                self.wfile.write(getattr(Reply(), kind)(word))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        return Server((self.address, port), Handler)

    def _answer(self, request: str, client: str) -> str:
        password = self.state / "password"
        with self._lock:
            if request == "send_my_password":
                return password.read_text() if password.exists() and self._knows(client) else "saved_password"
            if request == "saved_password":
                password.unlink(missing_ok=True)
                return "saved_password"
        return "bad_request"


def fill(state: Path, **leaves: str) -> Path:
    """The tree of a guest as CloudStack writes it; `leaves` replace single ones, with `_` for `-`."""
    given = {
        "service-offering": "Small Instance", "availability-zone": "zone-1", "local-ipv4": "10.1.1.23",
        "local-hostname": "vm-web-1", "public-ipv4": "203.0.113.9", "public-hostname": "203.0.113.9",
        "instance-id": "5f0f1f4c-1111-4222-8333-944455556666", "vm-id": "5f0f1f4c-1111-4222-8333-944455556666",
        "public-keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGUga2V5IHRoYXQgbm9ib2R5IGhhcyEhISEh ops@bastion\n",
        "cloud-identifier": "CloudStack-{0b1e6a3c-2222-4333-8444-955566667777}",
    }  # fmt: skip
    given.update({name.replace("_", "-"): text for name, text in leaves.items()})
    (state / "meta-data").mkdir(parents=True, exist_ok=True)
    for name, text in given.items():
        (state / "meta-data" / name).write_text(text)
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description="A CloudStack virtual router for one guest.")
    parser.add_argument("--bind", required=True, metavar="ADDRESS")
    parser.add_argument("--state", required=True, type=Path, metavar="DIRECTORY", help="filled if it is not there yet")
    parser.add_argument("--password-server", choices=KINDS, default="python3")
    options = parser.parse_args()
    if not (options.state / "meta-data").exists():
        fill(options.state)
    router = Router(options.bind, options.state, options.password_server)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        router.close()


if __name__ == "__main__":
    main()
