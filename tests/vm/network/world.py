"""The other end of the cables: for each case exactly the servers and routers that its lines name.

    on NAME lease IP/PREFIX [mtu N]  a DHCP server with one address to give; gateway .1, resolver .53, domain lease.test
    on NAME advertise PREFIX         a router that announces a prefix for stateless addresses, and a resolver ::53
    on NAME advertise-only PREFIX    the same, with everything else to be asked for by DHCPv6
    on NAME lease6 IP/PREFIX         a router that says that addresses come from its DHCPv6 server, which has one

NAME is an interface of the document; a VLAN's servers are in the VLAN, a bond's at the end of all its cables, with LACP
if the bond has it.
"""

from __future__ import annotations

import ipaddress
import subprocess
import time
from collections.abc import Sequence

from guestinit.model.network import BOND, BRIDGE, VLAN, Link, Network
from tests.vm.network.nics import COUNT, WORLD, be_router
from tests.vm.network.run import run

LOG = "/run/world.log"  # in the guest


def prefixes(wires: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The prefixes that routers announce."""
    return tuple(
        str(ipaddress.ip_interface(words[2]).network) for words in wires if words[1] in ("advertise", "advertise-only")
    )


class World:
    """Servers of one case. Use it as a context manager."""

    def __init__(self, network: Network, names: Sequence[str], wires: Sequence[Sequence[str]]) -> None:
        """`names`: the document's names of the cards, in their order."""
        self._links = {link.name: link for link in network.links}
        self._names = list(names)
        self._made: list[str] = []
        self._served: list[str] = []
        self._server: subprocess.Popen[bytes] | None = None
        for link in network.links:
            if _is_lacp(link):
                self._far_end(link)  # such a bond carries nothing before the other side has agreed
        options = [option for number, words in enumerate(wires) for option in self._options(number, words)]
        if options:
            self._start(options)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
        for name in self._made:
            _ip("link", "delete", name)
        for number in range(COUNT):
            _ip("address", "flush", "dev", f"w{number}", "scope", "global")

    def _start(self, options: list[str]) -> None:
        argv = ["ip", "netns", "exec", WORLD, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0"]
        # No MTU in router advertisements: nobody would know whose it is.
        argv += [f"--ra-param={name},mtu:off,60,1800" for name in self._served]
        argv += ["--user=root", "--leasefile-ro", "--no-ping", "--dhcp-authoritative", "--no-hosts", "--log-facility=-"]
        argv += ["--pid-file=", "--log-dhcp", *(f"--interface={name}" for name in self._served), *options]
        with open(LOG, "w") as log:
            self._server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(200):
            with open(LOG) as log:
                said = log.read()
            if "started" in said:
                return
            assert self._server.poll() is None, f"dnsmasq did not start: {said}"
            time.sleep(0.05)

    def _options(self, number: int, words: Sequence[str]) -> list[str]:
        name, what, text, *more = words
        # A card that the document does not name is called as the machine calls it.
        far = self._far_end(self._links[name]) if name in self._links else f"w{self._names.index(name)}"
        if far not in self._served:
            self._served.append(far)
        own = ipaddress.ip_interface(text)
        first = own.network.network_address + 1
        _ip(
            "address", "add", f"{first}/{own.network.prefixlen}", "dev", far, *(["nodad"] if first.version == 6 else [])
        )
        resolver = own.network.network_address + (0x53 if first.version == 6 else 53)
        tag = f"n{number}"
        if what == "lease":
            found = [f"--dhcp-range=set:{tag},{own.ip},{own.ip},{own.network.netmask},1h"]
            found += [f"--dhcp-option=tag:{tag},option:router,{first}"]
            found += [f"--dhcp-option=tag:{tag},option:dns-server,{resolver}"]
            found += [f"--dhcp-option=tag:{tag},option:domain-name,lease.test"]
            return found + ([f"--dhcp-option=tag:{tag},option:mtu,{more[1]}"] if more else [])
        ranges = {
            "advertise": f"{own.network.network_address},ra-only",
            "advertise-only": f"{own.network.network_address},ra-stateless",
            "lease6": f"{own.ip},{own.ip},{own.network.prefixlen}",
        }
        found = ["--enable-ra", f"--dhcp-range=set:{tag},{ranges[what]}"]
        return [*found, f"--dhcp-option=tag:{tag},option6:dns-server,[{resolver}]"]

    def _far_end(self, link: Link) -> str:
        """The interface of this namespace that the interface of the guest ends at."""
        if link.kind == VLAN:
            name = f"v{link.vlan_id}"
            if name not in self._made:
                below = self._far_end(self._links[link.parent])
                _ip("link", "add", name, "link", below, "type", "vlan", "id", str(link.vlan_id))
                be_router(name)
                self._made.insert(0, name)
            return name
        if link.kind == BRIDGE:
            return self._far_end(self._links[link.members[0].value])
        if link.kind == BOND:
            name = f"b{len(self._made)}"
            kind = ("bond", "mode", "802.3ad", "miimon", "100", "lacp_rate", "fast") if _is_lacp(link) else ("bridge",)
            _ip("link", "add", name, "type", *kind)
            for member in link.members:
                end = self._far_end(self._links[member.value])
                _ip("link", "set", end, "down")
                _ip("link", "set", end, "master", name)
                _ip("link", "set", end, "up")
            be_router(name)
            self._made.insert(0, name)
            self._links[link.name] = link._replace(kind="", name=name)
            return name
        return link.name if not link.kind else f"w{self._names.index(link.name)}"


def _is_lacp(link: Link) -> bool:
    return link.kind == BOND and ("mode", "802.3ad") in link.parameters


def _ip(*words: str) -> None:
    run("ip", "-n", WORLD, *words)
