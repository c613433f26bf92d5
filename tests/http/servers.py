"""The metadata services of OpenStack and of EC2 as a guest sees them.

    python3 -m tests.http.servers openstack --bind 169.254.169.254 --bind fe80::a9fe:a9fe%tap0 --files DIRECTORY
    python3 -m tests.http.servers ec2 --bind 127.0.0.1 --port 8080 --files DIRECTORY --tokens required --log FILE

The directory is read at each request, so that a test changes it with plain files. OpenStack's holds `meta_data.json`,
`user_data`, `network_data.json`, `vendor_data.json`, `vendor_data2.json` and `content/0000`, EC2's the tree
`meta-data/` and `user-data`. Without a directory there is a machine without user-data. When all addresses are bound,
one line is written to standard output: "ready". The log has a line for each request: "GET /openstack 200".
"""

from __future__ import annotations

import argparse
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Optional, TypeVar

from tests.http.namespaces import OPENSTACK, Ends

Files = Mapping[str, bytes]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGUga2V5IHRoYXQgbm9ib2R5IGhhcyEhISEh ops@bastion"
OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
    "2020-10-14", "latest",
)  # fmt: skip
SINCE = {"vendor_data.json": "2013-10-17", "network_data.json": "2015-10-15", "vendor_data2.json": "2016-10-06"}
EC2_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "latest",
)  # fmt: skip
NOT_FOUND = b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n</html>"


def openstack_files(**more: bytes) -> dict[str, bytes]:
    """A machine as Nova describes it: one JSON document in one line each; `user_data=b"..."` adds to it."""
    meta_data = {
        "uuid": "9f1c0d2e-3a4b-4c5d-8e6f-708192a3b4c5", "hostname": "app-1.novalocal", "name": "app-1",
        "launch_index": 0, "availability_zone": "az1", "project_id": "a1b2c3d4e5f60718293a4b5c6d7e8f90",
        "random_seed": "c2VlZCBmb3IgdGhlIHBvb2w=", "public_keys": {"mykey": f"{KEY}\n"},
        "keys": [{"name": "mykey", "type": "ssh", "data": f"{KEY}\n"}], "devices": [], "dedicated_cpus": [],
    }  # fmt: skip
    network_data = {
        "links": [{"id": "tap5c0f3b2a-11", "vif_id": "5c0f3b2a-1111-4222-8333-944455556666", "type": "ovs", "mtu": 1450,
                   "ethernet_mac_address": "fa:16:3e:00:11:22"}],
        "networks": [{"id": "network0", "type": "ipv4_dhcp", "link": "tap5c0f3b2a-11",
                      "network_id": "da5bb487-5193-4a65-a3df-4a0055a8c0d7"}],
        "services": [],
    }  # fmt: skip
    files = {
        "meta_data.json": json.dumps(meta_data).encode(), "network_data.json": json.dumps(network_data).encode(),
        "vendor_data.json": b"{}", "vendor_data2.json": b'{"static": {}}',
    }  # fmt: skip
    return {**files, **more}


def ec2_files(**more: bytes) -> dict[str, bytes]:
    """The tree that Nova has for EC2."""
    leaves = {
        "ami-id": "ami-00000001", "ami-launch-index": "0", "ami-manifest-path": "FIXME",
        "block-device-mapping/ami": "vda", "block-device-mapping/root": "/dev/vda", "hostname": "app-1.novalocal",
        "instance-action": "none", "instance-id": "i-0000000a", "instance-type": "m1.small",
        "local-hostname": "app-1.novalocal", "local-ipv4": "10.0.0.5", "placement/availability-zone": "az1",
        "public-hostname": "app-1.novalocal", "public-ipv4": "", "public-keys/0/openssh-key": f"{KEY}\n",
        "reservation-id": "r-0123abcd", "security-groups": "default",
    }  # fmt: skip
    return {**{f"meta-data/{path}": text.encode() for path, text in leaves.items()}, **more}


