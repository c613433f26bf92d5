"""CloudStack's password server, on TCP 8080 of a virtual router (platforms.md 7).

It holds a password after the machine was made from a template with passwords, or after somebody reset it, until it is
told `saved_password`. Asking changes nothing.
"""

from __future__ import annotations

import time

from guestinit.model.cloudstack import PASSWORD_PORT, REQUEST, SAVED, SEND
from guestinit.model.secret import Secret

LIMIT = 5.0  # seconds
_LONGEST = 255


def ask(address: str, deadline: float, nic: str = "") -> tuple[Secret | None, str]:
    """The password that this server holds for us, or None with the reason."""
    from guestinit.system import http, lenient

    try:
        line = lenient.ask(address, PASSWORD_PORT, ((REQUEST, SEND),), min(deadline, time.monotonic() + LIMIT), nic)
    except http.NoAnswer as no_answer:
        return None, no_answer.reason
    return read(line)


def read(line: bytes) -> tuple[Secret | None, str]:
    """What the one line of its answer means. Blanks around a password are part of it."""
    word = line.strip()
    if word in (b"", SAVED.encode()):
        return None, "has no password for this machine"
    if word == b"bad_request":
        return None, "refuses the request"
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return None, "answers something that is no password"
    if len(line) > _LONGEST or not text.isprintable() or text.lstrip().lower().startswith(("<html", "<!doctype")):
        return None, "answers something that is no password"
    return Secret(line), "hands over a password"
