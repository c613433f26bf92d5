"""Seeds as directories and images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.images import FILES, MakeIso, need, run


@pytest.fixture
def seed_directory(tmp_path: Path) -> Path:
    """The four files in a directory, beside what operating systems leave in directories."""
    directory = tmp_path / "seed"
    directory.mkdir()
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    (directory / "System Volume Information").mkdir()
    (directory / ".DS_Store").write_bytes(b"\0")
    return directory


@pytest.fixture
def make_iso(tmp_path: Path, seed_directory: Path) -> MakeIso:
    """An ISO image of the seed by genisoimage (or another program given as a list), with these flags."""

    def make(
        *flags: str, label: str = "cidata", program: tuple[str, ...] = ("genisoimage",), name: str = "a.iso"
    ) -> Path:
        need(program[0])
        run(*program, "-quiet", "-V", label, *flags, "-o", tmp_path / name, seed_directory)
        return tmp_path / name

    return make


@pytest.fixture
def make_vfat(tmp_path: Path, seed_directory: Path) -> MakeIso:
    """A vfat image of the seed by mkfs.vfat and mtools."""

    def make(label: str = "CIDATA", size: int = 10 << 20, bits: str = "16", name: str = "a.img") -> Path:
        need("mkfs.vfat", "mcopy")
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(size)
        run("mkfs.vfat", "-F", bits, "-n", label, path)
        for file_name in FILES:
            run("mcopy", "-i", path, seed_directory / file_name, "::")
        return path

    return make
