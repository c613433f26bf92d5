"""What an image has for its network already."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestinit.model import netplan
from guestinit.model.facts import Ifupdown
from guestinit.system import netplan_facts, network_facts
from guestinit.system.root import Root


def write(root: Path, name: str, text: str) -> None:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("target", "resolver"),
    [
        ("../run/systemd/resolve/stub-resolv.conf", "resolved"),
        ("/run/systemd/resolve/resolv.conf", "resolved"),
        ("/run/NetworkManager/resolv.conf", "network-manager"),
        ("../run/resolvconf/resolv.conf", "resolvconf"),
        ("/mnt/resolv.conf", "file"),
    ],
)
def test_resolver_by_where_resolv_conf_leads(tmp_path: Path, target: str, resolver: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").symlink_to(target)
    assert network_facts.find_resolver(Root(str(tmp_path), writable=False)) == resolver


def test_resolver_without_a_link(tmp_path: Path) -> None:
    root = Root(str(tmp_path), writable=False)
    assert network_facts.find_resolver(root) == "file"
    write(tmp_path, "/etc/resolv.conf", "nameserver 192.0.2.1\n")
    assert network_facts.find_resolver(root) == "file"


def test_what_ifupdown_has(tmp_path: Path) -> None:
    root = Root(str(tmp_path), writable=False)
    assert network_facts.find_ifupdown(root) == Ifupdown()
    write(tmp_path, "/etc/network/interfaces", "auto lo\n")
    (tmp_path / "etc/network/interfaces").write_bytes(b"# caf\xe9\nauto lo\n")
    write(tmp_path, "/etc/network/interfaces.d/more/nested", "iface eth9 inet dhcp\n")
    write(tmp_path, "/etc/network/interfaces.d/50-lan", "iface eth0 inet dhcp\n")
    write(tmp_path, "/run/network/ifstate", "lo=lo\nens18=lan0\n")
    assert network_facts.find_ifupdown(root) == Ifupdown(
        (
            ("/etc/network/interfaces", "# caf\udce9\nauto lo\n"),
            ("/etc/network/interfaces.d/50-lan", "iface eth0 inet dhcp\n"),
        ),
        (("ens18", "lan0"),),
    )


def test_files_tell_which_interface_they_are_for_and_no_secret(tmp_path: Path) -> None:
    connections = "/etc/NetworkManager/system-connections"
    write(tmp_path, "/etc/network/interfaces", "# comment\nauto lo\niface lo inet loopback\n  address 192.0.2.1\n")
    write(tmp_path, "/etc/network/interfaces.d/more/nested", "iface eth9 inet dhcp\n")
    write(tmp_path, "/etc/systemd/network/80-lan.network", "[Match]\nName = en*\n[Network]\nDHCP=yes\n")
    write(tmp_path, "/etc/systemd/network/br0.netdev", "[NetDev]\nName=br0\n")
    wireless = "[connection]\ninterface-name=wlan0\n[wifi-security]\n"
    write(tmp_path, f"{connections}/home.nmconnection", wireless + "psk=hunter2\n")
    write(tmp_path, f"{connections}/big.nmconnection", "x" * 70_000)
    assert network_facts.find_network_files(Root(str(tmp_path), writable=False)) == (
        ("/etc/network/interfaces", "auto lo\niface lo inet loopback\n"),
        ("/etc/systemd/network/80-lan.network", "[Match]\nName = en*\n[Network]\n"),
        (f"{connections}/home.nmconnection", wireless),
    )


def test_what_packages_bring_counts_unless_etc_replaces_it(tmp_path: Path) -> None:
    root = Root(str(tmp_path), writable=False)
    for name in ("80-vm.network", "80-lan.network", "80-masked.network", "80-vm.link"):
        write(tmp_path, f"/usr/lib/systemd/network/{name}", "[Match]\nName=en*\n")
    write(tmp_path, "/usr/lib/NetworkManager/system-connections/lan.nmconnection", "type=ethernet\npsk=hunter2\n")
    write(tmp_path, "/etc/systemd/network/80-lan.network", "[Match]\nName=eth*\n")
    (tmp_path / "etc/systemd/network/80-masked.network").symlink_to("/dev/null")
    (tmp_path / "lib").symlink_to("usr/lib")
    assert network_facts.find_packaged_files(root) == (
        ("/usr/lib/systemd/network/80-vm.network", "[Match]\nName=en*\n"),
        ("/usr/lib/NetworkManager/system-connections/lan.nmconnection", "type=ethernet\n"),
    )
    assert [path for path, _ in network_facts.find_network_files(root)] == ["/etc/systemd/network/80-lan.network"]


def test_files_of_netplan_tell_which_interfaces_their_definitions_are_for_and_nothing_else(tmp_path: Path) -> None:
    text = """\
network:
  # ens9: a comment
  renderer: networkd
  ethernets:
    ens18: {dhcp4: true}
    "lan": {match: {macaddress: 52:54:00:12:34:AB, name: "en*", driver: [virtio_net, "e*"]}}
  wifis:
    wlan0:
      access-points:
        home: {password: hunter2}
      auth:
        password: hunter3
"""
    write(tmp_path, "/etc/netplan/00-installer-config.yaml", text)
    [(path, found)] = network_facts.find_network_files(Root(str(tmp_path), writable=False))
    assert path == "/etc/netplan/00-installer-config.yaml"
    assert list(netplan.definitions(found)) == [
        ("ethernets", "ens18", "", "", ""),
        ("ethernets", "lan", "52:54:00:12:34:ab", "en*", "virtio_net,e*"),
        ("wifis", "wlan0", "", "", ""),
    ]
    assert "hunter" not in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "network: [",
        "network: 5",
        "- network",
        "network: {ethernets: [a]}",
        "\0",
        "a: &a [*a]",
        "network: {ethernets: 1}",
    ],
)
def test_files_that_netplan_would_not_take_tell_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, "/etc/netplan/a.yaml", text)
    assert network_facts.find_network_files(Root(str(tmp_path), writable=False)) == (("/etc/netplan/a.yaml", ""),)


def test_who_is_behind_netplan_is_what_the_last_file_says(tmp_path: Path) -> None:
    root = Root(str(tmp_path), writable=False)
    assert netplan_facts.find_backend(root) == "networkd"
    write(tmp_path, "/usr/lib/netplan/00-network-manager-all.yaml", "network: {renderer: NetworkManager}\n")
    assert netplan_facts.find_backend(root) == "network-manager"
    write(tmp_path, "/etc/netplan/00-network-manager-all.yaml", "network: {version: 2}\n")  # takes its place
    assert netplan_facts.find_backend(root) == "networkd"
    write(tmp_path, "/run/netplan/50-a.yaml", "network: {renderer: NetworkManager}\n")
    write(tmp_path, "/etc/netplan/60-b.yaml", "network: {renderer: networkd}\n")
    assert netplan_facts.find_backend(root) == "networkd"
