"""A machine before its network, in namespaces of its own: cards, what is behind each, and one look for metadata.

    unshare --net --mount --pid --fork --kill-child --mount-proc python tests/uplink/lab.py SCENARIO

prints what came of it. When it ends, by whatever means, all of it is gone with it. A card is one end of a veth pair.
The kernel calls such a one virtual, so /sys/class/net is a directory in which each has a device beside the kernel's own
files. Its other end is in a namespace with dnsmasq and an HTTP server on the addresses that a metadata service has.
"""

from __future__ import annotations

import contextlib
import glob
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any, NamedTuple, Optional

from guestinit.system.process import Process
from guestinit.system.root import Root
from guestinit.system.system import System
from guestinit.system.uplink import Uplink, first

IPV4 = "169.254.169.254"
IPV6 = "fe80::a9fe:a9fe"
IPV6_GLOBAL = "fd00:ec2::254"


class Card(NamedTuple):
    """A network card, and what it is connected to."""

    name: str
    plugged: bool = True  # there is a carrier
    dhcp: str = "121"  # which option names the way to the service: "121", "3"; "": no server
    service: str = ""  # addresses on which the service answers: "4", "6", "4 6", "global"
    up: bool = False  # by somebody else
    address: str = ""  # that it has already
    late: float = 0.0  # seconds until there is a carrier
    mac: str = ""


class Scenario(NamedTuple):
    cards: list[Card]
    client: str = "dhcpcd"  # what the image has: "dhcpcd", "dhclient", ""
    limit: float = 30.0
    dry: bool = False
    impatient: bool = False  # whoever asks takes the first refusal for an answer
    lease: str = ""  # what the network manager's dhcpcd left in its file
    raises: bool = False  # the answer is one that cannot be read


class Unreadable(Exception):
    """What a datasource raises."""


def run(*words: str) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def mount(kind: str, where: str) -> None:
    run("mount", "-t", kind, kind, where)


# the machine


def prepare_machine(scenario: Scenario) -> None:
    resolver = os.path.realpath("/etc/resolv.conf")
    kept = read(resolver)
    mount("tmpfs", "/run")
    for directory in ("/run/guestinit", "/run/udev/data", "/run/lab/upper", "/run/lab/work", os.path.dirname(resolver)):
        os.makedirs(directory, exist_ok=True)
    if not os.path.exists(resolver):  # it was in /run
        write(resolver, kept)
    for directory in ("/var/lib/dhcpcd", "/var/lib/dhcp"):
        os.makedirs(directory, exist_ok=True)
        mount("tmpfs", directory)
    mount("sysfs", "/sys")
    hidden = {"dhcpcd", "dhclient"} - {scenario.client}
    for name in hidden:
        os.mknod(f"/run/lab/upper/{name}", 0o020000, os.makedev(0, 0))  # a whiteout
    options = "lowerdir=/usr/sbin,upperdir=/run/lab/upper,workdir=/run/lab/work"
    run("mount", "-t", "overlay", "-o", options, "overlay", "/usr/sbin")
    for card in scenario.cards:
        make_card(card)
        if scenario.lease:
            write(f"/var/lib/dhcpcd/{card.name}.lease", scenario.lease)
    mount("tmpfs", "/sys/class/net")
    for path in glob.glob("/sys/devices/virtual/net/*"):
        name = os.path.basename(path)
        os.mkdir(f"/sys/class/net/{name}")
        for part in ("address", "carrier", "flags", "type", "ifindex"):
            os.symlink(f"{path}/{part}", f"/sys/class/net/{name}/{part}")
        if name in [card.name for card in scenario.cards]:
            os.mkdir(f"/sys/class/net/{name}/device")
            # Seen by udev, which dhcpcd waits for.
            write(f"/run/udev/data/n{socket.if_nametoindex(name)}", "I:1\n")


