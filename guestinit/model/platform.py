"""On which platform this machine runs, by what its firmware and its command line say (platforms.md 1.4, 1.5).

Only a positive identification lets a metadata service be asked: 169.254.169.254 and fe80::a9fe:a9fe may be anybody on
the link, and root would do what the answer says (CVE-2024-6174).
"""

from __future__ import annotations

from typing import NamedTuple


class Platform(NamedTuple):
    """What says where this machine runs; each an empty text where it is not known. Without DMI all but the last are."""

    vendor: str = ""  # sys_vendor
    product: str = ""  # product_name
    serial: str = ""  # product_serial
    uuid: str = ""  # product_uuid, lower case
    asset_tag: str = ""  # chassis_asset_tag
    command_line: str = ""  # the kernel's
    configured: str = ""  # the service that the image configuration names

    @property
    def words(self) -> str:
        """As people read it: "QEMU, Standard PC (Q35 + ICH9, 2009)"."""
        return ", ".join(word for word in (self.vendor, self.product, self.asset_tag) if word) or "no DMI"
