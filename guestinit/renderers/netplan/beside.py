"""netplan: what its grammar lacks, as files of systemd-networkd beside it.

The files that netplan generates are called 10-netplan-<id>.network and .netdev, and are completed by drop-ins of these
names: systemd.network(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from guestinit.model.network import BOND, BRIDGE, DUMMY, HARDWARE, VRF, Link, Port, Rendered
from guestinit.renderers import (
    ACTIVATION,
    LINK_LOCAL,
    PORT_FLAGS,
    Section,
    is_waited_for,
    link_file,
    route_section,
    rule_section,
    text,
    use_domains,
)

DIRECTORY = "/etc/systemd/network"
# Parameters whose 0 netplan takes for "not said", while the kernel's default is another; as networkd calls them.
_ZERO = {
    "num_grat_arp": "GratuitousARP",
    "packets_per_slave": "PacketsPerSlave",
    "resend_igmp": "ResendIGMP",
    "priority": "Priority",
    "ageing": "FDBAgeingSec",
}


def files(link: Link, link_id: str, owner: Optional[Link], port: Port) -> Iterator[Rendered]:
    """The files that a link needs. `owner`: the bond, bridge or VRF that it belongs to; `port`: what a bridge says."""
    generated = f"{DIRECTORY}/10-netplan-{link_id}"
    network: tuple[Section, ...] = (_match(link), _port(link, port))
    if link.kind == VRF:
        network += (*_vrf(link), *map(route_section, link.routes), *map(rule_section, link.rules))
    elif owner is None or owner.kind == VRF:
        network += (_network(link), _dhcp6(link), _advertisements(link))
    name_file = _link_file(link, link_id) if link.kind in HARDWARE else None
    if name_file is not None:
        yield name_file
    for path, sections in (
        (f"{DIRECTORY}/10-guestinit-{link_id}.netdev", (_dummy(link),)),
        (f"{generated}.netdev.d/50-guestinit-{link_id}.netdev.conf", (_parameters(link),)),
        (f"{generated}.network.d/50-guestinit-{link_id}.network.conf", network),
    ):
        if any(section.lines for section in sections):
            yield Rendered(path, text(sections), 0o644, link.at, link.name)


def _link_file(link: Link, link_id: str) -> Optional[Rendered]:
    """In place of the one that netplan generates for what udev sets (10-netplan-<id>.link, so ours comes first): that
    has no policy of names, and the hardware would be called `eth0` again from the next boot on.
    """
    for_mtu = link.mtu is not None and bool(link.match.mac or link.match.drivers)
    return link_file(link, link_id, wake_on_lan=True, needed=for_mtu)


def _dummy(link: Link) -> Section:
    """netplan 0.106 makes none; each version configures one that is there."""
    section = Section("NetDev")
    if link.kind == DUMMY:
        section.set("Name", link.name)
        section.set("Kind", DUMMY)
    return section


def _parameters(link: Link) -> Section:
    section = Section({BOND: "Bond", BRIDGE: "Bridge"}.get(link.kind, "VXLAN"))
    for name, value in link.parameters:
        if value == "0" and name in _ZERO:
            section.set(_ZERO[name], 0)
    return section


def _match(link: Link) -> Section:
    """A wildcard is not meant for what is made on top of hardware, nor for lo."""
    section = Section("Match")
    if link.kind in HARDWARE and link.match.is_broad:
        section.set("Type", "ether")
    if link.match.mac and link.set_name:
        section.set("Name", "*")  # one that cannot have its name before the next boot is configured until then, too
    return section


def _port(link: Link, port: Port) -> Section:
    section = Section("Bridge")
    section.set("Priority", 0 if port.priority == 0 else None)  # as above
    for name, is_on in link.port:  # of which 0.106 knows one
        section.set(PORT_FLAGS[name], is_on)
    return section


def _network(link: Link) -> Section:
    section = Section("Network")
    section.set("IPv6PrivacyExtensions", False if link.ipv6_privacy is False else None)
    if link.ipv6_generation == "stable-privacy":  # 0.106 refuses a file that asks networkd for it
        section.set("IPv6LinkLocalAddressGenerationMode", link.ipv6_generation)
    return section


def _dhcp6(link: Link) -> Section:
    """Where IPv6 differs from what netplan was told for both."""
    section = Section("DHCPv6")
    four, six = link.dhcp4, link.dhcp6
    if six is None:
        return section
    if four is not None:
        for name, first, second in (
            ("UseDNS", four.use_dns, six.use_dns), ("UseNTP", four.use_ntp, six.use_ntp),
            ("UseHostname", four.use_hostname, six.use_hostname),
        ):  # fmt: skip
            if (first is not False) != (second is not False):
                section.set(name, second is not False)
        if use_domains(link, four) != use_domains(link, six):
            section.set("UseDomains", use_domains(link, six))
    if link.accept_ra is False:
        section.set("WithoutRA", "solicit")  # nobody announces that there is a server
    return section


def _advertisements(link: Link) -> Section:
    """netplan 0.106 has nothing about what is taken from router advertisements."""
    section = Section("IPv6AcceptRA")
    if link.accept_ra is False:
        return section
    section.set("RouteMetric", link.ra_metric)
    if link.accept_ra:
        section.set("UseDNS", link.dhcp6.use_dns if link.dhcp6 else None)
        domains = use_domains(link, link.dhcp6)
        section.set("UseDomains", None if domains == "no" else domains)  # networkd's own choice
        if link.dhcp6 and link.dhcp6.use_routes is False:
            section.set("UseGateway", False)
            section.set("UseRoutePrefix", False)
    if link.ipv6_generation == "stable-privacy" and not link.ipv6_token:
        section.set("Token", "prefixstable")
    return section


def _vrf(link: Link) -> tuple[Section, ...]:
    device, network = Section("Link"), Section("Network")
    device.set("MACAddress", link.mac)
    device.set("MTUBytes", link.mtu)
    device.set("ActivationPolicy", ACTIVATION[link.activation])
    device.set("RequiredForOnline", False if not is_waited_for(link, None) or link.activation else None)
    network.set("LinkLocalAddressing", LINK_LOCAL[link.link_local])
    network.set("IPv6AcceptRA", link.accept_ra)
    network.set_all("Address", [str(address) for address in link.addresses])
    network.set_all("DNS", [given.value for given in link.dns])
    network.set("Domains", " ".join(given.value for given in link.search))
    return device, network
