"""Tunnels in the words of each network manager: loaded only where there are some.

What the words mean stands in `model/tunnel.py`; a VXLAN's parameters have the names of ip-link(8).
"""

from __future__ import annotations

from guestinit.model.network import Link
from guestinit.model.problem import Problems
from guestinit.model.secret import Secret
from guestinit.model.tunnel import VXLAN, WIREGUARD, Tunnel
from guestinit.renderers import Section

# systemd.netdev(5): [VXLAN]
_NETWORKD_VXLAN = (
    ("id", "VNI"),
    ("tos", "TOS"),
    ("learning", "MacLearning"),
    ("ageing", "FDBAgeingSec"),
    ("maxaddress", "MaximumFDBEntries"),
    ("proxy", "ReduceARPProxy"),
    ("l2miss", "L2MissNotification"),
    ("l3miss", "L3MissNotification"),
    ("rsc", "RouteShortCircuit"),
    ("udpcsum", "UDPChecksum"),
    ("udp6zerocsumtx", "UDP6ZeroChecksumTx"),
    ("udp6zerocsumrx", "UDP6ZeroChecksumRx"),
    ("remcsumtx", "RemoteChecksumTx"),
    ("remcsumrx", "RemoteChecksumRx"),
    ("gbp", "GroupPolicyExtension"),
    ("gpe", "GenericProtocolExtension"),
    ("dstport", "DestinationPort"),
    ("srcport", "PortRange"),
    ("flowlabel", "FlowLabel"),
    ("df", "IPDoNotFragment"),
)
_FLAGS = frozenset((
    "learning", "proxy", "l2miss", "l3miss", "rsc", "udpcsum", "udp6zerocsumtx", "udp6zerocsumrx", "remcsumtx",
    "remcsumrx", "gbp", "gpe", "df",
))  # fmt: skip
# nm-settings(5): [vxlan], and the numbers of NMIPTunnelMode
_NM_VXLAN = {
    "id": "id", "tos": "tos", "learning": "learning", "ageing": "ageing", "maxaddress": "limit", "proxy": "proxy",
    "l2miss": "l2-miss", "l3miss": "l3-miss", "rsc": "rsc", "dstport": "destination-port",
}  # fmt: skip
_NM_MODES = {
    "ipip": 1, "gre": 2, "sit": 3, "vti": 5, "ip6ip6": 6, "ipip6": 7, "ip6gre": 8, "vti6": 9, "gretap": 10,
    "ip6gretap": 11,
}  # fmt: skip


def _parts(link: Link) -> tuple[Tunnel, dict[str, str]]:
    assert link.tunnel is not None
    return link.tunnel, dict(link.parameters)


def _text(secret: Secret | None) -> str:
    """A key as the file holds it: this is the last write."""
    return secret.reveal().decode() if secret is not None else ""


# systemd-networkd


def networkd_kind(link: Link) -> str:
    """What `Kind=` says of it."""
    tunnel, _ = _parts(link)
    return "ip6tnl" if tunnel.mode in ("ipip6", "ip6ip6") else tunnel.mode


def networkd_stacking(link: Link) -> str:
    """The setting by which the .network file of the link below asks for it."""
    tunnel, _ = _parts(link)
    return "VXLAN" if tunnel.mode == VXLAN else "Tunnel"


def networkd(link: Link) -> list[Section]:
    """The sections of a .netdev file beside [NetDev]."""
    tunnel, parameters = _parts(link)
    if tunnel.mode == WIREGUARD:
        return _networkd_wireguard(tunnel)
    section = Section("VXLAN" if tunnel.mode == VXLAN else "Tunnel")
    for name, theirs in _NETWORKD_VXLAN:
        value = parameters.get(name)
        if value is not None:
            section.set(theirs, value == "1" if name in _FLAGS else value.replace(" ", "-"))
    if tunnel.mode in ("ipip6", "ip6ip6"):
        section.set("Mode", tunnel.mode)
    section.set("Local", tunnel.local)
    section.set("Group" if tunnel.is_group else "Remote", tunnel.remote)
    section.set("TTL", tunnel.ttl)
    if tunnel.input_key == tunnel.output_key:
        section.set("Key", tunnel.input_key)
    else:
        section.set("InputKey", tunnel.input_key)
        section.set("OutputKey", tunnel.output_key)
    section.set("Independent", not link.parent or None)
    return [section]


