"""netplan: ours comes before what the image's other files say about the same interfaces.

All files are read as one, and definitions of one name are mixed. Of several that match an interface, networkd follows
the one whose name comes first. So hardware gets another name in our file where the image's would be mixed with ours, or
come first: nothing of the image has to be taken away.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit.model import netplan
from guestinit.model.facts import Nic
from guestinit.model.hardware import Cards
from guestinit.model.network import HARDWARE, NETPLAN_FILE, Link, Network
from guestinit.model.problem import Problems
from guestinit.model.value import Given

_FIRST, _SECOND = "0-", "1-"  # before any letter; what may match several interfaces comes second


def ensure(network: Network, nics: tuple[Nic, ...], files: tuple[tuple[str, str], ...], problems: Problems) -> Network:
    """The network with names that come first; what stays mixed is a problem."""
    ids, cards = netplan.ids(network), Cards(nics)
    meant = {link.name: _interfaces(link, cards) for link in network.links if link.kind in HARDWARE}
    new_names: dict[str, str] = {}
    for path, definition in _definitions(files):
        for link in network.links:
            if link.kind in HARDWARE:
                is_before = netplan.order(definition.id) < netplan.order(ids[link.name])
                is_for_it = any(definition.fits(nic) for nic in meant[link.name])
                if definition.id == ids[link.name] or (is_before and is_for_it):
                    if link.name not in new_names:
                        _say(link, path, definition, problems)
                    new_names[link.name] = (_SECOND if link.match.is_broad else _FIRST) + ids[link.name]
            elif definition.id == link.name:
                message = f"{path} defines {link.name} too, and netplan mixes both"
                problems.error(link.at, link.path, message, "remove the other one from the image")
    return _relabelled(network, new_names) if new_names else network


def _definitions(files: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, netplan.Definition]]:
    for path, text in files:
        if path.endswith(".yaml") and path != NETPLAN_FILE:
            for definition in netplan.definitions(text):
                yield path, definition


def _say(link: Link, path: str, definition: netplan.Definition, problems: Problems) -> None:
    message = f"{path} has {definition.id} for it too"
    problems.note(link.at, link.path, message, f"what {NETPLAN_FILE} says comes first", len(link.name))


def _interfaces(link: Link, cards: Cards) -> tuple[Nic, ...]:
    """Those that it is for; where none is there, one that may appear later."""
    return cards.matching(link) or (Nic(link.set_name or link.match.exact_name, link.match.mac),)


def _relabelled(network: Network, names: dict[str, str]) -> Network:
    """With other labels for hardware, also where links name each other."""
    links = []
    for link in network.links:
        links.append(
            link._replace(
                name=names.get(link.name, link.name),
                parent=names.get(link.parent, link.parent),
                members=tuple(Given(names.get(each.value, each.value), each.at) for each in link.members),
                parameters=tuple(
                    (key, names.get(value, value) if key == "primary" else value) for key, value in link.parameters
                ),
                costs=tuple((names.get(name, name), number) for name, number in link.costs),
                priorities=tuple((names.get(name, name), number) for name, number in link.priorities),
            )
        )
    return network._replace(links=tuple(links))
