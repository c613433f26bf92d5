"""netplan: tunnels. Loaded only where there are some."""

from __future__ import annotations

from typing import Optional

from guestinit.model.network import Link
from guestinit.model.problem import Problems
from guestinit.model.secret import Secret
from guestinit.model.tunnel import MODES, VXLAN, WIREGUARD, Peer, Tunnel
from guestinit.model.yaml_text import Tree

# The names of ip-link(8), as netplan calls them.
_NUMBERS = {
    "id": "id",
    "dstport": "port",
    "tos": "type-of-service",
    "ageing": "ageing",
    "maxaddress": "limit",
    "flowlabel": "flow-label",
}
_FLAGS = {"learning": "mac-learning", "proxy": "arp-proxy", "rsc": "short-circuit", "df": "do-not-fragment"}
_LISTS = {
    "notifications": {"l2miss": "l2-miss", "l3miss": "l3-miss"},
    "checksums": {
        "udpcsum": "udp", "udp6zerocsumtx": "zero-udp6-tx", "udp6zerocsumrx": "zero-udp6-rx",
        "remcsumtx": "remote-tx", "remcsumrx": "remote-rx",
    },
    "extensions": {"gbp": "group-policy", "gpe": "generic-protocol"},
}  # fmt: skip


def refusal(link: Link) -> str:
    """What netplan would refuse the whole file for; "" if nothing."""
    tunnel = link.tunnel
    if tunnel is None:
        return ""
    if tunnel.mode == WIREGUARD and not any(peer.allowed for peer in tunnel.peers):
        return "wireguard without a peer that has allowed-ips"  # 0.106
    return "vxlan with the id 0" if tunnel.mode == VXLAN and dict(link.parameters).get("id") == "0" else ""


def describe(link: Link, ids: dict[str, str], problems: Problems) -> dict[str, Tree]:
    """What the definition of a tunnel begins with. `ids`: what each link is called in the file."""
    tunnel = link.tunnel
    assert tunnel is not None
    found: dict[str, Tree] = {"mode": tunnel.mode}
    if tunnel.mode == WIREGUARD:
        found.update(_wireguard(link, tunnel, problems))
        return found
    local = tunnel.local
    if not local and tunnel.mode != VXLAN:  # 0.106 wants one; this is any
        local = "::" if MODES[tunnel.mode].outer == 6 else "0.0.0.0"
    for name, text in (("local", local), ("remote", tunnel.remote)):
        if text:
            found[name] = text
    if tunnel.ttl is not None:
        found["ttl"] = tunnel.ttl
    sides = (("input", tunnel.input_key), ("output", tunnel.output_key))
    keys: dict[str, Tree] = {side: key for side, key in sides if key is not None}
    if keys:
        found["keys"] = keys
    if tunnel.mode == VXLAN:
        found.update(_vxlan(dict(link.parameters)))
    if link.parent and tunnel.mode == VXLAN:
        found["link"] = ids[link.parent]
    elif link.parent:
        message = f"netplan has no link for a tunnel of the mode {tunnel.mode}"
        problems.warning(link.at, link.path, message, "its packets leave by the way that the routes say")
    return found


def _vxlan(given: dict[str, str]) -> dict[str, Tree]:
    found: dict[str, Tree] = {theirs: int(given[name]) for name, theirs in _NUMBERS.items() if name in given}
    found.update({theirs: given[name] == "1" for name, theirs in _FLAGS.items() if name in given})
    for theirs, names in _LISTS.items():
        chosen = [text for name, text in names.items() if given.get(name) == "1"]
        if chosen:
            found[theirs] = chosen
    if "srcport" in given:
        found["port-range"] = [int(port) for port in given["srcport"].split()]
    return found


def _wireguard(link: Link, tunnel: Tunnel, problems: Problems) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    private = _key(tunnel.private, tunnel.private_file)
    if private:
        found["keys"] = {"private": private}
    for name, number in (("port", tunnel.port), ("mark", tunnel.mark)):
        if number:
            found[name] = number
    peers: list[Tree] = []
    for peer in tunnel.peers:
        if peer.allowed:
            peers.append(_peer(peer))
        else:
            problems.error(peer.at, link.path, "netplan takes no peer without allowed-ips", "this peer is left out")
    found["peers"] = peers
    return found


def _peer(peer: Peer) -> dict[str, Tree]:
    keys: dict[str, Tree] = {"public": peer.public}
    shared = _key(peer.shared, peer.shared_file)
    if shared:
        keys["shared"] = shared
    found: dict[str, Tree] = {"keys": keys, "allowed-ips": peer.allowed}
    if peer.endpoint:
        found["endpoint"] = peer.endpoint
    if peer.keepalive:
        found["keepalive"] = peer.keepalive
    return found


def _key(secret: Optional[Secret], path: str) -> str:
    """A key as the file holds it, which nobody but root may read; or where it is."""
    return secret.reveal().decode() if secret is not None else path
