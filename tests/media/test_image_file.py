"""Seeds in image files: every flavour of ISO 9660 that a writer of platforms.md 1.1 makes, and vfat."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestinit.system import image_file, iso, tree
from guestinit.system.media import Contents, Media
from tests.media.images import FILES, MakeIso, run

NAMES = tuple(FILES)
GENISOIMAGE = ("genisoimage",)
XORRISO = ("xorriso", "-as", "mkisofs")


def contents(answer: Contents) -> dict[str, bytes]:
    assert answer.reason == ""
    return {name: content for name, (_, content) in answer.files.items()}


@pytest.mark.parametrize(
    ("program", "flags", "entry"),
    [
        pytest.param(GENISOIMAGE, "-iso-level 3 -J -R", "user-data", id="Proxmox VE since 2025-11"),
        pytest.param(GENISOIMAGE, "-iso-level 3 -R", "user-data", id="Proxmox VE before"),
        pytest.param(GENISOIMAGE, "-J -r -ldots -allow-lowercase -allow-multidot -l", "user-data", id="Nova"),
        pytest.param(GENISOIMAGE, "-J", "user-data", id="Joliet only: Packer, Vagrant"),
        pytest.param(XORRISO, "-joliet -rock", "user-data", id="KubeVirt"),
        pytest.param(XORRISO, "-J", "user-data", id="xorriso with Rock Ridge by default"),
        pytest.param(GENISOIMAGE, "-allow-lowercase -relaxed-filenames -l -d", "user-data;1", id="lower-case plain"),
        pytest.param(GENISOIMAGE, "-iso-level 3", "USER_DATA.;1", id="plain, level 3"),
        pytest.param(GENISOIMAGE, "-iso-level 1", "USER_DAT.;1", id="plain, level 1"),
        pytest.param(XORRISO, "--norock", "USER_DAT.;1", id="xorriso plain"),
    ],
)
def test_every_flavour_of_iso(make_iso: MakeIso, program: tuple[str, ...], flags: str, entry: str) -> None:
    """platforms.md 14, quirks 1 and 2."""
    path = make_iso(*flags.split(), program=program)
    answer = image_file.read(str(path), NAMES)
    assert contents(answer) == FILES
    assert answer.labels == ("cidata",)
    assert answer.files["user-data"][0] == entry


def test_another_case_is_read_and_other_files_are_not(make_iso: MakeIso, seed_directory: Path) -> None:
    (seed_directory / "user-data").unlink()
    (seed_directory / "USER-DATA").write_bytes(b"another case")
    answer = image_file.read(str(make_iso("-R", "-J")), ("user-data",))
    assert answer.files == {"user-data": ("USER-DATA", b"another case")}


def test_a_link_in_an_image_is_not_a_document(make_iso: MakeIso, seed_directory: Path) -> None:
    (seed_directory / "user-data").unlink()
    (seed_directory / "user-data").symlink_to("/etc/shadow")
    assert image_file.read(str(make_iso("-R")), NAMES).reason.endswith("a.iso: user-data: not a regular file")


@pytest.mark.parametrize("kept", [33_000, 40_000, 60_000, 120_000])
def test_a_truncated_image_is_refused_whole(make_iso: MakeIso, seed_directory: Path, kept: int) -> None:
    """platforms.md 14, quirk 7."""
    (seed_directory / "vendor-data").write_bytes(b"x" * 400_000)
    path = make_iso("-R", "-J")
    os.truncate(path, kept)
    answer = image_file.read(str(path), NAMES)
    assert answer.files == {}
    assert answer.reason.startswith(f"{path}: ")


def test_files_that_are_too_large_together(make_iso: MakeIso, seed_directory: Path) -> None:
    with (seed_directory / "vendor-data").open("wb") as file:
        file.truncate(tree.SIZE_LIMIT)
    answer = image_file.read(str(make_iso("-R")), NAMES)
    assert (answer.files, answer.reason.partition(": ")[2]) == ({}, f"vendor-data: {tree.TOO_LARGE}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(32768, 70_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6))
def test_a_damaged_image_is_an_answer_and_no_exception(make_iso: MakeIso, damage: list[tuple[int, bytes]]) -> None:
    path = make_iso("-R", "-J")
    with path.open("r+b") as file:
        for offset, garbage in damage:
            file.seek(offset)
            file.write(garbage)
    answer = image_file.read(str(path), NAMES)
    assert not answer.reason or answer.reason.startswith(f"{path}: ")
    assert not (answer.reason and answer.files)


def test_without_pycdlib_the_message_names_the_package(make_iso: MakeIso) -> None:
    path = make_iso("-R")
    # The interpreter alone, without what is installed beside it.
    code = (
        f"import sys; sys.path.insert(0, {os.getcwd()!r})\n"
        f"from guestinit.system import iso\nprint(iso.read({str(path)!r}, ()).reason)"
    )
    shown = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == f"{path}: {iso.MISSING}\n"


@pytest.mark.parametrize(("bits", "size"), [("12", 1440 << 10), ("16", 10 << 20), ("32", 40 << 20)])
def test_vfat_of_every_width(make_vfat: MakeIso, bits: str, size: int) -> None:
    answer = image_file.read(str(make_vfat(bits=bits, size=size)), NAMES)
    assert contents(answer) == FILES
    assert answer.labels == ("CIDATA",)


def test_vfat_with_upper_case_names(make_vfat: MakeIso, tmp_path: Path) -> None:
    path = make_vfat()
    (tmp_path / "OTHER").write_bytes(b"from DOS")
    run("mdel", "-i", path, "::user-data")
    run("mcopy", "-i", path, tmp_path / "OTHER", "::USER-DATA")
    assert image_file.read(str(path), ("user-data",)).files["user-data"][1] == b"from DOS"


def test_a_damaged_vfat_image_is_refused(make_vfat: MakeIso) -> None:
    path = make_vfat()
    os.truncate(path, 4096)
    answer = image_file.read(str(path), NAMES)
    assert answer.files == {}
    assert answer.reason.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\0" * 65536, "neither an ISO 9660 nor a vfat image; a seed may also be a directory"),
        (b"#cloud-config\n", "is a single document: give the directory that holds it, or `guestinit check` the file"),
        (b"QFI\xfb\0\0\0\3" + b"\0" * 600, "is a qcow2 image: make it raw first (qemu-img convert -O raw)"),
        (b"\x1f\x8b\x08\0", "is compressed with gzip: unpack it first"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert image_file.read(str(path), NAMES) == Contents({}, f"{path}: {reason}")


def test_paths_that_are_no_seed(tmp_path: Path) -> None:
    media = Media()
    assert media.read_path(f"{tmp_path}/none", NAMES).reason == f"{tmp_path}/none: No such file or directory"
    assert media.read_path("/dev/null", NAMES).reason == "/dev/null: neither a directory nor an image file nor a drive"


def test_a_directory_may_hold_links_like_a_kubernetes_volume(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "user-data").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "user-data").symlink_to("..data/user-data")
    assert Media().read_path(str(tmp_path), NAMES) == Contents({"user-data": ("user-data", b"#!/bin/sh\n")})


def test_a_pipe_in_a_directory_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "meta-data")
    assert Media().read_path(str(tmp_path), NAMES).reason == f"{tmp_path}: meta-data: not a regular file"


def test_an_image_by_path_through_media(make_iso: MakeIso) -> None:
    assert contents(Media().read_path(str(make_iso("-R")), NAMES)) == FILES
