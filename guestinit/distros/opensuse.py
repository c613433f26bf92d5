"""openSUSE and SUSE Linux Enterprise. zypper is not driven yet."""

from __future__ import annotations

from guestinit.model.facts import DefaultUser, Distro

DISTRO = Distro(
    name="opensuse",
    default_user=DefaultUser(
        name="opensuse",
        gecos="openSUSE",
        groups=("users", "wheel"),
        sudo=("ALL=(ALL) NOPASSWD:ALL",),
    ),
    admin_group="wheel",
    package_tool="",
    ssh_unit="sshd.service",
    locale_file="/etc/locale.conf",
    locale_gen=False,
    default_renderer="network-manager",
)
