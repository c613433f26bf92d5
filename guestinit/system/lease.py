"""A lease for a moment, from a DHCP client that the image has, given back afterwards.

dhcpcd sets address and routes itself; dhclient's own script would touch resolv.conf, so here `ip` does it for dhclient.
Both are told to ask for option 121, through which OpenStack's network announces its metadata service, and to send a
client identifier that no network manager uses: what a server gives for it is not what the machine's own lease will be.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from guestinit.system import leases
from guestinit.system.failed import Failed
from guestinit.system.links import TIMEOUT

if TYPE_CHECKING:
    from guestinit.model.facts import Nic
    from guestinit.system.system import System

_DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin")
_SPARE = 5.0  # seconds that a client may take to end after its own time limit
_DEFAULT = "0.0.0.0/0"
NO_SERVER = "no DHCP server has answered"


class Lease(NamedTuple):
    """What a server gave."""

    address: str  # "10.0.0.5/24"
    server: str = ""  # the server identifier
    routes: tuple[tuple[str, str], ...] = ()  # destination and gateway; "" is on the link
    domain: str = ""

    @property
    def gateway(self) -> str:
        """The default one; "" if there is none."""
        return dict(self.routes).get(_DEFAULT, "")


def find_client(system: System) -> str:
    """The client that this image has; "" if it has none."""
    for name in ("dhcpcd", "dhclient"):
        if any(system.root.exists(f"{directory}/{name}") for directory in _DIRECTORIES):
            return name
    return ""


class Loan:
    """The lease of one card, from asking for it to having given it back."""

    def __init__(self, client: str, nic: Nic, system: System) -> None:
        import threading

        self.lease: Optional[Lease] = None
        self.reason = NO_SERVER  # why there is none
        self._nic = nic
        self._system = system
        self._client = (_Dhclient if client == "dhclient" else _Dhcpcd)(nic, system)
        self._taken = threading.Event()
        self._is_over = False

    def take(self, seconds: float) -> Optional[Lease]:
        """Ask for it, in a thread of its own; None if there is none until it is given back, within that time."""
        try:
            # Its own limit comes later than ours: a dhcpcd that has given up is no longer there when it says so, but
            # its helpers may be.
            self.lease = self._client.take(round(max(0.0, seconds) + _SPARE))
        except (Failed, OSError, ValueError) as error:  # what a server says is input, too
            if not self._is_over:
                self.reason = str(error)
        finally:
            self._taken.set()
        return self.lease

    def give_back(self) -> None:
        """Release it, from another thread, and leave nothing of it on the card; also while it is still asked for."""
        self._is_over = not self._taken.is_set()
        for _ in range(20):
            is_last = self._taken.is_set()
            # A full disk is no reason to leave addresses on this card, or on the next one.
            with contextlib.suppress(OSError):
                self._client.give_back()
            if is_last:
                break
            self._taken.wait(0.25)
        for words in (("-4", "address"), ("-4", "route"), ("neighbour",)):
            self._system.process.run(("ip", *words, "flush", "dev", self._nic.name), timeout=TIMEOUT)


class _Dhcpcd:
    """dhcpcd(8); the same with 9.4 (Debian 12) and 10 (Debian 13)."""

    def __init__(self, nic: Nic, system: System) -> None:
        self._nic = nic
        self._run = system.process.run
        self._root = system.root
        # The network manager may use dhcpcd too (ifupdown does): its lease of the boot before stays what it is.
        self._path = f"/var/lib/dhcpcd/{nic.name}.lease"
        self._managers = system.root.read(self._path)
        if self._managers is not None:
            system.root.remove(self._path)

    def take(self, seconds: int) -> Lease:
        argv = ["dhcpcd", "--ipv4only", "--config", "/dev/null", "--script", "/bin/true"]
        argv += ["--noarp", "--noipv4ll", "--nodelay", "--timeout", str(seconds)]
        argv += [f"--clientid={_client_identifier(self._nic.mac)}"]
        for option in ("subnet_mask", "routers", "classless_static_routes", "domain_name"):
            argv += ["--option", option]
        finished = self._run((*argv, self._nic.name), timeout=seconds + _SPARE)
        if finished.code:
            raise Failed(finished.reason("dhcpcd"))
        return read_dhcpcd(self._run(("dhcpcd", "--ipv4only", "--dumplease", self._nic.name), timeout=TIMEOUT).output)

    def give_back(self) -> None:
        self._run(("dhcpcd", "--ipv4only", "--release", self._nic.name), timeout=TIMEOUT + _SPARE)
        if self._managers is not None:
            self._root.write(self._path, self._managers, 0o640, 0, 0)


def read_dhcpcd(text: str) -> Lease:
    """What `dhcpcd --dumplease` prints. Raises `Failed` where there is no address."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        found[name] = value.strip("'\"")
    if "ip_address" not in found:
        raise Failed("dhcpcd: it has no lease")
    words = found.get("classless_static_routes", "").split()
    routes = tuple((destination, _gateway(gateway)) for destination, gateway in zip(words[::2], words[1::2]))
    address = f"{found['ip_address']}/{found.get('subnet_cidr', '32')}"
    routers = found.get("routers", "").split()
    return Lease(
        address, found.get("dhcp_server_identifier", ""), routes or _by_router(routers), found.get("domain_name", "")
    )


