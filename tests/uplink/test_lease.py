"""What DHCP clients say about their leases, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.system.failed import Failed
from guestinit.system.lease import Lease, read_dhclient, read_dhcpcd

# As dhcpcd 9.4.1 and 10.1.0 print it.
DHCPCD = """reason=BOUND
interface=eth0
protocol=dhcp
ip_address=10.7.0.55
subnet_cidr=24
network_number=10.7.0.0
subnet_mask=255.255.255.0
classless_static_routes=169.254.169.254/32 10.7.0.2 10.9.0.0/16 0.0.0.0 0.0.0.0/0 10.7.0.1
routers=10.7.0.9
domain_name=lab.example
dhcp_server_identifier=10.7.0.2
"""
# As dhclient 4.4.3 writes it: the last one counts.
DHCLIENT = """lease {
  interface "eth0";
  fixed-address 10.7.0.54;
  option subnet-mask 255.255.255.0;
}
lease {
  interface "eth0";
  fixed-address 10.7.0.55;
  option subnet-mask 255.255.255.0;
  option routers 10.7.0.9;
  option dhcp-lease-time 3600;
  option dhcp-server-identifier 10.7.0.2;
  option guestinit-routes 32,169,254,169,254,10,7,0,2,16,10,9,0,0,0,0,0,10,7,0,1;
  option domain-name "lab.example";
  renew 6 2026/11/21 16:36:02;
}
"""
ROUTES = (("169.254.169.254/32", "10.7.0.2"), ("10.9.0.0/16", ""), ("0.0.0.0/0", "10.7.0.1"))


@pytest.mark.parametrize(("read", "text"), [(read_dhcpcd, DHCPCD), (read_dhclient, DHCLIENT)])
def test_both_say_the_same(read, text) -> None:  # type: ignore[no-untyped-def]
    """Option 121 counts and option 3 does not, where both are given (RFC 3442)."""
    lease = read(text)
    assert lease == Lease("10.7.0.55/24", "10.7.0.2", ROUTES, "lab.example")
    assert lease.gateway == "10.7.0.1"


def test_a_router_is_the_gateway_where_no_ways_are_named() -> None:
    assert read_dhcpcd("ip_address=10.7.0.5\nsubnet_cidr=24\nrouters='10.7.0.1 10.7.0.2'\n").gateway == "10.7.0.1"
    lease = read_dhclient("lease {\n  fixed-address 10.7.0.5;\n  option routers 10.7.0.1,10.7.0.2;\n}\n")
    assert (lease.address, lease.gateway) == ("10.7.0.5/32", "10.7.0.1")


def test_an_address_alone_is_a_lease() -> None:
    assert read_dhcpcd("ip_address=10.7.0.5\nsubnet_cidr=24\n") == Lease("10.7.0.5/24")
    assert read_dhclient("lease {\n  fixed-address 10.7.0.5;\n}\n") == Lease("10.7.0.5/32")


@pytest.mark.parametrize("read", [read_dhcpcd, read_dhclient])
@given(text=st.text(alphabet="ad=dress121,;{}\n -./", max_size=60) | st.text())
def test_anything_else_is_none(read, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Failed):
        read(text)


@given(octets=st.lists(st.integers(0, 255), max_size=20))
def test_ways_that_are_cut_short_are_left_out(octets: list[int]) -> None:
    text = ",".join(map(str, octets))
    lease = read_dhclient(f"lease {{\n  fixed-address 10.7.0.5;\n  option guestinit-routes {text};\n}}\n")
    assert all(int(destination.rpartition("/")[2]) <= 32 for destination, _ in lease.routes)
