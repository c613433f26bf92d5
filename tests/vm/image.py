"""Guest images: a template disk with the package under test, its kernel and its initrds, cached by content.

Five templates, each with its distribution's own kernel:

- bookworm: Debian 12, systemd-networkd with systemd-resolved, dhcpcd for temporary leases, no qemu-guest-agent;
- netplan: Debian 12 with netplan and nothing that it has been told; systemd-networkd is there and not enabled;
- trixie: Debian 13, NetworkManager (which writes resolv.conf itself), with qemu-guest-agent, no dhcpcd;
- network: Debian 13 with systemd-networkd, NetworkManager and netplan, none of them enabled; see network/;
- ifupdown: the same with ifupdown, and resolvconf in the place of systemd-resolved, with which it cannot be installed.

The root file system is ext4 in the first partition of a GPT; a machine made from it has a larger disk, so that growing
is really tested. The templates carry SSH host keys of their own, as careless templates do.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

CACHE = os.environ.get("GUESTINIT_VM_CACHE", "/var/cache/guestinit-vm")
RECIPE = "5"  # counts up when the steps below change what an image holds
KEPT_IMAGES = 8
PARTITION_START = 1024 * 1024
REPOSITORY = "http://10.20.0.80/"  # what every guest has as its only package source; see guest.py

COMMON_PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd"),
    *("kmod", "procps", "iproute2", "hostname", "openssh-server", "openssh-client", "sudo", "passwd", "adduser"),
    *("cloud-guest-utils", "e2fsprogs", "fdisk", "locales", "tzdata", "ca-certificates"),
    *("python3", "python3-yaml", "python3-jinja2", "python3-pyudev", "python3-pyroute2"),
)


class Template(NamedTuple):
    """One distribution release as a template builder would set it up."""

    suite: str
    packages: tuple[str, ...]
    enable: tuple[str, ...]
    resolv_conf: Optional[str]  # target of the link /etc/resolv.conf; None where the network manager writes the file
    disable: tuple[str, ...] = ()


TEMPLATES = {
    "bookworm": Template(
        "bookworm",
        ("systemd-resolved", "dhcpcd-base"),
        ("systemd-networkd.service", "systemd-resolved.service"),
        "../run/systemd/resolve/stub-resolv.conf",
    ),
    "netplan": Template(
        "bookworm",
        ("systemd-resolved", "netplan.io"),
        ("systemd-resolved.service",),
        "../run/systemd/resolve/stub-resolv.conf",
    ),
    "trixie": Template("trixie", ("network-manager", "qemu-guest-agent"), ("NetworkManager.service",), None),
    "network": Template(
        "trixie",
        ("systemd-resolved", "network-manager", "netplan.io", "dnsmasq-base", "wireguard-tools"),
        ("systemd-resolved.service",),
        "../run/systemd/resolve/stub-resolv.conf",
        disable=("NetworkManager.service", "NetworkManager-wait-online.service"),
    ),
    "ifupdown": Template(
        "trixie",
        ("ifupdown", "ifenslave", "bridge-utils", "vlan", "dhcpcd-base", "resolvconf", "dnsmasq-base"),
        (),
        "../run/resolvconf/resolv.conf",
        disable=("networking.service",),
    ),
}

FACTS_UNIT = """\
[Unit]
Description=Facts for the test that booted this machine
# Started early, finished last: the program itself waits until every other job is done.
After=basic.target dbus.service
ConditionPathExists=!/run/vmtest.off

[Service]
Type=simple
ExecStartPre=-/usr/sbin/modprobe qemu_fw_cfg
ExecStart=/usr/bin/python3 /sys/firmware/qemu_fw_cfg/by_name/opt/vmtest.facts/raw

[Install]
WantedBy=multi-user.target
"""

# What a template of this kind has before any agent: lease by default. guestinit's own file sorts before it.
DEFAULT_NETWORK = """\
[Match]
Name=en* eth*

