"""What ifupdown calls each link.

ifupdown knows interfaces by their kernel names. Hardware that the document describes otherwise is looked up among the
machine's interfaces; where those do not tell (another root, a card that comes later), a pattern of interfaces(5) finds
it when the network starts: `auto mac/02:00:00:00:00:01/1=lan0`, the first interface with that MAC, as `iface lan0`.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from guestinit.model.facts import Nic
from guestinit.model.hardware import Cards
from guestinit.model.network import HARDWARE, Link, Network, file_ids
from guestinit.model.problem import Problems
from guestinit.model.shell import is_plain

_LEFT_OUT = "this interface is left out"


class Target(NamedTuple):
    """An interface that a link means."""

    kernel: str  # what the kernel calls it, as far as that is known
    logical: str  # what its `iface` stanzas are called
    pattern: str = ""  # how `auto` finds it, if not by its name
    is_known: bool = True  # whether `kernel` is more than a guess

    @property
    def selector(self) -> str:
        """The word in an `auto` line."""
        return f"{self.pattern}={self.logical}" if self.pattern else self.logical


def resolve(network: Network, nics: tuple[Nic, ...], problems: Problems) -> dict[str, tuple[Target, ...]]:
    """The interfaces of every link, by link name. A link that has none is said and not in it."""
    found: dict[str, tuple[Target, ...]] = {}
    owners: dict[str, Link] = {}
    cards = Cards(nics)
    # What names its interface comes before what may hold for several.
    for link in sorted(network.links, key=lambda link: link.kind in HARDWARE and link.match.is_broad):
        own = []
        for target in _targets(link, cards, bool(nics), owners, problems):
            owner = owners.setdefault(target.logical, link) if target.logical else link
            if owner is link:
                own.append(target)
            else:
                message = f"the interface {target.logical} is '{owner.name}' already, line {owner.at.line}"
                problems.error(link.at, link.path, message, f"{_LEFT_OUT}; each interface has one configuration")
        if own:
            found[link.name] = tuple(own)
    return _without_collisions(network, found)


def _targets(link: Link, cards: Cards, is_known: bool, taken: Container[str], problems: Problems) -> tuple[Target, ...]:
    name = link.name if link.kind not in HARDWARE else link.set_name or link.match.exact_name
    if name and not is_plain(name):
        problems.error(link.at, link.path, f"ifupdown takes no interface named '{name}'", _LEFT_OUT)
        return ()
    if link.kind not in HARDWARE:
        return (Target(name, name),)
    if name:
        # Before it has the name that it shall have, the MAC finds it.
        return (Target(name, name, _mac_pattern(link) if link.set_name else ""),)
    here = tuple(Target(nic.name, nic.name) for nic in cards.matching(link) if nic.name not in taken)
    if here:
        return here
    if link.match.mac:
        return (Target("", "", _mac_pattern(link), is_known=False),)
    return _broad(link, is_known, problems)


def _mac_pattern(link: Link) -> str:
    """Only the first: a VLAN and a bond have the MAC of the hardware below them."""
    return f"mac/{link.match.mac}/1" if link.match.mac else ""


def _broad(link: Link, is_known: bool, problems: Problems) -> tuple[Target, ...]:
    """What is left where no interface of the machine fits, or none is known."""
    match = link.match
    if match.drivers:
        message = f"ifupdown does not know drivers, and no other interface here has {' or '.join(match.drivers)}"
        problems.error(link.at, link.path, message, _LEFT_OUT)
        return ()
    if is_known:
        message = f"no other interface here is named {' or '.join(match.names)}"
        problems.error(link.at, link.path, message, _LEFT_OUT)
        return ()
    globs = [glob for glob in match.names if is_plain(glob.translate(_PLAIN))]
    return tuple(Target("", "", f"/{glob}", is_known=False) for glob in globs)


_PLAIN = {ord(sign): "x" for sign in "*?[]!"}


def _without_collisions(network: Network, found: dict[str, tuple[Target, ...]]) -> dict[str, tuple[Target, ...]]:
    """Logical names for what a pattern finds: the label, unless an interface is called so."""
    taken = {target.logical for targets in found.values() for target in targets if target.logical}
    ids = file_ids(network)
    for name, targets in found.items():
        if all(target.logical for target in targets):
            continue
        logical = ids[name].replace(".", "-")
        while logical in taken:
            logical += "-hw"
        taken.add(logical)
        found[name] = tuple(target._replace(logical=logical, kernel=logical) for target in targets)
    return found
