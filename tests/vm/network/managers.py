"""The network managers: how each starts as on a first boot, when it is done, and how nothing is left of it."""

from __future__ import annotations

import glob
import os
import shutil
from typing import NamedTuple

from tests.vm.network.run import run


class Manager(NamedTuple):
    """One network manager."""

    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    traces: tuple[str, ...]  # glob patterns of what it writes, and of what is written for it
    units: tuple[str, ...]  # whose log tells what happened


_NETWORKD = (
    "/etc/systemd/network/*",
    "/run/systemd/network/*",
    "/run/systemd/netif/*/*",
    "/run/systemd/netif/state",
    "/var/lib/systemd/network/*",
    "/etc/systemd/resolved.conf.d/*",
)
_STOP_NETWORKD = (("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service"),)

_OF_IFUPDOWN = ("/run/network", "/run/resolvconf/interface", "/etc/network/interfaces.d", "/var/lib/dhcpcd")

MANAGERS = {
    "networkd": Manager(
        (("systemctl", "start", "systemd-networkd.service"),), _STOP_NETWORKD, _NETWORKD, ("systemd-networkd",)
    ),
    "network-manager": Manager(
        (("systemctl", "start", "NetworkManager.service"),),
        (("systemctl", "stop", "NetworkManager.service"),),
        (
            "/etc/NetworkManager/system-connections/*",
            "/run/NetworkManager/*",
            "/var/lib/NetworkManager/*",
            "/etc/systemd/network/*",
        ),
        ("NetworkManager",),
    ),
    "netplan": Manager(
        (("/usr/libexec/netplan/generate",), ("systemctl", "start", "systemd-networkd.service")),
        _STOP_NETWORKD,
        (*_NETWORKD, "/etc/netplan/*", "/run/udev/rules.d/*netplan*", "/run/systemd/system/*netplan*"),
        ("systemd-networkd",),
    ),
    "ifupdown": Manager(
        (("systemctl", "start", "networking.service"),),
        # Not with `ifdown`, which takes as long as `ifup`: what it would undo goes with the interfaces.
        (
            ("systemctl", "kill", "--signal=KILL", "networking.service"),
            ("find", *_OF_IFUPDOWN, "-type", "f", "-delete"),
            ("resolvconf", "-u"),
            ("systemctl", "stop", "networking.service"),
        ),
        ("/etc/systemd/network/*",),
        ("networking",),
    ),
}


def is_done(name: str) -> bool:
    """Whether the manager says that it has nothing left to do."""
    if name in ("networkd", "netplan"):
        return not any(_is_waited_for(path) for path in glob.glob("/run/systemd/netif/links/*"))
    if name == "network-manager":
        return _startup_complete()
    return True


def _is_waited_for(path: str) -> bool:
    """Whether systemd-networkd-wait-online would wait for this link."""
    try:
        with open(path) as file:
            values = dict(line.strip().partition("=")[::2] for line in file)
    except OSError:
        return False
    if values.get("REQUIRED_FOR_ONLINE") == "no":
        return values.get("ADMIN_STATE") in ("pending", "initialized")
    return values.get("ADMIN_STATE") in ("pending", "initialized", "configuring")


def _startup_complete() -> bool:
    argv = ("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager")
    return run("busctl", "get-property", *argv, "Startup").strip() == "b false"


def remove_traces(manager: Manager) -> None:
    """Delete every file that a manager has written, or that was written for it."""
    for pattern in manager.traces:
        for path in glob.glob(pattern):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
