"""Seeds as Proxmox VE writes them, and hand-written ones, as drives that QEMU can attach.

The four documents, their order of lines, their quoting and the instance-id (SHA-1 of user-data and network-config)
are those of Proxmox VE's NoCloud drive; the ISO is made by the same genisoimage call and padded to the 4 MiB volume.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import NamedTuple, Optional

VOLUME_SIZE = 4 * 1024 * 1024  # Proxmox VE allocates this and leaves the rest zero


class Nic(NamedTuple):
    """One `netN` with its `ipconfigN`. An address without a prefix length is a keyword (`dhcp`, `auto`)."""

    mac: str
    ip: Optional[str] = None  # "10.20.0.40/24", "dhcp" or None
    gw: Optional[str] = None
    ip6: Optional[str] = None  # "2001:db8::40/64", "dhcp", "auto" or None
    gw6: Optional[str] = None


class ProxmoxSeed(NamedTuple):
    """The cloud-init tab of one Proxmox VE virtual machine."""

    name: str = "web01"
    nics: tuple[Nic, ...] = ()
    user: Optional[str] = None
    password: Optional[str] = None  # a crypt hash, as the API stores it
    sshkeys: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    searchdomain: str = ""
    upgrade: bool = True
    extra: str = ""  # what a snippet of the administrator adds; Proxmox itself writes nothing here
    instance_id: Optional[str] = None  # only for `cicustom meta=`

    def files(self) -> dict[str, bytes]:
        """The four documents by name."""
        user_data = self.user_data().encode()
        network = self.network_config().encode()
        instance_id = self.instance_id or hashlib.sha1(user_data + network).hexdigest()
        return {
            "meta-data": f"instance-id: {instance_id}\n".encode(),
            "network-config": network,
            "user-data": user_data,
            "vendor-data": b"",
        }

    def fqdn(self) -> str:
        """The full name; Proxmox VE appends the explicit search domain to a name without a dot."""
        if "." in self.name or not self.searchdomain:
            return self.name
        return f"{self.name}.{self.searchdomain}"

    def user_data(self) -> str:
        lines = ["#cloud-config", f"hostname: {self.name.split('.')[0]}", "manage_etc_hosts: true"]
        lines.append(f"fqdn: {self.fqdn()}")
        if self.user is not None:
            lines.append(f"user: {self.user}")
            if self.user == "root":
                lines.append("disable_root: False")
        if self.password is not None:
            lines.append(f"password: {self.password}")
        if self.sshkeys:
            lines.append("ssh_authorized_keys:")
            lines += [f"  - {key}" for key in self.sshkeys]
        lines += ["chpasswd:", "  expire: False"]
        if self.user != "root":
            lines += ["users:", "  - default"]
        if self.upgrade:
            lines.append("package_upgrade: true")
        return "\n".join(lines) + "\n" + self.extra

    def network_config(self) -> str:
        lines = ["version: 1", "config:"]
        for index, nic in enumerate(self.nics):
            if nic.ip is None and nic.ip6 is None:
                continue
            lines += ["    - type: physical", f"      name: eth{index}", f"      mac_address: '{nic.mac.lower()}'"]
            lines.append("      subnets:")
            if nic.ip == "dhcp":
                lines.append("      - type: dhcp4")
            elif nic.ip is not None:
                address, _, prefix = nic.ip.partition("/")
                lines += ["      - type: static", f"        address: '{address}'"]
                lines.append(f"        netmask: '{_netmask(int(prefix))}'")
                if nic.gw:
                    lines.append(f"        gateway: '{nic.gw}'")
            if nic.ip6 == "auto":
                lines.append("      - type: ipv6_slaac")
            elif nic.ip6 == "dhcp":
                lines.append("      - type: dhcp6")
            elif nic.ip6 is not None:
                lines += ["      - type: static6", f"        address: '{nic.ip6}'"]
                if nic.gw6:
                    lines.append(f"        gateway: '{nic.gw6}'")
        lines.append("    - type: nameserver")
        if self.nameservers:
            lines.append("      address:")
            lines += [f"      - '{address}'" for address in self.nameservers]
        if self.searchdomain:
            lines.append("      search:")
            lines += [f"      - '{domain}'" for domain in self.searchdomain.split()]
        return "\n".join(lines) + "\n"


def _netmask(prefix: int) -> str:
    mask = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return ".".join(str(mask >> shift & 0xFF) for shift in (24, 16, 8, 0))


def crypt_sha256(clear: str, salt: str = "Zk3PqVb1") -> str:
    """The `$5$` hash that the Proxmox VE API stores for a clear text password."""
    argv = ["openssl", "passwd", "-5", "-salt", salt, "-stdin"]
    return subprocess.run(argv, input=clear, text=True, check=True, stdout=subprocess.PIPE).stdout.strip()


def write_tree(files: dict[str, bytes], directory: str) -> str:
    """The documents as a directory, for `--seed DIR` and for the ISO tool. Returns the directory."""
    os.makedirs(directory, exist_ok=True)
    for name, content in files.items():
        with open(os.path.join(directory, name), "wb") as out:
            out.write(content)
    return directory


def write_iso(files: dict[str, bytes], path: str, *, joliet: bool = True, label: str = "cidata") -> str:
    """An ISO as Proxmox VE makes it: with Joliet since 2025-11, with Rock Ridge alone before. Returns the path."""
    tree = write_tree(files, path + ".tree")
    flavour = ["-J", "-R"] if joliet else ["-R"]
    argv = ["genisoimage", "-quiet", "-iso-level", "3", *flavour, "-V", label, "-o", path, tree]
    # Proxmox VE too ignores what genisoimage says about names with hyphens.
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(path, "r+b") as volume:
        volume.truncate(max(VOLUME_SIZE, os.path.getsize(path)))
    return path


def write_vfat(files: dict[str, bytes], path: str, *, label: str = "CIDATA") -> str:
    """A vfat volume on a whole disk, as hand-made seeds use it. Returns the path."""
    tree = write_tree(files, path + ".tree")
    with open(path, "wb") as volume:
        volume.truncate(VOLUME_SIZE)
    subprocess.run(["mkfs.vfat", "-n", label, path], check=True, stdout=subprocess.DEVNULL)
    for name in sorted(files):
        subprocess.run(["mcopy", "-i", path, os.path.join(tree, name), f"::{name}"], check=True)
    return path
