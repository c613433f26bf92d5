"""The report of a boot that changed nothing: the document of the settled run with this boot's marks filled in."""

from __future__ import annotations

import os
import sys

from guestinit.system import agent, console, drive

RUN = "/run/guestinit"
QUEUE_LIMIT = 10.0  # seconds for systemctl to hand over a job
RENEW = RUN + "/renew"  # the metadata service that the final stage asks for news


def write(kind: str, reason: str, document: str, line: str, renews: str = "", root: str = "") -> None:
    """Write status.json and the console line; ask for the final stage only if it has to tell or to ask somebody."""
    with open(root + "/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot_id = file.read().strip()
    with open(root + "/proc/uptime", encoding="ascii") as file:
        uptime = file.read().split()[0]
    line = line.replace("@kind@", kind.replace(" ", "-")).replace("@uptime@", uptime)
    for mark, text in (("@boot_id@", boot_id), ("@kind@", kind), ("@reason@", reason), ('"@uptime@"', uptime)):
        document = document.replace(mark, text)
    os.makedirs(root + RUN, 0o755, exist_ok=True)
    # Without fsync: /run is memory. By rename: a reader never sees half a document.
    descriptor = os.open(root + RUN + "/.status.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.write(descriptor, document.encode() + b"\n")
    os.close(descriptor)
    os.rename(root + RUN + "/.status.json", root + RUN + "/status.json")
    if renews:
        _put(root + RENEW, renews.encode())
    if renews or _host_may_listen(root):
        _put(root + RUN + "/final.todo", b"")
    if line:
        console.write_line(line, root)
    if renews and not root:
        _want_network()


def _put(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.write(descriptor, content)
    os.close(descriptor)


def _want_network() -> None:
    """Queue network-online.target, after which the final stage is ordered; as announce.request_network does it."""
    if not os.path.exists("/run/systemd/system"):
        return
    code, said = drive.run(("systemctl", "--no-block", "start", "network-online.target"), QUEUE_LIMIT)
    if code != 0:
        said = said.strip() if code is not None else f"not done within {QUEUE_LIMIT:.0f} s"
        sys.stderr.write(f"<4>network-online.target is not waited for: systemctl: {said}\n")  # sd-daemon(3)


def _host_may_listen(root: str) -> bool:
    """A virtio-serial device and no qemu-ga: the agent's port takes our report at the end of the boot.

    The port itself has no name yet: udev's coldplug comes later. Virtio device type 3 is the console device.
    """
    if agent.is_installed(root):
        return False
    directory = root + "/sys/bus/virtio/devices"
    try:
        for name in os.listdir(directory):
            with open(f"{directory}/{name}/device", encoding="ascii") as file:
                if file.read().strip() == "0x0003":
                    return True
    except OSError:
        pass
    return False
