"""The image's own configuration for an interface that the seed configures too.

systemd-networkd takes the first file in the order of names that matches an interface; NetworkManager the profile with
the highest priority, and keeps away from what Debian's /etc/network/interfaces names; ifupdown asks nobody. What the
files of netplan say about each other stands in netplan/precedence.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Callable, NamedTuple, Optional

from guestinit.model import netplan
from guestinit.model.facts import Ifupdown, Nic
from guestinit.model.hardware import Cards
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
    ids, cards = file_ids(network), Cards(nics)
    definitions_of = netplan.ids(network) if renderer == NETPLAN else {}
    ours = [(link, nic) for link in network.links if link.kind in HARDWARE for nic in cards.matching(link)]
    taken = {nic for _, nic in ours}
    others = [nic for nic in nics if nic.physical and nic not in taken]
    places_of_ours, places_of_others = _Places(nic for _, nic in ours), _Places(others)
    for path, text in files:
        name = path.rpartition("/")[2]
        if name.startswith(_OURS) or (renderer == NETPLAN and path.startswith(_GENERATED)):
            continue
        theirs = _theirs(renderer, path, text)
        for place in places_of_ours.of(theirs.words):
            link, nic = ours[place]
            base = f"{11 if link.match.is_broad else 10}-guestinit-{ids[link.name]}"
            configured = netplan.order(definitions_of[link.name]) if definitions_of else f"{base}.network"
            successors = (configured, f"10-guestinit-{ids[link.name]}.link")
            reason = theirs.reason(link, nic, successors)
            if reason:
                rest = (others[each] for each in places_of_others.of(theirs.words))
                is_theirs = any(theirs.reason(link, other, successors) for other in rest)
                can_go = name.endswith(_ALONE) and path.startswith("/etc/") and not is_theirs
                yield Rival(path, link, reason, remove=can_go or "cloud-init" in name)
                break


def without(network: Network, nics: tuple[Nic, ...], path: str, ifupdown: Ifupdown) -> str:
    """A file of ifupdown in which the lines about the hardware of the seed are disabled, and no others."""
    from guestinit.model import interfaces  # delayed: few images have such a file

    cards = Cards(nics)
    hardware = [link for link in network.links if link.kind in HARDWARE]
    return interfaces.disable(
        dict(ifupdown.files)[path], {nic.name for link in hardware for nic in cards.matching(link)}
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
            is_his = IFUPDOWN in managers and nic.name in _configured(text) & _started(text)
        elif name.endswith(".network"):
            is_his = (NETWORKD in managers or NETPLAN in managers) and _holds(_conditions(text), nic)
        elif name.endswith(".yaml"):
            is_his = NETPLAN in managers and any(each.fits(nic) for each in netplan.definitions(text))
        elif name.endswith(".link"):
            is_his = False  # what it is called, not what it has
        else:
            is_his = NETWORK_MANAGER in managers and _network_manager_matches(text, nic)
        if is_his:
            return path
    return ""


class _Places:
    """Where interfaces stand in a list, so that a file which names its own is not compared with all of them."""

    def __init__(self, nics: Iterable[Nic]) -> None:
        self._by_word: dict[str, list[int]] = {}
        self._count = 0
        for nic in nics:
            for word in (nic.name, nic.mac):
                self._by_word.setdefault(word, []).append(self._count)
            self._count += 1

    def of(self, words: Optional[Collection[str]]) -> Iterable[int]:
        """In their order; all, if there are no `words` to go by."""
        if words is None:
            return range(self._count)
        return sorted({place for word in words for place in self._by_word.get(word, ())})


class _Theirs(NamedTuple):
    """A file of the image, read once."""

    words: Optional[Collection[str]]  # names and MACs, of which an interface has one if the file is for it; None: any
    # Why it competes for an interface, "" if it does not; it is told what networkd's and udev's files of it are called.
    reason: Callable[[Link, Nic, tuple[str, str]], str]


def _theirs(renderer: str, path: str, text: str) -> _Theirs:
    name = path.rpartition("/")[2]
    if path.startswith("/etc/network/interfaces"):
        return _stanzas(renderer, text)
    if name.endswith(".link") or (renderer in (NETWORKD, NETPLAN) and name.endswith(".network")):
        return _matching(name, text)
    if renderer == NETWORK_MANAGER and name.endswith(".nmconnection"):
        return _profile(text)
    return _Theirs((), lambda link, nic, successors: "")


def _stanzas(renderer: str, text: str) -> _Theirs:
    configured, started = _configured(text), _started(text)

    def reason(link: Link, nic: Nic, successors: tuple[str, str]) -> str:
        if renderer == NETWORK_MANAGER and nic.name in configured:
            return f"configures {nic.name} as well; NetworkManager leaves it alone then"
        if nic.name in configured & started:
            return f"configures {nic.name} as well; ifupdown brings it up too"
        return ""

    return _Theirs(configured, reason)


def _matching(name: str, text: str) -> _Theirs:
    """A file of networkd or udev."""
    conditions = _conditions(text)
    gives_name = "\nName=" in text.partition("[Link]")[2]
    verb = "names" if name.endswith(".link") else "matches"

    def reason(link: Link, nic: Nic, successors: tuple[str, str]) -> str:
        ours = successors[1 if verb == "names" else 0]
        if name >= ours or (verb == "names" and not (gives_name and link.set_name)):
            return ""
        return f"{verb} {nic.name} too and is read before {ours}" if _holds(conditions, nic) else ""

    words: Optional[list[str]] = None
    for key, value in conditions:
        if key in _MACS:
            words = _macs(value)
        elif key in _NAMES and not any(sign in value for sign in "*?[!"):
            words = value.split()
    return _Theirs(words, reason)


def _profile(text: str) -> _Theirs:
    settings = _settings(text)
    priority = settings.get("autoconnect-priority", "0")
    mac, interface = settings.get("mac-address", "").lower(), settings.get("interface-name", "")
    is_higher = priority.lstrip("-").isdecimal() and int(priority) >= PRIORITY

    def reason(link: Link, nic: Nic, successors: tuple[str, str]) -> str:
        is_meant = mac in ("", nic.mac) and interface in ("", nic.name)
        return f"is for {nic.name} too and has priority {priority}" if is_meant else ""

    return _Theirs([interface or mac] if is_higher and (mac or interface) else (), reason)


_NAMES = ("Name", "OriginalName")
_MACS = ("MACAddress", "PermanentMACAddress")


def _conditions(text: str) -> list[tuple[str, str]]:
    """The lines of [Match]."""
    found = []
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == "[Match]"
            continue
        key, sign, value = (part.strip() for part in line.partition("="))
        if inside and sign and line[:1] not in "#;":
            found.append((key, value))
    return found


def _macs(value: str) -> list[str]:
    return value.lower().replace("-", ":").split()


def _holds(conditions: list[tuple[str, str]], nic: Nic) -> bool:
    for key, value in conditions:
        if key in (*_NAMES, "Driver", "Type", "Kind"):
            # systemd.network(5): an exclamation mark turns the whole list round. No hardware has a kind.
            text = nic.name if key in _NAMES else {"Driver": nic.driver, "Type": "ether", "Kind": ""}[key]
            if _fits(text, value.lstrip("!").split()) == value.startswith("!"):
                return False
        elif key in _MACS:
            if nic.mac not in _macs(value):
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


def _configured(text: str) -> frozenset[str]:
    words = (line.split()[:2] for line in text.splitlines())
    return frozenset(line[1] for line in words if len(line) == 2 and line[0] == "iface")


def _started(text: str) -> frozenset[str]:
    words = (line.split() for line in text.splitlines())
    return frozenset(name for line in words if line[:1] in (["auto"], ["allow-hotplug"]) for name in line[1:])


def _settings(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if sign and not key.startswith(("#", ";")):
            found[key.strip()] = value.strip()
    return found
