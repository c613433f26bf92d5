"""What says on which platform this machine runs: SMBIOS as the kernel shows it, and the kernel's command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit.model.platform import Platform
from guestinit.system import facts

if TYPE_CHECKING:
    from guestinit.model.image import Image
    from guestinit.system.system import System

_DMI = "/sys/class/dmi/id/"


def gather(system: System, image: Image) -> Platform:
    """All of it, looked at once. A container sees DMI and command line of its host, which say nothing about it."""
    configured = image.option("metadata.service", "auto").replace("auto", "")
    if system.root.exists("/run/systemd/container"):
        return Platform(configured=configured)
    return Platform(
        vendor=read_dmi("sys_vendor", system),
        product=read_dmi("product_name", system),
        serial=read_dmi("product_serial", system),
        uuid=facts.machine_uuid(system),
        asset_tag=read_dmi("chassis_asset_tag", system),
        command_line=facts.command_line(system),
        configured=configured,
    )


def read_dmi(name: str, system: System) -> str:
    """A field by its name in /sys/class/dmi/id; "" where there is none or it may not be read."""
    try:
        return (system.root.read(_DMI + name) or b"").decode("utf-8", "replace").strip()
    except OSError:
        return ""  # serial numbers are for root's eyes
