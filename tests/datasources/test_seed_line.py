"""What the serial number and the command line point at, and what they replace (platforms.md 1.3, 1.5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guestinit import datasources
from guestinit.datasources import seedfrom
from guestinit.model.identity import Instance, Settled
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document
from guestinit.reading import metadata_nocloud
from guestinit.system import seed_line
from guestinit.system.media import Look, Media
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.media.played import Cdrom

SERIAL, COMMAND_LINE = "sys/class/dmi/id/product_serial", "proc/cmdline"
IMAGE = Image(datasources=("nocloud",))


class Drives(Cdrom):
    """A volume with these files, or none; whether it was looked for."""

    def __init__(self, **files: bytes) -> None:
        super().__init__({name.replace("_", "-"): content for name, content in files.items()} or None)
        self.looked = False

    def look(self) -> Look:
        self.looked = True
        return super().look()


Machine = Callable[..., System]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with these files, by their paths, and these drives."""

    def make(media: Media | None = None, live: bool = True, **files: str) -> System:
        for name, text in files.items():
            path = tmp_path / {"serial": SERIAL, "cmdline": COMMAND_LINE}.get(name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        root = Root(str(tmp_path))
        unused: Any = None
        return System(root, unused, media or Drives(), State(root), live)

    return make


def find(system: System) -> datasources.Search:
    return datasources.find(system, False, IMAGE)


def documents(search: datasources.Search) -> dict[str, bytes]:
    assert search.seed is not None, search.reasons
    return {document.label: document.content for document in search.seed.documents}


def seed_in(**files: str) -> dict[str, str]:
    return {f"srv/web1/{name.replace('_', '-')}": text for name, text in files.items()}


# a directory


@pytest.mark.parametrize("address", ["/srv/web1/", "/srv/web1", "file:///srv/web1/", "FILE:///srv/web1", "/srv/web1/%s",
                                     "file://localhost/srv/web1/"])  # fmt: skip
def test_seedfrom_a_directory_comes_before_every_drive(machine: Machine, address: str) -> None:
    """Quirk 42: file://, an absolute path, and no slash at its end."""
    drives = Drives(user_data=b"#cloud-config\n")
    files = seed_in(meta_data="instance-id: i-1\n", user_data="", network_config="version: 2\n")
    search = find(machine(drives, cmdline=f"quiet ds=nocloud;s={address}", **files))
    assert documents(search) == {
        "/srv/web1/meta-data": b"instance-id: i-1\n",
        "/srv/web1/user-data": b"",
        "/srv/web1/network-config": b"version: 2\n",
    }
    assert search.seed is not None
    assert search.seed.reason == "the kernel command line names it"
    assert not drives.looked


def test_seedfrom_with_dmi_fields(machine: Machine) -> None:
    files = seed_in(meta_data="", user_data="")
    files["sys/class/dmi/id/chassis_serial"] = "web1\n"
    search = find(machine(serial="ds=nocloud;s=/srv/__dmi.chassis-serial-number__/", **files))
    assert sorted(documents(search)) == ["/srv/web1/meta-data", "/srv/web1/user-data"]


@pytest.mark.parametrize("end", ["/", "", "/%s", "?of=%s"])
def test_what_smbios_fills_in_is_not_shown(machine: Machine, end: str) -> None:
    """Only root may read the machine's uuid, and everybody the status."""
    uuid = "5a0c0f4b-8c2f-4d7b-9e3c-9a6d4f2e1b0a"
    files = {"sys/class/dmi/id/product_uuid": f"{uuid}\n"}
    system = machine(cmdline=f"ds=nocloud;s=http://10.0.2.2/__dmi.system-uuid__{end}", **files)
    place = seedfrom.place(f"http://10.0.2.2/__dmi.system-uuid__{end}", system)
    ends = {"/": "/meta-data", "": "/meta-data", "/%s": "/meta-data", "?of=%s": "?of=meta-data"}
    assert place.of("meta-data") == f"http://10.0.2.2/{uuid}{ends[end]}"
    assert uuid not in place.shown("meta-data") + place.shown() + "".join(find(system).reasons)
    assert place.shown().startswith("http://10.0.2.2/__dmi.system-uuid__")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/srv/other/", "/srv/other/meta-data: no such file; meta-data and user-data have to be there, if only empty"),
        ("/srv/half", "/srv/half/user-data: no such file; meta-data and user-data have to be there, if only empty"),
        ("file://srv/web1", "file://srv/web1: write file:///path/, with three slashes"),
        ("ftp://h/", "ftp:// is not supported; http://, https://, file:/// and absolute paths are read"),
        ("web1", "web1: no place for a seed; http://, https://, file:/// and absolute paths are read"),
        ("/srv/__dmi.system-uuid__/", "__dmi.system-uuid__: this machine's SMBIOS does not say it"),
        ("http://me:secret@h/", "http://...: a user name in front of the host is not supported"),
        ("http://me:s?secret@h?x=a@b&y=secret", "http://...: a user name in front of the host is not supported"),
        ("h/web1?of=secret", "h/web1: no place for a seed; http://, https://, file:/// and absolute paths are read"),
        ("me:secret@h/", "...: no place for a seed; http://, https://, file:/// and absolute paths are read"),
        ("file://h?secret", "file://h: write file:///path/, with three slashes"),
    ],
)
def test_a_seedfrom_that_leads_nowhere_is_named_and_drives_are_looked_at(
    machine: Machine, address: str, said: str
) -> None:
    files = {"srv/half/meta-data": "", **seed_in(meta_data="", user_data="")}
    search = find(machine(Drives(meta_data=b"instance-id: drive\n"), cmdline=f"ds=nocloud;s={address}", **files))
    assert search.seed is not None and search.seed.where.startswith("/dev/sr0")
    assert search.reasons[0] == f"nocloud: the kernel command line names a seed that cannot be read: {said}"
    assert "secret" not in "".join(search.reasons)


