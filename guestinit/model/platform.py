"""On which platform this machine runs, by what its firmware and its command line say (platforms.md 1.4, 1.5).

Only a positive identification lets a metadata service be asked: 169.254.169.254 and fe80::a9fe:a9fe may be anybody on
the link, and root would do what the answer says (CVE-2024-6174).
"""

from __future__ import annotations

from typing import NamedTuple

from guestinit.model.identity import swapped


class Platform(NamedTuple):
    """What says where this machine runs; each an empty text where it is not known. Without DMI all but the last are."""

    vendor: str = ""  # sys_vendor
    product: str = ""  # product_name
    serial: str = ""  # product_serial
    uuid: str = ""  # product_uuid, lower case
    asset_tag: str = ""  # chassis_asset_tag
    command_line: str = ""  # the kernel's
    configured: str = ""  # the service that the image configuration names, or "none"

    @property
    def words(self) -> str:
        """As people read it: "DMI says QEMU, Standard PC (Q35 + ICH9, 2009)". The uuid is nobody's business."""
        said = ", ".join(word for word in (self.vendor, self.product, self.asset_tag) if word)
        return f"DMI says {said}" if said else "there is no DMI to say where this machine runs"


def evidence(service: str, platform: Platform) -> tuple[bool, str]:
    """Whether this machine runs on the platform of a metadata service, and by what that is known."""
    asked_for = command_line_source(platform.command_line)
    if asked_for:
        return asked_for == service, f"the kernel command line names {asked_for}"
    if platform.configured:
        return platform.configured == service, f"the image configuration names {platform.configured}"
    found = _RULES[service](platform)
    return bool(found), found or platform.words


def command_line_source(command_line: str) -> str:
    """The datasource that the kernel command line asks for, lower case: `ds=`, `ci.ds=`, `ci.datasource=`; "" if none.

    The last one counts, as the kernel's own parameters do it. Lists and quotes are taken apart: `ci.ds=['Ec2']`.
    """
    found = ""
    for word in command_line.split():
        key, equals, value = word.partition("=")
        if equals and key in ("ds", "ci.ds", "ci.datasource"):
            names = value.partition(";")[0].translate(str.maketrans("", "", "[]'\"\\")).lower().split(",")
            found = {"configdrive": "config-drive", "nocloud-net": "nocloud"}.get(names[0], names[0]) or found
    return found


# Chassis asset tags of clouds that run Nova under a name of their own.
_OPENSTACK_TAGS = (
    "openstack nova", "openstack compute", "opentelekomcloud", "sap ccloud vm", "huaweicloud", "samsung cloud platform",
)  # fmt: skip


def _openstack(platform: Platform) -> str:
    if platform.product.lower() in ("openstack nova", "openstack compute"):
        return f"DMI product is {platform.product}"
    if platform.asset_tag.lower() in _OPENSTACK_TAGS:
        return f"DMI chassis asset tag is {platform.asset_tag}"
    return ""


def _ec2(platform: Platform) -> str:
    if platform.vendor.lower() in ("amazon ec2", "e24cloud"):
        return f"DMI vendor is {platform.vendor}"
    if platform.serial.lower().endswith(".brightbox.com"):
        return "DMI serial ends in .brightbox.com"
    if platform.asset_tag.lower().endswith(".zstack.io"):
        return "DMI chassis asset tag ends in .zstack.io"
    # AWS on Xen, where some firmware shows the uuid with bytes swapped. On any other vendor's machine that has its uuid
    # as the serial too (CloudStack, Nova, oVirt) it is one random uuid of 4096.
    serial, uuids = platform.serial.lower(), (platform.uuid, swapped(platform.uuid))
    if platform.vendor.lower() == "xen" and serial.startswith("ec2") and serial in uuids:
        return "DMI vendor is Xen, and uuid and serial begin with ec2"
    return ""


def _cloudstack(platform: Platform) -> str:
    if platform.product.lower().startswith("cloudstack"):
        return f"DMI product is {platform.product}"
    if platform.vendor.lower() == "apache software foundation":
        return f"DMI vendor is {platform.vendor}"
    return ""


_RULES = {"openstack": _openstack, "ec2": _ec2, "cloudstack": _cloudstack}
