"""How a family of distributions differs from the others: one file of values each, named `DISTRO`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from guestinit import rooms

if TYPE_CHECKING:
    from guestinit.model.facts import Distro

ORDER = ("debian", "ubuntu", "fedora", "el", "opensuse", "generic")

# IDs of os-release(5) that do not name their family in ID_LIKE, or name a parent that is not a family of ours.
_FAMILIES = {
    "debian": "debian",
    "ubuntu": "ubuntu",
    "fedora": "fedora",
    "rhel": "el",
    "centos": "el",
    "ol": "el",  # Oracle Linux, which says that it is like Fedora
    "opensuse": "opensuse",
    "suse": "opensuse",
}


class Tree(Protocol):
    """What is asked of a root directory."""

    def read(self, path: str) -> bytes | None:
        """The content of a file, None if it is absent."""

    def exists(self, path: str) -> bool:
        """Whether the path is there."""


def of(root: Tree) -> Distro:
    """The values for the distribution in this root."""
    distro: Distro = rooms.one("distros", detect(root)).DISTRO
    return distro


def detect(root: Tree) -> str:
    """The family of the distribution, by os-release(5): its ID, then what it says it is like.

    One that names no family of ours is taken by its tools: what has dpkg is like Debian.
    """
    fields = _os_release(root.read("/etc/os-release") or root.read("/usr/lib/os-release") or b"")
    for name in (fields.get("ID", ""), *fields.get("ID_LIKE", "").split()):
        if name in _FAMILIES:
            return _FAMILIES[name]
    return "debian" if root.exists("/usr/bin/dpkg") else "generic"


def _os_release(content: bytes) -> dict[str, str]:
    fields = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            fields[name] = value.strip("\"'").lower()
    return fields