def test_an_unknown_dmi_field_is_named(machine: Machine) -> None:
    (reason, *_) = find(machine(serial="ds=nocloud;s=http://h/__dmi.serial__/")).reasons
    assert "__dmi.serial__: no field of SMBIOS; known: baseboard-asset-tag, " in reason
    (reason, *_) = find(machine(serial="ds=nocloud;s=http://h/__dmi.serial/?of=secret")).reasons
    assert "__dmi.serial/__: no field of SMBIOS" in reason and "secret" not in reason


def test_the_command_line_has_the_last_word(machine: Machine) -> None:
    files = seed_in(meta_data="", user_data="")
    search = find(machine(serial="ds=nocloud;s=http://h/", cmdline="ds=nocloud;s=/srv/web1", **files))
    assert sorted(documents(search)) == ["/srv/web1/meta-data", "/srv/web1/user-data"]


# a server


def test_a_server_is_left_to_the_network_stage(machine: Machine) -> None:
    drives = Drives(meta_data=b"instance-id: drive\n")
    search = find(machine(drives, serial="ds=nocloud;s=http://10.0.2.2/web1?key=secret\n"))
    assert search == (None, ("nocloud: the SMBIOS serial names http://10.0.2.2/web1?...",), "nocloud")
    assert not drives.looked


def test_a_server_of_another_root_is_never_asked(machine: Machine) -> None:
    search = find(machine(live=False, serial="ds=nocloud;s=http://10.0.2.2/"))
    assert (search.seed, search.service) == (None, "")


def test_a_container_sees_its_hosts_serial_number(machine: Machine) -> None:
    search = find(machine(serial="ds=nocloud;s=http://10.0.2.2/", **{"run/systemd/container": "lxc"}))
    assert search.service == ""


@pytest.mark.parametrize(("container", "service"), [({}, "openstack"), ({"run/systemd/container": "lxc"}, "")])
def test_a_container_sees_its_hosts_command_line(machine: Machine, container: dict[str, str], service: str) -> None:
    system = machine(cmdline="ds=openstack", **container)
    assert datasources.find(system, False, Image(datasources=("openstack",))).service == service


def test_an_image_that_does_not_look_for_nocloud_is_not_led_astray(machine: Machine) -> None:
    system = machine(cmdline="ds=nocloud;s=http://10.0.2.2/")
    assert datasources.find(system, False, Image(datasources=())).service == ""


def test_what_grub_cut_off_is_guessed(machine: Machine) -> None:
    (reason, *_) = find(machine(cmdline="ds=nocloud-net")).reasons
    assert reason.startswith("nocloud: the kernel command line says ds=nocloud-net and no address; GRUB ends")


def test_a_settled_machine_without_a_uuid_is_not_kept_waiting(machine: Machine) -> None:
    system = machine(cmdline="ds=nocloud;s=http://10.0.2.2/")
    line = system.state.digest(seed_line.words(system.root.path))
    system.state.settled = Settled(Instance("i-1", "", "", line=line))
    assert datasources.without_news(find(system), system).service == ""


