"""The definitions in netplan's files: what ours are called, and which interfaces those of the image are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guestinit.model.facts import Nic
from guestinit.model.network import HARDWARE, Network, file_ids

NOT_AN_ID = ("renderer",)  # means something else among the definitions of a section


def order(definition_id: str) -> str:
    """networkd takes the first file that matches an interface, in the order of the names that netplan gives them."""
    return f"10-netplan-{definition_id}.network"


def ids(network: Network) -> dict[str, str]:
    """What each link is called in the file: virtual ones as in the kernel, hardware as it pleases, but a wildcard comes
    after everything else that it would match.
    """
    found = {link.name: link.name for link in network.links if link.kind not in HARDWARE}
    virtual = tuple(found)
    plain = file_ids(network)
    hardware = [link for link in network.links if link.kind in HARDWARE]
    taken = {*found, *NOT_AN_ID}
    for link in sorted(hardware, key=lambda link: link.match.is_broad):
        name = plain[link.name]
        if link.match.is_broad:
            others = [found[each] for each in found if each not in virtual]
            others += [each for each in virtual if any(_is_like(each, glob) for glob in link.match.names)]
            name = _after(name, others)
        first, count = name, 1
        while name in taken:
            count += 1
            name = f"{first}-{count}"
        taken.add(name)
        found[link.name] = name
    return found


def _after(name: str, others: list[str]) -> str:
    start = ""
    while any(order(other) > order(start + name) for other in others):
        start = f"z{start}" if start else "zz-"
    return start + name


class Definition(NamedTuple):
    """A definition in a file of the image. Empty: not said. There may be passwords in such a file, so this is all that
    planners are told of it (`Facts.network_files`).
    """

    section: str  # "ethernets", "bonds"
    id: str
    mac: str = ""  # lower case
    name: str = ""  # with the wildcards of fnmatch(3)
    drivers: str = ""  # likewise, with commas between them

    def line(self) -> str:
        """As one line of text, which `definitions` reads."""
        return "\t".join(" ".join(each.split()) for each in self) + "\n"

    def fits(self, nic: Nic) -> bool:
        """Whether it is for this interface: by what it matches, or by its name if it matches nothing."""
        if self.section != "ethernets":
            return False
        if not (self.mac or self.name or self.drivers):
            return self.id == nic.name
        return (
            self.mac in ("", nic.mac)
            and (not self.name or _is_like(nic.name, self.name))
            and (not self.drivers or any(_is_like(nic.driver, glob) for glob in self.drivers.split(",")))
        )


def definitions(text: str) -> Iterator[Definition]:
    """The definitions that these lines tell of."""
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == len(Definition._fields):
            yield Definition(*fields)


def _is_like(text: str, glob: str) -> bool:
    import fnmatch  # delayed: most files name what they are for

    return bool(text) and fnmatch.fnmatchcase(text, glob)
