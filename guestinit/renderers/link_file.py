"""systemd.link(5) files, which udev reads whichever network manager an image has: names and wake-on-LAN.

udev applies them when a NIC appears, so at the next boot: an interface that is up is never renamed.
"""

from __future__ import annotations

from guestinit.model.network import INFINIBAND, Link, Rendered
from guestinit.renderers.ini import Section, text


def hardware_type(link: Link) -> str:
    """What `Type=` says of this hardware. It keeps bonds, bridges and VLANs, which share its MAC, out of a match."""
    return "infiniband" if link.kind == INFINIBAND else "ether"


def render(link: Link, file_id: str, wake_on_lan: bool) -> Rendered | None:
    """The .link file of this hardware, if it needs one."""
    wake_on_lan = wake_on_lan and link.wake_on_lan
    if not link.set_name and not wake_on_lan:
        return None
    match, section = Section("Match"), Section("Link")
    match.set("MACAddress", link.match.mac)
    match.set("OriginalName", " ".join(link.match.names))
    match.set("Driver", " ".join(link.match.drivers))
    match.set("Type", hardware_type(link))
    # Of all .link files only the first that matches counts: the rest of 99-default.link is said again.
    if link.set_name:
        section.set("Name", link.set_name)
    else:
        section.set("NamePolicy", "keep kernel database onboard slot path")
    section.set("AlternativeNamesPolicy", "database onboard slot path")
    section.set("MACAddressPolicy", "persistent")
    section.set("WakeOnLan", "magic" if wake_on_lan else None)
    path = f"/etc/systemd/network/10-guestinit-{file_id}.link"
    return Rendered(path, text((match, section)), 0o644, link.at, link.name)
