"""Whether qemu-ga is on this machine: then the agent's port is its own."""

from __future__ import annotations

import os

PROGRAMS = ("/usr/sbin/qemu-ga", "/usr/bin/qemu-ga", "/usr/local/bin/qemu-ga")
MASK = "/etc/systemd/system/qemu-guest-agent.service"


def is_installed(root: str = "") -> bool:
    """Whether it may hold the port now or soon: installed, and not masked."""
    if not any(os.path.exists(root + program) for program in PROGRAMS):
        return False
    return not (os.path.islink(root + MASK) and os.readlink(root + MASK) == "/dev/null")
