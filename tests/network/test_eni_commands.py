"""Commands in interfaces(5) that are understood without being run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model.problem import Problems
from guestinit.reading import network_eni
from guestinit.reading.network_eni_commands import NOTHING, Effect, understand

TO = ("destination", "10.9.0.0/16")


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("ip route add 10.9.0.0/16 via 10.0.0.9", Effect(route=(TO, ("gateway", "10.0.0.9")))),
        ("/sbin/ip -4 route replace 10.9.0.0/16 dev eth0 scope link || true", Effect(route=(TO,))),
        (
            "ip -6 route add default via fe80::1 dev $IFACE metric 5 onlink",
            Effect(route=(("destination", "::/0"), ("gateway", "fe80::1"), ("metric", "5"))),
        ),
        (
            "route add -net 10.9.0.0 netmask 255.255.0.0 gw 10.0.0.9 metric 2",
            Effect(route=(("destination", "10.9.0.0"), ("netmask", "255.255.0.0"), ("gateway", "10.0.0.9"),
                          ("metric", "2"))),
        ),
        ("route add -net 10.9.0.0/16 gw 10.0.0.9 dev eth0", Effect(route=(TO, ("gateway", "10.0.0.9")))),
        (
            "route add -host 192.0.2.1 gw 10.0.0.9",
            Effect(route=(("destination", "192.0.2.1"), ("netmask", "32"), ("gateway", "10.0.0.9"))),
        ),
        (
            "route add default gw 10.0.0.1",
            Effect(route=(("destination", "0.0.0.0"), ("netmask", "0"), ("gateway", "10.0.0.1"))),
        ),
        ("ip addr add 10.0.0.6/24 dev eth0", Effect(address="10.0.0.6/24")),
        ("ip link set dev eth0 mtu 9000", Effect(options=(("mtu", "9000"),))),
        ("ip link set eth0 up", NOTHING),
        ("ip link set eth0 type bridge forward_delay 400", Effect(options=(("bridge-forward_delay", "4"),))),
        (f"ip link set eth0 type bridge forward_delay {'9' * 5000}",  # more digits than int() takes
         Effect(options=(("bridge-forward_delay", "9" * 5000),))),
        ("ip link set dev eth1 master eth0", Effect(items=(("members", "eth1"),))),
        ("ip link set dev eth1 down", NOTHING),
        (
            "[ -d /sys/class/net/$IFACE ] || ip link add link eth1 name $IFACE type vlan id 7",
            Effect(options=(("vlan-raw-device", "eth1"), ("vlan-id", "7"))),
        ),
        ("echo 0 >/proc/sys/net/ipv6/conf/$IFACE/accept_ra || true", Effect(options=(("accept-ra", "0"),))),
    ],
)  # fmt: skip
def test_what_a_command_means(command: str, effect: Effect) -> None:
    assert understand("up", command, "eth0") == effect


@pytest.mark.parametrize(
    "command",
    [
        "ip route add 10.9.0.0/16 via 10.0.0.9 dev eth1",  # of another interface
        "ip route add 10.9.0.0/16 via 10.0.0.9 table 5",
        "ip route add blackhole 10.9.0.0/16",
        "ip route add 10.9.0.0/16 via $(gateway)",
        "ip route add 10.9.0.0/16 via 10.0.0.9; reboot",
        "ip addr add 10.0.0.6/24 dev eth0 label eth0:1",
        "ip link set dev eth0 txqueuelen 5000",
        "ip link set dev eth1 mtu 9000",
        "ip link add dev eth0 type vrf table 5",
        "ip rule add from 10.0.0.0/24 table 5",
        "ip",
        "echo 1 >/proc/sys/net/ipv4/ip_forward",
        "ethtool -K eth0 tso off",
        "[ -x /usr/bin/x ] || ip link set eth0 mtu 9000",
    ],
)
def test_what_would_have_to_be_run_is_not_understood(command: str) -> None:
    assert understand("up", command, "eth0") is None
    problems = Problems()
    network_eni.read(f"auto eth0\niface eth0 inet dhcp\n    up {command}\n", "interfaces", problems)
    assert "'up' commands are not run" in str(problems.found[0])


@pytest.mark.parametrize(("command", "is_known"), [("ip link delete dev eth0", True), ("rm -rf /", False)])
def test_on_the_way_down(command: str, is_known: bool) -> None:
    assert (understand("post-down", command, "eth0") == NOTHING) is is_known


WORDS = st.sampled_from(
    ("ip", "-6", "route", "addr", "link", "add", "set", "via", "10.0.0.1", "dev", "eth0", "type", "bond", "bridge",
     "vlan", "id", "master", "mtu", "default", "bridge_slave", "cost", "5", "forward_delay", "$IFACE",
     "||", "true", "-net", "gw")
)  # fmt: skip


@given(st.lists(WORDS, max_size=10).map(" ".join))
def test_any_command_is_understood_or_not(command: str) -> None:
    for keyword in ("up", "pre-up", "post-down"):
        understand(keyword, command, "eth0")
    problems = Problems()
    network_eni.read(f"auto eth0\niface eth0 inet manual\n    up {command}\n", "interfaces", problems)
    assert all(problem.position.line for problem in problems.found)
