"""systemd-networkd: a .network file for each link, a .netdev for each that is made.

Formats: systemd.network(5) and systemd.netdev(5); every setting here is known to systemd 252 (Debian 12, EL 9).
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit import rooms
from guestinit.model.action import Step
from guestinit.model.facts import Facts, Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    EMPTY,
    HARDWARE,
    LOOPBACK,
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
from guestinit.renderers import (
    ACTIVATION,
    LINK_LOCAL,
    PORT_FLAGS,
    Section,
    hardware_type,
    is_waited_for,
    link_file,
    resolved_file,
    restart_resolved,
    route_section,
    rule_section,
    tell,
    text,
    use_domains,
)

DIRECTORY = "/etc/systemd/network"
GROUP = "systemd-network"  # of its own user

# The kernel's names of parameters, as networkd calls them. Those in milliseconds get their unit.
_BOND = (
    ("mode", "Mode", ""),
    ("xmit_hash_policy", "TransmitHashPolicy", ""),
    ("lacp_rate", "LACPTransmitRate", ""),
    ("miimon", "MIIMonitorSec", "ms"),
    ("updelay", "UpDelaySec", "ms"),
    ("downdelay", "DownDelaySec", "ms"),
    ("lp_interval", "LearnPacketIntervalSec", "s"),
    ("ad_select", "AdSelect", ""),
    ("fail_over_mac", "FailOverMACPolicy", ""),
    ("arp_validate", "ARPValidate", ""),
    ("arp_interval", "ARPIntervalSec", "ms"),
    ("arp_ip_target", "ARPIPTargets", ""),
    ("arp_all_targets", "ARPAllTargets", ""),
    ("primary_reselect", "PrimaryReselectPolicy", ""),
    ("resend_igmp", "ResendIGMP", ""),
    ("packets_per_slave", "PacketsPerSlave", ""),
    ("num_grat_arp", "GratuitousARP", ""),
    ("all_slaves_active", "AllSlavesActive", ""),
    ("min_links", "MinLinks", ""),
)
_BRIDGE = (
    ("stp", "STP", ""),
    ("forward_delay", "ForwardDelaySec", "s"),
    ("hello_time", "HelloTimeSec", "s"),
    ("max_age", "MaxAgeSec", "s"),
    ("ageing_time", "AgeingTimeSec", "s"),
    ("priority", "Priority", ""),
)
# Before version 257 it changes nothing that it has made, and later not the mode of a bond or the number of a VLAN.
_PARTLY = "the interface is there already: what systemd-networkd does not change in it counts from the next boot"
_FLAGS = ("stp", "all_slaves_active")


def render(network: Network, nics: tuple[Nic, ...], problems: Problems) -> tuple[Rendered, ...]:
    """The files of systemd-networkd; for name servers without an interface, one of systemd-resolved."""
    if network.state == EMPTY:
        return resolved_file(network)
    if network.state != CONFIGURED:
        return ()
    ids, owners, here = file_ids(network), masters(network), {nic.name for nic in nics}
    of_bridges = ports(network)
    above: dict[str, list[tuple[str, str]]] = {}  # by the link below: the setting that asks for each that it carries
    for link in network.links:
        if link.parent:
            setting = "VLAN" if link.kind == VLAN else rooms.one("renderers", "tunnels").networkd_stacking(link)
            above.setdefault(link.parent, []).append((setting, link.name))
    found = []
    for link in network.links:
        if link.kind == LOOPBACK and not link.addresses:
            continue
        # The first file that matches counts: wildcards come after what names its interface.
        order = 11 if link.kind in HARDWARE and link.match.is_broad else 10
        base = f"{DIRECTORY}/{order}-guestinit-{ids[link.name]}"
        if link.kind in HARDWARE:
            name_file = link_file(link, ids[link.name], wake_on_lan=True)
            found += [name_file] if name_file else []
        elif link.kind != LOOPBACK:
            told = _PARTLY if link.name in here else ""
            found.append(_netdev_file(link, base + ".netdev", problems)._replace(told=told))
        port = of_bridges.get(link.name, Port())
        content = _content(link, owners.get(link.name), port, above.get(link.name, []), problems)
        found.append(Rendered(base + ".network", content, 0o644, link.at, link.name))
    return tuple(found)


def reload(files: tuple[Rendered, ...], changed: tuple[str, ...], facts: Facts) -> Iterator[Step]:
    """networkd leaves links alone whose files did not change."""
    yield tell("networkctl reload", ("networkctl", "reload"), changed, "systemd-networkd.service")
    yield from restart_resolved(changed)


def _content(link: Link, master: Link | None, port: Port, above: list[tuple[str, str]], problems: Problems) -> bytes:
    """One .network file."""
    if link.infiniband_mode:
        # The manual knows a section [IPoIB]; the program, at least until 252, does not.
        message = f"systemd-networkd does not set the InfiniBand mode '{link.infiniband_mode}'"
        problems.error(link.at, link.path, message, "the kernel's default stays")
    settings = Section("Network")
    settings.set("DHCP", _dhcp_families(link))
    settings.set("LinkLocalAddressing", LINK_LOCAL[link.link_local])
    settings.set("IPv6AcceptRA", link.accept_ra)
    settings.set("IPv6PrivacyExtensions", link.ipv6_privacy)
    settings.set("IPv6MTUBytes", link.ipv6_mtu)
    settings.set("IPv6LinkLocalAddressGenerationMode", link.ipv6_generation)
    settings.set("ConfigureWithoutCarrier", link.ignore_carrier or None)
    settings.set("EmitLLDP", link.emit_lldp)
    plain = [address for address in link.addresses if not address.label and not address.deprecated]
    settings.set_all("Address", [str(address) for address in plain])
    settings.set_all("DNS", [given.value for given in link.dns])
    settings.set("Domains", " ".join(given.value for given in link.search))
    for setting, name in above:
        settings.set(setting, name)
    bridge = None
    if master is not None:
        settings.set({BOND: "Bond", BRIDGE: "Bridge", VRF: "VRF"}[master.kind], master.name)
        if master.kind == BOND and dict(master.parameters).get("primary") == link.name:
            settings.set("PrimarySlave", True)
        if master.kind == BRIDGE:
            bridge = _port(link, port)
    if not settings.lines:
        # An interface without a word about it is still ours: it is brought up, and gets a link-local address.
        settings.set("LinkLocalAddressing", "ipv6")
    return text((
        _match(link, master),
        _link(link, master),
        settings,
        *_addresses(link),
        *map(route_section, link.routes),
        *map(rule_section, link.rules),
        _dhcp4(link),
        _dhcp6(link, problems),
        _advertisements(link),
        bridge,
    ))  # fmt: skip


def _match(link: Link, master: Link | None) -> Section:
    section = Section("Match")
    if link.kind not in HARDWARE:
        section.set("Name", link.name)
        return section
    # Where the current MAC is not the hardware's own for long, only the permanent one names it.
    changes = bool(link.mac) or (master is not None and master.kind == BOND)
    section.set("PermanentMACAddress" if changes else "MACAddress", link.match.mac)
    # A NIC that gets its name only at the next boot is matched until then, and after.
    names = (*link.match.names, link.set_name) if link.match.names and link.set_name else link.match.names
    section.set("Name", " ".join(names))
    section.set("Driver", " ".join(link.match.drivers))
    if not link.match.exact_name:
        section.set("Type", hardware_type(link))
    return section


def _link(link: Link, master: Link | None) -> Section:
    section = Section("Link")
    if link.kind in HARDWARE:
        section.set("MACAddress", link.mac)
    section.set("MTUBytes", link.mtu)
    section.set("ActivationPolicy", ACTIVATION[link.activation])
    section.set("RequiredForOnline", False if not is_waited_for(link, master) or link.activation else None)
    return section


def _dhcp_families(link: Link) -> str:
    if link.dhcp4 and link.dhcp6:
        return "yes"
    return "ipv4" if link.dhcp4 else "ipv6" if link.dhcp6 else ""


def _addresses(link: Link) -> list[Section]:
    found = []
    for address in link.addresses:
        if address.label or address.deprecated:
            section = Section("Address")
            section.set("Address", str(address))
            section.set("Label", address.label)
            section.set("PreferredLifetime", 0 if address.deprecated else None)
            found.append(section)
    return found


def _dhcp4(link: Link) -> Section | None:
    """The MTU of a lease is taken, as every other network manager does by itself."""
    dhcp = link.dhcp4
    if dhcp is None:
        return None
    section = Section("DHCPv4")
    section.set("RouteMetric", dhcp.route_metric)
    section.set("UseDNS", dhcp.use_dns)
    section.set("UseDomains", use_domains(link, dhcp))
    section.set("UseRoutes", dhcp.use_routes)
    section.set("UseMTU", dhcp.use_mtu is not False if link.mtu is None else None)
    section.set("UseNTP", dhcp.use_ntp)
    section.set("UseHostname", dhcp.use_hostname)
    section.set("SendHostname", dhcp.send_hostname)
    section.set("Hostname", dhcp.hostname)
    section.set("ClientIdentifier", dhcp.identifier)
    return section


def _dhcp6(link: Link, problems: Problems) -> Section | None:
    dhcp = link.dhcp6
    if dhcp is None:
        return None
    section = Section("DHCPv6")
    section.set("UseDNS", dhcp.use_dns)
    section.set("UseDomains", use_domains(link, dhcp))
    section.set("UseNTP", dhcp.use_ntp)
    section.set("UseHostname", dhcp.use_hostname)
    if link.accept_ra is False:
        section.set("WithoutRA", "solicit")  # nobody announces that there is a server
    if dhcp.hostname or dhcp.send_hostname is not None:
        message = "systemd-networkd has no hostname settings for DHCPv6"
        problems.warning(dhcp.at, f"{link.path}.dhcp6-overrides", message, "left to its own choice")
    return section


def _advertisements(link: Link) -> Section | None:
    if link.accept_ra is False:
        return None
    section = Section("IPv6AcceptRA")
    section.set("RouteMetric", link.ra_metric)
    if link.accept_ra:
        section.set("UseDNS", link.dhcp6.use_dns if link.dhcp6 else None)
        section.set("UseDomains", use_domains(link, link.dhcp6))
        if link.dhcp6 and link.dhcp6.use_routes is False:
            section.set("UseGateway", False)
            section.set("UseRoutePrefix", False)
    if link.ipv6_token:
        section.set("Token", f"static:{link.ipv6_token}")
    elif link.ipv6_generation == "stable-privacy":
        section.set("Token", "prefixstable")
    return section


def _port(link: Link, port: Port) -> Section:
    section = Section("Bridge")
    section.set("Cost", port.cost)
    section.set("Priority", port.priority)
    for name, is_on in link.port:
        section.set(PORT_FLAGS[name], is_on)
    return section


def _netdev_file(link: Link, path: str, problems: Problems) -> Rendered:
    """A .netdev file. networkd is no root and has to read it, so one with a key belongs to its group."""
    content = _netdev(link, problems)
    if link.tunnel is not None and link.tunnel.has_secrets:
        return Rendered(path, content, 0o640, link.at, link.name, group=GROUP)
    return Rendered(path, content, 0o644, link.at, link.name)


def _netdev(link: Link, problems: Problems) -> bytes:
    device = Section("NetDev")
    tunnels = rooms.one("renderers", "tunnels") if link.kind == TUNNEL else None
    device.set("Name", link.name)
    device.set("Kind", tunnels.networkd_kind(link) if tunnels else link.kind)
    device.set("MACAddress", link.mac)
    if tunnels:
        return text((device, *tunnels.networkd(link)))
    section = None
    if link.kind == VLAN:
        section = Section("VLAN")
        section.set("Id", link.vlan_id)
    elif link.kind == VRF:
        section = Section("VRF")
        section.set("Table", link.table)
    elif link.kind in (BOND, BRIDGE):
        section = Section("Bond" if link.kind == BOND else "Bridge")
        parameters = dict(link.parameters)
        if parameters.get("xmit_hash_policy") == "vlan+srcmac":
            message = "systemd-networkd has no xmit_hash_policy vlan+srcmac"
            problems.error(link.at, link.path, message, "the kernel's default is used")
            del parameters["xmit_hash_policy"]
        for name, theirs, unit in _BOND if link.kind == BOND else _BRIDGE:
            value = parameters.get(name)
            if value is not None:
                flag = {"0": False, "1": True}.get(value) if name in _FLAGS else None
                section.set(theirs, value.replace(",", " ") + unit if flag is None else flag)
    return text((device, section))