[Network]
DHCP=yes
"""

SLIM_INITRD = r"""
set -eu
kernel=$(ls /lib/modules)
cp -r /etc/initramfs-tools /tmp/slim
echo MODULES=list > /tmp/slim/conf.d/slim
printf '%s\n' virtio_pci virtio_blk ext4 > /tmp/slim/modules
mkinitramfs -d /tmp/slim -o /boot/initrd-slim.img "$kernel"
rm -r /tmp/slim
"""


class Image(NamedTuple):
    """One ready template. `slim_initrd` has the disk's driver only: CD-ROM drivers come with coldplug, late."""

    template: str
    disk: str
    kernel: str
    initrd: str
    slim_initrd: str


def mirror() -> str:
    """The Debian mirror that this machine uses."""
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    for line in _output(argv).splitlines():
        uri, _, release = line.partition(" ")
        if release in TEMPLATES:
            return uri
    return "http://deb.debian.org/debian/"


def base_root(template: Template) -> str:
    """The unconfigured root as a tar, made by mmdebstrap once per suite and package list."""
    packages = sorted({*COMMON_PACKAGES, *template.packages})
    key = hashlib.sha256(" ".join([template.suite, *packages]).encode()).hexdigest()[:12]
    tar = os.path.join(CACHE, f"root-{template.suite}-{key}.tar")
    with _locked(f"root-{template.suite}"):
        if not os.path.exists(tar):
            source = f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror()} {template.suite} main"
            include = "--include=" + ",".join(packages)
            _logged(
                ["mmdebstrap", "--quiet", "--variant=apt", include, template.suite, tar + ".part.tar", source],
                f"mmdebstrap-{template.suite}.log",
            )
            os.rename(tar + ".part.tar", tar)
    return tar


def build(name: str, deb: Optional[str] = None) -> Image:
    """The image of a template with this package installed (None: the template without any agent)."""
    template = TEMPLATES[name]
    tar = base_root(template)
    recipe = f"{RECIPE} {template} {os.path.basename(tar)} {FACTS_UNIT}{DEFAULT_NETWORK}{SLIM_INITRD}"
    digest = hashlib.sha256(recipe.encode())
    if deb is not None:
        with open(deb, "rb") as package:
            digest.update(package.read())
    directory = os.path.join(CACHE, "images", f"{name}-{digest.hexdigest()[:16]}")
    image = Image(name, *(os.path.join(directory, name) for name in ("disk.raw", "vmlinuz", "initrd", "initrd-slim")))
    with _locked(f"image-{name}"):
        if not os.path.isdir(directory):
            os.makedirs(os.path.dirname(directory), exist_ok=True)
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="build-") as scratch:
                _assemble(template, tar, deb, scratch)
                os.rename(os.path.join(scratch, "image"), directory)
            _prune(os.path.dirname(directory), name)
        os.utime(directory)
    return image


def _assemble(template: Template, tar: str, deb: Optional[str], scratch: str) -> None:
    root = os.path.join(scratch, "root")
    image = os.path.join(scratch, "image")
    os.makedirs(root)
    os.makedirs(image)
    subprocess.run(["tar", "-C", root, "--numeric-owner", "--xattrs", "-xpf", tar], check=True)
    if deb is not None:
        _install_package(root, deb)
    _configure(template, root)
    _chroot(root, ["sh", "-c", SLIM_INITRD], f"initrd-{template.suite}.log")
    boot = os.path.join(root, "boot")
    kernel = next(name for name in os.listdir(boot) if name.startswith("vmlinuz-"))
    shutil.copy(os.path.join(boot, kernel), os.path.join(image, "vmlinuz"))
    shutil.copy(os.path.join(boot, kernel.replace("vmlinuz-", "initrd.img-")), os.path.join(image, "initrd"))
    shutil.move(os.path.join(boot, "initrd-slim.img"), os.path.join(image, "initrd-slim"))
    _make_disk(root, os.path.join(image, "disk.raw"))


