"""Tunnels as commands of ip-link(8): loaded only where there are some.

What the words mean stands in `model/tunnel.py`. WireGuard's keys are in a file of their own, since a command would
show them to everybody; wg(8) reads it, of the package wireguard-tools.
"""

from __future__ import annotations

from guestinit.model.network import Link, Rendered
from guestinit.model.secret import Secret
from guestinit.model.shell import quoted
from guestinit.model.tunnel import VXLAN, WIREGUARD

_TYPES = {"ipip6": "ip6tnl mode ipip6", "ip6ip6": "ip6tnl mode ip6ip6"}  # otherwise the mode itself
_FLAGS = frozenset((
    "learning", "proxy", "l2miss", "l3miss", "rsc", "udpcsum", "udp6zerocsumtx", "udp6zerocsumrx", "remcsumtx",
    "remcsumrx", "gbp", "gpe",
))  # fmt: skip


def wireguard_path(file_id: str) -> str:
    """Where the file with the keys of this WireGuard interface is."""
    return f"/etc/wireguard/guestinit-{file_id}.conf"


def kind(link: Link, parent: str) -> str:
    """What `ip link add` says of a tunnel."""
    tunnel = link.tunnel
    assert tunnel is not None
    if tunnel.mode == WIREGUARD:
        return "type wireguard"
    words = [f"type {_TYPES.get(tunnel.mode, tunnel.mode)}"]
    if tunnel.mode == VXLAN:
        words += _vxlan(link)
    if tunnel.local:
        words.append(f"local {tunnel.local}")
    if tunnel.remote:
        words.append(f"{'group' if tunnel.mode == VXLAN and tunnel.is_group else 'remote'} {tunnel.remote}")
    if tunnel.ttl is not None:
        words.append(f"ttl {tunnel.ttl}")
    if tunnel.input_key is not None and tunnel.input_key == tunnel.output_key:
        words.append(f"key {tunnel.input_key}")
    else:
        words += [f"ikey {tunnel.input_key}"] if tunnel.input_key is not None else []
        words += [f"okey {tunnel.output_key}"] if tunnel.output_key is not None else []
    if parent:
        words.append(f"dev {parent}")
    return " ".join(words)


def _vxlan(link: Link) -> list[str]:
    words = []
    for name, value in link.parameters:
        if name == "df":
            words.append(f"df {'set' if value == '1' else 'unset'}")
        elif name in ("gbp", "gpe"):  # these have no opposite
            words += [name] if value == "1" else []
        elif name in _FLAGS:
            words.append(name if value == "1" else f"no{name}")
        else:
            words.append(f"{name} {value}")
    return words


def wireguard_file(link: Link, file_id: str) -> Rendered:
    """The keys and peers of a WireGuard interface: wg(8), CONFIGURATION FILE FORMAT."""
    tunnel = link.tunnel
    assert tunnel is not None
    lines = ["[Interface]"]
    if tunnel.private is not None:
        lines.append(f"PrivateKey = {_text(tunnel.private)}")
    if tunnel.port is not None:
        lines.append(f"ListenPort = {tunnel.port}")
    if tunnel.mark:
        lines.append(f"FwMark = {tunnel.mark:#x}")
    for peer in tunnel.peers:
        lines += ["", "[Peer]", f"PublicKey = {peer.public}"]
        if peer.shared is not None:
            lines.append(f"PresharedKey = {_text(peer.shared)}")
        if peer.allowed:
            lines.append(f"AllowedIPs = {', '.join(peer.allowed)}")
        if peer.endpoint:
            lines.append(f"Endpoint = {peer.endpoint}")
        if peer.keepalive is not None:
            lines.append(f"PersistentKeepalive = {peer.keepalive}")
    content = "# Written by guestinit.\n" + "".join(line + "\n" for line in lines)
    return Rendered(wireguard_path(file_id), content.encode(), 0o600, link.at, link.name)


def wireguard(link: Link, file_id: str) -> list[str]:
    """What gives a WireGuard interface its keys and peers, some of them from files that the document names."""
    tunnel = link.tunnel
    if tunnel is None or tunnel.mode != WIREGUARD:
        return []
    found = [f"wg setconf $IFACE {wireguard_path(file_id)}"]
    if tunnel.private_file:
        found.append(f"wg set $IFACE private-key {quoted(tunnel.private_file)}")
    for peer in tunnel.peers:
        if peer.shared_file:
            found.append(f"wg set $IFACE peer {peer.public} preshared-key {quoted(peer.shared_file)}")
    return found


def _text(secret: Secret) -> str:
    """A key as the file holds it: this is the last write."""
    return secret.reveal().decode()
