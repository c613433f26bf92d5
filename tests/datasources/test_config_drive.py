"""Config drives in directories, on volumes that a test plugs in, and baked into an image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from guestinit import datasources
from guestinit.datasources import config_drive, drives
from guestinit.model.seed import Seed
from guestinit.system.media import Media, Volume
from guestinit.system.root import Root
from guestinit.system.system import System
from tests.media.played import Directories

OPENSTACK = {
    "openstack/latest/meta_data.json": b'{"uuid": "u-latest"}',
    "openstack/latest/user_data": b"#cloud-config\n",
    "openstack/latest/network_data.json": b"{}",
}
CLOUDSTACK = {
    "cloudstack/metadata/instance-id.txt": b"5f0f1f4c",
    "cloudstack/metadata/local-hostname.txt": b"vm-web-1",
    "cloudstack/userdata/user_data.txt": b"#cloud-config\n#cloudstack",
    "cloudstack/password/vm_password.txt": b"fRk8wZ",
}
STRAY = {  # platforms.md 14, quirk 11
    "i-2-34-VM.iso": b"itself",
    ".DS_Store": b"\0",
    "lost+found/x": b"",
    "System Volume Information/x": b"",
    "rr_moved/x": b"",
    "ec2/latest/meta-data.json": b"{}",
    "cloudstack/metadata/.DS_Store": b"\0",
    "cloudstack/metadata/._instance-id.txt": b"\0",
    "cloudstack/metadata/readme": b"",
    "cloudstack/password/vm-password-md5checksum.txt": b"d41d8cd9",
}
PATH = "/dev/sr0 (config-2, iso9660)"


def volume(name: str = "sr0", *labels: str) -> Volume:
    return Volume(f"/dev/{name}", "iso9660", labels or ("config-2",), 4 << 20)


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)


def machine(tmp_path: Path, media: Media, live: bool = True) -> System:
    unused: Any = None
    return System(Root(str(tmp_path / "root"), writable=False), unused, media, unused, live)


def find(tmp_path: Path, *volumes: Volume, names: Sequence[str] = datasources.DRIVES) -> datasources.Search:
    return drives.find(machine(tmp_path, Directories(tmp_path, *(volumes or (volume(),)))), True, names)


def read(tmp_path: Path, files: Mapping[str, bytes]) -> Seed:
    write(tmp_path / "sr0", files)
    seed = find(tmp_path).seed
    assert seed is not None
    assert seed.datasource == "config-drive"
    return seed


def labels(seed: Seed) -> dict[str, str]:
    return {document.name: document.label for document in seed.documents}


def test_an_openstack_tree_becomes_a_seed(tmp_path: Path) -> None:
    seed = read(tmp_path, OPENSTACK)
    assert (seed.where, seed.reason, seed.format) == (PATH, "volume /dev/sr0 is labelled config-2", "openstack")
    assert labels(seed) == {
        "meta-data": "config-2:openstack/latest/meta_data.json",
        "user-data": "config-2:openstack/latest/user_data",
        "network-config": "config-2:openstack/latest/network_data.json",
    }


def test_vendor_data_and_injected_files(tmp_path: Path) -> None:
    more = {
        "openstack/latest/vendor_data.json": b"",
        "openstack/latest/vendor_data2.json": b"{}",
        "openstack/content/0000": b"auto lo\n",
        "openstack/content/0001": b"motd",
    }
    seed = read(tmp_path, {**OPENSTACK, **more})
    found = {document.name: document.content for document in seed.documents}
    assert {name: found[name] for name in ("vendor-data", "vendor-data2", "content/0000", "content/0001")} == {
        "vendor-data": b"", "vendor-data2": b"{}", "content/0000": b"auto lo\n", "content/0001": b"motd",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        (("2012-08-10", "2018-08-27", "2020-10-14", "2025-04-04", "latest"), "2025-04-04"),
        (("2012-08-10", "2018-08-27", "latest"), "2018-08-27"),
        (("2018-08-27", "2031-01-01", "latest"), "2018-08-27"),
        (("2031-01-01", "latest"), "latest"),
        (("latest",), "latest"),
    ],
)
def test_the_newest_known_version_is_read(tmp_path: Path, versions: Sequence[str], chosen: str) -> None:
    seed = read(tmp_path, {f"openstack/{version}/meta_data.json": version.encode() for version in versions})
    assert [document.content for document in seed.documents] == [chosen.encode()]
    assert labels(seed) == {"meta-data": f"config-2:openstack/{chosen}/meta_data.json"}


def test_a_version_without_meta_data_is_passed_over(tmp_path: Path) -> None:
    seed = read(tmp_path, {"openstack/2025-04-04/user_data": b"new", **OPENSTACK})
    assert labels(seed)["user-data"] == "config-2:openstack/latest/user_data"


def test_a_cloudstack_tree_alone(tmp_path: Path) -> None:
    """platforms.md 14, quirk 6."""
    seed = read(tmp_path, CLOUDSTACK)
    assert seed.format == "cloudstack"
    assert labels(seed) == {
        "meta-data/instance-id": "config-2:cloudstack/metadata/instance-id.txt",
        "meta-data/local-hostname": "config-2:cloudstack/metadata/local-hostname.txt",
        "user-data": "config-2:cloudstack/userdata/user_data.txt",
        "password": "config-2:cloudstack/password/vm_password.txt",
    }


def test_user_data_under_its_other_name(tmp_path: Path) -> None:
    files = {**CLOUDSTACK, "cloudstack/user_data/user_data.txt": b"other"}
    assert labels(read(tmp_path, files))["user-data"] == "config-2:cloudstack/userdata/user_data.txt"
    del files["cloudstack/userdata/user_data.txt"]
    (tmp_path / "sr0/cloudstack/userdata/user_data.txt").unlink()
    assert labels(read(tmp_path, files))["user-data"] == "config-2:cloudstack/user_data/user_data.txt"


def test_both_trees_together(tmp_path: Path) -> None:
    """platforms.md 1.3 and 6.2: OpenStack's for what both have, CloudStack's own for the rest."""
    seed = read(tmp_path, {**OPENSTACK, **CLOUDSTACK})
    assert seed.format == "openstack"
    assert labels(seed) == {
        "meta-data": "config-2:openstack/latest/meta_data.json",
        "user-data": "config-2:openstack/latest/user_data",
        "network-config": "config-2:openstack/latest/network_data.json",
        "meta-data/instance-id": "config-2:cloudstack/metadata/instance-id.txt",
        "meta-data/local-hostname": "config-2:cloudstack/metadata/local-hostname.txt",
        "password": "config-2:cloudstack/password/vm_password.txt",
    }


def test_both_trees_where_openstacks_has_the_network_only(tmp_path: Path) -> None:
    seed = read(tmp_path, {**CLOUDSTACK, "openstack/latest/network_data.json": b"{}"})
    assert seed.format == "cloudstack"
    assert labels(seed)["network-config"] == "config-2:openstack/latest/network_data.json"


def test_stray_files_are_ignored(tmp_path: Path) -> None:
    """platforms.md 14, quirk 11."""
    alone = read(tmp_path, {**OPENSTACK, **CLOUDSTACK})
    assert read(tmp_path, STRAY) == alone


@pytest.mark.parametrize("files", [STRAY, {"openstack/latest/user_data": b"x"}, {"openstack/content/0000": b"x"}])
def test_what_is_no_config_drive(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    write(tmp_path / "sr0", {name: content for name, content in files.items() if not name.startswith("cloudstack")})
    search = find(tmp_path)
    assert search.seed is None
    nothing = "holds neither openstack/latest/meta_data.json nor cloudstack/metadata"
    assert search.reasons[0] == f"config-drive: sr0 'config-2' skipped: {nothing}"


@pytest.mark.parametrize("label", ["config-2", "CONFIG-2", "config", "CONFIG"])
def test_the_labels(tmp_path: Path, label: str) -> None:
    """platforms.md 1.1: CloudStack's older `config`, vfat's upper case."""
    write(tmp_path / "vdb1", CLOUDSTACK)
    seed = find(tmp_path, volume("vdb1", label)).seed
    assert seed is not None
    assert seed.documents[0].label == f"{label.lower()}:cloudstack/metadata/instance-id.txt"


def test_nocloud_comes_first_and_what_else_was_seen_is_said(tmp_path: Path) -> None:
    write(tmp_path / "sr0", {"user-data": b"x"})
    write(tmp_path / "sr1", OPENSTACK)
    search = find(tmp_path, volume("sr1"), volume("sr0", "cidata"))
    assert search.seed is not None
    assert search.seed.datasource == "nocloud"
    search = find(tmp_path, volume("sr1"), volume("sr0", "CONTEXT"))
    assert search.seed is not None
    assert search.reasons == (
        "nocloud: no volume labelled cidata; saw sr1 'config-2', sr0 'CONTEXT' (OpenNebula's, which is not supported)",
    )


def test_a_link_out_of_the_volume_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "sr0", OPENSTACK)
    os.symlink("/etc/hostname", tmp_path / "sr0/openstack/latest/vendor_data.json")
    reason = "openstack/latest/vendor_data.json: a symbolic link, which is not followed here"
    assert find(tmp_path).reasons[0] == f"config-drive: sr0 'config-2' skipped: {reason}"
    (tmp_path / "sr0/openstack/latest/vendor_data.json").unlink()
    write(tmp_path / "outside", {"0000": b"x"})
    os.symlink(tmp_path / "outside", tmp_path / "sr0/openstack/content")
    assert find(tmp_path).reasons[0] == "config-drive: sr0 'config-2' skipped: openstack/content/: Not a directory"


def test_a_directory_that_somebody_named(tmp_path: Path) -> None:
    write(tmp_path / "seed", {**OPENSTACK, **CLOUDSTACK})
    search = datasources.open_seed(f"{tmp_path}/seed", machine(tmp_path, Media(), live=False))
    assert search.seed is not None
    assert (search.seed.where, search.seed.reason) == (f"{tmp_path}/seed", f"named with --seed {tmp_path}/seed")
    assert labels(search.seed)["meta-data"] == f"{tmp_path}/seed/openstack/latest/meta_data.json"


def test_a_place_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, reason in (("gone", "No such file or directory"), ("empty", "is an empty directory")):
        search = datasources.open_seed(f"{tmp_path}/{name}", machine(tmp_path, Media()))
        assert search == datasources.Search(None, (f"nocloud: {tmp_path}/{name}: {reason}",))


def test_a_directory_of_the_image(tmp_path: Path) -> None:
    directory = config_drive.BAKED[0]
    system = machine(tmp_path, Media(), live=False)
    assert config_drive.find_baked(system) == datasources.Search(None)
    write(tmp_path / f"root{directory}", {**OPENSTACK, "openstack/content/0000": b"x", **CLOUDSTACK})
    search = config_drive.find_baked(system)
    assert search.seed is not None
    assert (search.seed.where, search.reasons) == (directory, ())
    assert labels(search.seed)["content/0000"] == f"{directory}/openstack/content/0000"
    assert labels(search.seed)["password"] == f"{directory}/cloudstack/password/vm_password.txt"
