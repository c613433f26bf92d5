"""The six network cards of the guest, and what is at the other end of their cables: the namespace `world`.

A card that no case uses has no driver, so the machine seems to have only those that the case is about. Taking the
driver away and giving it back makes an interface as fresh as after power-on: its own MAC, no addresses, every setting
of the kernel as it is by default; udev sees it appear.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence

from tests.vm.network.run import run

DRIVER = "/sys/bus/virtio/drivers/virtio_net"
COUNT = 6
MACS = tuple(f"52:54:00:a0:00:0{number}" for number in range(COUNT))
FAR_MACS = tuple(f"52:54:00:b0:00:0{number}" for number in range(COUNT))
CABLES = tuple(zip(MACS, FAR_MACS))
WORLD = "world"


def _by_mac() -> dict[str, str]:
    """The names of the interfaces that there are."""
    found = {}
    for name in os.listdir("/sys/class/net"):
        with open(f"/sys/class/net/{name}/address") as file:
            found[file.read().strip()] = name
    return found


def be_router(name: str) -> None:
    """Bring an interface of the world up; its link-local address is fe80::1."""
    run("ip", "-n", WORLD, "link", "set", name, "addrgenmode", "none")
    run("ip", "-n", WORLD, "link", "set", name, "up")
    run("ip", "-n", WORLD, "address", "replace", "fe80::1/64", "dev", name, "nodad")


class Cards:
    """The cards. Made once, before any network manager runs."""

    def __init__(self) -> None:
        run("udevadm", "settle")
        if not os.path.exists(f"/run/netns/{WORLD}"):
            self._make_world()
        # A neighbour that does not forward is no router: the kernel would drop its default route.
        run("ip", "netns", "exec", WORLD, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self._devices: list[str] = []
        with open("/run/cards") as file:
            self._devices = file.read().split()

    def _make_world(self) -> None:
        names = _by_mac()
        run("ip", "netns", "add", WORLD)
        run("ip", "netns", "exec", WORLD, "sysctl", "-qw", "net.ipv6.conf.default.accept_ra=0")
        for number, mac in enumerate(FAR_MACS):
            run("ip", "link", "set", names[mac], "netns", WORLD, "name", f"w{number}")
        devices = [os.path.basename(os.path.realpath(f"/sys/class/net/{names[mac]}/device")) for mac in MACS]
        with open("/run/cards", "w") as file:
            file.write("\n".join(devices))
        for number in range(COUNT):
            self._devices = devices
            self._unbind(number)

    def plug(self, names: Sequence[str]) -> None:
        """Make the first cards of the machine appear, under these names, down."""
        # udev looks for changed .link files every few seconds only: a card would get what the case before asked for.
        run("udevadm", "control", "--reload")
        for number, _ in enumerate(names):
            with open(f"{DRIVER}/bind", "w") as file:
                file.write(self._devices[number])
            be_router(f"w{number}")
        run("udevadm", "settle")
        for number, _ in enumerate(names):
            run("ip", "link", "set", self._name(number), "name", f"plugged{number}")
        for number, name in enumerate(names):
            # udev's other names for a card may be those that the case gives to another one.
            for other in json.loads(run("ip", "-j", "link", "show", "dev", f"plugged{number}"))[0].get("altnames", ()):
                run("ip", "link", "property", "del", "dev", f"plugged{number}", "altname", other)
            run("ip", "link", "set", f"plugged{number}", "name", name)
        run("udevadm", "settle")

    def unplug(self) -> None:
        """Take all cards away."""
        for number in range(COUNT):
            self._unbind(number)

    def _unbind(self, number: int) -> None:
        # What is sent to a card without a driver would wait in the cable.
        run("ip", "-n", WORLD, "link", "set", f"w{number}", "down")
        if os.path.exists(f"{DRIVER}/{self._devices[number]}"):
            with open(f"{DRIVER}/unbind", "w") as file:
                file.write(self._devices[number])

    def _name(self, number: int) -> str:
        directory = f"/sys/bus/virtio/devices/{self._devices[number]}/net"
        for _ in range(200):
            if os.path.isdir(directory) and os.listdir(directory):
                return os.listdir(directory)[0]
            time.sleep(0.05)
        raise AssertionError(f"card {number} did not come")
