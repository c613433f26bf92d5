"""NoCloud on drives that a test plugs in, and in directories and images that somebody names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from guestinit import datasources
from guestinit.datasources import drives as on_drives
from guestinit.datasources import nocloud
from guestinit.model.image import Image
from guestinit.model.seed import Document
from guestinit.system.media import Contents, Look, Media, Volume
from guestinit.system.root import Root
from guestinit.system.system import System

FILES = {"user-data": b"#cloud-config\n", "meta-data": b"instance-id: i-1\n"}
SEED = Volume("/dev/sr0", "iso9660", ("cidata",), 4 << 20)
OTHER = Volume("/dev/sr1", "iso9660", ("config-2",), 4 << 20)


class Drives(Media):
    """Drives as the test says: what each look sees, and what is on a volume."""

    def __init__(
        self, *looks: Sequence[Volume], on: dict[str, Contents] | None = None, empty: Sequence[str] = ()
    ) -> None:
        self.looks = list(looks)
        self.on = on or {}
        self.empty = tuple(empty)
        self.unread: tuple[str, ...] = ()
        self.read_devices: list[str] = []
        self.announced: bool | None = None  # None: nobody has waited

    def look(self) -> Look:
        volumes = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return Look(tuple(volumes), self.unread)

    def explain(self, look: Look) -> tuple[str, ...]:
        return look.unread + self.empty

    def arrivals(self, announced: bool) -> Iterator[None]:
        self.announced = announced
        while len(self.looks) > 1:
            yield
        yield

    def read(self, volume: Volume, names: Sequence[str]) -> Contents:
        self.read_devices.append(volume.device)
        return self.on.get(volume.device, Contents({name: (name, content) for name, content in FILES.items()}))


Machine = Callable[..., System]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A system with these drives and these files of the kernel."""

    def make(media: Media, live: bool = True, **files: str) -> System:
        paths = {"serial": "sys/class/dmi/id/product_serial", "cmdline": "proc/cmdline"}
        for name, text in files.items():
            path = tmp_path / paths[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        unused: Any = None
        return System(root=Root(str(tmp_path), writable=False), process=unused, media=media, state=unused, live=live)

    return make


def find(system: System, settled: bool) -> datasources.Search:
    return on_drives.find(system, settled, ("nocloud",))


def test_a_volume_becomes_a_seed(machine: Machine) -> None:
    drives = Drives([OTHER, SEED])
    search = find(machine(drives), True)
    assert search.reasons == ()
    assert search.seed is not None
    assert search.seed.datasource == "nocloud"
    assert search.seed.where == "/dev/sr0 (cidata, iso9660)"
    assert search.seed.reason == "volume /dev/sr0 is labelled cidata"
    assert search.seed.documents == (
        Document("user-data", "cidata:user-data", b"#cloud-config\n"),
        Document("meta-data", "cidata:meta-data", b"instance-id: i-1\n"),
    )
    assert drives.read_devices == ["/dev/sr0"]
    assert drives.announced is None


@pytest.mark.parametrize(
    "volume",
    [
        Volume("/dev/sr0", "iso9660", ("CIDATA",), 1),
        Volume("/dev/vdb", "vfat", ("CIDATA",), 1),
        Volume("/dev/vda3", "vfat", ("CiData   ",), 1),
        Volume("/dev/xvdb", "vfat", ("NO NAME", "cidata"), 1),
    ],
)
def test_any_case_any_file_system_any_bus(machine: Machine, volume: Volume) -> None:
    search = find(machine(Drives([volume])), True)
    assert search.seed is not None
    assert search.seed.where.startswith(f"{volume.device} (")


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (Contents({}, "Input/output error"), "Input/output error"),
        (Contents({}), "holds none of user-data, meta-data, network-config, vendor-data"),
    ],
)
def test_the_first_valid_volume_wins(machine: Machine, first: Contents, reason: str) -> None:
    """platforms.md 14, quirks 5 and 7: CAPMOX's volume and Proxmox VE's; one of them is invalid, or cannot be read."""
    second = Volume("/dev/sr1", "iso9660", ("cidata",), 4 << 20)
    drives = Drives([second, SEED], on={"/dev/sr1": first})
    search = find(machine(drives), False)
    assert search.seed is not None
    assert search.seed.where == "/dev/sr0 (cidata, iso9660)"
    assert search.seed.reason == "volume /dev/sr0 is labelled cidata, the first valid one of sr1, sr0"
    assert search.reasons == (f"nocloud: sr1 'cidata' skipped: {reason}",)
    assert drives.announced is None


@pytest.mark.parametrize("name", nocloud.DOCUMENTS)
def test_one_empty_file_of_the_four_is_enough(machine: Machine, name: str) -> None:
    search = find(machine(Drives([SEED], on={"/dev/sr0": Contents({name: (name, b"")})})), True)
    assert search.seed is not None
    assert [document.name for document in search.seed.documents] == [name]


