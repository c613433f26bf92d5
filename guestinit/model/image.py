"""What the image says: /etc/guestinit/guestinit.yaml and guestinit.d/, written by whoever built the template."""

from __future__ import annotations

from typing import Any, NamedTuple

from guestinit.model.facts import DefaultUser
from guestinit.model.problem import Position
from guestinit.model.value import MAP, Value

DATASOURCES = ("nocloud", "config-drive", "openstack", "ec2", "cloudstack")


class Image(NamedTuple):
    """The image configuration, all files merged."""

    default_user: tuple[tuple[str, Any], ...] = ()  # fields of DefaultUser that replace the distribution's own
    options: tuple[tuple[str, str], ...] = ()  # ("network.renderer", "networkd"); truth is "true" or "false"
    datasources: tuple[str, ...] = DATASOURCES  # those that are asked, in this order
    defaults: Value = Value(MAP, Position("guestinit.yaml"))  # cloud-config keys of the lowest rank

    def option(self, name: str, default: str = "") -> str:
        """A setting by its dotted name."""
        return dict(self.options).get(name, default)

    def user(self, distribution: DefaultUser) -> DefaultUser:
        """The default user of this image, where the distribution's own is this one."""
        return distribution._replace(**dict(self.default_user))
