"""The image's own configuration for an interface that the seed configures too.

systemd-networkd takes the first file in the order of names that matches an interface; NetworkManager the profile with
the highest priority, and keeps away from what Debian's /etc/network/interfaces names; ifupdown asks nobody. What the
files of netplan say about each other stands in netplan/precedence.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from guestinit.model import netplan
from guestinit.model.facts import Ifupdown, Nic
from guestinit.model.hardware import matching
from guestinit.model.network import HARDWARE, Link, Network, file_ids

NETWORKD = "networkd"
NETWORK_MANAGER = "network-manager"
NETPLAN = "netplan"
IFUPDOWN = "ifupdown"
PRIORITY = 120  # of our own profiles
_ALONE = (".network", ".nmconnection", ".link")  # files that hold one configuration, for one match
_GENERATED = "/run/systemd/network/10-netplan-"  # what netplan makes of its files, which are looked at themselves
_OURS = ("10-guestinit-", "11-guestinit-", "guestinit-")


class Rival(NamedTuple):
    """A file that would have its way with one of our links."""

    path: str
    link: Link
    reason: str
    remove: bool  # nothing else is lost with it; otherwise it is only reported


def find(renderer: str, network: Network, nics: tuple[Nic, ...], files: tuple[tuple[str, str], ...]) -> Iterator[Rival]:
    """What competes, each file once. One that is for interfaces of the seed alone has no work left, and can go."""
    ids = file_ids(network)
    definitions_of = netplan.ids(network) if renderer == NETPLAN else {}
    ours = [(link, nic) for link in network.links if link.kind in HARDWARE for nic in matching(link, nics)]
    others = [nic for nic in nics if nic.physical and all(nic != each for _, each in ours)]
    for path, text in files:
        name = path.rpartition("/")[2]
        if name.startswith(_OURS) or (renderer == NETPLAN and path.startswith(_GENERATED)):
            continue
        for link, nic in ours:
            base = f"{11 if link.match.is_broad else 10}-guestinit-{ids[link.name]}"
            configured = netplan.order(definitions_of[link.name]) if definitions_of else f"{base}.network"
            successors = (configured, f"10-guestinit-{ids[link.name]}.link")
            reason = _reason(renderer, path, text, successors, link, nic)
            if reason:
                is_theirs = any(_reason(renderer, path, text, successors, link, other) for other in others)
                can_go = name.endswith(_ALONE) and path.startswith("/etc/") and not is_theirs
                yield Rival(path, link, reason, remove=can_go or "cloud-init" in name)
                break


def without(network: Network, nics: tuple[Nic, ...], path: str, ifupdown: Ifupdown) -> str:
    """A file of ifupdown in which the lines about the hardware of the seed are disabled, and no others."""
    from guestinit.model import interfaces  # delayed: few images have such a file

    hardware = [link for link in network.links if link.kind in HARDWARE]
    return interfaces.disable(
        dict(ifupdown.files)[path], {nic.name for link in hardware for nic in matching(link, nics)}
    )


def configuring(managers: Collection[str], nic: Nic, files: tuple[tuple[str, str], ...]) -> str:
    """The image's own file by which one of these configures the interface; empty if there is none.

    What cloud-init left in a template does not count.
    """
    for path, text in files:
        name = path.rpartition("/")[2]
        if name.startswith((*_OURS, "50-guestinit")) or "cloud-init" in name:
            continue
        if path.startswith("/etc/network/interfaces"):
            is_his = IFUPDOWN in managers and _is_up_by_ifupdown(text, nic.name)
        elif name.endswith(".network"):
            is_his = (NETWORKD in managers or NETPLAN in managers) and _networkd_matches(text, nic)
        elif name.endswith(".yaml"):
            is_his = NETPLAN in managers and any(each.fits(nic) for each in netplan.definitions(text))
        elif name.endswith(".link"):
            is_his = False  # what it is called, not what it has
        else:
            is_his = NETWORK_MANAGER in managers and _network_manager_matches(text, nic)
        if is_his:
            return path
    return ""


def _reason(renderer: str, path: str, text: str, successors: tuple[str, str], link: Link, nic: Nic) -> str:
    """Why it competes; "" if it does not. `successors`: what networkd's and udev's files of this link are called."""
    name = path.rpartition("/")[2]
    ours, our_name = successors
    if path.startswith("/etc/network/interfaces"):
        if renderer == NETWORK_MANAGER and _has_stanza(text, nic.name):
            return f"configures {nic.name} as well; NetworkManager leaves it alone then"
        if _is_up_by_ifupdown(text, nic.name):
            return f"configures {nic.name} as well; ifupdown brings it up too"
    elif renderer in (NETWORKD, NETPLAN) and name.endswith(".network") and name < ours:
        if _networkd_matches(text, nic):
            return f"matches {nic.name} too and is read before {ours}"
    elif name.endswith(".link"):
        gives_one = "\nName=" in text.partition("[Link]")[2]
        if gives_one and link.set_name and name < our_name and _networkd_matches(text, nic):
            return f"names {nic.name} too and is read before {our_name}"
    elif renderer == NETWORK_MANAGER and name.endswith(".nmconnection"):
        settings = _settings(text)
        priority = settings.get("autoconnect-priority", "0")
        mac, interface = settings.get("mac-address", "").lower(), settings.get("interface-name", "")
        is_higher = priority.lstrip("-").isdecimal() and int(priority) >= PRIORITY
        if is_higher and (mac or interface) and mac in ("", nic.mac) and interface in ("", nic.name):
            return f"is for {nic.name} too and has priority {priority}"
    return ""


def _networkd_matches(text: str, nic: Nic) -> bool:
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == "[Match]"
            continue
        key, sign, value = (part.strip() for part in line.partition("="))
        if not inside or not sign or line[:1] in "#;":
            continue
        if key in ("Name", "OriginalName", "Driver", "Type", "Kind"):
            # systemd.network(5): an exclamation mark turns the whole list round. No hardware has a kind.
            text = {"Name": nic.name, "OriginalName": nic.name, "Driver": nic.driver, "Type": "ether", "Kind": ""}[key]
            if _fits(text, value.lstrip("!").split()) == value.startswith("!"):
                return False
        elif key in ("MACAddress", "PermanentMACAddress"):
            if nic.mac not in value.lower().replace("-", ":").split():
                return False
        else:
            return False  # a condition that is not looked at here
    return True


def _fits(text: str, globs: list[str]) -> bool:
    import fnmatch  # delayed: few images have such a file

    return bool(text) and any(fnmatch.fnmatchcase(text, glob) for glob in globs)


def _network_manager_matches(text: str, nic: Nic) -> bool:
    """A profile that NetworkManager would use for this interface; also one of the old ifcfg files."""
    settings = {key.lower(): value.strip("\"'") for key, value in _settings(text).items()}
    if settings.get("autoconnect") == "false" or settings.get("onboot") == "no":
        return False
    if settings.get("type", "ethernet").lower() not in ("ethernet", "802-3-ethernet"):
        return False
    mac = (settings.get("mac-address") or settings.get("hwaddr") or "").lower()
    name = settings.get("interface-name") or settings.get("device") or ""
    return name != "lo" and mac in ("", nic.mac) and name in ("", nic.name)


def _has_stanza(text: str, name: str) -> bool:
    return any(line.split()[:2] == ["iface", name] for line in text.splitlines())


def _is_up_by_ifupdown(text: str, name: str) -> bool:
    words = [line.split() for line in text.splitlines()]
    is_started = any(line[:1] in (["auto"], ["allow-hotplug"]) and name in line[1:] for line in words)
    return is_started and _has_stanza(text, name)


def _settings(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if sign and not key.startswith(("#", ";")):
            found[key.strip()] = value.strip()
    return found
