"""Ubuntu: like Debian, but for its default user."""

from __future__ import annotations

from guestinit.model.facts import DefaultUser, Distro

DISTRO = Distro(
    name="ubuntu",
    default_user=DefaultUser(
        name="ubuntu",
        gecos="Ubuntu",
        groups=("adm", "cdrom", "dip", "lxd", "sudo"),
        sudo=("ALL=(ALL) NOPASSWD:ALL",),
    ),
    admin_group="sudo",
    package_tool="apt",
    ssh_unit="ssh.service",
    locale_file="/etc/default/locale",
    locale_gen=True,
    default_renderer="networkd",
)
