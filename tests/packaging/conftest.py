"""Packages are built once for all tests here. What a machine lacks for that is a skip, and a failure in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
if str(TOP) not in sys.path:
    sys.path.insert(0, str(TOP))  # for tests.vm.image, whichever way pytest was started


def need(possible: bool, reason: str) -> None:
    """Go on only if this is possible here."""
    if not possible:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def build(script: str, tools: Sequence[str], out: Path) -> Path:
    """The one package that a build script makes."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    need(not missing or os.geteuid() == 0, f"{script} would install {', '.join(missing)}, which only root can do")
    result = subprocess.run(
        [TOP / "packaging" / script, out], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert result.returncode == 0, result.stdout
    [package] = out.iterdir()
    assert str(package) == result.stdout.splitlines()[-1], "a script says where the package is"
    return package


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("build-deb", ["dpkg-buildpackage", "dh", "hatchling"], tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="session")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("build-rpm", ["rpmbuild", "hatchling"], tmp_path_factory.mktemp("rpm"))
