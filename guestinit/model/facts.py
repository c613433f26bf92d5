"""What a planner may know about the machine. Gathered once, before planning; planners never look for themselves."""

from __future__ import annotations

from typing import NamedTuple

from guestinit.model.identity import Identity


class Nic(NamedTuple):
    """A network interface as the kernel shows it in /sys/class/net."""

    name: str
    mac: str  # lower case with colons; the permanent one where the kernel knows it
    driver: str = ""
    carrier: bool = False
    physical: bool = True  # has a device behind it: not lo, a bridge, a bond or a tunnel
    up: bool = False  # switched on, so that its name stays
    bus: str = ""  # where the device sits: its PCI address, else what its own bus calls it
    ethernet: bool = True  # neither wireless nor InfiniBand
    port: bool = False  # belongs to a bond, a bridge or a failover pair, and may have the MAC of that

    @property
    def is_ordinary(self) -> bool:
        """Whether it is a network card as a virtual machine has them, which nothing else has taken."""
        return self.physical and self.ethernet and not self.port


class DefaultUser(NamedTuple):
    """The account that `users: [default]` means: image configuration, else the distribution's own."""

    name: str
    gecos: str = ""
    groups: tuple[str, ...] = ()
    sudo: tuple[str, ...] = ()
    shell: str = "/bin/bash"
    lock_passwd: bool = True
    primary_group: str = ""
    uid: int = -1  # -1: the next free one
    home: str = ""


class Distro(NamedTuple):
    """How a family of distributions differs from the others: values, not code."""

    name: str  # "debian", "fedora"
    default_user: DefaultUser
    admin_group: str  # "sudo" or "wheel"
    package_tool: str  # "apt", "dnf" or "" (none)
    ssh_unit: str  # "ssh.service" or "sshd.service"
    locale_file: str  # "/etc/default/locale" or "/etc/locale.conf"
    locale_gen: bool  # /etc/locale.gen lists what locale-gen(8) makes
    ca_trust: str = ""
    default_renderer: str = "networkd"
    prefer_fqdn: bool = False  # /etc/hostname holds the full name, as cloud-init leaves it there too


class Ifupdown(NamedTuple):
    """What ifupdown has on this machine."""

    files: tuple[tuple[str, str], ...] = ()  # path and text, bytes that are not UTF-8 as surrogates
    up: tuple[tuple[str, str], ...] = ()  # interfaces that it brought up, and the stanza that it took for each


class Facts(NamedTuple):
    """The machine before planning."""

    distro: Distro
    identity: Identity
    live: bool  # the running system; False: another root, offline
    renderer: str  # which network stack this image uses: a name in model.network.RENDERERS, or another
    managers: tuple[str, ...] = ()  # which network stacks are enabled, that one or others
    nics: tuple[Nic, ...] = ()
    users: tuple[str, ...] = ()  # names in /etc/passwd
    groups: tuple[str, ...] = ()  # names in /etc/group
    host_keys: tuple[str, ...] = ()  # paths of private host keys that are whole: a power cut leaves half ones
    ssh_running: bool = False
    paths: frozenset[str] = frozenset()  # those of `ASKED` below that exist
    written: tuple[str, ...] = ()  # files that earlier runs wrote for the network
    machine_id_inherited: bool = False  # older than this boot, and not a mount point
    hostname: str = ""  # what /etc/hostname says now
    architecture: str = ""
    options: tuple[tuple[str, str], ...] = ()  # from guestinit.yaml, "network.renderer" -> "networkd"
    resolver: str = ""  # what /etc/resolv.conf is: "file", or a link to "resolved", "network-manager", "resolvconf"
    netplan_backend: str = ""  # who is behind netplan, as its files have it: "networkd", "network-manager"
    networkd_starts: bool = False  # systemd-networkd is enabled, or a generator of this boot has it started
    network_files: tuple[tuple[str, str], ...] = ()  # the image's own network configuration: path and text, no secrets
    ifupdown: Ifupdown = Ifupdown()  # where that is the network stack, or has something to say beside another

    def option(self, name: str, default: str = "") -> str:
        """A setting of the image configuration, by its dotted name."""
        for key, value in self.options:
            if key == name:
                return value
        return default


# Paths whose existence planners may ask for with `path in facts.paths`.
ASKED = (
    "/etc/ssh/sshd_config.d",
    "/etc/sudoers.d",
    "/etc/locale.gen",
    "/etc/locale.conf",
    "/etc/default/locale",
    "/etc/cloud/cloud.cfg",
    "/usr/bin/growpart",
    "/usr/lib/systemd/systemd-growfs",
    "/lib/systemd/systemd-growfs",
    "/usr/bin/ssh-keygen",
    "/usr/sbin/sshd",
    "/usr/bin/apt-get",
    "/usr/bin/dnf",
    "/usr/sbin/locale-gen",
    "/usr/bin/localedef",
    "/usr/bin/nmcli",
    "/usr/bin/networkctl",
    "/etc/dhcp/dhclient-enter-hooks.d",
    "/etc/dhcpcd.conf",
    "/usr/libexec/netplan/generate",
    "/usr/lib/netplan/generate",
    "/lib/netplan/generate",
    "/usr/bin/sudo",
    "/usr/bin/visudo",
    "/usr/sbin/visudo",
    "/etc/timezone",
    "/etc/growroot-disabled",
    "/etc/hosts",
    "/var/lib/dbus/machine-id",
)