@pytest.mark.parametrize(
    ("settled", "uuid", "cmdline", "asked"),
    [
        (True, "u-1", "ds=nocloud;s=http://10.0.2.2/", False),
        (True, "u-1", "quiet ds='nocloud;s=http://10.0.2.2/'", False),
        (True, "u-1", "ds=nocloud;s=http://10.0.2.3/", True),
        (True, "u-2", "ds=nocloud;s=http://10.0.2.2/", True),  # a clone
        (False, "u-1", "ds=nocloud;s=http://10.0.2.2/", True),
    ],
)
def test_a_settled_machine_asks_again_only_if_it_is_told_something_else(
    machine: Machine, settled: bool, uuid: str, cmdline: str, asked: bool
) -> None:
    system = machine(cmdline="ds=nocloud;s=http://10.0.2.2/", **{"sys/class/dmi/id/product_uuid": "u-1\n"})
    line = system.state.digest(seed_line.words(system.root.path))
    system.state.settled = Settled(Instance("i-1", "u-1", "", line=line)) if settled else None
    machine(cmdline=cmdline, **{"sys/class/dmi/id/product_uuid": f"{uuid}\n"})
    search = datasources.without_news(find(system), system)
    assert bool(search.service) is asked
    if not asked:
        assert search.reasons[-1] == "nocloud: not asked again, this machine is settled"


# what replaces meta-data


def test_it_replaces_meta_data_of_a_volume(machine: Machine) -> None:
    drives = Drives(meta_data=b"instance-id: i-1\nlocal-hostname: a\nregion: x\n", user_data=b"")
    search = find(machine(drives, serial="ds=nocloud;h=serial;i=i-2", cmdline="ds=nocloud;h=web1"))
    assert search.seed is not None
    assert search.seed.documents[2:] == (
        Document("serial", "SMBIOS serial", b"ds=nocloud;instance-id=i-2;local-hostname=serial"),
        Document("command-line", "kernel command line", b"ds=nocloud;local-hostname=web1"),
    )
    meta = metadata_nocloud.read(search.seed, Problems())
    assert meta.hostname is not None
    assert (meta.instance_id, meta.hostname.value, str(meta.hostname.at)) == ("i-2", "web1", "kernel command line")
    assert meta.document == {"instance-id": "i-2", "local-hostname": "web1", "region": "x"}


def test_it_replaces_meta_data_of_a_seed_directory_in_the_image(machine: Machine) -> None:
    files = {"var/lib/cloud/seed/nocloud-net/meta-data": "local-hostname: a\n"}
    search = find(machine(cmdline="ds=nocloud;h=web1", **files))
    assert documents(search) == {
        "/var/lib/cloud/seed/nocloud-net/meta-data": b"local-hostname: a\n",
        "kernel command line": b"ds=nocloud;local-hostname=web1",
    }


def test_an_instance_id_alone_is_a_seed(machine: Machine) -> None:
    search = find(machine(cmdline="ds=nocloud;h=web1;i=i-1"))
    assert search.seed is not None
    assert (search.seed.where, search.seed.reason) == (
        "the kernel command line", "the kernel command line gives an instance-id",
    )  # fmt: skip
    meta = metadata_nocloud.read(search.seed, Problems())
    assert (meta.instance_id, meta.instance_id_given) == ("i-1", True)


def test_a_host_name_alone_is_none(machine: Machine) -> None:
    search = find(machine(serial="ds=nocloud;h=web1"))
    assert search.seed is None
    assert "nocloud: the SMBIOS serial gives no instance-id, and there is no volume" in search.reasons


def test_a_bare_word_adds_nothing(machine: Machine) -> None:
    """virt-install writes it on the first boot only: the second one must not look different."""
    with_it = find(machine(Drives(meta_data=b""), serial="ds=nocloud\n"))
    assert documents(with_it) == {"cidata:meta-data": b""}
    assert seed_line.words(machine().root.path) == b""


def test_an_unknown_key_is_a_note(machine: Machine) -> None:
    search = find(machine(Drives(meta_data=b""), cmdline="ds=nocloud;colour=blue;s="))
    problems = Problems()
    assert search.seed is not None
    metadata_nocloud.read(search.seed, problems)
    (problem,) = problems.found
    assert (problem.severity, str(problem)) == ("note", "kernel command line: colour: unknown key")


@pytest.mark.parametrize(("said", "mode"), [("local", "local"), ("disabled", "disabled"), ("pass", "pass")])
def test_dsmode(machine: Machine, said: str, mode: str) -> None:
    """Quirk 21."""
    search = find(machine(Drives(meta_data=b"dsmode: net\n"), cmdline=f"ds=nocloud;dsmode={said}"))
    assert search.seed is not None
    assert metadata_nocloud.read(search.seed, Problems()).dsmode == mode


# what an unchanged boot reads


def test_the_same_documents_without_a_system(machine: Machine) -> None:
    system = machine(Drives(meta_data=b""), serial="ds=nocloud;h=a;s=http://h/", cmdline="ds=nocloud;s=;i=i-1")
    assert seed_line.documents(system.root.path) == {
        "serial": b"ds=nocloud;local-hostname=a", "command-line": b"ds=nocloud;instance-id=i-1",
    }  # fmt: skip
    assert b"http://h/" in seed_line.words(system.root.path)
    assert seed_line.documents(machine(serial="", cmdline="quiet").root.path) == {}
