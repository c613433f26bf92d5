"""A tunnel: an interface whose packets travel inside those of another one."""

from __future__ import annotations

from typing import NamedTuple, Optional

from guestinit.model.problem import Position
from guestinit.model.secret import Secret

WIREGUARD = "wireguard"
VXLAN = "vxlan"
_MULTICAST4 = frozenset(map(str, range(224, 240)))  # the first numbers of 224.0.0.0/4


class Mode(NamedTuple):
    """What a kind of tunnel travels in and carries; the names are netplan's."""

    outer: Optional[int] = None  # the family (4, 6) of its two ends; None: either, but the same for both
    inner: Optional[int] = None  # the family that it carries; None: both
    keyed: bool = False  # whether its packets may carry a key
    ethernet: bool = False  # whether it carries frames, so that it can be in a bridge and ask for leases


MODES = {
    "sit": Mode(4, 6),
    "gre": Mode(4, keyed=True),
    "ip6gre": Mode(6, keyed=True),
    "ipip": Mode(4, 4),
    "ipip6": Mode(6, 4),
    "ip6ip6": Mode(6, 6),
    "gretap": Mode(4, keyed=True, ethernet=True),
    "ip6gretap": Mode(6, keyed=True, ethernet=True),
    "vti": Mode(4, keyed=True),
    "vti6": Mode(6, keyed=True),
    VXLAN: Mode(ethernet=True),
    WIREGUARD: Mode(),
}


class Peer(NamedTuple):
    """A peer of WireGuard: wg(8)."""

    at: Position
    public: str  # its key, in base64
    shared: Optional[Secret] = None  # the preshared key, in base64
    shared_file: str = ""  # or the file that holds it
    endpoint: str = ""  # "192.0.2.1:51820", "[2001:db8::1]:51820" or "vpn.example.test:51820"
    allowed: tuple[str, ...] = ()  # CIDR
    keepalive: Optional[int] = None  # seconds; None: off


class Tunnel(NamedTuple):
    """What is special about a tunnel. The options of a VXLAN are its link's `parameters`."""

    mode: str  # one of MODES
    local: str = ""  # empty: whatever the route to the other end says
    remote: str = ""  # a VXLAN's may be a multicast group
    ttl: Optional[int] = None  # None: what the network manager chooses
    input_key: Optional[int] = None
    output_key: Optional[int] = None
    private: Optional[Secret] = None  # WireGuard's own key, in base64
    private_file: str = ""  # or the file that holds it
    port: Optional[int] = None  # that WireGuard listens at; None: any
    mark: Optional[int] = None  # the firewall's, on WireGuard's packets
    peers: tuple[Peer, ...] = ()

    @property
    def is_group(self) -> bool:
        """Whether the other end is a multicast group."""
        return self.remote[:2].lower() == "ff" or self.remote.partition(".")[0] in _MULTICAST4

    @property
    def has_secrets(self) -> bool:
        """Whether a file that describes it must be kept from others."""
        return self.private is not None or any(peer.shared is not None for peer in self.peers)
