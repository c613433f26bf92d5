"""Which interfaces of the machine the hardware of a network means."""

from __future__ import annotations

from collections.abc import Iterable

from guestinit.model.facts import Nic
from guestinit.model.network import HARDWARE, Link, Match, Network


class Cards:
    """The hardware of the machine, to be asked for a whole network: a MAC or a name is found without looking at all."""

    def __init__(self, nics: Iterable[Nic]) -> None:
        self._all = tuple(nic for nic in nics if nic.physical)
        self._by_mac: dict[str, list[Nic]] = {}
        self._by_name: dict[str, list[Nic]] = {}
        for nic in self._all:
            self._by_mac.setdefault(nic.mac, []).append(nic)
            self._by_name.setdefault(nic.name, []).append(nic)

    def matching(self, link: Link) -> tuple[Nic, ...]:
        """The interfaces that this piece of hardware means. Of a failover pair, which shares its MAC, the upper one."""
        match = link.match
        if match.names and link.set_name:
            match = match._replace(names=(*match.names, link.set_name))  # it may have been renamed before
        candidates: Iterable[Nic] = self._all
        if match.mac:
            candidates = self._by_mac.get(match.mac, ())
        elif match.exact_name:
            candidates = self._by_name.get(match.exact_name, ())
        found = tuple(nic for nic in candidates if _is_meant(match, nic))
        return tuple(nic for nic in found if not nic.port) or found


def kernel_names(network: Network, nics: tuple[Nic, ...]) -> dict[str, str]:
    """What the kernel calls the hardware, by the document's label; the label itself where the machine is not known."""
    found, cards = {}, Cards(nics)
    for link in network.links:
        if link.kind in HARDWARE:
            here = cards.matching(link) if not link.set_name else ()
            found[link.name] = link.set_name or (here[0].name if here else link.match.exact_name or link.name)
    return found


def by_bus(nics: Iterable[Nic]) -> list[Nic]:
    """Ordinary network cards in the order of their slots, which is the one in which hypervisors count them."""
    return sorted((nic for nic in nics if nic.is_ordinary), key=lambda nic: (*natural(nic.bus), *natural(nic.name)))


def natural(text: str) -> tuple[int, str]:
    """To sort by: eth2 before eth10; PCI addresses, which all have one length, by their hexadecimal numbers."""
    return len(text), text


def _is_meant(match: Match, nic: Nic) -> bool:
    if not (match.mac or match.names or match.drivers) or match.mac not in ("", nic.mac):
        return False
    return _fits(nic.name, match.names) and _fits(nic.driver, match.drivers)


def _fits(text: str, globs: tuple[str, ...]) -> bool:
    if not globs or text in globs:
        return True
    if not any(sign in glob for glob in globs for sign in "*?["):
        return False
    import fnmatch  # delayed: wildcards are rare

    return any(fnmatch.fnmatchcase(text, glob) for glob in globs)
