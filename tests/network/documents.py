"""Network documents as the readers and renderers see them."""

from __future__ import annotations

import os
from typing import Optional

from guestinit import renderers
from guestinit.model.facts import Nic
from guestinit.model.network import Network, Rendered
from guestinit.model.problem import Problem, Problems
from guestinit.reading import network_config
from guestinit.renderers import naming

RENDERERS = ("networkd", "network-manager", "netplan", "ifupdown")
# Where each kind of file belongs, and who may read it.
PLACES = {
    ".network": ("/etc/systemd/network", 0o644),
    ".netdev": ("/etc/systemd/network", 0o644),
    "secret .conf": ("/etc/wireguard", 0o600),
    "secret .netdev": ("/etc/systemd/network", 0o640),
    ".link": ("/etc/systemd/network", 0o644),
    ".conf": ("/etc/systemd/resolved.conf.d", 0o644),
    ".nmconnection": ("/etc/NetworkManager/system-connections", 0o600),
    "": ("/etc/network/interfaces.d", 0o644),
    ".yaml": ("/etc/netplan", 0o600),
}

SECRET = ("PrivateKey=", "PresharedKey=", "private-key=", "preshared-key=")  # a file with one of these is not for all


def place(file: Rendered) -> tuple[str, int]:
    """The directory and the mode that a file is to have."""
    name = os.path.basename(file.path)
    if name.startswith("50-guestinit-"):  # a drop-in for what netplan generates
        return f"/etc/systemd/network/10-netplan-{name[len('50-guestinit-') : -len('.conf')]}.d", 0o644
    suffix = os.path.splitext(file.path)[1]
    is_secret = suffix == ".netdev" and any(word in file.content.decode() for word in SECRET)
    is_secret = is_secret or (suffix == ".conf" and b"[Interface]" in file.content)  # of WireGuard
    return PLACES["secret " + suffix if is_secret else suffix]


def read(text: str) -> tuple[Optional[Network], list[Problem]]:
    """The model of a text, and what is wrong with it."""
    problems = Problems()
    return network_config.read_text(text, "network-config", problems), problems.found


def configured(text: str) -> Network:
    """The model of a text in which nothing is wrong."""
    network, problems = read(text)
    assert network is not None
    assert [str(problem) for problem in problems] == []
    return network


def nics(text: str) -> tuple[Nic, ...]:
    """The interfaces of a machine, one a line: NAME=MAC, then driver=..., bus=..., and the words `up` and `carrier`."""
    found = []
    for line in text.splitlines():
        first, *words = line.split()
        given = dict(word.split("=", 1) for word in words if "=" in word)
        [nic] = renderers.parse_nics([first])
        flags = {word: word in words for word in ("up", "carrier")}
        found.append(nic._replace(driver=given.get("driver", ""), bus=given.get("bus", ""), **flags))
    return tuple(found)


def resolve(network: Network, here: tuple[Nic, ...]) -> tuple[naming.Resolved, list[Problem]]:
    """The network on this machine, and what is said about that."""
    problems = Problems()
    return naming.resolve(network, here, problems), problems.found


def render(name: str, network: Network, nics: tuple[Nic, ...] = ()) -> tuple[tuple[Rendered, ...], list[Problem]]:
    """The files of a renderer, and what it cannot express."""
    problems = Problems()
    return renderers.render(name, network, nics, problems), problems.found
