"""NetworkManager: a keyfile for each link.

Formats: nm-settings-keyfile(5); every property here is known to NetworkManager 1.42 (Debian 12, EL 9). They may hold
keys, and NetworkManager reads none that others may read.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit import rooms
from guestinit.model import hardware
from guestinit.model.action import Check, Gentler, Step
from guestinit.model.facts import Facts, Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    HARDWARE,
    INFINIBAND,
    LOOPBACK,
    PHYSICAL,
    TUNNEL,
    VLAN,
    VRF,
    Link,
    Network,
    Port,
    Rendered,
    file_ids,
    masters,
    ports,
)
from guestinit.model.problem import Problems
from guestinit.model.tunnel import VXLAN
from guestinit.renderers import Section, link_file, tell, text
from guestinit.renderers.network_manager import addressing

DIRECTORY = "/etc/NetworkManager/system-connections"
PRIORITY = 120  # above any profile of the image, which has 0 unless somebody chose otherwise
MAGIC_PACKET = 0x40  # wake-on-lan
_NAMESPACE = b"guestinit network connection\0"
# Without a running NetworkManager, from 1.40 on: a change that changes nothing, of the profile on standard input.
CHECK = Check(
    ("nmcli", "--offline", "connection", "modify", "connection.zone", ""),
    b"[connection]\nid=guestinit\ntype=ethernet\n[ethernet]\n",
)
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
            problems.note(at, "", message, "they are left out; the image's own configuration stays")
        return ()
    ids, owners, of_bridges = file_ids(network), masters(network), ports(network)
    addressing.say_lost_servers(network, problems)
    kernel_names = hardware.kernel_names(network, nics)
    found = []
    for link in network.links:
        if link.kind == LOOPBACK and not link.addresses:
            continue
        if link.kind in HARDWARE:
            name_file = link_file(link, ids[link.name], wake_on_lan=False)
            found += [name_file] if name_file else []
            if link.activation:
                message = "NetworkManager switches on every interface that it manages"
                problems.note(link.at, link.path, message, "it is up, but has no addresses")
        path = f"{DIRECTORY}/guestinit-{ids[link.name]}.nmconnection"
        port = of_bridges.get(link.name, Port())
        content = _content(link, owners.get(link.name), port, kernel_names, problems)
        owner = owners.get(link.name)
        is_port = owner is not None and owner.kind != VRF
        stays_down = link.activation or (owner is not None and owner.activation)
        activate = "" if stays_down else connection_uuid(link.name)
        is_one = link.kind not in HARDWARE or not link.match.is_broad
        device = kernel_names.get(link.name, link.name) if is_one else ""
        file = Rendered(path, content, 0o600, link.at, link.name, check=CHECK)
        found.append(file._replace(activate=activate, device=device, port=is_port))
    return tuple(found)


def reload(files: tuple[Rendered, ...], changed: tuple[str, ...], facts: Facts) -> Iterator[Step]:
    """NetworkManager reads all profiles again, and brings up those that changed; it leaves the others alone.

    A profile that is in use already is applied anew without taking the interface down: what stays the same (the address
    of the session that somebody works in) is not touched. What cannot be changed so, such as a MAC, needs an "up".
    """
    unit = "NetworkManager.service"
    yield tell("nmcli connection reload", ("nmcli", "connection", "reload"), changed, unit)
    for each in sorted(files, key=lambda each: each.port):
        if each.activate:
            # Asked for and not awaited: a lease may take its time, and nobody is to wait for that here.
            up = ("nmcli", "--wait", "0", "connection", "up", "uuid", each.activate)
            label = f"nmcli connection up {each.path.rpartition('/')[2][: -len('.nmconnection')]}"
            gentler = _reapply(each.device, each.activate) if each.device else None
            yield tell(label, up, (f"file:{each.path}",), unit, gentler)


def _reapply(device: str, uuid: str) -> Gentler:
    question = ("nmcli", "--get-values", "GENERAL.CON-UUID", "device", "show", device)
    return Gentler(("nmcli", "device", "reapply", device), question, uuid)


def _content(link: Link, master: Link | None, port: Port, kernel_names: dict[str, str], problems: Problems) -> bytes:
    """One keyfile."""
    if link.emit_lldp:
        problems.error(link.at, link.path, "NetworkManager sends no LLDP", "left out")
    is_port = master is not None and master.kind in (BOND, BRIDGE)
    return text((
        _connection(link, master),
        _match(link),
        _hardware(link),
        *_virtual(link, kernel_names, problems),
        _port(link, port, problems) if master is not None and master.kind == BRIDGE else None,
        None if is_port else addressing.section(link, 4, problems),
        None if is_port else addressing.section(link, 6, problems),
    ))  # fmt: skip


def _connection(link: Link, master: Link | None) -> Section:
    section = Section("connection", "true", "false")
    section.set("id", f"guestinit {link.name}")
    section.set("uuid", connection_uuid(link.name))
    is_tunnel = link.kind == TUNNEL
    kind = rooms.one("renderers", "tunnels").network_manager_type(link) if is_tunnel else link.kind
    section.set("type", _TYPES.get(kind, kind))
    section.set("interface-name", link.match.exact_name if link.kind in (*HARDWARE, LOOPBACK) else link.name)
    section.set("autoconnect", False if link.activation else None)
    is_broad = link.kind in HARDWARE and link.match.is_broad
    section.set("autoconnect-priority", PRIORITY - 1 if is_broad else PRIORITY)
    if link.kind in (BOND, BRIDGE):
        section.set("autoconnect-slaves", 1)
    if master is not None:
        section.set("master", master.name)
        section.set("slave-type", master.kind)
    if is_broad:
        section.set("multi-connect", 3)  # multiple: the match may hold for several interfaces
    return section


def _match(link: Link) -> Section | None:
    if link.kind not in HARDWARE or link.match.exact_name:
        return None
    section = Section("match")
    names = (*link.match.names, link.set_name) if link.match.names and link.set_name else link.match.names
    section.set("interface-name", addressing.listed(names))
    section.set("driver", addressing.listed(link.match.drivers))
    return section


def _hardware(link: Link) -> Section:
    """What is said about the interface itself; it also names its type, so it stands there even if it says nothing."""
    infiniband = link.kind == INFINIBAND
    section = Section("infiniband" if infiniband else "ethernet")
    if link.kind in HARDWARE:
        section.set("mac-address", link.match.mac.upper())
    if infiniband:
        section.set("transport-mode", link.infiniband_mode or "datagram")
    elif link.kind != LOOPBACK:
        section.set("cloned-mac-address", link.mac.upper())
        section.set("wake-on-lan", MAGIC_PACKET if link.wake_on_lan else None)
    if link.kind != LOOPBACK and (link.tunnel is None or link.tunnel.mode == VXLAN):
        section.set("mtu", link.mtu)  # tunnels without Ethernet have it in their own section
    return section


def _virtual(link: Link, kernel_names: dict[str, str], problems: Problems) -> list[Section]:
    if link.kind == TUNNEL:
        parent = connection_uuid(link.parent) if link.parent else ""
        found: list[Section] = rooms.one("renderers", "tunnels").network_manager(link, parent, problems)
        return found
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
            value = parameters[name]
            section.set(name, kernel_names.get(value, value) if name == "primary" else value)
        return [section]
    if link.kind == BRIDGE:
        section = Section("bridge", "true", "false")
        if parameters.get("forward_delay") in ("0", "1"):
            message = f"NetworkManager sets no forward delay of {parameters['forward_delay']} s"
            problems.note(link.at, link.path, message, "without the spanning tree it has no effect")
            parameters["forward_delay"] = "0"  # it refuses a profile with 1
        for name in ("forward_delay", "hello_time", "max_age", "ageing_time", "priority"):
            section.set(name.replace("_", "-"), parameters.get(name))
        # NetworkManager's own default is yes, which keeps a new bridge silent for half a minute; the kernel's is no.
        section.set("stp", parameters.get("stp") == "1")
        return [section]
    return []


def _port(link: Link, port: Port, problems: Problems) -> Section:
    section = Section("bridge-port", "true", "false")
    section.set("path-cost", port.cost)
    section.set("priority", port.priority)
    for name, is_on in link.port:
        if name == "hairpin":
            section.set("hairpin-mode", is_on)
        else:
            message = f"NetworkManager has no setting '{name}' for the port of a bridge"
            problems.error(link.at, link.path, message, "the kernel's default is used")
    return section
