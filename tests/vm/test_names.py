"""Three cards whose names the seed exchanges, under both schemes of names; a card that is announced and not there.

Debian 12 with systemd-networkd. What is tried: names in the first boot, before the network starts; the same names after
reboots, also where udev alone cannot give them; and that udev, asked again, does not take them away.
"""

from __future__ import annotations

from tests.vm import seeds
from tests.vm.guest import Hardware
from tests.vm.lab import Run

MACS = ("bc:24:11:0a:16:00", "bc:24:11:0a:16:01", "bc:24:11:0a:16:02")
ABSENT = "bc:24:11:0a:16:99"
UUID = "6a8f2c1e-0b5d-4a3e-9f10-000000000016"
# On these virtual machines the cards are eth0, eth1, eth2, or ens3, ens4, ens5.
EXCHANGED = """\
version: 2
ethernets:
  a:
    match: {{macaddress: '{0}'}}
    set-name: {one}
    addresses: [10.20.0.40/24]
    routes: [{{to: default, via: 10.20.0.1}}]
  b:
    match: {{macaddress: '{1}'}}
    set-name: {zero}
    dhcp4: true
  c:
    match: {{macaddress: '{2}'}}
    set-name: lan
    addresses: [10.22.0.40/24]
{more}"""
MORE = f"""\
  d:
    match: {{macaddress: '{ABSENT}'}}
    set-name: dmz
    addresses: [10.23.0.40/24]
"""
# As a device manager that asks for everything once more: names must stay.
ASK_UDEV = ["sh", "-c", "udevadm trigger --action=add --subsystem-match=net --settle && ip -j link"]
WATCH = [
    ["journalctl", "-b", "-o", "short-monotonic", "-u", "systemd-udevd", "-u", "guestinit-local", "--no-pager"],
    ["journalctl", "-b", "-k", "-g", "renamed|virtio_net", "--no-pager"],
    ["ip", "-j", "link"],
    ASK_UDEV,
]


def document(zero: str, one: str, more: str = "") -> bytes:
    return EXCHANGED.format(*MACS, zero=zero, one=one, more=more).encode()


def chain(run: Run, names: tuple[str, str], kernel_args: str, more: str) -> None:
    machine = run.machine("bookworm")
    files = {
        "meta-data": b"instance-id: names-1\n",
        "user-data": b"#cloud-config\nhostname: names\n",
        "network-config": document(*names, more),
    }
    hardware = Hardware(
        uuid=UUID, seed=seeds.write_iso(files, run.path("seed.iso")), macs=MACS, kernel_args=kernel_args
    )  # fmt: skip
    request = {"addresses": ["10.20.0.40", "10.21.0.", "10.22.0.40"], "commands": WATCH}
    run.boot("first", machine, hardware, request)
    run.boot("second", machine, hardware, request)
    # oVirt takes the drive away after the first start.
    run.boot("without_drive", machine, hardware._replace(seed=None), request)


def kernel_names(run: Run) -> None:
    chain(run, ("eth0", "eth1"), "", MORE)


def slot_names(run: Run) -> None:
    chain(run, ("ens3", "ens4"), "net.ifnames=1", "")


def fallback(run: Run) -> None:
    """A seed without a network-config, two cards, and a cable in the second one only."""
    machine = run.machine("trixie")
    files = {"meta-data": b"instance-id: fallback-1\n", "user-data": b"#cloud-config\nhostname: names\n"}
    hardware = Hardware(
        uuid=UUID[:-1] + "7", seed=seeds.write_iso(files, run.path("seed.iso")), macs=MACS[:2], unplugged=(0,)
    )  # fmt: skip
    request = {"addresses": ["10.21.0."], "commands": WATCH}
    run.boot("first", machine, hardware, request)
    run.boot("second", machine, hardware, request)


CHAINS = [kernel_names, slot_names, fallback]
