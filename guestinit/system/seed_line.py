"""What the machine's serial number and the kernel's command line say to NoCloud (model/line_configuration.py).

An unchanged boot reads this: where nothing is said, which is nearly everywhere, nothing is imported.
"""

from __future__ import annotations

import os

# The name of the document that its words become, how messages call it, and where the kernel shows it. Later ones win.
PLACES = (
    ("serial", "SMBIOS serial", "/sys/class/dmi/id/product_serial"),
    ("command-line", "kernel command line", "/proc/cmdline"),
)


def read(root: str = "") -> tuple[tuple[str, str, str], ...]:
    """(name, label, text) of each place that has a word for NoCloud. A container sees those of its host: none of its.

    `root` is the path of the running system's root: "" but for tests.
    """
    root = root.rstrip("/")
    found = []
    for name, label, path in PLACES:
        try:
            with open(root + path, "rb", buffering=0) as file:
                text = file.read(1 << 16).decode("utf-8", "replace")
        except OSError:
            continue  # no SMBIOS; or not root, for whose eyes alone serial numbers are
        if "nocloud" in text:
            found.append((name, label, text))
    if not found or os.path.exists(root + "/run/systemd/container"):
        return ()
    from guestinit.model import line_configuration  # delayed: only where something is said

    return tuple(entry for entry in found if line_configuration.words(entry[2]))


def documents(root: str = "") -> dict[str, bytes]:
    """By document name, what is said besides a place to fetch from: it belongs to the content of a NoCloud seed."""
    said = read(root)
    if not said:
        return {}
    from guestinit.model import line_configuration

    texts = {name: line_configuration.without_seedfrom(text) for name, _, text in said}
    return {name: text.encode() for name, text in texts.items() if text}


def words(root: str = "") -> bytes:
    """All that is said, for comparison with another boot; empty if it is nothing, or only that a drive is to come."""
    said = read(root)
    if not said:
        return b""
    from guestinit.model import line_configuration

    lines = [f"{name}: {sorted(pairs.items())}" for name, _, text in said if (pairs := line_configuration.pairs(text))]
    return "\n".join(lines).encode()
