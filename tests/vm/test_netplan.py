"""A Proxmox VE machine with Debian 12 and netplan, whose generator has nothing to read when the first boot begins.

systemd-networkd is not enabled: netplan alone has it started. What is tried: the order of a first boot, and a reboot
with another address.
"""

from __future__ import annotations

import pytest

from tests.vm import seeds
from tests.vm.guest import Boot, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

MAC = "bc:24:11:0a:17:00"
MAC1 = "bc:24:11:0a:17:01"
UUID = "6a8f2c1e-0b5d-4a3e-9f10-000000000017"
FILE = "/etc/netplan/50-cloud-init.yaml"
SHOW = ["systemctl", "show", "-p", "Id,UnitFileState,ActiveState,ConditionResult,ActiveEnterTimestampMonotonic"]
UNITS = ["systemd-networkd.service", "systemd-networkd-wait-online.service", "network-online.target"]
COMMANDS = [[*SHOW, *UNITS], ["netplan", "get", "ethernets.eth0"], ["ls", "/run/systemd/network"]]
# What a first boot of the network has to be awaited for.
EXTRA = "runcmd:\n  - [sh, -c, 'ip -j address > /var/lib/vmtest-addresses']\n"


def netplan(run: Run) -> None:
    machine = run.machine("netplan")
    hardware = Hardware(uuid=UUID, macs=(MAC, MAC1))
    for name, address in (("first", "10.20.0.60"), ("edited", "10.20.0.61")):
        seed = seeds.ProxmoxSeed(
            name="web60",
            nics=(seeds.Nic(MAC, f"{address}/24", "10.20.0.1"), seeds.Nic(MAC1, "dhcp", None, "auto")),
            nameservers=("10.20.0.3",), searchdomain="example.test", upgrade=False, extra=EXTRA,
        )  # fmt: skip
        written = hardware._replace(seed=seeds.write_iso(seed.files(), run.path(f"{name}.iso")), address=address)
        request = {
            "addresses": [address, "10.21.0.", "2001:db8:21:"], "commands": COMMANDS,
            "files": ["/var/lib/vmtest-addresses"],
        }  # fmt: skip
        run.boot(name, machine, written, request)


CHAINS = [netplan]
first = boot_fixture("netplan", "first")
edited = boot_fixture("netplan", "edited")


@pytest.fixture(params=["first", "edited"])
def each(request: pytest.FixtureRequest, lab: Lab) -> tuple[Boot, str]:
    """A boot, and the address that it is to have."""
    return lab.boot("netplan", request.param), {"first": "10.20.0.60", "edited": "10.20.0.61"}[request.param]
