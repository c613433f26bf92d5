"""What a network configuration asks for, whichever format said it: the one model that every renderer takes.

Addresses, routes and masks are normalised here (`10.0.0.5` and `24`, never `255.255.255.0`); every item keeps the place
that asked for it. Nothing in a model can hold a line break, so that a renderer may write any field as it is.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from guestinit.model.action import Check
from guestinit.model.problem import Position
from guestinit.model.tunnel import Tunnel
from guestinit.model.value import Given

# "Nothing" has three meanings. The third, no network-config at all, is no Network (None).
CONFIGURED = "configured"
DISABLED = "disabled"  # `config: disabled`: the network is none of our business
EMPTY = "empty"  # a document without interfaces: the image's own configuration stays, name servers may be given

PHYSICAL = "physical"
INFINIBAND = "infiniband"
LOOPBACK = "loopback"
BOND = "bond"
BRIDGE = "bridge"
VLAN = "vlan"
VRF = "vrf"
DUMMY = "dummy"
TUNNEL = "tunnel"
HARDWARE = (PHYSICAL, INFINIBAND)  # kinds that are matched, not made

# Who wrote a document, as far as it matters what its names mean.
VERSION_1 = "v1"
VERSION_2 = "v2"
OPENSTACK = "openstack"
ENI = "eni"

MAIN_TABLE = 254

# The network managers that files are written for.
RENDERERS = ("networkd", "network-manager", "netplan", "ifupdown")
NETPLAN_FILE = "/etc/netplan/50-cloud-init.yaml"  # where tools look for it, and cloud-init's would be read as well


class Address(NamedTuple):
    """An address of an interface."""

    ip: str  # as inet_ntop(3) writes it
    prefix: int
    at: Position
    label: str = ""  # IPv4 only: ip-address(8)
    deprecated: bool = False  # usable, but not chosen for new connections (`lifetime: 0`)

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.ip else 4

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefix}"


class Route(NamedTuple):
    """A route, by CIDR: `0.0.0.0/0` and `::/0` are the default ones."""

    to: str
    at: Position
    via: str = ""  # empty: the destination is on the link itself
    metric: Optional[int] = None  # None: what the network manager chooses
    on_link: bool = False  # the gateway is outside every subnet, and asked for on the link all the same
    table: Optional[int] = None  # None: the main one, or the VRF's
    scope: str = ""  # "global", "link", "host"
    type: str = ""  # "unicast", "blackhole", "unreachable", "prohibit", "throw", "local"
    source: str = ""  # preferred source address
    mtu: Optional[int] = None
    congestion_window: Optional[int] = None  # initial, in segments
    receive_window: Optional[int] = None  # initial and advertised, in segments
    advertised_mss: Optional[int] = None  # bytes

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.to else 4

    @property
    def is_default(self) -> bool:
        """Whether this is a way out: a default route in the main table."""
        return self.to in ("0.0.0.0/0", "::/0") and self.table in (None, MAIN_TABLE) and self.type in ("", "unicast")


class Rule(NamedTuple):
    """A rule that chooses a routing table: ip-rule(8)."""

    at: Position
    source: str = ""  # CIDR
    to: str = ""  # CIDR
    table: Optional[int] = None
    priority: Optional[int] = None
    mark: Optional[int] = None
    tos: Optional[int] = None

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.source + self.to else 4


class Dhcp(NamedTuple):
    """A lease is asked for. None and empty mean: what the network manager does by itself."""

    at: Position
    route_metric: Optional[int] = None
    use_dns: Optional[bool] = None
    use_domains: str = ""  # "true", "false", "route"
    use_routes: Optional[bool] = None
    use_mtu: Optional[bool] = None
    use_ntp: Optional[bool] = None
    use_hostname: Optional[bool] = None
    send_hostname: Optional[bool] = None
    hostname: str = ""
    identifier: str = ""  # "mac" or "duid"


class Match(NamedTuple):
    """Which hardware is meant; all that is given must be true of it."""

    mac: str = ""  # lower case with colons
    names: tuple[str, ...] = ()  # the kernel's names, with the wildcards of fnmatch(3)
    drivers: tuple[str, ...] = ()  # likewise

    @property
    def exact_name(self) -> str:
        """The one interface name that this is, if it is nothing but a name without wildcards."""
        if self.mac or self.drivers or len(self.names) != 1 or any(sign in self.names[0] for sign in "*?["):
            return ""
        return self.names[0]

    @property
    def is_broad(self) -> bool:
        """Whether it may hold for several interfaces, so that one which names its interface comes first."""
        return not self.mac and not self.exact_name


class Link(NamedTuple):
    """An interface: hardware that is matched, or a virtual one that is made."""

    kind: str
    name: str  # the document's label; of a virtual interface also the kernel's name
    at: Position
    path: str = ""  # where the document has it: "config.0", "ethernets.eth0"
    match: Match = Match()
    set_name: str = ""  # what the kernel shall call the hardware
    addresses: tuple[Address, ...] = ()
    dhcp4: Optional[Dhcp] = None
    dhcp6: Optional[Dhcp] = None
    accept_ra: Optional[bool] = None  # router advertisements; None: as systems do by themselves, that is yes
    ra_metric: Optional[int] = None  # of the default route that they announce
    link_local: Optional[tuple[int, ...]] = None  # families (4, 6) with a link-local address; None: IPv6 only
    ipv6_privacy: Optional[bool] = None
    ipv6_generation: str = ""  # "eui64", "stable-privacy"
    ipv6_token: str = ""  # the interface part of a stateless address, "::1"
    ipv6_mtu: Optional[int] = None
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    dns: tuple[Given[str], ...] = ()  # servers, the document's global ones included
    search: tuple[Given[str], ...] = ()
    mtu: Optional[int] = None
    mac: str = ""  # the address to set
    wake_on_lan: bool = False
    offloads: tuple[tuple[str, bool], ...] = ()  # of hardware, by the names of systemd.link(5), sorted
    emit_lldp: Optional[bool] = None  # whether it tells its neighbours who it is
    infiniband_mode: str = ""  # "datagram", "connected"
    optional: bool = False  # "online" does not wait for it
    activation: str = ""  # "manual": known, but not brought up; "off": kept down
    ignore_carrier: bool = False
    members: tuple[Given[str], ...] = ()  # of a bond, a bridge or a VRF: names of other links
    parent: str = ""  # of a VLAN, and of a tunnel that asks for one: the name of the link below
    vlan_id: int = 0
    table: Optional[int] = None  # of a VRF
    tunnel: Optional[Tunnel] = None
    parameters: tuple[tuple[str, str], ...] = ()  # of a bond, a bridge or a VXLAN, by the kernel's names, sorted
    costs: tuple[tuple[str, int], ...] = ()  # of a bridge: path cost by member
    priorities: tuple[tuple[str, int], ...] = ()  # of a bridge: priority by member
    port: tuple[tuple[str, bool], ...] = ()  # as a member of a bridge: "hairpin", "learning", "neigh_suppress", sorted

    @property
    def has_addressing(self) -> bool:
        """Whether the document gives it addresses, itself or through a server or router."""
        return bool(self.addresses or self.dhcp4 or self.dhcp6 or self.accept_ra)


class Network(NamedTuple):
    """The whole configuration."""

    state: str
    at: Position
    links: tuple[Link, ...] = ()
    dns: tuple[Given[str], ...] = ()  # global servers, in the order of the document; every link has them too
    search: tuple[Given[str], ...] = ()
    format: str = ""  # "v1", "v2", "openstack", "eni"


class Rendered(NamedTuple):
    """A file of a network manager."""

    path: str
    content: bytes
    mode: int
    because: Position
    link: str = ""  # the name of the link that it is for
    group: str = ""  # empty: root
    activate: str = ""  # NetworkManager: the UUID of the connection to bring up anew after a change
    port: bool = False  # NetworkManager: it comes up with its bond or bridge, so that goes first
    device: str = ""  # NetworkManager: the one interface that it is for, if that is known
    told: str = ""  # said when the file was changed: what of it does not count at once
    check: Optional[Check] = None  # what must take the content before it replaces the old


def masters(network: Network) -> dict[str, Link]:
    """The bond, bridge or VRF of every link that belongs to one."""
    return {member.value: link for link in network.links for member in link.members}


class Port(NamedTuple):
    """What a bridge says of one of its members."""

    cost: Optional[int] = None
    priority: Optional[int] = None


def ports(network: Network) -> dict[str, Port]:
    """By member; those of which nothing is said are not in it."""
    found: dict[str, Port] = {}
    for link in network.links:
        for name, cost in link.costs:
            found[name] = found.get(name, Port())._replace(cost=cost)
        for name, priority in link.priorities:
            found[name] = found.get(name, Port())._replace(priority=priority)
    return found


def file_ids(network: Network) -> dict[str, str]:
    """The <id> in file names, by link name: unique, and without anything that a path or a unit name minds."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for link in network.links:
        name = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in link.name)
        name = name[:64].strip(".") or "link"
        plain = name
        while name in taken:
            counts[plain] = counts.get(plain, 1) + 1
            name = f"{plain}-{counts[plain]}"
        taken.add(name)
        found[link.name] = name
    return found
