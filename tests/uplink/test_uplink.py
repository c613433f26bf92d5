"""A way to a metadata service before the network, with real DHCP clients and servers in network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("dhcpcd", "dhclient", "dnsmasq", "ip", "unshare")

# In CI all of it is there, or these tests fail.
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces"),
    pytest.mark.skipif(
        not os.environ.get("CI") and not all(map(shutil.which, NEEDED)), reason=f"needs {', '.join(NEEDED)}"
    ),
]

REPOSITORY = Path(__file__).parents[2]
LAB = Path(__file__).parent / "lab.py"
WHOLE = 600.0  # seconds: whoever takes so long has failed


def look(*cards: dict[str, Any], **scenario: Any) -> dict[str, Any]:
    """One look for metadata on a machine with these cards (lab.py); whatever it made for that must be gone."""
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, LAB]
    words = json.dumps({"cards": cards, **scenario})
    done = subprocess.run(
        [*map(str, argv), words], cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE, text=True, check=True, timeout=WHOLE,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    for part, before in found["before"].items():
        assert found["after"][part] == before, part
    return found


def card(name: str = "eth0", **how: Any) -> dict[str, Any]:
    return {"name": name, **how}


@pytest.mark.parametrize("client", ["dhcpcd", "dhclient"])
@pytest.mark.parametrize("option", ["121", "3"])
def test_a_lease_for_a_moment(client: str, option: str) -> None:
    """With the ways that the server names: option 121, which OpenStack's has for the service, or else the router."""
    found = look(card(service="4", dhcp=option), client=client)
    assert found["answer"] == "metadata behind eth0"
    uplink = found["uplink"]
    assert uplink["nic"] == "eth0" and uplink["family"] == 4
    assert uplink["addresses"][0].startswith("10.7.0.") and uplink["addresses"][0].endswith("/24")
    assert (uplink["gateway"], uplink["dhcp_server"], uplink["domain"]) == ("10.7.0.1", "10.7.0.1", "lab.example")
    assert found["reasons"] == [f"eth0 had {uplink['addresses'][0]}, leased from 10.7.0.1"]
    ways = {"10.7.0.0/24 -", "default 10.7.0.1"} | ({"169.254.169.254 10.7.0.1"} if option == "121" else set())
    assert set(found["routes"]) == ways
    log = found["logs"]["eth0"]
    assert "DHCPACK" in log and "DHCPRELEASE" in log


def test_a_server_sees_a_client_identifier_of_our_own() -> None:
    """So that what it remembers is not taken for the network manager's lease: type 0, "guestinit", the MAC."""
    for client in ("dhcpcd", "dhclient"):
        found = look(card(service="4", mac="52:54:00:12:34:56"), client=client)
        assert found["identifier"] == "00:67:75:65:73:74:69:6e:69:74:52:54:00:12:34:56", client


def test_ipv6_needs_no_lease() -> None:
    """Quirk 40's `fe80::a9fe:a9fe`: with nothing but the address that the kernel makes."""
    found = look(card(service="6", dhcp=""))
    assert found["answer"] == "metadata behind eth0"
    assert found["uplink"]["family"] == 6
    assert found["uplink"]["addresses"][0].startswith("fe80::")


def test_ipv6_needs_no_client_either() -> None:
    assert look(card(service="6"), client="")["uplink"]["family"] == 6


def test_a_router_brings_a_global_address_and_the_uplink_is_asked_again() -> None:
    """EC2's `fd00:ec2::254`; who asks gives up at once while there is only the link-local address."""
    found = look(card(service="global", dhcp=""), impatient=True)
    assert found["answer"] == "metadata behind eth0"
    assert any(address.startswith("fd00:ec2:") for address in found["uplink"]["addresses"])


def test_of_two_cards_the_one_that_answers() -> None:
    """Both are asked side by side: the time of the one without an answer is not waited for."""
    for silent, answering in (("eth0", "eth1"), ("eth1", "eth0")):
        cards = sorted((card(silent), card(answering, service="4")), key=lambda each: str(each["name"]))
        found = look(*cards, limit=WHOLE)
        assert found["answer"] == f"metadata behind {answering}"
        assert found["seconds"] < WHOLE / 4


@pytest.mark.parametrize("client", ["dhcpcd", "dhclient"])
def test_a_card_without_a_lease_is_left_in_the_middle_of_asking(client: str) -> None:
    found = look(card("eth0", dhcp=""), card("eth1", service="4"), client=client, limit=WHOLE)
    assert found["answer"] == "metadata behind eth1"
    assert found["seconds"] < WHOLE / 4


def test_a_carrier_that_comes_late_is_an_event() -> None:
    found = look(card(service="4", late=2.0))
    assert found["answer"] == "metadata behind eth0"


def test_no_carrier_anywhere_ends_early() -> None:
    found = look(card("eth0", plugged=False), card("eth1", plugged=False), limit=WHOLE)
    assert found["answer"] is None
    assert found["reasons"] == ["eth0 has no carrier", "eth1 has no carrier"]
    assert found["seconds"] < WHOLE / 4


@pytest.mark.parametrize("client", ["dhcpcd", "dhclient"])
def test_no_server_is_given_up_at_the_limit(client: str) -> None:
    found = look(card(dhcp=""), client=client, limit=6.0)
    assert found["answer"] is None
    assert "eth0 got no lease: no DHCP server has answered" in found["reasons"]


def test_a_lease_and_no_service() -> None:
    found = look(card(), limit=6.0)
    assert found["answer"] is None
    assert any(reason.startswith("eth0 had 10.7.0.") for reason in found["reasons"])
    assert "DHCPRELEASE" in found["logs"]["eth0"]


def test_without_a_client_the_own_network_is_waited_for_and_nothing_else() -> None:
    """IPv6 alone gets a few seconds, for there is another chance."""
    found = look(card(service="4"), client="", limit=WHOLE)
    assert found["answer"] is None
    assert found["reasons"][0] == "the image has no client for a lease (dhcpcd, dhclient): only IPv6 is asked"
    assert found["seconds"] < WHOLE / 4
    assert found["logs"]["eth0"].count("DHCPDISCOVER") == 0


def test_what_was_up_stays_up_and_what_it_had_stays() -> None:
    found = look(card(up=True, address="10.7.0.9/24", dhcp=""), card("eth1", up=True, service="4"))
    assert found["answer"] == "metadata behind eth1"


def test_a_card_that_has_an_address_is_asked_with_it() -> None:
    found = look(card(up=True, address="169.254.7.9/16", service="4"))
    assert found["uplink"]["addresses"] == ["169.254.7.9/16"]
    assert found["logs"]["eth0"].count("DHCPDISCOVER") == 0


@pytest.mark.parametrize("up", [False, True])
def test_a_dry_run_touches_nothing(up: bool) -> None:
    found = look(card(service="4", up=up), dry=True, limit=6.0)
    assert found["answer"] is None
    assert "DHCPDISCOVER" not in found["logs"]["eth0"]
    if not up:
        assert found["reasons"] == ["no network card has an address"]


def test_what_is_answered_may_be_unreadable_and_everything_is_gone_all_the_same() -> None:
    found = look(card(service="4"), raises=True)
    assert found["error"] == "nobody can read this"
    assert "DHCPRELEASE" in found["logs"]["eth0"]


@pytest.mark.parametrize("client", ["dhcpcd"])
def test_the_lease_of_the_network_manager_stays_in_its_file(client: str) -> None:
    """ifupdown on Debian 13 has dhcpcd, too, and what it got in the boot before."""
    look(card(service="4"), client=client, lease="the manager's")