class _Dhclient:
    """dhclient(8) of ISC, which Debian 12, EL 9 and older ones have.

    The names of its files are those that the AppArmor profiles of Debian and Ubuntu let it use.
    """

    def __init__(self, nic: Nic, system: System) -> None:
        self._nic = nic
        self._run = system.process.run
        self._root = system.root
        self._configuration = f"/run/nm-dhclient-guestinit-{nic.name}.conf"
        self._leases = f"/run/dhclient-guestinit-{nic.name}.lease"
        self._pid = f"/run/dhclient-guestinit-{nic.name}.pid"
        # Before it has a lease it can only be ended from here: it writes its process id when it goes to the background.
        self._abandoned, self._abandon = os.pipe()

    def _argv(self, *words: str) -> tuple[str, ...]:
        files = ("-cf", self._configuration, "-lf", self._leases, "-pf", self._pid, "-sf", "/bin/true")
        return ("dhclient", "-4", *words, *files, self._nic.name)

    def take(self, seconds: int) -> Lease:
        text = (
            "option guestinit-routes code 121 = array of unsigned integer 8;\n"
            f"send dhcp-client-identifier {_client_identifier(self._nic.mac)};\n"
            "request subnet-mask, routers, domain-name, guestinit-routes;\n"
            f"timeout {seconds};\ninitial-interval 1;\nbackoff-cutoff 4;\n"
        )
        self._root.write(self._configuration, text.encode(), 0o644, 0, 0)
        finished = self._run(self._argv("-1"), timeout=seconds + _SPARE, until=self._abandoned)
        if finished.code:
            raise Failed(NO_SERVER if finished.code == 2 else finished.reason("dhclient"))
        lease = read_dhclient((self._root.read(self._leases) or b"").decode("utf-8", "replace"))
        self._set(lease)
        return lease

    def _set(self, lease: Lease) -> None:
        """Address and routes, with a metric that no other card's have."""
        name = self._nic.name
        index = (self._root.read(f"/sys/class/net/{name}/ifindex") or b"0").decode().strip()
        self._run(("ip", "address", "add", lease.address, "dev", name), timeout=TIMEOUT)
        for destination, gateway in lease.routes:
            via = ("via", gateway, "onlink") if gateway else ()
            metric = ("metric", str(1000 + int(index)))
            self._run(("ip", "route", "add", destination, *via, "dev", name, *metric), timeout=TIMEOUT)

    def give_back(self) -> None:
        os.write(self._abandon, b".")
        self._run(self._argv("-r"), timeout=TIMEOUT + _SPARE)
        for path in (self._configuration, self._leases, self._pid):
            if self._root.exists(path):
                self._root.remove(path)


def read_dhclient(text: str) -> Lease:
    """The last lease in a file of dhclient's: dhclient.leases(5). Raises `Failed` where there is none."""
    found = (list(leases.dhclient_blocks(text)) or [{}])[-1]
    if "fixed-address" not in found:
        raise Failed("dhclient: it has no lease")
    mask = found.get("subnet-mask", "255.255.255.255").split(".")
    length = sum(bin(int(octet)).count("1") for octet in mask)
    octets = [int(octet) for octet in found.get("guestinit-routes", "").split(",") if octet.strip()]
    routers = [router.strip() for router in found.get("routers", "").split(",")]
    routes = tuple(_classless(octets)) or _by_router(routers)
    address = f"{found['fixed-address']}/{length}"
    return Lease(address, found.get("dhcp-server-identifier", ""), routes, found.get("domain-name", ""))


def _classless(octets: list[int]) -> list[tuple[str, str]]:
    """Option 121: the length of a prefix, as much of it as that needs, the gateway, and so on (RFC 3442)."""
    routes = []
    while octets:
        length = octets[0]
        end = 1 + (length + 7) // 8
        prefix, gateway, octets = octets[1:end], octets[end : end + 4], octets[end + 4 :]
        if length > 32 or len(gateway) < 4:
            break
        destination = ".".join(map(str, [*prefix, 0, 0, 0, 0][:4]))
        routes.append((f"{destination}/{length}", _gateway(".".join(map(str, gateway)))))
    return routes


def _by_router(routers: list[str]) -> tuple[tuple[str, str], ...]:
    """Option 3, which does not count where option 121 is given (RFC 3442)."""
    return tuple((_DEFAULT, router) for router in routers[:1] if router)


def _gateway(text: str) -> str:
    return "" if text == "0.0.0.0" else text


def _client_identifier(mac: str) -> str:
    """Type 0 (RFC 2132: not a hardware address), "guestinit" and the MAC, as both clients take it."""
    return ":".join(["00", *(f"{octet:02x}" for octet in b"guestinit"), mac])