def _networkd_wireguard(tunnel: Tunnel) -> list[Section]:
    section = Section("WireGuard")
    section.set("PrivateKey", _text(tunnel.private))
    section.set("PrivateKeyFile", tunnel.private_file)
    section.set("ListenPort", tunnel.port)
    section.set("FirewallMark", tunnel.mark or None)
    found = [section]
    for peer in tunnel.peers:
        section = Section("WireGuardPeer")
        section.set("PublicKey", peer.public)
        section.set("PresharedKey", _text(peer.shared))
        section.set("PresharedKeyFile", peer.shared_file)
        section.set("AllowedIPs", ",".join(peer.allowed))
        section.set("Endpoint", peer.endpoint)
        section.set("PersistentKeepalive", peer.keepalive)
        found.append(section)
    return found


# NetworkManager


def network_manager_type(link: Link) -> str:
    """What `type` says of it."""
    tunnel, _ = _parts(link)
    return tunnel.mode if tunnel.mode in (VXLAN, WIREGUARD) else "ip-tunnel"


def network_manager(link: Link, parent: str, problems: Problems) -> list[Section]:
    """The sections that describe the interface. `parent` is the UUID of the connection below, or empty."""
    tunnel, parameters = _parts(link)
    if tunnel.mode == WIREGUARD:
        return _network_manager_wireguard(link, tunnel, problems)
    section = Section("vxlan" if tunnel.mode == VXLAN else "ip-tunnel", "true", "false")
    section.set("mode", _NM_MODES.get(tunnel.mode))
    for name, value in parameters.items():
        if name == "srcport":
            low, high = value.split()
            section.set("source-port-min", low)
            section.set("source-port-max", high)
        elif name in _NM_VXLAN:
            section.set(_NM_VXLAN[name], value == "1" if name in _FLAGS else value)
        else:
            message = f"NetworkManager has no setting for a vxlan's {name}"
            problems.error(link.at, link.path, message, "the kernel's default is used")
    section.set("parent", parent)
    section.set("local", tunnel.local)
    section.set("remote", tunnel.remote)
    section.set("ttl", tunnel.ttl)
    section.set("input-key", tunnel.input_key)
    section.set("output-key", tunnel.output_key)
    if tunnel.mode == VXLAN:
        return [section]
    section.set("mtu", link.mtu)
    return [section]


def _network_manager_wireguard(link: Link, tunnel: Tunnel, problems: Problems) -> list[Section]:
    section = Section("wireguard", "true", "false")
    section.set("private-key", _text(tunnel.private))
    if tunnel.private_file:
        message = "NetworkManager takes the key of wireguard itself, not the path of a file"
        problems.error(link.at, link.path, message, "it has no key: write the key into the document")
    section.set("listen-port", tunnel.port)
    section.set("fwmark", tunnel.mark or None)
    section.set("mtu", link.mtu)
    # Routes are those of the document, as with every other manager, and not what peers may send.
    section.set("peer-routes", False)
    section.set("ip4-auto-default-route", 0)
    section.set("ip6-auto-default-route", 0)
    found = [section]
    for peer in tunnel.peers:
        if peer.shared_file:
            message = "NetworkManager takes a preshared key itself, not the path of a file"
            problems.error(peer.at, link.path, message, "this peer is left out")
            continue
        section = Section(f"wireguard-peer.{peer.public}")
        section.set("endpoint", peer.endpoint)
        section.set("preshared-key", _text(peer.shared))
        section.set("preshared-key-flags", 0 if peer.shared else None)
        section.set("persistent-keepalive", peer.keepalive)
        section.set("allowed-ips", "".join(f"{each};" for each in peer.allowed))
        found.append(section)
    return found
