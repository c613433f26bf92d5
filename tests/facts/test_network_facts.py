"""What an image has for its network already."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestinit.system import network_facts
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
