"""What somebody reads who typed a command that cannot be carried out."""

from __future__ import annotations

import sys


def complain(message: str, hint: str = "", code: int = 1) -> int:
    """One line that names the thing and the reason, and one with the next step."""
    sys.stderr.write(f"guestinit: {message}\n" + (f"  {hint}\n" if hint else ""))
    return code
