"""The network model as files of a network manager, one file here for each manager.

A renderer has two functions, both pure and deterministic: the same input gives the same bytes.

- `render(network, nics, problems) -> files`. What a manager cannot express is a problem with its place. `nics` are the
  interfaces of the machine, as far as they are known.
- `reload(files, changed, facts) -> steps`: how the manager hears of it, if one of the steps `changed` (ids) did
  something. `files` are all that `render` made.

What renderers share stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Optional, Union

from guestinit import rooms
from guestinit.model.action import Because, Command, Gentler, Step
from guestinit.model.facts import Nic
from guestinit.model.network import INFINIBAND, LOOPBACK, RENDERERS, VRF, Dhcp, Link, Network, Rendered, Route, Rule
from guestinit.model.problem import Problems

NAMES = RENDERERS  # what `network.renderer` and `net render --renderer` take

HEADER = "# Written by guestinit, which replaces this file when the machine is configured anew.\n"

Setting = Union[str, int, bool, None]


def render(name: str, network: Network, nics: tuple[Nic, ...], problems: Problems) -> tuple[Rendered, ...]:
    """The files of the renderer of this name; none, with a problem, if there is no such renderer."""
    if name not in NAMES:
        hint = f"the network stays as the image has it; there is {' and '.join(NAMES)}"
        problems.error(network.at, "", f"no renderer '{name}'", hint, 0)
        return ()
    found: tuple[Rendered, ...] = rooms.one("renderers", name).render(network, nics, problems)
    return found


def parse_nics(texts: Iterable[str]) -> tuple[Nic, ...]:
    """The `NAME=MAC` of a command line as interfaces. Raises ValueError."""
    found = []
    for text in texts or ():
        name, sign, mac = text.partition("=")
        mac = mac.lower().replace("-", ":")
        groups = mac.split(":")
        if not sign or not name or len(groups) != 6 or any(len(each) != 2 or set(each) - _HEX for each in groups):
            raise ValueError(f"expected NAME=MAC, got {text!r}")
        found.append(Nic(name, mac))
    return tuple(found)


_HEX = frozenset("0123456789abcdef")


# telling a manager

MODULE = "network"  # whose steps these are
_RELOAD_TIMEOUT = 30.0  # seconds


def tell(
    label: str, argv: tuple[str, ...], changed: tuple[str, ...], unit: str, gentler: Optional[Gentler] = None
) -> Step:
    """A command for a manager whose unit runs already, if one of these steps changed something."""
    action = Command(argv, label, timeout=_RELOAD_TIMEOUT, may_repeat=True, unit_active=unit, gentler=gentler)
    because = Because(text="a network file changed")
    return Step(f"command:{label}", MODULE, action, because, when_changed=changed, vital=True)


def restart_resolved(changed: tuple[str, ...]) -> Iterator[Step]:
    """systemd-resolved reads its files only when it starts."""
    drop_ins = tuple(step_id for step_id in changed if "/resolved.conf.d/" in step_id)
    if drop_ins:
        argv = ("systemctl", "try-restart", "--no-block", "systemd-resolved.service")
        yield tell("restart systemd-resolved", argv, drop_ins, "systemd-resolved.service")


# files of sections and assignments, as systemd and NetworkManager read them


class Section:
    """One section. What is None or empty is not written; truth is written as the manager spells it."""

    def __init__(self, name: str, true: str = "yes", false: str = "no") -> None:
        self.name = name
        self.lines: list[str] = []
        self._true, self._false = true, false

    def set(self, name: str, value: Setting) -> None:
        """Add an assignment."""
        if isinstance(value, bool):
            value = self._true if value else self._false
        if value is not None and value != "":
            self.lines.append(f"{name}={value}")

    def set_all(self, name: str, values: Iterable[str]) -> None:
        """Add an assignment for each value."""
        for value in values:
            self.set(name, value)


def text(sections: Sequence[Optional[Section]]) -> bytes:
    """The file; sections without assignments are left out."""
    parts = [
        f"\n[{section.name}]\n" + "".join(line + "\n" for line in section.lines)
        for section in sections
        if section is not None and section.lines
    ]
    return (HEADER + "".join(parts)).encode()


# systemd.network(5), for networkd alone and behind netplan

# LinkLocalAddressing=, by the families that have such an address
LINK_LOCAL: dict[Optional[tuple[int, ...]], str] = {None: "", (): "no", (4,): "ipv4", (6,): "ipv6", (4, 6): "yes"}
ACTIVATION = {"": "", "manual": "manual", "off": "always-down"}  # ActivationPolicy=
PORT_FLAGS = {"hairpin": "HairPin", "learning": "Learning", "neigh_suppress": "NeighborSuppression"}  # of [Bridge]


def route_section(route: Route) -> Section:
    """A route."""
    section = Section("Route")
    if not route.via or route.to not in ("0.0.0.0/0", "::/0"):
        section.set("Destination", route.to)
    section.set("Gateway", route.via)
    section.set("GatewayOnLink", route.on_link or None)
    section.set("Metric", route.metric)
    section.set("Table", route.table)
    section.set("Scope", route.scope)
    section.set("Type", route.type)
    section.set("PreferredSource", route.source)
    section.set("MTUBytes", route.mtu)
    section.set("InitialCongestionWindow", route.congestion_window)
    section.set("InitialAdvertisedReceiveWindow", route.receive_window)
    section.set("TCPAdvertisedMaximumSegmentSize", route.advertised_mss)
    return section


def rule_section(rule: Rule) -> Section:
    """A rule that chooses a routing table."""
    section = Section("RoutingPolicyRule")
    section.set("From", rule.source)
    section.set("To", rule.to)
    section.set("Table", rule.table)
    section.set("Priority", rule.priority)
    section.set("FirewallMark", rule.mark)
    section.set("TypeOfService", rule.tos)
    if not rule.source and not rule.to:
        section.set("Family", "both")
    return section


def use_domains(link: Link, dhcp: Dhcp | None) -> str:
    """Whether to search in the domains of a lease. Those of the document take their place, and without its name servers
    they stay away too, as in NetworkManager.
    """
    unsaid = "no" if link.search or (dhcp is not None and dhcp.use_dns is False) else "yes"
    return {"": unsaid, "true": "yes", "false": "no", "route": "route"}[dhcp.use_domains if dhcp else ""]


def is_waited_for(link: Link, master: Link | None) -> bool:
    """Whether being online waits for it. One that the document gives no addresses, and that is no port, would be waited
    for until there is a router: systemd-networkd-wait-online takes two minutes to give up.
    """
    is_port = master is not None and master.kind != VRF
    is_bare = not link.has_addressing and not is_port and link.kind != LOOPBACK
    return not link.optional and not is_bare


# systemd.link(5) files, which udev reads whichever network manager an image has


def hardware_type(link: Link) -> str:
    """What `Type=` says of this hardware. It keeps bonds, bridges and VLANs, which share its MAC, out of a match."""
    return "infiniband" if link.kind == INFINIBAND else "ether"


def link_file(link: Link, file_id: str, wake_on_lan: bool, needed: bool = False) -> Rendered | None:
    """The .link file of this hardware, if it needs one: for its name and offloads, and for wake-on-LAN with networkd.

    udev applies it when a NIC appears, so at later boots; for this one, `Rename` does it (model/action.py).
    """
    wake_on_lan = wake_on_lan and link.wake_on_lan
    if not link.set_name and not wake_on_lan and not link.offloads and not needed:
        return None
    match, section = Section("Match"), Section("Link")
    match.set("MACAddress", link.match.mac)
    match.set("OriginalName", " ".join(link.match.names))
    match.set("Driver", " ".join(link.match.drivers))
    match.set("Type", hardware_type(link))
    # Of all .link files only the first that matches counts: the rest of 99-default.link is said again.
    if link.set_name:
        section.set("Name", link.set_name)
    else:
        section.set("NamePolicy", "keep kernel database onboard slot path")
    section.set("AlternativeNamesPolicy", "database onboard slot path")
    section.set("MACAddressPolicy", "persistent")
    section.set("WakeOnLan", "magic" if wake_on_lan else None)
    for name, is_on in link.offloads:
        section.set(name, is_on)
    path = f"/etc/systemd/network/10-guestinit-{file_id}.link"
    return Rendered(path, text((match, section)), 0o644, link.at, link.name)


# name servers without an interface, for the managers that leave names to systemd-resolved

RESOLVED = "/etc/systemd/resolved.conf.d/50-guestinit.conf"


def resolved_file(network: Network) -> tuple[Rendered, ...]:
    """The drop-in of systemd-resolved with the servers and domains of the whole network; none if there are none."""
    section = Section("Resolve")
    section.set("DNS", " ".join(given.value for given in network.dns))
    section.set("Domains", " ".join(given.value for given in network.search))
    if not section.lines:
        return ()
    at = (network.dns or network.search)[0].at
    return (Rendered(RESOLVED, text((section,)), 0o644, at),)
