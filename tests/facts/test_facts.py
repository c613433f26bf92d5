"""What is gathered from a root directory with a kernel's files in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guestinit.model.facts import DefaultUser, Distro, Nic
from guestinit.model.identity import NEW, Identity
from guestinit.model.image import Image
from guestinit.model.network import Match
from guestinit.system import facts
from guestinit.system.root import Root
from guestinit.system.system import System

DEBIAN = Distro("debian", DefaultUser("debian"), "sudo", "apt", "ssh.service", "/etc/default/locale", True)


class Tree:
    """A root directory to put things into."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str = "") -> Path:
        path = self.path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def link(self, name: str, target: str) -> None:
        path = self.path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def enable(self, unit: str, target: str = "multi-user.target") -> None:
        self.write(f"/lib/systemd/system/{unit}")
        self.link(f"/etc/systemd/system/{target}.wants/{unit}", f"/lib/systemd/system/{unit}")

    def system(self, live: bool = True, process: Any = None) -> System:
        unused: Any = None
        return System(Root(str(self.path), writable=False), process, unused, unused, live)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


# the network


def add_nic(tree: Tree, name: str, mac: str, driver: str = "", carrier: str | None = None) -> None:
    device = f"/sys/devices/pci0000:00/{name}"
    tree.write(f"{device}/address", mac + "\n")
    if carrier is not None:
        tree.write(f"{device}/carrier", carrier + "\n")
    if driver:
        tree.write(f"/sys/bus/virtio/drivers/{driver}/bind")
        tree.link(f"/sys/devices/pci0000:00/virtio-{name}/driver", f"../../../bus/virtio/drivers/{driver}")
        tree.link(f"{device}/device", f"../virtio-{name}")
    tree.link(f"/sys/class/net/{name}", f"../../devices/pci0000:00/{name}")


def test_interfaces(tree: Tree) -> None:
    add_nic(tree, "eth10", "BC:24:11:0A:1B:2C", "virtio_net", "1")
    add_nic(tree, "eth2", "bc:24:11:0a:1b:2d", "e1000", "0")
    add_nic(tree, "bond0", "bc:24:11:0a:1b:2c")
    add_nic(tree, "lo", "00:00:00:00:00:00", carrier="1")
    tree.write("/sys/class/net/bonding_masters", "bond0\n")
    assert facts.find_nics(tree.system()) == (
        Nic("lo", "00:00:00:00:00:00", "", True, False),
        Nic("eth2", "bc:24:11:0a:1b:2d", "e1000", False, True),
        Nic("bond0", "bc:24:11:0a:1b:2c", "", False, False),
        Nic("eth10", "bc:24:11:0a:1b:2c", "virtio_net", True, True),
    )
    assert facts.find_nics(tree.system(live=False)) == ()


def test_a_member_of_a_bond_keeps_its_own_address(tree: Tree) -> None:
    add_nic(tree, "eth1", "52:54:00:00:00:01", "virtio_net")
    tree.write("/sys/devices/pci0000:00/eth1/bonding_slave/perm_hwaddr", "52:54:00:00:00:02\n")
    assert facts.find_nics(tree.system())[0].mac == "52:54:00:00:00:02"


def test_the_interfaces_of_this_machine() -> None:
    unused: Any = None
    found = facts.find_nics(System(Root("/", writable=False), unused, unused, unused, True))
    assert {nic.name for nic in found} == {
        name for name in os.listdir("/sys/class/net") if os.path.isdir(f"/sys/class/net/{name}")
    }
    lo = next(nic for nic in found if nic.name == "lo")
    assert lo._replace(up=True) == Nic("lo", "00:00:00:00:00:00", "", True, False, up=True, ethernet=False)


