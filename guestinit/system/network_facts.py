"""What the image has for its network already: who answers names, and which files configure interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.facts import Ifupdown
from guestinit.system import netplan_facts

if TYPE_CHECKING:
    from guestinit.system.root import Root

_DIRECTORIES = (
    ("/etc/systemd/network", (".network", ".link")),
    ("/run/systemd/network", (".network", ".link")),
    ("/etc/NetworkManager/system-connections", ".nmconnection"),
    ("/run/NetworkManager/system-connections", ".nmconnection"),
    ("/etc/sysconfig/network-scripts", ""),  # EL 8 and 9: ifcfg-NAME
    ("/etc/netplan", ".yaml"),
    ("/run/netplan", ".yaml"),
    ("/etc/network/interfaces.d", ""),
)
_PACKAGED = (
    ("/usr/lib/systemd/network", ".network"),
    ("/lib/systemd/network", ".network"),
    ("/usr/lib/NetworkManager/system-connections", ".nmconnection"),
    ("/usr/lib/netplan", ".yaml"),
    ("/lib/netplan", ".yaml"),
)
_LONGEST = 64 * 1024
# Of a file only what tells which interface it is for: connections may hold the password of a wireless network.
_TELLING = (
    "Name", "OriginalName",
    "MACAddress", "PermanentMACAddress", "Driver", "Type", "Kind", "Path", "Property", "Host", "Virtualization",
    "mac-address", "interface-name", "autoconnect-priority", "autoconnect", "type",
    "DEVICE", "HWADDR", "ONBOOT", "TYPE",
)  # fmt: skip
_STANZAS = ("iface", "auto", "allow-hotplug")


def has_stanzas(files: tuple[tuple[str, str], ...]) -> bool:
    """Whether one of these files has ifupdown configure an interface."""
    stanzas = (line.split() for path, text in files if path.startswith("/etc/network/") for line in text.splitlines())
    return any(words[:1] == ["iface"] and words[1:2] != ["lo"] for words in stanzas)


def find_ifupdown(root: Root) -> Ifupdown:
    """Its files, in the order in which it reads them where nobody chose another, and what it has brought up."""
    from guestinit.model import interfaces  # delayed: most images do without

    files = []
    for path in (interfaces.FILE, *(f"{interfaces.DIRECTORY}/{name}" for name in root.listdir(interfaces.DIRECTORY))):
        try:
            content = root.read(path)
        except OSError:
            continue  # a directory, or a dry run that is not root's
        if content is not None and len(content) <= _LONGEST:
            files.append((path, content.decode("utf-8", "surrogateescape")))
    state = (root.read("/run/network/ifstate") or b"").decode("utf-8", "replace")
    pairs = (line.partition("=") for line in state.split())
    return Ifupdown(tuple(files), tuple((name, logical) for name, _, logical in pairs if name != "lo"))


def find_resolver(root: Root) -> str:
    """What /etc/resolv.conf is: a link to the file of "resolved", "network-manager" or "resolvconf", or a "file"."""
    target = root.readlink("/etc/resolv.conf") or ""
    for name, part in (
        ("resolved", "systemd/resolve/"), ("network-manager", "NetworkManager/"), ("resolvconf", "resolvconf/"),
    ):  # fmt: skip
        if part in target:
            return name
    return "file"


def has_networkd_files(root: Root) -> bool:
    """Whether the image has files of its own for systemd-networkd."""
    return any(name.endswith((".network", ".netdev")) for name in root.listdir("/etc/systemd/network"))


def find_network_files(root: Root) -> tuple[tuple[str, str], ...]:
    """The path of each file that configures interfaces, with the lines that tell which."""
    paths = ["/etc/network/interfaces"]
    for directory, suffix in _DIRECTORIES:
        try:
            paths += [f"{directory}/{name}" for name in root.listdir(directory) if name.endswith(suffix)]
        except PermissionError:
            continue  # a dry run that is not root's
    return _read(paths, root)


def find_packaged_files(root: Root) -> tuple[tuple[str, str], ...]:
    """The same of what packages bring, which a file of the same name in /etc replaces."""
    paths = []
    for directory, suffix in _PACKAGED:
        if root.readlink("/lib") is not None and directory.startswith("/lib/"):
            continue  # the same as below /usr
        own = "/etc" + directory[directory.index("lib/") + 3 :]
        names = [name for name in root.listdir(directory) if name.endswith(suffix)]
        paths += [f"{directory}/{name}" for name in names if root.lstat(f"{own}/{name}") is None]
    return _read(paths, root)


def _read(paths: list[str], root: Root) -> tuple[tuple[str, str], ...]:
    found = []
    for path in paths:
        try:
            content = root.read(path)
        except OSError:
            continue  # a directory, or again not root's
        if content is not None and len(content) <= _LONGEST:
            is_netplan = path.endswith(".yaml")
            told = netplan_facts.telling(content) if is_netplan else _telling(content.decode("utf-8", "replace"))
            found.append((path, told))
    return tuple(found)


def _telling(text: str) -> str:
    lines = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") or line.partition("=")[0].strip() in _TELLING or line.split(" ")[0] in _STANZAS:
            lines.append(line)
    return "".join(line + "\n" for line in lines)
