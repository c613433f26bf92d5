"""What DHCP clients write down about their leases: the files of four clients, as they wrote them for 10.1.1.23."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from guestinit.system import leases
from guestinit.system.leases import Lease
from tests.system.machine import machine

LEASE = Lease("10.1.1.23", "10.1.1.1", "cs1cloud.example")
ADDRESSES = ("10.1.1.23/24",)

DHCLIENT = """\
lease {
  interface "eth0";
  fixed-address 10.1.1.23;
  option subnet-mask 255.255.255.0;
  option routers 10.1.1.1;
  option dhcp-lease-time 3600;
  option dhcp-message-type 5;
  option domain-name-servers 10.1.1.1;
  option dhcp-server-identifier 10.1.1.1;
  option dhcp-renewal-time 1800;
  option broadcast-address 10.1.1.255;
  option dhcp-rebinding-time 3150;
  option host-name "vm";
  option domain-name "cs1cloud.example";
  renew 6 2026/11/21 16:41:16;
  rebind 6 2026/11/21 17:10:17;
  expire 6 2026/11/21 17:17:47;
}
"""
NETWORKD = """\
# This is private data. Do not parse.
ADDRESS=10.1.1.23
NETMASK=255.255.255.0
ROUTER=10.1.1.1
SERVER_ADDRESS=10.1.1.1
MTU=1500
T1=1800
T2=3150
LIFETIME=3600
DNS=10.1.1.1
DOMAINNAME=cs1cloud.example
CLIENTID=ff0a1b2c3d
"""
NETWORK_MANAGER = """\
[device]
managed=true
connection-uuid=5f92f440-123d-3b56-9c00-df2a04477252
route-metric-default-effective=100
next-server=10.1.1.1

[dhcp4]
dhcp4.dhcp_client_identifier=01:02:00:4c:9f:00:01
dhcp4.dhcp_lease_time=3600
dhcp4.dhcp_server_identifier=10.1.1.1
dhcp4.domain_name=cs1cloud.example
dhcp4.expiry=1795366969
dhcp4.ip_address=10.1.1.23
dhcp4.next_server=10.1.1.1
dhcp4.routers=10.1.1.1
dhcp4.subnet_mask=255.255.255.0
"""


def message(
    address: str = "10.1.1.23", options: bytes = b"5\x01\x056\x04\x0a\x01\x01\x01\x0f\x10cs1cloud.example"
) -> bytes:
    """A DHCPACK: BOOTP's fields, the magic number, options, the end."""
    fields = b"\x02\x01\x06\x00\xe5\xb0\xdd\x08".ljust(16, b"\0") + socket.inet_aton(address)
    return fields.ljust(236, b"\0") + b"\x63\x82\x53\x63" + options + b"\xff"


def test_each_client() -> None:
    assert leases.parse_dhclient(DHCLIENT, "eth0") == (LEASE,)
    assert leases.parse_networkd(NETWORKD) == (LEASE,)
    assert leases.parse_network_manager(NETWORK_MANAGER) == (LEASE,)
    assert leases.parse_message(message()) == (LEASE,)


def test_dhclient_has_every_lease_and_those_of_other_cards() -> None:
    other = DHCLIENT.replace("eth0", "eth1").replace("10.1.1.", "10.2.2.")
    newer = DHCLIENT.replace("10.1.1.1;", "10.1.1.254;")
    text = 'default-duid "\\000\\001};{lease";\n' + DHCLIENT + other + newer
    assert leases.parse_dhclient(text, "eth0") == (LEASE, Lease("10.1.1.23", "10.1.1.254", LEASE.domain))
    assert leases.parse_dhclient(text, "eth1") == (Lease("10.2.2.23", "10.2.2.1", LEASE.domain),)


def test_bootp_server_has_no_identifier() -> None:
    assert leases.parse_message(message(options=b"\x01\x04\xff\xff\xff\x00")) == ()
    assert leases.parse_message(message()[:200]) == ()


def test_first_of_several_domains_is_the_machines() -> None:
    """Some servers send domains to search in the place of the domain."""
    text = DHCLIENT.replace('"cs1cloud.example"', '"cs1cloud.example other.example"')
    assert leases.parse_dhclient(text, "eth0") == (LEASE,)


def test_padding_between_options_has_no_length() -> None:
    assert leases.parse_message(message(options=b"\x00\x00\x006\x04\x0a\x01\x01\x01")) == (LEASE._replace(domain=""),)


@given(some.binary(max_size=400))
def test_any_message(content: bytes) -> None:
    for text in (content, message(options=content)):
        for lease in leases.parse_message(text):
            socket.inet_aton(lease.address), socket.inet_aton(lease.server)


@given(some.text(), some.sampled_from((DHCLIENT, NETWORKD, NETWORK_MANAGER)), some.integers(0, 400))
def test_any_text(inside: str, text: str, at: int) -> None:
    for each in (inside, text[:at] + inside + text[at:]):
        for parse in (leases.parse_networkd, leases.parse_network_manager, lambda t: leases.parse_dhclient(t, "eth0")):
            for lease in parse(each):
                assert len(socket.inet_aton(lease.address)) == len(socket.inet_aton(lease.server)) == 4


PLACES = {
    "run/systemd/netif/leases/3": NETWORKD.encode(),
    "run/NetworkManager/devices/3": NETWORK_MANAGER.encode(),
    "var/lib/dhcpcd/eth0.lease": message(),
    "var/lib/dhcpcd/dhcpcd-eth0.lease": message(),
    "var/lib/dhcp/dhclient.eth0.leases": DHCLIENT.encode(),
    "var/lib/dhclient/dhclient--eth0.lease": DHCLIENT.encode(),
    "var/lib/NetworkManager/dhclient-11111111-2222-4333-8444-555555555555-eth0.lease": DHCLIENT.encode(),
}


def put(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


@pytest.mark.parametrize("path", PLACES)
def test_lease_is_found_wherever_the_client_wrote_it(path: str, tmp_path: Path) -> None:
    put(tmp_path, "sys/class/net/eth0/ifindex", b"3\n")
    system = machine(tmp_path)
    assert leases.find("eth0", ADDRESSES, system) is None
    put(tmp_path, path, PLACES[path])
    assert leases.find("eth0", ADDRESSES, system) == LEASE


@pytest.mark.parametrize("path", PLACES)
def test_lease_of_another_address_does_not_count(path: str, tmp_path: Path) -> None:
    """The template's own, or one from before the card got a static address."""
    put(tmp_path, "sys/class/net/eth0/ifindex", b"3\n")
    put(tmp_path, path, PLACES[path])
    assert leases.find("eth0", ("10.1.1.24/24",), machine(tmp_path)) is None


def test_newest_lease_of_dhclient_counts(tmp_path: Path) -> None:
    newer = DHCLIENT.replace("identifier 10.1.1.1;", "identifier 10.1.1.254;")
    put(tmp_path, "var/lib/dhcp/dhclient.leases", (DHCLIENT + newer).encode())
    assert leases.find("eth0", ADDRESSES, machine(tmp_path)) == LEASE._replace(server="10.1.1.254")