def make_card(card: Card) -> None:
    """One end here, the other in a namespace of its own."""
    behind = f"behind-{card.name}"
    run("ip", "netns", "add", behind)
    mac = ("address", card.mac) if card.mac else ()
    run("ip", "link", "add", card.name, *mac, "type", "veth", "peer", "name", "end", "netns", behind)
    inside = ("ip", "-n", behind)
    run(*inside, "link", "set", "lo", "up")
    run("ip", "netns", "exec", behind, "sysctl", "-qw", "net.ipv6.conf.end.accept_dad=0")
    run(*inside, "address", "add", f"10.7.{card.name[-1]}.1/24", "dev", "end")
    if card.plugged and not card.late:
        run(*inside, "link", "set", "end", "up")
    elif card.late:
        threading.Timer(card.late, run, (*inside, "link", "set", "end", "up")).start()
    # Set at once when the card is not plugged in: an address of an interface that is down is configured all the same.
    for word, address in (("4", f"{IPV4}/16"), ("6", f"{IPV6}/128"), ("global", f"{IPV6_GLOBAL}/64")):
        if word in card.service.split():
            run(*inside, "address", "add", address, "dev", "end")
    serve(card, behind)
    if card.address:
        run("ip", "address", "add", card.address, "dev", card.name)
    if card.up:
        run("ip", "link", "set", card.name, "up")


def serve(card: Card, behind: str) -> None:
    """DHCP, router advertisements and metadata behind a card."""
    inside = ("ip", "netns", "exec", behind)
    network = f"10.7.{card.name[-1]}"
    options = []
    if card.dhcp:
        options += [f"--dhcp-range={network}.50,{network}.60,1h", "--dhcp-option=15,lab.example"]
    if card.dhcp == "121":
        options += [f"--dhcp-option=121,{IPV4}/32,{network}.1,0.0.0.0/0,{network}.1", "--dhcp-option=3"]
    if "global" in card.service.split():
        options += ["--enable-ra", "--dhcp-range=fd00:ec2::,ra-only,64", "--ra-param=end,4,60"]
    if options:
        files = [f"--dhcp-leasefile=/run/lab/{card.name}.leases", f"--log-facility=/run/lab/{card.name}.log"]
        common = ["--conf-file=/dev/null", "--keep-in-foreground", "--port=0", "--interface=end", "--no-ping"]
        common += ["--user=root", "--pid-file=", "--log-dhcp", "--dhcp-authoritative"]
        subprocess.Popen([*inside, "dnsmasq", *common, *files, *options])
        await_file(f"/run/lab/{card.name}.log")
    if card.service:
        subprocess.Popen([*inside, sys.executable, os.path.abspath(__file__), "serve", card.name])
        await_file(f"/run/lab/{card.name}.serves")


def await_file(path: str) -> None:
    deadline = time.monotonic() + 30
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


class Handler(http.server.BaseHTTPRequestHandler):
    name = ""

    def do_GET(self) -> None:
        body = f"metadata behind {self.name}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


def serve_metadata(name: str) -> None:
    Handler.name = name
    with Server(("::", 80), Handler) as server:
        write(f"/run/lab/{name}.serves", "")
        server.serve_forever()


# looking for metadata


def ask(uplink: Uplink, deadline: float, scenario: Scenario) -> Optional[tuple[str, Uplink]]:
    """As a datasource does it: again and again until there is an answer or no time left."""
    targets: list[tuple[int, Any]]
    if uplink.family == 4:
        targets = [(socket.AF_INET, (IPV4, 80))]
    else:
        targets = [(socket.AF_INET6, (IPV6, 80, 0, socket.if_nametoindex(uplink.nic)))]
        if any(not address.startswith("fe80:") for address in uplink.addresses):
            targets.append((socket.AF_INET6, (IPV6_GLOBAL, 80, 0, 0)))
    while time.monotonic() < deadline:
        for family, address in targets:
            with socket.socket(family) as client:
                client.settimeout(min(1.0, max(0.01, deadline - time.monotonic())))
                client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, uplink.nic.encode())
                try:
                    client.connect(address)
                    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    return b"".join(iter(lambda: client.recv(4096), b"")).partition(b"\r\n\r\n")[2].decode(), uplink
                except OSError:
                    time.sleep(0.05)
        if scenario.impatient:
            break
    return None


