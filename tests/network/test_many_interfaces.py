"""A plan for four times as many interfaces is four times as much work, also on an image with files for each of them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from guestinit.model.facts import Ifupdown, Nic
from tests.network.test_network_module import facts, plan


def mac(number: int) -> str:
    return f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"


def document(count: int) -> str:
    lines = ["version: 2", "ethernets:"]
    for number in range(count):
        lines.append(f"  card{number}: {{match: {{macaddress: '{mac(number)}'}}, set-name: lan{number}, dhcp4: true}}")
    lines.append("vlans:")
    for number in range(count):
        address = f"10.{number // 250}.{number % 250}.1/24"
        lines.append(f"  v{number}: {{id: {number + 1}, link: card{number}, mtu: 9000, addresses: [{address}]}}")
    return "\n".join(lines)


def calls(renderer: str, count: int) -> int:
    """How many functions a plan calls, which is the same at every run."""
    nics = tuple(Nic(f"eth{number}", mac(number)) for number in range(count))
    stanzas = ("/etc/network/interfaces", "".join(f"auto eth{n}\niface eth{n} inet dhcp\n" for n in range(count)))
    files = [stanzas, ("/etc/systemd/network/05-all.network", "[Match]\nName=wl*\n")]
    for number in range(count):
        name = f"lan{number}" if number % 2 else f"other{number}"
        files.append((f"/etc/systemd/network/05-{number}.network", f"[Match]\nName={name}\n"))
        profile = f"[connection]\ninterface-name={name}\nautoconnect-priority=200\n"
        files.append((f"/etc/NetworkManager/system-connections/{number}.nmconnection", profile))
    here = facts(renderer, nics=nics, network_files=tuple(files), ifupdown=Ifupdown(files=(stanzas,)))
    text, found = document(count), 0

    def count_call(frame: object, event: str, argument: object) -> None:
        nonlocal found
        found += event == "call"

    before: Any = sys.getprofile()
    sys.setprofile(count_call)
    try:
        steps, _ = plan(text, here)
    finally:
        sys.setprofile(before)
    assert len(steps) > count or renderer in ("netplan", "ifupdown")
    return found


@pytest.mark.parametrize("renderer", ["networkd", "network-manager", "netplan", "ifupdown"])
def test_four_times_as_many_take_four_times_as_long(renderer: str) -> None:
    assert calls(renderer, 400) < 5 * calls(renderer, 100)
