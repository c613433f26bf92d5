"""The tests on real guests run only when they are asked for: `pytest --vm` or GUESTINIT_VM=1.

Asked for and not possible is a failure, never a skip. GUESTINIT_VM_DEB names a package built before; else
`packaging/build-deb` makes one. GUESTINIT_VM_KEEP=1 keeps consoles and facts of every boot.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

REPOSITORY_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if REPOSITORY_ROOT not in sys.path:
    sys.path.insert(0, REPOSITORY_ROOT)

if TYPE_CHECKING:
    from tests.vm.lab import Lab

TOOLS = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "genisoimage", "mkfs.vfat", "mcopy", "mkfs.ext4", "sfdisk",
         "ssh", "ssh-keygen", "setpriv", "apt-ftparchive", "openssl",
         "perl", "debugfs", "dnsmasq", "ip")  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    # `pytest --vm` for the whole tree needs the option before this file is read: tests/conftest.py may have it too.
    with contextlib.suppress(ValueError):
        parser.addoption("--vm", action="store_true", help="boot real guests (tests/vm)")


def wanted(config: pytest.Config) -> bool:
    return bool(config.getoption("--vm", default=False)) or os.environ.get("GUESTINIT_VM", "") not in ("", "0")


def pytest_ignore_collect(collection_path: os.PathLike[str], config: pytest.Config) -> bool | None:
    inside = os.fspath(collection_path).startswith(os.path.dirname(os.path.abspath(__file__)) + os.sep)
    return True if inside and not wanted(config) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    for item in items:
        if os.fspath(item.path).startswith(here):
            item.add_marker(pytest.mark.vm)


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The package under test."""
    given = os.environ.get("GUESTINIT_VM_DEB")
    if given:
        assert os.path.isfile(given), f"GUESTINIT_VM_DEB={given} is not there"
        return given
    out = str(tmp_path_factory.mktemp("deb"))
    subprocess.run([os.path.join(REPOSITORY_ROOT, "packaging/build-deb"), out], check=True)
    built = glob.glob(os.path.join(out, "guestinit_*.deb"))
    assert len(built) == 1, f"packaging/build-deb made {built or 'no package'}"
    return built[0]


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, deb: str) -> Iterator[Lab]:
    """Starts the chains that the selected tests look at."""
    from tests.vm.lab import Lab

    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    assert not missing, f"tests/vm was asked for, but {', '.join(missing)} is missing: run tests/vm/setup as root"
    assert os.geteuid() == 0, "tests/vm was asked for, but images can only be built as root"
    chains = []
    for item in request.session.items:
        for chain in getattr(getattr(item, "module", None), "CHAINS", ()):
            if chain not in chains:
                chains.append(chain)
    running = Lab(deb, chains)
    try:
        yield running
    finally:
        running.close(keep=os.environ.get("GUESTINIT_VM_KEEP", "") not in ("", "0"))