def test_where_an_interface_sits_and_what_it_belongs_to(tree: Tree) -> None:
    """Links and files as the kernel shows them for a virtio NIC behind a bridge, a Xen one, and a bond's port."""
    for name, way in (
        ("ens18", "pci0000:00/0000:00:1e.0/0000:01:12.0/virtio3"),
        ("eth0", "vif-10"),
        ("vnet0", "virtual"),
    ):
        device = f"/sys/devices/{way}/net/{name}"
        tree.write(f"{device}/address", "52:54:00:00:00:01\n")
        tree.write(f"{device}/flags", "0x1003\n" if name == "eth0" else "0x1002\n")
        tree.write(f"{device}/type", "1\n")
        tree.link(f"/sys/class/net/{name}", f"../../devices/{way}/net/{name}")
    tree.link("/sys/devices/vif-10/net/eth0/master", "../../../virtual/net/bond0")
    tree.write("/sys/devices/virtual/net/bond0/address", "52:54:00:00:00:01\n")
    found = {nic.name: nic for nic in facts.find_nics(tree.system())}
    assert [(found[name].bus, found[name].up, found[name].port) for name in ("ens18", "eth0", "vnet0")] == [
        ("0000:01:12.0", False, False), ("vif-10", True, True), ("", False, False),
    ]  # fmt: skip
    tree.write("/sys/devices/vif-10/net/eth0/phy80211/index", "0\n")
    assert not next(nic for nic in facts.find_nics(tree.system()) if nic.name == "eth0").ethernet


