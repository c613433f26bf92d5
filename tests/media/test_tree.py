"""Files in directories of a tree: the same from a directory, a mounted volume, every flavour of ISO 9660, and vfat."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.system import drive, image_file, tree
from guestinit.system.media import Media
from tests.media.images import need, run

FILES = {
    "openstack/2018-08-27/meta_data.json": b'{"uuid": "new"}',
    "openstack/2018-08-27/user_data": b"#cloud-config\n",
    "openstack/2018-08-27/vendor_data.json": b"{}",
    "openstack/latest/meta_data.json": b'{"uuid": "latest"}',
    "openstack/content/0000": b"auto lo\n",
    "openstack/content/0001": b"",
    "cloudstack/metadata/instance-id.txt": b"5f0f1f4c",
    "cloudstack/metadata/vm-id.txt": b"5f0f1f4c",
    "cloudstack/metadata/.DS_Store": b"\0",
    "README": b"stray",
}
TREES = tuple(
    tuple(f"openstack/{version}/{file}" for file in ("meta_data.json", "user_data", "vendor_data2.json"))
    for version in ("2031-01-01", "2018-08-27", "latest")
)
NAMES = (TREES, "openstack/content/*", "cloudstack/metadata/*.txt", "cloudstack/password/vm_password.txt", "no/such")
EXPECTED = {
    name: FILES[name]
    for name in (
        "openstack/2018-08-27/meta_data.json", "openstack/2018-08-27/user_data",
        "openstack/content/0000", "openstack/content/0001",
        "cloudstack/metadata/instance-id.txt", "cloudstack/metadata/vm-id.txt",
    )
}  # fmt: skip
NOVA = "-J -r -ldots -allow-lowercase -allow-multidot -l"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "top"


def pack(top: Path, program: str, flags: str) -> Path:
    path = top.parent / "a.iso"
    need(program.split()[0])
    run(*program.split(), "-quiet", "-V", "config-2", *flags.split(), "-o", path, top)
    return path


def by_name(files: tree.Files) -> dict[str, bytes]:
    return {name: content for name, (_, content) in files.items()}


def test_a_directory(top: Path) -> None:
    files, reason = tree.read(tree.Directory(str(top)), NAMES)
    assert (by_name(files), reason) == (EXPECTED, "")
    assert files["openstack/content/0000"][0] == "openstack/content/0000"


@pytest.mark.parametrize(
    ("program", "flags"),
    [
        pytest.param("genisoimage", "-iso-level 3 -J -R", id="Proxmox VE since 2025-11"),
        pytest.param("genisoimage", "-iso-level 3 -R", id="Proxmox VE before"),
        pytest.param("genisoimage", "-R -J", id="oVirt's vdsm"),
        pytest.param("genisoimage", f"{NOVA} -publisher OpenStack", id="Nova"),
        pytest.param("genisoimage", f"{NOVA} -cache-inodes", id="CloudStack"),
        pytest.param("genisoimage", "-J", id="Joliet only"),
        pytest.param("genisoimage", "-R", id="Rock Ridge only"),
        pytest.param("xorriso -as mkisofs", "-joliet -rock", id="KubeVirt"),
    ],
)
def test_every_flavour_of_iso(top: Path, program: str, flags: str) -> None:
    """platforms.md 14, quirk 2."""
    answer = image_file.read(str(pack(top, program, flags)), NAMES)
    assert (by_name(answer.files), answer.reason, answer.labels) == (EXPECTED, "", ("config-2",))


def test_plain_iso_of_level_3(top: Path) -> None:
    """platforms.md 14, quirk 1: upper case, `-` becomes `_`, versions behind the names."""
    answer = image_file.read(str(pack(top, "genisoimage", "-iso-level 3")), NAMES)
    assert answer.reason == ""
    chosen = "openstack/2018-08-27/meta_data.json"
    assert answer.files[chosen] == ("OPENSTACK/2018_08_27/META_DATA.JSON;1", FILES[chosen])
    assert sorted(by_name(answer.files).values()) == sorted(EXPECTED.values())


def test_plain_iso_of_level_1(top: Path) -> None:
    """platforms.md 14, quirk 1: eight letters and three. vendor_data.json is not taken for vendor_data2.json."""
    answer = image_file.read(str(pack(top, "genisoimage", "-iso-level 1")), NAMES)
    assert answer.reason == ""
    chosen = "openstack/2018-08-27/meta_data.json"
    assert answer.files[chosen] == ("OPENSTAC/2018_08_/META_DAT.JSO;1", FILES[chosen])
    both = image_file.read(str(top.parent / "a.iso"), (chosen.replace("meta", "vendor"), *TREES[1])).files
    assert chosen.replace("meta", "vendor") in both
    assert chosen.replace("meta_data", "vendor_data2") not in both


def test_vfat(top: Path) -> None:
    need("mkfs.vfat", "mcopy")
    path = top.parent / "a.img"
    with path.open("wb") as file:
        file.truncate(10 << 20)
    run("mkfs.vfat", "-n", "CONFIG-2", path)
    for entry in top.iterdir():
        run("mcopy", "-s", "-i", path, entry, "::")
    answer = image_file.read(str(path), NAMES)
    assert (by_name(answer.files), answer.reason, answer.labels) == (EXPECTED, "", ("CONFIG-2",))


def test_a_mounted_volume(top: Path) -> None:
    """Any file system that this kernel mounts from a file; iso9660 and vfat are tested in guests."""
    need("mksquashfs")
    with open("/proc/filesystems") as kernel:
        if os.geteuid() != 0 or "\tsquashfs\n" not in kernel.read():
            pytest.skip("mounting needs root and squashfs in the kernel")
    run("mksquashfs", top, top.parent / "image", "-quiet")
    files, reason = drive.read_volume(str(top.parent / "image"), "squashfs", NAMES)
    assert (by_name(files), reason) == (EXPECTED, "")
    with open("/proc/self/mountinfo") as table:
        assert f"{drive.MOUNT_POINTS}/mnt-" not in table.read()


def test_of_several_trees_the_last_one_stands_for_all_that_are_missing(top: Path) -> None:
    (top / "openstack/2018-08-27/meta_data.json").unlink()
    (top / "openstack/latest/meta_data.json").unlink()
    (top / "openstack/latest/user_data").write_bytes(b"last")
    files, _ = tree.read(tree.Directory(str(top)), (TREES,))
    assert by_name(files) == {"openstack/latest/user_data": b"last"}


def test_a_file_in_the_place_of_a_directory_is_a_reason(top: Path) -> None:
    (top / "cloudstack/password").write_bytes(b"")
    assert tree.read(tree.Directory(str(top)), NAMES) == ({}, "cloudstack/password/: Not a directory")
    answer = image_file.read(str(pack(top, "genisoimage", "-R")), NAMES)
    assert (answer.files, answer.reason) == ({}, f"{top.parent}/a.iso: cloudstack/password/: Not a directory")


def test_what_is_no_regular_file_is_no_part_of_a_directory(top: Path) -> None:
    os.mkfifo(top / "openstack/content/0002")
    (top / "openstack/content/0003").symlink_to("/etc/hostname")
    (top / "openstack/content/0004").mkdir()
    files, reason = tree.read(tree.Directory(str(top)), ("openstack/content/*",))
    assert (sorted(files), reason) == (["openstack/content/0000", "openstack/content/0001"], "")
    os.unlink(top / "openstack/content/0002")
    answer = image_file.read(str(pack(top, "genisoimage", "-R")), ("openstack/content/*",))
    assert (sorted(answer.files), answer.reason) == (["openstack/content/0000", "openstack/content/0001"], "")


def test_a_directory_of_too_many_files_and_files_that_are_too_large(top: Path) -> None:
    with (top / "openstack/content/0001").open("wb") as file:
        file.truncate(tree.SIZE_LIMIT)
    expected = ({}, f"openstack/content/0001: {tree.TOO_LARGE}")
    assert tree.read(tree.Directory(str(top)), ("openstack/content/*",)) == expected
    for number in range(tree.MOST_FILES):
        (top / f"openstack/content/{number:04}").write_bytes(b"")
    (top / "openstack/content/more").write_bytes(b"")
    expected = ({}, f"openstack/content/: holds more than {tree.MOST_FILES} files")
    assert tree.read(tree.Directory(str(top)), ("openstack/content/*",)) == expected


def test_a_directory_that_a_user_names_may_hold_links(top: Path) -> None:
    (top / "cloudstack/metadata/instance-id.txt").unlink()
    (top / "cloudstack/metadata/instance-id.txt").symlink_to("vm-id.txt")  # as in a Kubernetes volume
    assert by_name(Media().read_path(str(top), NAMES).files) == EXPECTED


@given(st.lists(st.text(alphabet="ab*/.;", min_size=1, max_size=6), max_size=4), st.text("ab*/.;", min_size=1))
def test_no_name_leads_out_of_the_tree(entries: list[str], name: str) -> None:
    class Flat:
        """Whatever is asked for, these are the entries; what is read is below the top, part by part an entry."""

        def entries(self, place: str) -> list[str]:
            return [entry for entry in entries if "/" not in entry and entry not in (".", "..")]

        def is_file(self, place: str) -> bool:
            return True

        def read(self, place: str, limit: int) -> tuple[bytes, str]:
            assert all(part in entries for part in place.split("/"))
            return b"", ""

    tree.read(Flat(), (name,))
