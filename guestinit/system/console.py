"""One stable line on every console, for whoever looks at a serial log."""

from __future__ import annotations

import os


def write_line(line: str, root: str = "") -> None:
    """Write to every console of /proc/consoles that accepts output; one that would block is left out."""
    try:
        with open(root + "/proc/consoles", encoding="ascii", errors="replace") as consoles:
            # "ttyS0                -W- (EC p a)    4:64": the flags say whether it can be written to
            names = [words[0] for words in map(str.split, consoles) if len(words) > 1 and "W" in words[1]]
    except OSError:
        return
    for name in names:
        try:
            descriptor = os.open(f"{root}/dev/{name}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.write(descriptor, f"\r\n{line}\r\n".encode("ascii", "replace"))
        except OSError:
            pass
        finally:
            os.close(descriptor)
