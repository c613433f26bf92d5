"""Ways to a metadata service: what this machine can reach before, or beside, its final network configuration.

Before the network manager has started, the cards are ours for a moment: they are brought up, IPv6 has a link-local
address from the kernel, IPv4 a lease from a client that the image has, and whatever answers first is the answer. Then
everything is as it was. On a machine whose network is set up, and in a dry run, only what is there is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Optional, TypeVar

from guestinit.system import facts

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from guestinit.model.facts import Nic
    from guestinit.system.lease import Loan
    from guestinit.system.race import Race
    from guestinit.system.system import System

Answer = TypeVar("Answer")

PATIENCE = 5.0  # seconds for a carrier and an IPv6 address, while nobody is asked
GRACE = 1.0  # seconds after the deadline in which who was asked may say why there is no answer
WITHOUT_CLIENT = 8.0  # seconds for IPv6 alone: the machine's own network comes afterwards


class Uplink(NamedTuple):
    """One NIC with one kind of address, over which something may answer."""

    nic: str  # "eth0": the zone of a link-local address
    family: int  # 4 or 6; 6 is link-local at least
    addresses: tuple[str, ...]  # "10.0.0.5/24" or "fe80::1/64": what the NIC has, or has for a moment
    gateway: str = ""  # the default gateway of this family
    dhcp_server: str = ""  # the server identifier of the lease
    domain: str = ""  # the domain name of the lease


Ask = Callable[[Uplink], Optional[Answer]]


def first(ask: Ask[Answer], system: System, deadline: float) -> tuple[Optional[Answer], tuple[str, ...]]:
    """Ask over every uplink side by side until one brings an answer, at most until this time.monotonic().

    An uplink that got another address is asked again. Returns the answer, and what was done and seen on the way, a line
    each. What `ask` raises is raised here, when everything is as it was.
    """
    ways = _Ways(ask, system, deadline)
    for uplink in configured(system):
        ways.enter(uplink)
    if may_prepare(system):
        ways.prepare()
    elif not ways.asked:
        ways.reasons.append("no network card has an address")
    answer = ways.wait()
    return answer, tuple(ways.reasons)


def may_prepare(system: System) -> bool:
    """Whether the cards are ours: in a run that may change things, before the network manager starts."""
    return system.live and system.root.writable and not facts.is_active(system, "network.target")


def configured(system: System, families: tuple[int, ...] = (6, 4)) -> tuple[Uplink, ...]:
    """What has an address: network cards, and what has a default route (a bridge or a bond over a card).

    Not a tunnel: at the other end of a VPN is not the platform, whatever answers there at 169.254.169.254.
    """
    cards = {nic.name for nic in facts.find_nics(system) if nic.is_ordinary}
    found = []
    for family in families:
        routes = _ip(system, f"-{family}", "route", "show", "default")
        gateways = {route["dev"]: route.get("gateway", "") for route in routes if "dev" in route}
        for link in _ip(system, f"-{family}", "address", "show"):
            nic = link.get("ifname", "")
            addresses = tuple(
                f"{each['local']}/{each['prefixlen']}" for each in link.get("addr_info", ()) if _is_usable(each)
            )
            leads_out = nic in gateways and "POINTOPOINT" not in link.get("flags", ())
            if addresses and (nic in cards or leads_out):
                found.append(Uplink(nic, family, addresses, gateways.get(nic, "")))
    return tuple(found)


def _ip(system: System, *words: str) -> list[dict[str, Any]]:
    import json

    finished = system.process.run(("ip", "-j", *words), timeout=10)
    try:
        return json.loads(finished.output or "[]") if finished.code == 0 else []
    except ValueError:
        return []


def _is_usable(address: dict[str, Any]) -> bool:
    """Nobody else has it, as far as is known: IPv6 looks for that for a second or two."""
    return "local" in address and not address.get("tentative") and not address.get("dadfailed")


class _Ways(Generic[Answer]):
    """The uplinks that were asked, and those that are being made."""

    def __init__(self, ask: Ask[Answer], system: System, deadline: float) -> None:
        from guestinit.system.race import Race

        self.asked: dict[str, Uplink] = {}
        self.reasons: list[str] = []
        self._ask = ask
        self._system = system
        self._deadline = deadline
        self._until = deadline + GRACE
        self._race: Race[Answer] = Race()
        self._client = ""
        self._loans: dict[str, Loan] = {}

    def enter(self, uplink: Uplink) -> None:
        """Ask over it, unless that is being done or was done with the same addresses."""
        name = _name(uplink.nic, uplink.family)
        before = self.asked.get(name)
        if name not in self._race.running and (before is None or before.addresses != uplink.addresses):
            self.asked[name] = uplink
            self._race.enter(name, lambda: self._over(uplink))

    def wait(self) -> Optional[Answer]:
        """The answer, when there is one, or None when nobody is asked any more."""
        while self._race.answer is None and self._race.running and time.monotonic() < self._until:
            self._race.wait(None, self._until)
        return self._race.answer

    def _over(self, uplink: Uplink) -> Optional[Answer]:
        answer = self._ask(uplink)
        if answer is None:
            self._say(f"no answer over {_name(uplink.nic, uplink.family)}")
        return answer

    def _say(self, reason: str) -> None:
        """Why there is no answer yet: of no use when there is one."""
        if self._race.answer is None:
            self.reasons.append(reason)

    # before the network

    def prepare(self) -> None:
        """Make what is missing and ask over it; afterwards all cards are as they were."""
        from guestinit.system import lease, links

        facts.await_names(self._system)
        cards = [nic for nic in facts.find_nics(self._system) if nic.is_ordinary]
        if not cards:
            self.reasons.append("this machine has no network card")
            return
        self._client = lease.find_client(self._system)
        if not self._client:
            self.reasons.append("the image has no client for a lease (dhcpcd, dhclient): only IPv6 is asked")
            if not any(uplink.family == 4 for uplink in self.asked.values()):
                self._until = min(self._until, time.monotonic() + WITHOUT_CLIENT)
        with links.listen(links.LINKS | links.IPV6_ADDRESSES) as events, links.raised(cards, self._system):
            try:
                self._follow(cards, events)
            finally:
                for name, loan in self._loans.items():
                    loan.give_back()
                    if loan.lease is None:
                        self._say(f"{name} got no lease: {loan.reason}")

    def _follow(self, cards: Sequence[Nic], events: socket.socket) -> None:
        """Take every card that gets a carrier, and every address that IPv6 gets, as they come."""
        from guestinit.system import links

        patience = time.monotonic() + PATIENCE
        while self._race.answer is None and time.monotonic() < self._until:
            carriers = [nic for nic in cards if facts.has_carrier(self._system, nic.name)]
            for nic in carriers:
                if self._client and nic.name not in self._loans and _name(nic.name, 4) not in self.asked:
                    self._borrow(nic)
            for uplink in configured(self._system, (6,)):
                self.enter(uplink)
            if not self._race.running:
                complete = all(nic in carriers and _name(nic.name, 6) in self.asked for nic in cards)
                if complete or time.monotonic() >= patience:
                    break
            if self._race.wait(events, self._until if self._race.running else min(patience, self._until)):
                links.drain(events)
        for nic in cards:
            if not facts.has_carrier(self._system, nic.name):
                self._say(f"{nic.name} has no carrier")

    def _borrow(self, nic: Nic) -> None:
        from guestinit.system.lease import Loan

        loan = self._loans[nic.name] = Loan(self._client, nic, self._system)
        self._race.enter(_name(nic.name, 4), lambda: self._over_lease(nic.name, loan))

    def _over_lease(self, nic: str, loan: Loan) -> Optional[Answer]:
        lease = loan.take(self._deadline - time.monotonic())
        if lease is None:
            return None
        self.reasons.append(f"{nic} had {lease.address}, leased from {lease.server or 'an unnamed server'}")
        return self._over(Uplink(nic, 4, (lease.address,), lease.gateway, lease.server, lease.domain))


def _name(nic: str, family: int) -> str:
    return f"{nic} (IPv{family})"
