"""Commands inside the guest."""

from __future__ import annotations

import subprocess


def run(*argv: str, check: bool = True, stdin: str = "") -> str:
    """What a command prints. One that fails is an error of the test, unless the caller says that it may."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=180)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
