"""Seeds as platforms and people write them: real images, made by the tools that they use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FILES = {
    "user-data": b"#cloud-config\nhostname: web1\r\n",
    "meta-data": b"",
    "network-config": b"version: 1\nconfig: []",
    "vendor-data": "bytes \xe4\n".encode("latin-1"),
}

MakeIso = Callable[..., Path]


def need(*tools: str) -> None:
    """Skip, by name, where a tool is missing that only tests use."""
    missing = [tool for tool in tools if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*argv: str | Path) -> None:
    """Run a tool; its complaints show where it fails."""
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, env=environment)
