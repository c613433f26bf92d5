"""This boot: its id, its clock, and what a host wants to know of the guest at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestinit.system.system import System


def boot_id(system: System) -> str:
    """The kernel's random id of this boot; "" offline."""
    if not system.live:
        return ""
    return (system.root.read("/proc/sys/kernel/random/boot_id") or b"").decode("ascii", "replace").strip()


def uptime(system: System) -> float:
    """Seconds since the kernel started; the wall clock may still be wrong in early boot."""
    text = (system.root.read("/proc/uptime") or b"0").decode("ascii", "replace")
    return round(float(text.split()[0]), 2) if system.live else 0.0


def addresses(system: System) -> tuple[str, ...]:
    """Global addresses with their interface, "eth0 10.20.0.15/24", as ip(8) lists them."""
    if not system.live:
        return ()
    import json

    from guestinit.system.failed import Failed

    try:
        finished = system.process.run(("ip", "-j", "address", "show", "scope", "global"), timeout=10)
        links = json.loads(finished.output) if finished.code == 0 else []
    except (Failed, OSError, ValueError):
        return ()  # no iproute2: the report goes without
    return tuple(
        f"{link['ifname']} {address['local']}/{address['prefixlen']}"
        for link in links
        for address in link.get("addr_info", ())
        if "local" in address
    )


def host_key_fingerprints(system: System) -> tuple[str, ...]:
    """The fingerprints of the SSH host keys as ssh shows them: SHA-256 of the public key's blob, base64 unpadded."""
    import base64
    import hashlib

    found = []
    for name in sorted(system.root.listdir("/etc/ssh")):
        if not (name.startswith("ssh_host_") and name.endswith("_key.pub")):
            continue
        words = (system.root.read("/etc/ssh/" + name) or b"").split()
        try:
            digest = hashlib.sha256(base64.b64decode(words[1], validate=True)).digest()
        except (IndexError, ValueError):
            continue
        kind = words[0].decode("ascii", "replace").replace("ssh-", "").replace("ecdsa-sha2-nistp", "ECDSA-").upper()
        found.append(f"{kind} SHA256:{base64.b64encode(digest).decode().rstrip('=')}")
    return tuple(found)
