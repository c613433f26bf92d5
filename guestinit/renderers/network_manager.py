"""NetworkManager: a keyfile for each link.

Formats: nm-settings-keyfile(5); every property here is known to NetworkManager 1.42 (Debian 12, EL 9). The files hold no
secrets today, but NetworkManager reads none that others may read.
"""

from __future__ import annotations

from guestinit.model.facts import Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    HARDWARE,
    INFINIBAND,
    LOOPBACK,
    PHYSICAL,
    VLAN,
    VRF,
    Link,
    Network,
    Rendered,
    file_ids,
    masters,
)
from guestinit.model.problem import Problems
from guestinit.renderers import link_file
from guestinit.renderers import network_manager_ip as ip
from guestinit.renderers.ini import Section, text

DIRECTORY = "/etc/NetworkManager/system-connections"
PRIORITY = 120  # above any profile of the image, which has 0 unless somebody chose otherwise
MAGIC_PACKET = 0x40  # wake-on-lan
_NAMESPACE = b"guestinit network connection\0"
_TYPES = {PHYSICAL: "ethernet"}  # otherwise the kind itself


def connection_uuid(name: str) -> str:
    """The UUID of a link's connection: always the same for the same name (RFC 9562, version 8: a digest)."""
    import hashlib

    digits = bytearray(hashlib.sha256(_NAMESPACE + name.encode("utf-8", "surrogateescape")).digest()[:16])
    digits[6] = digits[6] & 0x0F | 0x80
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def render(network: Network, nics: tuple[Nic, ...], problems: Problems) -> tuple[Rendered, ...]:
    """The files of NetworkManager."""
    if network.state != CONFIGURED:
        if network.dns or network.search:
            at = (network.dns or network.search)[0].at
            message = "name servers without any interface: NetworkManager knows them by connection only"
            problems.warning(at, "", message, "they are left out; the image's own configuration stays")
        return ()
    ids, owners = file_ids(network), masters(network)
    ip.say_lost_servers(network, owners, problems)
    found = []
    for link in network.links:
        if link.kind == LOOPBACK and not link.addresses:
            continue
        if link.kind in HARDWARE:
            name_file = link_file.render(link, ids[link.name], wake_on_lan=False)
            found += [name_file] if name_file else []
        path = f"{DIRECTORY}/guestinit-{ids[link.name]}.nmconnection"
        content = _content(link, owners.get(link.name), problems)
        found.append(Rendered(path, content, 0o600, link.at, link.name))
    return tuple(found)


def _content(link: Link, master: Link | None, problems: Problems) -> bytes:
    """One keyfile."""
    is_port = master is not None and master.kind in (BOND, BRIDGE)
    return text((
        _connection(link, master),
        _match(link),
        _hardware(link),
        *_virtual(link),
        _port(link, master) if master is not None and master.kind == BRIDGE else None,
        None if is_port else ip.section(link, 4, problems),
        None if is_port else ip.section(link, 6, problems),
    ))  # fmt: skip


def _connection(link: Link, master: Link | None) -> Section:
    section = Section("connection", "true", "false")
    section.set("id", f"guestinit {link.name}")
    section.set("uuid", connection_uuid(link.name))
    section.set("type", _TYPES.get(link.kind, link.kind))
    section.set("interface-name", link.match.exact_name if link.kind in (*HARDWARE, LOOPBACK) else link.name)
    section.set("autoconnect", False if link.activation else None)
    section.set("autoconnect-priority", PRIORITY)
    if link.kind in (BOND, BRIDGE):
        section.set("autoconnect-slaves", 1)
    if master is not None:
        section.set("master", master.name)
        section.set("slave-type", master.kind)
    if link.kind in HARDWARE and not link.match.mac and not link.match.exact_name:
        section.set("multi-connect", 3)  # multiple: the match may hold for several interfaces
    return section


def _match(link: Link) -> Section | None:
    if link.kind not in HARDWARE or link.match.exact_name:
        return None
    section = Section("match")
    section.set("interface-name", _list(link.match.names))
    section.set("driver", _list(link.match.drivers))
    return section


def _hardware(link: Link) -> Section:
    """What is said about the interface itself; it also names its type, so it stands there even if it says nothing."""
    infiniband = link.kind == INFINIBAND
    section = Section("infiniband" if infiniband else "ethernet")
    if link.kind in HARDWARE:
        section.set("mac-address", link.match.mac.upper())
    if infiniband:
        section.set("transport-mode", "datagram")
    elif link.kind != LOOPBACK:
        section.set("cloned-mac-address", link.mac.upper())
        section.set("wake-on-lan", MAGIC_PACKET if link.wake_on_lan else None)
    if link.kind != LOOPBACK:
        section.set("mtu", link.mtu)
    return section


def _virtual(link: Link) -> list[Section]:
    if link.kind == VLAN:
        section = Section("vlan")
        section.set("id", link.vlan_id)
        section.set("parent", connection_uuid(link.parent))
        return [section]
    if link.kind == VRF:
        section = Section("vrf")
        section.set("table", link.table)
        return [section]
    parameters = dict(link.parameters)
    if link.kind == BOND:
        section = Section("bond")
        for name in sorted(parameters):
            # NetworkManager names a primary port by its interface, which a label need not be.
            section.set(name, parameters[name])
        return [section]
    if link.kind == BRIDGE:
        section = Section("bridge", "true", "false")
        for name in ("forward_delay", "hello_time", "max_age", "ageing_time", "priority"):
            section.set(name.replace("_", "-"), parameters.get(name))
        if "stp" in parameters:
            section.set("stp", parameters["stp"] == "1")
        return [section]
    return []


def _port(link: Link, bridge: Link) -> Section:
    section = Section("bridge-port")
    section.set("path-cost", dict(bridge.costs).get(link.name))
    section.set("priority", dict(bridge.priorities).get(link.name))
    return section


def _list(values: tuple[str, ...]) -> str:
    return "".join(value + ";" for value in values)