class Reply:
    """What is sent back."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status, self.body, self.headers = status, body, headers


class Service:
    """A service on one or several addresses, until `close`.

    `faults` are replies that are given before the right one, by path. `limit` is how many requests each second
    all guests together may make; more of them are answered with 429. For `late` seconds after the first request
    nothing but 503 is said, as while a cloud comes up.
    """

    def __init__(self, files: Callable[[], Files], limit: float = 0) -> None:
        self.files = files
        self.limit = limit
        self.late = 0.0
        self._first = 0.0
        self.faults: dict[str, list[Reply]] = {}
        self.log: list[str] = []
        self.told: Callable[[str], None] = lambda line: None
        self.headers: list[dict[str, str]] = []
        self._allowance, self._since = limit, time.monotonic()
        self._lock = threading.Lock()
        self._servers: list[socketserver.BaseServer] = []

    def bind(self, address: str, port: int = 80) -> None:
        """Serve here too; a link-local address has the zone behind it: "fe80::a9fe:a9fe%tap0"."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                reply = service.reply(
                    self.command, self.path, {name.lower(): text for name, text in self.headers.items()}
                )
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name.replace("_", "-"), text)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_PUT = do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_: Any) -> None:  # a guest that hangs up is none
                pass

        host, _, zone = address.partition("%")
        where = (host, port, 0, socket.if_nametoindex(zone) if zone else 0) if ":" in host else (host, port)
        self._servers.append(Server(where, Handler))  # type: ignore[arg-type]
        threading.Thread(target=self._servers[-1].serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def reply(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        with self._lock:
            reply = self._refusal() or (self.faults[path].pop(0) if self.faults.get(path) else None)
            reply = reply or self.right(method, path, headers)
            self.log.append(f"{method} {path} {reply.status}")
            self.headers.append(headers)
            self.told(self.log[-1])
        return reply

    def right(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        raise NotImplementedError

    def _refusal(self) -> Optional[Reply]:
        """Too early, or too many requests: as a bucket that drips, so that a burst costs those who come later."""
        now = time.monotonic()
        self._first = self._first or now
        if now < self._first + self.late:
            return Reply(503, b"Service Unavailable")
        if not self.limit:
            return None
        self._allowance = min(self.limit, self._allowance + (now - self._since) * self.limit)
        self._since = now
        if self._allowance < 1:
            return Reply(429, b"Too Many Requests")
        self._allowance -= 1
        return None


class OpenStack(Service):
    """Nova's service behind Neutron's proxy."""

    versions = OPENSTACK_VERSIONS

    def right(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        files, parts = self.files(), path.strip("/").split("/")
        if parts[0] != "openstack" or method != "GET":
            return Reply(404, NOT_FOUND)
        if len(parts) == 1:
            return Reply(200, "\n".join(self.versions).encode(), Content_Type="text/plain; charset=UTF-8")
        name = "/".join(parts[2:] if parts[1] in self.versions else parts[1:])
        old = parts[1] != "latest" and parts[1] < SINCE.get(name, "")
        if name not in files or old or (parts[1] not in self.versions) != name.startswith("content/"):
            return Reply(404, NOT_FOUND, Content_Type="text/html; charset=UTF-8")
        return Reply(200, files[name], Content_Type="application/json")


class Ec2(Service):
    """EC2's service. Tokens are "required", "optional", "none" (405, as imitations say) or "off" (403)."""

    versions = EC2_VERSIONS
    tokens = "none"

    def __init__(self, files: Callable[[], Files], limit: float = 0) -> None:
        super().__init__(files, limit)
        self.token = "AQAEAKx-first-token-of-the-service=="

    def right(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        if self.tokens == "off":
            return Reply(403, NOT_FOUND)
        if method == "PUT":
            if self.tokens == "none" or path != "/latest/api/token":
                return Reply(405, b"Method Not Allowed")
            has_ttl = "x-aws-ec2-metadata-token-ttl-seconds" in headers
            return Reply(200, self.token.encode()) if has_ttl else Reply(400)
        given = headers.get("x-aws-ec2-metadata-token")
        if self.tokens != "none" and given != self.token and (given is not None or self.tokens == "required"):
            return Reply(401, NOT_FOUND)
        files = self.files()
        if path == "/":
            return Reply(200, "\n".join(self.versions).encode())
        version, _, name = path.strip("/").partition("/")
        if version not in self.versions:
            return Reply(404, NOT_FOUND)
        if name in files:
            return Reply(200, files[name])
        below = [each[len(name) + 1 :] for each in files if each.startswith(f"{name}/")]
        if not below:
            return Reply(404, NOT_FOUND)
        entries = dict.fromkeys(each.partition("/")[0] + "/" * ("/" in each) for each in below)
        if name == "meta-data/public-keys":
            entries = {f"{each.strip('/')}=mykey": None for each in entries}
        return Reply(200, "\n".join(entries).encode(), Content_Type="text/html")


Kind = TypeVar("Kind", bound=Service)


@contextmanager
def serving(ends: Ends, service: Kind, *addresses: str) -> Iterator[Kind]:
    """A service at these addresses of the cloud; none named: at the one that all platforms have."""
    for address in addresses or (OPENSTACK,):
        ends.cloud.run(partial(service.bind, address))
    try:
        yield service
    finally:
        service.close()


def load(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, by its path."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def main() -> None:
    parser = argparse.ArgumentParser(description="A metadata service for one guest.")
    parser.add_argument("kind", choices=("openstack", "ec2"))
    parser.add_argument("--bind", required=True, action="append", metavar="ADDRESS")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--files", type=Path, metavar="DIRECTORY")
    parser.add_argument("--tokens", choices=("required", "optional", "none", "off"), default="none")
    parser.add_argument("--limit", type=float, default=0, help="requests a second; what is above gets a 429")
    parser.add_argument("--late", type=float, default=0, help="seconds after the first request in which it says 503")
    parser.add_argument("--log", type=Path, metavar="FILE")
    options = parser.parse_args()
    standard = openstack_files() if options.kind == "openstack" else ec2_files()
    kind = OpenStack if options.kind == "openstack" else Ec2
    service = kind(lambda: load(options.files) if options.files else standard, options.limit)
    service.late = options.late
    if isinstance(service, Ec2):
        service.tokens = options.tokens
    if options.log:
        log = options.log.open("a", buffering=1)
        service.told = lambda line: print(line, file=log)
    for address in options.bind:
        service.bind(address, options.port)
    print("ready", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        service.close()


if __name__ == "__main__":
    main()
