"""What a document asks for and ifupdown cannot do, or does otherwise."""

from __future__ import annotations

from typing import Optional

from guestinit.model.network import Link
from guestinit.model.problem import Problems


def say(link: Link, table: Optional[int], problems: Problems) -> None:
    """`table`: of the VRF that the link is in, if it is in one."""
    if link.link_local and 4 in link.link_local:
        message = "ifupdown gives no IPv4 link-local address without avahi-autoipd"
        problems.error(link.at, link.path, message, "the interface comes up without")
    if link.emit_lldp:
        problems.error(link.at, link.path, "ifupdown sends no LLDP", "left out")
    if link.optional and link.dhcp4:
        message = "ifupdown waits for every lease"
        problems.note(link.at, link.path, message, "if there is no server, it goes on after a minute")
    if (link.dhcp4 or link.dhcp6) and link.accept_ra is not None:
        message = "where dhcpcd is the DHCP client of ifupdown, it takes router advertisements in any case"
        problems.note(link.at, link.path, message, "the address that it makes of them is not that of the MAC")
    elif link.accept_ra and not link.dhcp6:
        message = "ifupdown takes no name servers from router advertisements"
        problems.note(link.at, link.path, message, "those of this document are used")
    for family, dhcp in ((4, link.dhcp4), (6, link.dhcp6)):
        if dhcp is None:
            continue
        if table is not None and dhcp.use_routes is not False:
            message = "the DHCP clients of ifupdown know no VRFs"
            hint = f"the ways out that come with the lease are not in table {table}"
            problems.error(dhcp.at, f"{link.path}.dhcp{family}", message, hint)
        for name, lost in (
            ("use-dns", dhcp.use_dns is False),
            ("use-domains", dhcp.use_domains in ("false", "route")),
            ("use-routes", dhcp.use_routes is False),
            ("use-mtu", dhcp.use_mtu is False and link.mtu is None),
            ("use-ntp", dhcp.use_ntp is False),
            ("use-hostname", dhcp.use_hostname is False),
            ("send-hostname", dhcp.send_hostname is False),
            ("dhcp-identifier", family == 4 and dhcp.identifier == "mac"),
            ("hostname", family == 6 and bool(dhcp.hostname)),
        ):
            if lost:
                path = (
                    f"{link.path}.{name}" if name == "dhcp-identifier" else f"{link.path}.dhcp{family}-overrides.{name}"
                )
                problems.warning(dhcp.at, path, "ifupdown has no such setting", "left to the DHCP client")
