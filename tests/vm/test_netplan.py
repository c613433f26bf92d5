"""A Proxmox VE machine with Debian 12 and netplan, whose generator has nothing to read when the first boot begins.

systemd-networkd is not enabled: netplan alone has it started. What is tried: the order of a first boot; then a reboot
with another address, after somebody wrote what Debian's cloud images have: a lease for everything. On the way, this
netplan says whether it takes the file of every case in tests/network.
"""

from __future__ import annotations

import base64
import io
import os
import tarfile

import pytest

from tests.network.test_cases_of_network import CASES, names, slurp
from tests.vm import seeds, seen
from tests.vm.guest import Boot, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

MAC = "bc:24:11:0a:17:00"
MAC1 = "bc:24:11:0a:17:01"
UUID = "6a8f2c1e-0b5d-4a3e-9f10-000000000017"
FILE = "/etc/netplan/50-cloud-init.yaml"
DROP_IN = "/etc/systemd/network/10-netplan-eth1.network.d/50-guestinit-eth1.network.conf"
PROPERTIES = "Id,ActiveState,ConditionResult,ActiveEnterTimestampMonotonic"
UNITS = ("systemd-networkd.service", "systemd-networkd-wait-online.service", "network-online.target")
LEASE = "network: {version: 2, ethernets: {all-eth: {match: {name: eth*}, dhcp4: true}}}"
# The addresses at the end of the boot are those that a command finds; the other file counts from the next boot on.
EXTRA = f"""\
runcmd:
  - [sh, -c, 'ip -br address > /var/lib/vmtest-addresses']
  - [sh, -c, 'echo "{LEASE}" > /etc/netplan/90-default.yaml; chmod 600 /etc/netplan/90-default.yaml']
"""
TAKE = """
mkdir /run/cases && cd /run/cases && echo "$0" | base64 -d | tar -xz
for file in *.yaml; do
    mkdir -p tree/etc/netplan && cp "$file" tree/etc/netplan/50-cloud-init.yaml && chmod 600 tree/etc/netplan/*
    said=$(/usr/libexec/netplan/generate --root-dir /run/cases/tree 2>&1) || echo "$file: $said"
    rm -r tree && echo "$file asked"
done
"""


def cases() -> list[str]:
    return [name for name in names() if slurp(name, "netplan", "50-cloud-init.yaml")]


def packed() -> str:
    """The files of all cases, in one argument."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in cases():
            tar.add(os.path.join(CASES, name, "netplan", "50-cloud-init.yaml"), f"{name}.yaml")
    return base64.b64encode(out.getvalue()).decode()


def netplan(run: Run) -> None:
    machine = run.machine("netplan")
    for name, address in (("first", "10.20.0.60"), ("edited", "10.20.0.61")):
        seed = seeds.ProxmoxSeed(
            name="web60",
            nics=(seeds.Nic(MAC, f"{address}/24", "10.20.0.1"), seeds.Nic(MAC1, "dhcp", None, "auto")),
            nameservers=("10.20.0.3",), upgrade=False, extra=EXTRA,
        )  # fmt: skip
        drive = seeds.write_iso(seed.files(), run.path(f"{name}.iso"))
        commands = [
            ["systemctl", "show", "-p", PROPERTIES, *UNITS],
            ["netplan", "get", "ethernets"],
            ["sh", "-c", TAKE, packed()] if name == "first" else ["true"],
        ]
        request = {
            "addresses": [address, "10.21.0.", "2001:db8:21:"], "commands": commands,
            "files": ["/var/lib/vmtest-addresses"],
        }  # fmt: skip
        run.boot(name, machine, Hardware(uuid=UUID, seed=drive, macs=(MAC, MAC1), address=address), request)


CHAINS = [netplan]
first = boot_fixture("netplan", "first")
edited = boot_fixture("netplan", "edited")


@pytest.fixture(params=["first", "edited"])
def either(request: pytest.FixtureRequest, lab: Lab) -> tuple[Boot, str]:
    """A boot, and the address that it is to have."""
    return lab.boot("netplan", request.param), {"first": "10.20.0.60", "edited": "10.20.0.61"}[request.param]


def units(boot: Boot) -> dict[str, dict[str, str]]:
    blocks = boot.facts["commands"][0]["out"].strip().split("\n\n")
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return {each["Id"]: each for each in found}


def test_it_ends_well(first: Boot, edited: Boot) -> None:
    seen.assert_settled(first, "new")
    seen.assert_settled(edited, "reconfigured")


def test_the_addresses_of_the_seed_and_no_others(either: tuple[Boot, str]) -> None:
    boot, address = either
    assert {each for each in seen.addresses(boot, MAC) if ":" not in each} == {f"{address}/24"}
    assert ("10.20.0.1", MAC) in seen.gateways(boot)
    leased = seen.addresses(boot, MAC1)
    assert any(each.startswith("10.21.0.") for each in leased)
    assert any(each.startswith("2001:db8:21:") for each in leased)


def test_the_file_is_netplans_and_roots(first: Boot) -> None:
    assert seen.mode(first, FILE) == "0600"
    assert "10.20.0.60/24" in first.facts["commands"][1]["out"]
    assert "UseDomains=yes" in seen.content(first, DROP_IN)


def test_networkd_starts_and_what_asks_for_the_network_has_it(either: tuple[Boot, str]) -> None:
    """In a first boot netplan's generator saw no file, so nothing asked for systemd-networkd when the boot began."""
    shown = units(either[0])
    assert {each["ActiveState"] for each in shown.values()} == {"active"}, shown
    waited, online = (int(shown[unit]["ActiveEnterTimestampMonotonic"]) for unit in UNITS[1:])
    assert waited <= online
    assert " 10.20.0.60/24" in seen.content(either[0], "/var/lib/vmtest-addresses")  # runcmd's, in the first boot


def test_a_reboot_needs_no_new_start(edited: Boot) -> None:
    begun = [line for line in edited.facts["journal"].splitlines() if line.endswith(" begun")]
    assert any("command:netplan generate" in line for line in begun)
    assert not any("daemon-reload" in line for line in begun)


def test_a_lease_for_everything_that_comes_first_has_no_say(edited: Boot) -> None:
    assert "90-default.yaml has all-eth for it too" in str(seen.status(edited)["problems"])
    said = edited.facts["commands"][1]["out"]
    assert "0-eth0:" in said and "all-eth:" in said


def test_this_netplan_takes_the_file_of_every_case(first: Boot) -> None:
    lines = first.facts["commands"][2]["out"].splitlines()
    assert [line for line in lines if not line.endswith(" asked")] == []
    assert len(lines) == len(cases()) > 80