def _install_package(root: str, deb: str) -> None:
    _write(root, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    _remove(root, "etc/resolv.conf")
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
    shutil.copy(deb, os.path.join(root, "under-test.deb"))
    install = "apt-get install -q -y --no-install-recommends /under-test.deb"
    # The base already holds what the package depends on; lists are only read when a dependency is new.
    script = f"{install} || {{ apt-get update -q && {install}; }}"
    _chroot(root, ["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script], "install.log")
    _remove(root, "under-test.deb")
    _remove(root, "usr/sbin/policy-rc.d")


def _configure(template: Template, root: str) -> None:
    _write(root, "etc/machine-id", "")
    _write(root, "etc/hostname", "template\n")
    _write(root, "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
    _write(root, "etc/fstab", "LABEL=root / ext4 rw,relatime,errors=remount-ro 0 1\n")
    _write(root, "etc/apt/sources.list", f"deb [trusted=yes] {REPOSITORY} ./\n")
    _write(root, "etc/systemd/system/vmtest-facts.service", FACTS_UNIT)
    _remove(root, "etc/resolv.conf")
    if template.resolv_conf is not None:
        os.symlink(template.resolv_conf, os.path.join(root, "etc/resolv.conf"))
    if "systemd-networkd.service" in template.enable:
        _write(root, "etc/systemd/network/80-default.network", DEFAULT_NETWORK)
    _chroot(root, ["systemctl", "enable", "vmtest-facts.service", "ssh.service", *template.enable], "enable.log")
    if template.disable:
        _chroot(root, ["systemctl", "disable", *template.disable], "enable.log")
    # Housekeeping that would take the emulated processors away from what is tested.
    timers = ["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer"]
    _chroot(root, ["systemctl", "mask", *timers, "dpkg-db-backup.timer"], "enable.log")


def _make_disk(root: str, disk: str) -> None:
    used = int(_output(["du", "-s", "--block-size=1", "--apparent-size", root]).split()[0])
    size = (used * 5 // 4 + (192 << 20)) >> 20 << 20
    with open(disk, "wb") as out:
        out.truncate(PARTITION_START + size + PARTITION_START)
    table = f"label: gpt\nlabel-id: 6f1d2c3b-0000-4000-8000-000000000001\nstart={PARTITION_START // 512}, type=linux\n"
    subprocess.run(["sfdisk", "-q", disk], input=table, text=True, check=True)
    argv = ["mkfs.ext4", "-q", "-F", "-L", "root", "-E", f"offset={PARTITION_START},root_owner=0:0", "-d", root, disk]
    subprocess.run([*argv, f"{size // 1024}k"], check=True)


def _chroot(root: str, argv: Sequence[str], log: str) -> None:
    # A mount namespace of its own: /proc is gone with the command, whatever happens.
    mount = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    _logged(["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, root, *argv], log)


def _logged(argv: Sequence[str], log: str) -> None:
    path = os.path.join(CACHE, "logs", log)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as out:
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if result.returncode:
        with open(path, errors="replace") as written:
            tail = "".join(written.readlines()[-25:])
        raise RuntimeError(f"{argv[0]} ended with {result.returncode}; the end of {path}:\n{tail}")


def _output(argv: Sequence[str]) -> str:
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout


def _write(root: str, path: str, content: str, mode: int = 0o644) -> None:
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    _remove(root, path)
    with open(full, "w") as out:
        out.write(content)
    os.chmod(full, mode)


def _remove(root: str, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(root, path))


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """One builder at a time, also between two test runs."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, f".{name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prune(images: str, template: str) -> None:
    mine = [os.path.join(images, name) for name in os.listdir(images) if name.startswith(template + "-")]
    mine.sort(key=os.path.getmtime, reverse=True)
    for old in mine[KEPT_IMAGES:]:
        if time.time() - os.path.getmtime(old) > 3600:  # else another run may be using it
            shutil.rmtree(old, ignore_errors=True)
