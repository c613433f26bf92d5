"""What ifupdown calls each link.

ifupdown knows interfaces by their kernel names. Hardware that the document describes otherwise is looked up among the
machine's interfaces; where those do not tell (another root, a card that comes later), a pattern of interfaces(5) finds
it when the network starts: `auto mac/02:00:00:00:00:01/1=lan0`, the first interface with that MAC, as `iface lan0`.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from guestinit.model.facts import Nic
from guestinit.model.network import HARDWARE, Link, Network, file_ids
from guestinit.model.problem import Problems

_LEFT_OUT = "this interface is left out"


class Target(NamedTuple):
    """An interface that a link means."""

    kernel: str  # what the kernel calls it, as far as that is known
    logical: str  # what its `iface` stanzas are called
    pattern: str = ""  # how `auto` finds it, if not by its name

    @property
    def selector(self) -> str:
        """The word in an `auto` line."""
        return f"{self.pattern}={self.logical}" if self.pattern else self.logical


def is_safe(text: str) -> bool:
    """Whether a word means itself in a shell: ifupdown passes names and options to one as they are."""
    return text.isascii() and all(each.isalnum() or each in "._-+:@%/" for each in text)


def resolve(network: Network, nics: tuple[Nic, ...], problems: Problems) -> dict[str, tuple[Target, ...]]:
    """The interfaces of every link, by link name. A link that has none is said and not in it."""
    found: dict[str, tuple[Target, ...]] = {}
    owners: dict[str, Link] = {}
    # What names its interface comes before what may hold for several.
    for link in sorted(network.links, key=lambda link: link.kind in HARDWARE and link.match.is_broad):
        own = []
        for target in _targets(link, nics, frozenset(owners), problems):
            owner = owners.setdefault(target.logical, link) if target.logical else link
            if owner is link:
                own.append(target)
            else:
                message = f"the interface {target.logical} is '{owner.name}' already, line {owner.at.line}"
                problems.error(link.at, link.path, message, f"{_LEFT_OUT}; each interface has one configuration")
        if own:
            found[link.name] = tuple(own)
    return _without_collisions(network, found)


def _targets(link: Link, nics: tuple[Nic, ...], taken: frozenset[str], problems: Problems) -> tuple[Target, ...]:
    name = link.name if link.kind not in HARDWARE else link.set_name or link.match.exact_name
    if name and not is_safe(name):
        problems.error(link.at, link.path, f"ifupdown takes no interface named '{name}'", _LEFT_OUT)
        return ()
    if link.kind not in HARDWARE:
        return (Target(name, name),)
    if link.match.is_broad:
        return _broad(link, nics, taken, problems)
    nic = _find(link, nics)
    if link.set_name:
        # Until udev has given it the name, the MAC finds it.
        pattern = _mac_pattern(link) if nic is not None and nic.name != name else ""
        return (Target(name, name, pattern),)
    if name:
        return (Target(name, name),)
    if nic is not None:
        return (Target(nic.name, nic.name),)
    return (Target("", "", _mac_pattern(link)),)  # the logical name is chosen when all others are known


def _find(link: Link, nics: tuple[Nic, ...]) -> Optional[Nic]:
    for nic in nics:
        if nic.physical and (nic.mac == link.match.mac if link.match.mac else nic.name == link.match.exact_name):
            return nic
    return None


def _mac_pattern(link: Link) -> str:
    """Only the first: a VLAN and a bond have the MAC of the hardware below them."""
    return f"mac/{link.match.mac}/1" if link.match.mac else ""


def _broad(link: Link, nics: tuple[Nic, ...], taken: frozenset[str], problems: Problems) -> tuple[Target, ...]:
    """Every interface that a match without MAC and exact name holds for."""
    import fnmatch

    match = link.match
    found = [
        Target(nic.name, nic.name)
        for nic in nics
        if nic.physical and nic.name != "lo" and nic.name not in taken
        and (not match.names or any(fnmatch.fnmatchcase(nic.name, glob) for glob in match.names))
        and (not match.drivers or any(fnmatch.fnmatchcase(nic.driver, glob) for glob in match.drivers))
    ]  # fmt: skip
    if found:
        return tuple(found[:1] if link.set_name else found)
    if match.drivers:
        message = f"ifupdown does not know drivers, and no interface here has {' or '.join(match.drivers)}"
        problems.error(link.at, link.path, message, _LEFT_OUT)
        return ()
    if nics:
        message = f"no interface here is named {' or '.join(match.names)}"
        problems.error(link.at, link.path, message, _LEFT_OUT)
        return ()
    return tuple(Target("", "", f"/{glob}") for glob in match.names if is_safe(glob.translate(_PLAIN)))


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
