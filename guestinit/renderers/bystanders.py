"""Network managers that run beside the one that configures: they are told to leave its interfaces alone.

Two that ask for a lease on the same interface give it two addresses and two default routes. Formats:
NetworkManager.conf(5), systemd.network(5).
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit.model.action import Step
from guestinit.model.network import CONFIGURED, HARDWARE, Link, Network, Rendered, file_ids
from guestinit.renderers import Section, tell, text

NETWORKD = "networkd"
NETWORK_MANAGER = "network-manager"
CONF = "/etc/NetworkManager/conf.d/50-guestinit.conf"


def files(renderer: str, managers: tuple[str, ...], network: Network) -> tuple[Rendered, ...]:
    """Files for the others among `managers`, the ones that this image starts. netplan does this by itself."""
    if network.state != CONFIGURED or not network.links or renderer == "netplan":
        return ()
    found: tuple[Rendered, ...] = ()
    if NETWORK_MANAGER in managers and renderer != NETWORK_MANAGER:
        found += (_for_network_manager(network),)
    if NETWORKD in managers and renderer != NETWORKD:
        found += _for_networkd(network)
    return found


def reload(renderer: str, managers: tuple[str, ...], changed: tuple[str, ...]) -> Iterator[Step]:
    """How the others hear of it, where they run."""
    conf = tuple(each for each in changed if each.endswith(f":{CONF}"))
    if conf:
        yield tell("nmcli general reload conf", ("nmcli", "general", "reload", "conf"), conf, "NetworkManager.service")
    networks = tuple(each for each in changed if each.endswith(".network"))
    if networks and NETWORKD in managers and renderer not in (NETWORKD, "netplan"):
        yield tell("networkctl reload", ("networkctl", "reload"), networks, "systemd-networkd.service")


def _for_network_manager(network: Network) -> Rendered:
    section = Section("device-guestinit")
    section.set("match-device", ";".join(_device(link) for link in network.links))
    section.set("managed", 0)
    return Rendered(CONF, text((section,)), 0o644, network.at)


def _device(link: Link) -> str:
    if link.kind not in HARDWARE:
        return f"interface-name:{link.name}"
    if link.match.mac:
        return f"mac:{link.match.mac}"
    names = (f"interface-name:{name}" for name in link.match.names)
    drivers = (f"driver:{name}" for name in link.match.drivers)
    return ";".join(names if link.match.names else drivers)


def _for_networkd(network: Network) -> tuple[Rendered, ...]:
    ids = file_ids(network)
    found = []
    for link in network.links:
        match, unmanaged = Section("Match"), Section("Link")
        if link.kind in HARDWARE:
            match.set("MACAddress", link.match.mac)
            match.set("Name", " ".join(link.match.names))
            match.set("Driver", " ".join(link.match.drivers))
        else:
            match.set("Name", link.name)
        unmanaged.set("Unmanaged", True)
        path = f"/etc/systemd/network/10-guestinit-{ids[link.name]}.network"
        found.append(Rendered(path, text((match, unmanaged)), 0o644, link.at, link.name))
    return tuple(found)
