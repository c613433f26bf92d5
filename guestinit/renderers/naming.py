"""Which interfaces of the machine the hardware of a network is, and what these will be called.

It is found out once, before anything is rendered: where all that a document has are names which the machine does not
know, another interface stands in; and renderers see every interface under the name that it will have.
"""

from __future__ import annotations

from typing import NamedTuple

from guestinit.model.facts import Nic
from guestinit.model.hardware import Cards, by_bus, natural
from guestinit.model.network import ENI, HARDWARE, OPENSTACK, PHYSICAL, VERSION_1, Link, Match, Network
from guestinit.model.problem import Problems

# Formats whose writers only know names: typed by an admin (oVirt), or counted by the hypervisor (Proxmox VE's eth0 is
# the first card). Whoever writes netplan's grammar can match by MAC, and means the names that stand there.
_ONLY_NAMES = (VERSION_1, OPENSTACK, ENI)


class Resolved(NamedTuple):
    """A network on this machine."""

    network: Network
    nics: tuple[Nic, ...]  # with the names that hold once everything is done
    names: tuple[tuple[str, str], ...]  # MAC and name of each interface that shall have one; absent ones too


def resolve(network: Network, nics: tuple[Nic, ...], problems: Problems) -> Resolved:
    """Without known interfaces (offline) only the names can be checked among themselves."""
    network = _with_stand_ins(network, nics, problems)
    return _with_names(network, nics, problems)


# names that the machine does not know


def _with_stand_ins(network: Network, nics: tuple[Nic, ...], problems: Problems) -> Network:
    """Hardware that is named, and not there under this name, is another card that no link of the document claims."""
    if network.format not in _ONLY_NAMES:
        return network
    here = {nic.name for nic in nics}
    named = [link for link in network.links if link.kind == PHYSICAL and link.match.exact_name]
    missing = sorted((link for link in named if link.match.exact_name not in here), key=lambda link: natural(link.name))
    cards = by_bus(nics)
    hardware = Cards(nics)
    claimed = {nic for link in network.links if link.kind in HARDWARE for nic in hardware.matching(link)}
    free = dict.fromkeys(nic for nic in cards if nic not in claimed)
    places = {nic: place for place, nic in enumerate(cards, 1)}
    chosen: dict[str, Nic] = {}
    for link in missing:
        number = link.name[3:] if link.name.startswith("eth") else ""
        # Proxmox VE leaves out cards without addresses: its eth1 is the second card even where eth0 is not mentioned.
        if number.isdecimal() and int(number) < len(cards) and cards[int(number)] in free:
            chosen[link.name] = cards[int(number)]
            del free[cards[int(number)]]
    for link, nic in zip([link for link in missing if link.name not in chosen], free):
        chosen[link.name] = nic
    links = []
    for link in network.links:
        if link.name in chosen:
            nic = chosen[link.name]
            place = "the only one" if len(cards) == 1 else f"number {places[nic]} in the order of the bus"
            where = f", {nic.bus}" if nic.bus and len(cards) > 1 else ""
            hint = f"{nic.name} ({nic.mac}) is taken, {place}{where}"
            message = f"this machine has no interface named {link.match.exact_name}"
            problems.warning(link.at, link.path, message, hint)
            link = link._replace(match=Match(mac=nic.mac))
        links.append(link)
    return network._replace(links=tuple(links))


# names to give


def _with_names(network: Network, nics: tuple[Nic, ...], problems: Problems) -> Resolved:
    """Every `set_name` that can be given; one that cannot is said, and is no longer in the network."""
    givers = [link for link in network.links if link.kind in HARDWARE and link.set_name]
    if not givers:
        return Resolved(network, nics, ())
    refused: set[str] = set()
    wanted: dict[str, tuple[Link, Nic]] = {}  # by the name of the interface as it is now
    taken = {link.name: link for link in network.links if link.kind not in HARDWARE}
    hardware = Cards(nics)
    for link in givers:
        found = hardware.matching(link)
        message = ""
        if link.set_name in taken:
            message = f"{link.set_name} is the name of '{taken[link.set_name].name}' already"
        elif len(found) > 1:
            message = f"{' and '.join(nic.name for nic in found)} match, and only one can be called {link.set_name}"
        elif found and found[0].name in wanted:
            message = f"{found[0].name} is called {wanted[found[0].name][0].set_name} already"
        if message:
            refused.add(link.name)
            problems.error(link.at, link.path, message, "the name stays as it is")
            continue
        taken[link.set_name] = link
        if found:
            wanted[found[0].name] = (link, found[0])
    _refuse_occupied(wanted, nics, refused, problems)
    _say_later(wanted, problems)
    links = tuple(link._replace(set_name="") if link.name in refused else link for link in network.links)
    names = [(nic.mac, link.set_name) for link, nic in wanted.values()]
    known = {mac for mac, _ in names}
    names += [
        (link.match.mac, link.set_name)
        for link in givers
        if link.name not in refused and link.match.mac and link.match.mac not in known
    ]
    # One that is up has its name from the next boot on, and files are read at every boot.
    renamed = tuple(nic._replace(name=wanted[nic.name][0].set_name) if nic.name in wanted else nic for nic in nics)
    return Resolved(network._replace(links=links), renamed, tuple(sorted(names)))


def _refuse_occupied(
    wanted: dict[str, tuple[Link, Nic]], nics: tuple[Nic, ...], refused: set[str], problems: Problems
) -> None:
    """A name that an interface has and keeps cannot be given; with that, its own name is not free either."""
    here = {nic.name for nic in nics}
    while True:
        for name, (link, _) in wanted.items():
            if link.set_name != name and link.set_name in here and link.set_name not in wanted:
                break
        else:
            return
        del wanted[name]
        refused.add(link.name)
        message = f"{name} cannot be called {link.set_name}: another interface has this name and keeps it"
        problems.error(link.at, link.path, message, "the name stays as it is")


def _say_later(wanted: dict[str, tuple[Link, Nic]], problems: Problems) -> None:
    """An interface that is up is never renamed, nor can another one take its name."""
    later = {name for name, (link, nic) in wanted.items() if nic.up and link.set_name != name}
    while True:
        waiting = {name for name, (link, _) in wanted.items() if link.set_name in later} | later
        if waiting == later:
            break
        later = waiting
    for name, (link, nic) in wanted.items():
        if name in later:
            why = "it is up" if nic.up else f"{link.set_name} is up"
            problems.note(link.at, link.path, f"{name} is called {link.set_name} from the next boot on, since {why}")