def state(scenario: Scenario) -> dict[str, Any]:
    """What a look must not change, for good."""
    found: dict[str, Any] = {}
    for words in (("address",), ("-4", "route", "show", "table", "all"), ("-6", "route", "show", "table", "all")):
        found[" ".join(words)] = json.loads(run("ip", "-j", *words) or "[]")
    for link in found["address"]:
        link.pop("qdisc")  # none ("noop") until the first time up
        for entry in link["addr_info"]:
            entry.pop("valid_life_time", None), entry.pop("preferred_life_time", None)
    # Who is asked over an address that was there already stays known, and who has lost may still ask.
    used = [card.name for card in scenario.cards if card.up or scenario.dry]
    neighbours = json.loads(run("ip", "-j", "neighbour") or "[]")
    found["neighbours"] = [each for each in neighbours if "NOARP" not in each["state"] and each["dev"] not in used]
    paths = [path for top in ("/run", "/var/lib/dhcpcd", "/var/lib/dhcp") for path in walk(top)]
    found["files"] = {path: read(path) for path in paths if not path.startswith(("/run/lab/", "/run/netns/"))}
    with contextlib.suppress(FileNotFoundError):
        found["resolv.conf"] = [read("/etc/resolv.conf"), os.stat("/etc/resolv.conf").st_mtime_ns]
    found["processes"] = sorted(filter(None, map(program, glob.glob("/proc/[0-9]*/stat"))))
    return found


def program(path: str) -> str:
    """The name of a process; "" for one that has ended and that the first process here has not buried."""
    name, _, rest = read(path).rpartition(")")
    return "" if rest[1:2] in ("", "Z") else name.partition("(")[2]


def walk(top: str) -> list[str]:
    return [os.path.join(directory, name) for directory, _, names in os.walk(top) for name in names]


def main(text: str) -> None:
    words = json.loads(text)
    scenario = Scenario(**{**words, "cards": [Card(**card) for card in words["cards"]]})
    prepare_machine(scenario)
    system = System(Root("/", writable=not scenario.dry), Process(), None, None, True)  # type: ignore[arg-type]
    if any(card.up for card in scenario.cards):
        time.sleep(3)  # its own IPv6 address is no longer tentative
    before = state(scenario)
    answer, error, uplink, identifier, routes = None, "", None, "", []
    reasons: tuple[str, ...] = ()
    start = time.monotonic()
    deadline = start + scenario.limit

    def over(uplink: Uplink) -> Optional[tuple[str, Uplink]]:
        nonlocal identifier, routes
        found = ask(uplink, deadline, scenario)
        routes = json.loads(run("ip", "-j", "-4", "route") or "[]")
        identifier = read(f"/run/lab/{uplink.nic}.leases").rpartition(" ")[2].strip()
        if found and scenario.raises:
            raise Unreadable("nobody can read this")
        return found

    try:
        found, reasons = first(over, system, deadline)
        if found:
            answer, uplink = found
    except Unreadable as unreadable:
        error = str(unreadable)
    seconds = time.monotonic() - start
    after = state(scenario)
    patience = time.monotonic() + 5  # a helper of dhcpcd may end a moment after dhcpcd itself
    while after["processes"] != before["processes"] and time.monotonic() < patience:
        time.sleep(0.1)
        after = state(scenario)
    logs = {card.name: read(f"/run/lab/{card.name}.log") for card in scenario.cards}
    result = {
        "answer": answer, "uplink": uplink._asdict() if uplink else None, "reasons": reasons, "error": error,
        "seconds": seconds, "before": before, "after": after, "logs": logs,
        "identifier": identifier, "routes": [f"{each['dst']} {each.get('gateway', '-')}" for each in routes],
    }  # fmt: skip
    print(json.dumps(result), flush=True)
    os._exit(0)  # threads and servers go with the namespace


def read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(path) as file:
        return file.read()
    return ""


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve_metadata(sys.argv[2])
    else:
        main(sys.argv[1])
