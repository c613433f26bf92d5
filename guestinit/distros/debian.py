"""Debian. The groups are those of its cloud images."""

from __future__ import annotations

from guestinit.model.facts import DefaultUser, Distro

DISTRO = Distro(
    name="debian",
    default_user=DefaultUser(
        name="debian",
        gecos="Debian",
        groups=("adm", "audio", "cdrom", "dialout", "dip", "floppy", "netdev", "plugdev", "sudo", "video"),
        sudo=("ALL=(ALL) NOPASSWD:ALL",),
    ),
    admin_group="sudo",
    package_tool="apt",
    ssh_unit="ssh.service",
    locale_file="/etc/default/locale",
    locale_gen=True,
    default_renderer="networkd",
)