def test_what_was_seen_instead(machine: Machine) -> None:
    efi = Volume("/dev/vda15", "vfat", (), 1)
    search = find(machine(Drives([OTHER, efi], empty=["sr0: No medium found"])), True)
    assert search[:2] == (
        None,
        ("nocloud: no volume labelled cidata; saw sr1 'config-2', vda15 ''", "nocloud: sr0: No medium found"),
    )


def test_nothing_at_all(machine: Machine) -> None:
    drives = Drives([])
    drives.unread = ("sr0: no answer within 2 s",)
    assert find(machine(drives), True).reasons == (
        "nocloud: no volume labelled cidata; saw no iso9660 or vfat volume",
        "nocloud: sr0: no answer within 2 s",
    )


# waiting


def test_a_drive_that_appears_late(machine: Machine) -> None:
    """platforms.md 14, quirk 8; tests/media/test_udev.py has the times."""
    drives = Drives([], [], [OTHER], [SEED])
    search = find(machine(drives), False)
    assert search.seed is not None
    assert drives.announced is False
    assert search.reasons[0].startswith("nocloud: the volume appeared after ")


def test_a_drive_that_can_only_be_read_late(machine: Machine) -> None:
    """KubeVirt's migrated image is full of zeros at first; a CD-ROM may fail while it spins up."""

    class Spinning(Drives):
        def read(self, volume: Volume, names: Sequence[str]) -> Contents:
            answer = super().read(volume, names)
            return answer if len(self.read_devices) > 2 else Contents({}, "No medium found")

    search = find(machine(Spinning([SEED], [SEED], [SEED], [SEED])), False)
    assert search.seed is not None
    assert not any("skipped" in reason for reason in search.reasons)


def test_a_settled_machine_never_waits(machine: Machine) -> None:
    drives = Drives([], [SEED])
    assert find(machine(drives, serial="ds=nocloud\n"), True).seed is None
    assert drives.announced is None


def test_an_announced_drive_is_awaited_and_missed_by_name(machine: Machine) -> None:
    """platforms.md 14, quirk 8: it never comes."""
    drives = Drives([])
    search = find(machine(drives, serial="ds=nocloud\n"), False)
    assert drives.announced is True
    assert search.reasons[-1] == "nocloud: announced by the SMBIOS serial"


@pytest.mark.parametrize(
    ("serial", "cmdline", "place"),
    [
        ("ds=nocloud\n", "quiet", "the SMBIOS serial"),
        ("VM-1 ds=nocloud;h=web1", "", "the SMBIOS serial"),
        ("'ds=nocloud'", "", "the SMBIOS serial"),
        ("", "root=/dev/vda1 ds=nocloud quiet", "the kernel command line"),
        ("", 'ds="nocloud;i=abc"', "the kernel command line"),
        ("ds=nocloud;s=http://10.0.2.2/", "", ""),  # not a drive: to be fetched
        ("", "ds=nocloud\\;seedfrom=http://10.0.2.2/", ""),
        ("", "ds=nocloud-net", ""),
        ("ds=nocloud;h=web1", "ds=nocloud;s=/srv/seed", ""),
        ("xds=nocloud", "ds=nocloudy ci.ds=nocloud", ""),
        ("", "", ""),
    ],
)
def test_what_announces_a_drive(machine: Machine, serial: str, cmdline: str, place: str) -> None:
    assert nocloud.announced_by(machine(Drives([]), serial=serial, cmdline=cmdline)) == place


def test_another_root_has_no_drives(machine: Machine) -> None:
    search = find(machine(Drives([SEED]), live=False), False)
    assert search[:2] == (None, ("nocloud: no drive belongs to another root; name a seed with --seed",))


# a seed that somebody named


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    before = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def write(directory: Path, **files: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("_", "-")).write_text(text)


@pytest.mark.parametrize(("path", "label"), [("./seed", "seed/user-data"), ("seed/", "seed/user-data")])
def test_a_directory(machine: Machine, here: Path, path: str, label: str) -> None:
    write(here / "seed", user_data="#cloud-config\n", meta_data="", other="ignored")
    search = datasources.open_seed(path, machine(Media(), live=False))
    assert search.seed is not None
    assert search.seed.where == path
    assert search.seed.documents == (
        Document("user-data", label, b"#cloud-config\n"),
        Document("meta-data", "seed/meta-data", b""),
    )
    assert search.reasons == ()


def test_an_absolute_directory_and_the_current_one(machine: Machine, here: Path) -> None:
    write(here, user_data="x")
    for path, label in ((str(here), f"{here}/user-data"), (".", "user-data")):
        seed = nocloud.open_seed(path, machine(Media())).seed
        assert seed is not None
        assert seed.documents[0].label == label


