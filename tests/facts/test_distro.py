"""Which family a distribution belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit import distros
from guestinit.system.root import Root


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', "debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "ubuntu"),
        ('ID="linuxmint"\nID_LIKE="ubuntu debian"\n', "ubuntu"),
        ("# comment\nID=fedora\nVARIANT_ID=cloud\n", "fedora"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "el"),
        ("ID='almalinux'\nID_LIKE='rhel centos fedora'\n", "el"),
        ('ID="rhel"\nID_LIKE="fedora"\n', "el"),
        ('ID="ol"\nID_LIKE="fedora"\n', "el"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "opensuse"),
        ("ID=arch\n", "generic"),
        ("", "generic"),
    ],
)
def test_family_by_os_release(tmp_path: Path, text: str, family: str) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text(text)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    assert distros.detect(Root(str(tmp_path), writable=False)) == family


def test_an_unknown_one_with_dpkg_is_like_debian(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/dpkg").touch()
    assert distros.detect(Root(str(tmp_path), writable=False)) == "debian"


@pytest.mark.parametrize("name", distros.ORDER)
def test_every_family_has_its_values(tmp_path: Path, name: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(f"ID={'rhel' if name == 'el' else name}\n")
    assert distros.of(Root(str(tmp_path), writable=False)).name == name


class Content:
    """A root with one file."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, path: str) -> bytes | None:
        return self.content

    def exists(self, path: str) -> bool:
        return False


@given(st.binary())
def test_any_os_release_is_read(content: bytes) -> None:
    assert distros.detect(Content(content)) in distros.ORDER
