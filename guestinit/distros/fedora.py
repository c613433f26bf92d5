"""Fedora."""

from __future__ import annotations

from guestinit.model.facts import DefaultUser, Distro

DISTRO = Distro(
    name="fedora",
    default_user=DefaultUser(
        name="fedora",
        gecos="Fedora",
        groups=("wheel", "adm", "systemd-journal"),
        sudo=("ALL=(ALL) NOPASSWD:ALL",),
    ),
    admin_group="wheel",
    package_tool="dnf",
    ssh_unit="sshd.service",
    locale_file="/etc/locale.conf",
    locale_gen=False,
    default_renderer="network-manager",
    prefer_fqdn=True,
)
