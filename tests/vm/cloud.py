"""The network that a cloud gives to a guest: a network namespace with DHCP and the platform's own servers.

The guest's first NIC ends in a tap device of that namespace, which has the real addresses. Namespace and servers belong
to a thread: whatever happens, they are gone when it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.http.namespaces import Namespace

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
LISTEN = "0A"  # as /proc/net/tcp writes the state
TAP = "cloud0"  # as tests.http calls the far end


class Cloud:
    """One such network. Use it as a context manager; it serves one guest at a time, at any number of power-ons."""

    def __init__(self, directory: str, addresses: Sequence[str]) -> None:
        """`addresses`: what the host has at the other end of the guest's cable, in CIDR form."""
        os.makedirs(directory)
        self.directory = directory
        self._stack = contextlib.ExitStack()
        self._namespace = Namespace()
        self._stack.callback(self._namespace.close)
        self.tap = self._namespace.run(_open_tap)
        self._stack.callback(os.close, self.tap)
        # Its only link-local address is one that it is given.
        self._namespace.ip(f"link set {TAP} addrgenmode none", f"link set {TAP} up")
        for address in addresses:
            self._namespace.ip(f"address add {address} dev {TAP}" + (" nodad" if ":" in address else ""))

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def lease(self, first: str, last: str, *options: str, names: Sequence[str] = ()) -> None:
        """A DHCPv4 server for this range; `options` as dnsmasq spells them. Its log is "dnsmasq".

        `names`: "name/address", each of which it resolves, too.
        """
        argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-ping"]
        argv += [f"--port={53 if names else 0}", *(f"--address=/{name}" for name in names)]
        argv += ["--no-hosts", "--no-resolv", "--pid-file=", "--log-dhcp", "--log-facility=-", f"--interface={TAP}"]
        argv += ["--dhcp-authoritative", f"--dhcp-leasefile={self.directory}/leases"]
        argv += [f"--dhcp-range={first},{last},255.255.255.0,1h", *(f"--dhcp-option={option}" for option in options)]
        server = self._start(argv, "dnsmasq")
        while "started" not in self.log("dnsmasq"):
            assert server.poll() is None, f"dnsmasq did not start: {self.log('dnsmasq')}"
            time.sleep(0.02)

    def serve(self, module: str, arguments: Sequence[str], *ports: int) -> None:
        """Run a program of the tests in there until it listens on these ports. What it says is its log, by its name."""
        server = self._start([sys.executable, "-u", "-m", module, *arguments], module)
        while not set(ports) <= self._namespace.run(_listening):
            assert server.poll() is None, f"{module} did not start: {self.log(module)}"
            time.sleep(0.02)

    def log(self, name: str) -> str:
        """What a program has said so far."""
        with open(os.path.join(self.directory, name), errors="replace") as said:
            return said.read()

    def _start(self, argv: Sequence[str], name: str) -> subprocess.Popen[bytes]:
        def start() -> subprocess.Popen[bytes]:
            with open(os.path.join(self.directory, name), "ab") as log:
                guarded = ["setpriv", "--pdeathsig", "KILL", "--", *argv]
                return subprocess.Popen(guarded, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=TOP)

        process = self._namespace.run(start)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


def _open_tap() -> int:
    """A new tap device of this namespace, which is there until the last one closes it."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", TAP.encode(), IFF_TAP | IFF_NO_PI))
    return device


def _listening() -> set[int]:
    """The ports that somebody listens on in this namespace, of both address families."""
    ports = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/thread-self/net/{table}") as lines:
            for line in lines:
                words = line.split()
                if words[3] == LISTEN:
                    ports.add(int(words[1].rpartition(":")[2], 16))
    return ports