class Settling:
    """A udevadm that finds one more interface."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.started: list[tuple[str, ...]] = []

    def run(self, argv: tuple[str, ...], timeout: float) -> None:
        self.started.append(argv)
        add_nic(self.tree, "eth5", "52:54:00:00:00:05")


@pytest.mark.parametrize(
    ("matches", "waits"),
    [
        ([Match(mac="52:54:00:00:00:01"), Match(names=("ens1",)), Match(names=("en*",)), Match()], False),
        ([Match(mac="52:54:00:00:00:05")], True),
        ([Match(names=("eth5",))], True),
    ],
)
def test_waiting_for_interfaces_that_a_document_names(tree: Tree, matches: list[Match], waits: bool) -> None:
    add_nic(tree, "ens1", "52:54:00:00:00:01")
    process = Settling(tree)
    facts.await_nics(tree.system(process=process), matches)
    assert process.started == []  # no udev, nothing to wait for
    tree.write("/run/udev/control")
    facts.await_nics(tree.system(process=process), matches)
    assert process.started == ([("udevadm", "settle", "--timeout=60")] if waits else [])


@pytest.mark.parametrize(
    ("enabled", "installed", "renderer"),
    [
        (["systemd-networkd.service"], [], "networkd"),
        (["NetworkManager.service"], ["/lib/systemd/systemd-networkd"], "network-manager"),
        (["networking.service"], ["/lib/systemd/systemd-networkd"], "ifupdown"),
        (["networking.service", "NetworkManager.service"], [], "network-manager"),
        (["systemd-networkd.service", "NetworkManager.service"], [], "networkd"),
        ([], ["/usr/sbin/NetworkManager"], "network-manager"),
        ([], ["/usr/sbin/NetworkManager", "/usr/lib/systemd/systemd-networkd"], "networkd"),
        (["systemd-networkd.service"], ["/usr/sbin/ifup"], "networkd"),
        ([], ["/sbin/ifup"], "ifupdown"),
        ([], ["/usr/sbin/ifup", "/usr/sbin/NetworkManager"], "network-manager"),
        ([], [], "networkd"),
    ],
)
def test_the_renderer_that_the_image_uses(tree: Tree, enabled: list[str], installed: list[str], renderer: str) -> None:
    for unit in enabled:
        tree.enable(unit)
    for path in installed:
        tree.write(path)
    assert facts.find_renderer(tree.system(), Image(), DEBIAN) == renderer


INSTALLER = "network: {ethernets: {ens18: {dhcp4: true}}}\n"
DESKTOP = "network: {version: 2, renderer: NetworkManager}\n"


@pytest.mark.parametrize(
    ("enabled", "written", "renderer"),
    [
        # Ubuntu's server and cloud images; Debian's cloud images
        (["systemd-networkd.service"], {"/etc/netplan/00-installer-config.yaml": INSTALLER}, "netplan"),
        (["systemd-networkd.service"], {"/etc/netplan/90-default.yaml": INSTALLER}, "netplan"),
        # one that netplan alone starts networkd on
        ([], {"/etc/netplan/01-netcfg.yaml": INSTALLER}, "netplan"),
        ([], {}, "netplan"),
        (["systemd-networkd.service"], {}, "netplan"),
        # it runs what it was told at each boot, whatever is enabled beside it
        (["NetworkManager.service"], {"/run/netplan/a.yaml": INSTALLER}, "netplan"),
        # an Ubuntu desktop
        (["NetworkManager.service"], {"/etc/netplan/01-network-manager-all.yaml": DESKTOP}, "network-manager"),
        # installed, and that is all
        (["NetworkManager.service"], {}, "network-manager"),
        (["NetworkManager.service"], {"/usr/lib/netplan/PLACEHOLDER": ""}, "network-manager"),
        (["networking.service"], {}, "ifupdown"),
        (["systemd-networkd.service"], {"/etc/systemd/network/80-lan.network": ""}, "networkd"),
    ],
)
@pytest.mark.parametrize(
    "generator", ["/usr/lib/systemd/system-generators/netplan", "/lib/systemd/system-generators/netplan"]
)
def test_where_netplan_is_in_charge(
    tree: Tree, generator: str, enabled: list[str], written: dict[str, str], renderer: str
) -> None:
    tree.link(generator, "../../../libexec/netplan/generate")
    for unit in enabled:
        tree.enable(unit)
    for path, text in written.items():
        tree.write(path, text)
    assert facts.find_renderer(tree.system(), Image(), DEBIAN) == renderer


def test_netplan_that_is_masked_or_gone_is_in_charge_of_nothing(tree: Tree) -> None:
    tree.write("/etc/netplan/00-installer-config.yaml", INSTALLER)
    tree.enable("NetworkManager.service")
    assert facts.find_renderer(tree.system(), Image(), DEBIAN) == "network-manager"
    tree.write("/usr/lib/systemd/system-generators/netplan")
    assert facts.find_renderer(tree.system(), Image(), DEBIAN) == "netplan"
    tree.link("/etc/systemd/system-generators/netplan", "/dev/null")
    assert facts.find_renderer(tree.system(), Image(), DEBIAN) == "network-manager"


def test_whether_networkd_starts_by_itself(tree: Tree) -> None:
    image = Image(options=(("network.renderer", "netplan"),))

    def starts() -> bool:
        system = tree.system(live=False)._replace(state=Memory([]))  # type: ignore[arg-type]
        return facts.gather(system, Identity(NEW, ""), image).networkd_starts

    assert not starts()
    wants = "/run/systemd/generator/multi-user.target.wants/systemd-networkd.service"
    tree.link(wants, "/lib/systemd/system/systemd-networkd.service")
    assert starts()
    (tree.path / wants.lstrip("/")).unlink()
    tree.enable("systemd-networkd.service")
    assert starts()


def test_the_usual_renderer_of_a_distribution_wins_among_two(tree: Tree) -> None:
    tree.enable("systemd-networkd.service")
    tree.enable("NetworkManager.service")
    fedora = DEBIAN._replace(default_renderer="network-manager")
    assert facts.find_renderer(tree.system(), Image(), fedora) == "network-manager"


def test_a_configured_renderer_needs_no_look(tree: Tree) -> None:
    tree.enable("NetworkManager.service")
    chosen = Image(options=(("network.renderer", "networkd"),))
    assert facts.find_renderer(tree.system(), chosen, DEBIAN) == "networkd"
    auto = Image(options=(("network.renderer", "auto"),))
    assert facts.find_renderer(tree.system(), auto, DEBIAN) == "network-manager"


# units


def test_enabled_means_wanted_present_and_not_masked(tree: Tree) -> None:
    system = tree.system()
    assert not facts.is_enabled(system, "a.service")
    tree.write("/lib/systemd/system/a.service")
    assert not facts.is_enabled(system, "a.service")
    tree.enable("b.service", "sysinit.target")
    assert facts.is_enabled(system, "b.service")
    tree.link("/etc/systemd/system/b.service", "/dev/null")
    assert not facts.is_enabled(system, "b.service")
    tree.enable("removed.service")
    (tree.path / "lib/systemd/system/removed.service").unlink()  # dpkg leaves its links until it is purged
    assert not facts.is_enabled(system, "removed.service")
    tree.write("/usr/lib/systemd/system/c.service")
    tree.link("/usr/lib/systemd/system/multi-user.target.wants/c.service", "../c.service")
    assert facts.is_enabled(system, "c.service")


@pytest.mark.parametrize("unit", ["cloud-init.service", "cloud-init-local.service", "cloud-init-main.service"])
def test_cloud_init_is_in_charge(tree: Tree, unit: str) -> None:
    system = tree.system()
    assert not facts.cloud_init_enabled(system)
    tree.enable(unit, "cloud-init.target")
    assert not facts.cloud_init_enabled(system)  # a wrapper's unit, without the program
    tree.write("/usr/bin/cloud-init")
    assert facts.cloud_init_enabled(system)
    tree.write("/etc/cloud/cloud-init.disabled")
    assert not facts.cloud_init_enabled(system)


def test_cloud_init_that_is_masked_or_not_wanted_is_not_in_charge(tree: Tree) -> None:
    system = tree.system()
    tree.write("/usr/bin/cloud-init")
    tree.write("/lib/systemd/system/cloud-init.service")
    assert not facts.cloud_init_enabled(system)
    tree.enable("cloud-final.service", "cloud-init.target")
    assert facts.cloud_init_enabled(system)
    tree.link("/etc/systemd/system/cloud-init.target", "/dev/null")
    assert not facts.cloud_init_enabled(system)


ON_COMMAND_LINE = "on the kernel command line"


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("/etc/guestinit/disabled", "", "switched off by /etc/guestinit/disabled"),
        ("/etc/cloud/cloud-init.disabled", "", "switched off by /etc/cloud/cloud-init.disabled"),
        ("/proc/cmdline", "quiet guestinit=disabled\n", f"switched off by guestinit=disabled {ON_COMMAND_LINE}"),
        ("/proc/cmdline", "cloud-init=disabled", f"switched off by cloud-init=disabled {ON_COMMAND_LINE}"),
        ("/proc/cmdline", "xguestinit=disabled cloud-init=enabled guestinit=disabledx", ""),
        ("/etc/guestinit/guestinit.yaml", "", ""),
    ],
)
def test_off_switches(tree: Tree, path: str, text: str, reason: str) -> None:
    tree.write(path, text)
    assert facts.disabled(tree.system()) == reason


# identity


def test_the_machine_uuid(tree: Tree) -> None:
    assert facts.machine_uuid(tree.system()) == ""
    tree.write("/sys/devices/virtual/dmi/id/product_uuid", "6D1B0C5E-0000-4000-8000-0123456789AB\n")
    tree.link("/sys/class/dmi/id", "../../devices/virtual/dmi/id")
    assert facts.machine_uuid(tree.system()) == "6d1b0c5e-0000-4000-8000-0123456789ab"
    assert facts.machine_uuid(tree.system(live=False)) == ""
    assert facts.command_line(tree.system()) == ""


BOOT = 1_700_000_000


@pytest.mark.parametrize(
    ("text", "modified", "mounted", "live", "inherited"),
    [
        ("0123456789abcdef0123456789abcdef\n", BOOT - 1, False, True, True),
        ("0123456789abcdef0123456789abcdef\n", BOOT, False, True, False),
        ("0123456789abcdef0123456789abcdef\n", BOOT + 3, False, True, False),
        ("0123456789abcdef0123456789abcdef\n", BOOT - 1, True, True, False),
        ("0123456789abcdef0123456789abcdef\n", BOOT - 1, False, False, False),
        ("", BOOT - 1, False, True, False),
        ("uninitialized\n", BOOT - 1, False, True, False),
    ],
)
def test_an_inherited_machine_id(
    tree: Tree, text: str, modified: int, mounted: bool, live: bool, inherited: bool
) -> None:
    os.utime(tree.write("/etc/machine-id", text), (modified, modified))
    tree.write("/proc/stat", f"cpu  1 2 3\nintr 4\nbtime {BOOT}\nprocesses 9\n")
    line = "36 25 0:23 /machine-id /etc/machine-id ro,relatime shared:2 - tmpfs tmpfs rw\n" if mounted else ""
    tree.write("/proc/self/mountinfo", "25 1 254:1 / / rw - ext4 /dev/vda1 rw\n" + line)
    assert facts.is_machine_id_inherited(tree.system(live)) is inherited


def test_no_machine_id_is_not_inherited(tree: Tree) -> None:
    tree.write("/proc/stat", f"btime {BOOT}\n")
    assert not facts.is_machine_id_inherited(tree.system())


# everything


class Finished(NamedTuple):
    code: int


class Process:
    """Allows what it was told."""

    def __init__(self, **units: int) -> None:
        self.units = units

    def run(self, argv: tuple[str, ...], timeout: float) -> Finished:
        assert argv[:3] == ("systemctl", "is-active", "--quiet")
        return Finished(self.units[argv[3].partition(".")[0]])


class Memory(NamedTuple):
    written: list[str]


def fill(tree: Tree) -> None:
    tree.write("/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
    tree.write("/etc/passwd", "root:x:0:0::/root:/bin/bash\n\n# note\n+nis::::::\nadmin:x:1000:1000::/home/admin:\n")
    tree.write("/etc/group", "root:x:0:\nsudo:x:27:admin\n")
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "ssh_host_rsa_key", "sshd_config", "moduli"):
        tree.write(f"/etc/ssh/{name}", "-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n-----END OPENSSH PRIVATE KEY-----\n")
    tree.write("/etc/ssh/ssh_host_ecdsa_key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAA")  # the power was cut
    (tree.path / "etc/ssh/sshd_config.d").mkdir()
    tree.write("/etc/hostname", "# template\n\ntemplate \n")
    tree.write("/etc/hosts")


def test_all_facts_of_a_running_machine(tree: Tree) -> None:
    fill(tree)
    (tree.path / "run/systemd/system").mkdir(parents=True)
    image = Image(default_user=(("name", "ops"),), options=(("network.renderer", "networkd"),))
    system = tree.system(process=Process(ssh=0))._replace(state=Memory(["/etc/systemd/network/x"]))  # type: ignore[arg-type]
    identity = Identity(NEW, "the test")
    found = facts.gather(system, identity, image)
    assert found.distro.name == "debian"
    assert found.distro.default_user.name == "ops"
    assert found.identity is identity
    assert (found.live, found.renderer, found.option("network.renderer")) == (True, "networkd", "networkd")
    assert (found.users, found.groups) == (("root", "admin"), ("root", "sudo"))
    assert found.host_keys == ("/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key")
    assert found.ssh_running
    assert found.paths == {"/etc/ssh/sshd_config.d", "/etc/hosts"}
    assert found.written == ("/etc/systemd/network/x",)
    assert (found.hostname, found.architecture) == ("template", os.uname().machine)


def test_all_facts_of_another_root(tree: Tree) -> None:
    """No process is asked, no kernel file is read, and the architecture is that of the root's own programs."""
    fill(tree)
    (tree.path / "usr/bin").mkdir(parents=True)
    (tree.path / "usr/bin/env").write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\x00\xb7\x00")
    system = tree.system(live=False)._replace(state=Memory([]))  # type: ignore[arg-type]
    identity = Identity(NEW, "the test")
    found = facts.gather(system, identity, Image())
    assert (found.live, found.ssh_running, found.nics, found.architecture) == (False, False, (), "aarch64")


def test_ssh_that_does_not_run(tree: Tree) -> None:
    assert not facts.is_active(tree.system(process=Process(ssh=0)), "ssh.service")  # systemd is not in charge here
    (tree.path / "run/systemd/system").mkdir(parents=True)
    assert facts.is_active(tree.system(process=Process(ssh=0)), "ssh.service")
    assert not facts.is_active(tree.system(process=Process(ssh=3)), "ssh.service")
