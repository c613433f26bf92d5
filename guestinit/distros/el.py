"""RHEL and what is built from it: CentOS Stream, Rocky Linux, AlmaLinux, Oracle Linux."""

from __future__ import annotations

from guestinit.model.facts import DefaultUser, Distro

DISTRO = Distro(
    name="el",
    default_user=DefaultUser(
        name="cloud-user",
        gecos="Cloud User",
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
