"""Any other distribution with systemd: what most of them have in common."""

from __future__ import annotations

from guestinit.model.facts import DefaultUser, Distro

DISTRO = Distro(
    name="generic",
    default_user=DefaultUser(
        name="cloud-user",
        gecos="Cloud User",
        groups=("wheel",),
        sudo=("ALL=(ALL) NOPASSWD:ALL",),
    ),
    admin_group="wheel",
    package_tool="",
    ssh_unit="sshd.service",
    locale_file="/etc/locale.conf",
    locale_gen=False,
    default_renderer="networkd",
)