def refused(machine: Machine, path: str) -> str:
    search = nocloud.open_seed(path, machine(Media()))
    assert search.seed is None
    (reason,) = search.reasons
    assert reason.startswith("nocloud: ")
    return reason[len("nocloud: ") :]


def test_wrong_places_say_what_is_wrong(machine: Machine, here: Path) -> None:
    none = "holds none of user-data, meta-data, network-config, vendor-data"
    write(here / "empty")
    write(here / "parent" / "nocloud", user_data="x")
    write(here / "drive" / "openstack")
    write(here / "suffix", **{"user-data.yaml": "x"})
    write(here / "many", a="", b="", c="", d="", e="")
    assert refused(machine, "gone") == "gone: No such file or directory"
    assert refused(machine, "empty") == "empty: is an empty directory"
    assert refused(machine, "parent") == f"parent: {none}; did you mean parent/nocloud?"
    assert refused(machine, "drive") == f"drive: {none}; it holds openstack"
    assert refused(machine, "suffix") == f"suffix: {none}; rename user-data.yaml to user-data"
    assert refused(machine, "many") == f"many: {none}; it holds a, b, c, d, ..."


def test_a_file_that_cannot_be_read_is_not_taken_for_absent(machine: Machine, here: Path) -> None:
    write(here / "seed", user_data="x")
    (here / "seed" / "meta-data").mkdir()
    assert refused(machine, "seed") == "seed: meta-data: not a regular file"


class NamedImage(Media):
    """An image file, whatever reads it."""

    def __init__(self, *labels: str) -> None:
        self.labels = labels

    def read_path(self, path: str, names: Sequence[str]) -> Contents:
        return Contents({"user-data": ("USER_DAT.;1", b"x")}, "", self.labels)


def test_an_image_file(machine: Machine) -> None:
    search = nocloud.open_seed("./out/web1.iso", machine(NamedImage("CIDATA")))
    assert search.reasons == ()
    assert search.seed is not None
    assert search.seed.where == "./out/web1.iso (CIDATA)"
    assert search.seed.documents == (Document("user-data", "out/web1.iso:user-data", b"x"),)


def test_an_image_that_no_boot_would_find(machine: Machine) -> None:
    search = nocloud.open_seed("web1.iso", machine(NamedImage("data")))
    assert search.seed is not None
    assert search.reasons == ("nocloud: web1.iso is labelled 'data'; a boot looks for 'cidata' only",)


def test_sources_that_come_later_are_named(machine: Machine) -> None:
    image = Image(datasources=("nocloud", "second", "third"))
    search = datasources.find(machine(Drives([SEED])), True, image)
    assert search.reasons == ("second, third: not asked: nocloud comes first",)


# a seed directory in the image


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("name", ["nocloud", "nocloud-net"])
def test_a_directory_of_the_image_comes_before_drives(machine: Machine, tmp_path: Path, name: str, live: bool) -> None:
    """Also of a mounted image that is worked on with --root."""
    directory = f"/var/lib/cloud/seed/{name}"
    write(tmp_path / directory.lstrip("/"), user_data="#cloud-config\n", meta_data="", other="ignored")
    drives = Drives([SEED])
    search = datasources.find(machine(drives, live), False, Image(datasources=("nocloud",)))
    assert search.seed is not None
    assert (search.seed.where, search.seed.reason) == (directory, "a seed directory of the image")
    assert search.seed.documents == (
        Document("user-data", f"{directory}/user-data", b"#cloud-config\n"),
        Document("meta-data", f"{directory}/meta-data", b""),
    )
    assert drives.read_devices == []


def test_the_first_directory_of_the_image_that_holds_something(machine: Machine, tmp_path: Path) -> None:
    seeds = tmp_path / "var/lib/cloud/seed"
    write(seeds / "nocloud")
    write(seeds / "nocloud-net", meta_data="instance-id: second\n")
    search = nocloud.find_baked(machine(Drives([])))
    assert search.seed is not None
    assert search.seed.where == "/var/lib/cloud/seed/nocloud-net"
    assert search.reasons == (
        "nocloud: /var/lib/cloud/seed/nocloud: holds none of user-data, meta-data, network-config, vendor-data",
    )


def test_a_directory_of_the_image_that_cannot_be_read_is_named(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "var/lib/cloud/seed/nocloud/user-data").mkdir(parents=True)
    (tmp_path / "var/lib/cloud/seed/nocloud/meta-data").symlink_to("/etc/nowhere")
    search = nocloud.find_baked(machine(Drives([])))
    assert search.seed is None
    assert search.reasons[0].startswith("nocloud: /var/lib/cloud/seed/nocloud: ")
    assert "user-data" in search.reasons[0] or "meta-data" in search.reasons[0]
