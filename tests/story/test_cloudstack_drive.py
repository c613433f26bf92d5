"""A machine with CloudStack's config drive over many boots: one id for its whole life, new passwords, new keys.

The drive is written anew at each start of the machine; its password file is there from a reset on until the next stop
(platforms.md 6.1, 6.3).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pytest

from guestinit.model.identity import NEW, NO_SEED, RECONFIGURED, SAME
from guestinit.model.plan import UNCHANGED
from guestinit.model.report import DONE
from guestinit.system.media import Media, Volume
from guestinit.system.process import Finished
from guestinit.system.state import State
from guestinit.system.system import System
from tests.media.played import Directories, NoDrives
from tests.story.test_boots import KEY, OTHER_KEY, OTHER_UUID, UUID, Disk, Machine, Power, PowerCut, Programs, copy
from tests.story.test_boots import fast as fast
from tests.story.test_boots import machine as machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")

PASSWORD, RESET = "fRk8wZ", "nB4s9Wz!"
OWN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG93biBrZXkgb2YgdGhlIHVzZXIhISEhISEhISEhISEh own"


def drive(password: str = "", key: str = f"{KEY} me@host", user_data: str = "", hostname: str = "vm-web-1") -> Drive:
    """What CloudStack writes, in both trees; blank values are no files."""
    leaves = {
        "instance-id": UUID, "vm-id": UUID, "local-hostname": hostname, "availability-zone": "zone-1",
        "service-offering": "Small Instance", "public-keys": key,
    }  # fmt: skip
    files = {f"cloudstack/metadata/{name}.txt": text for name, text in leaves.items() if text}
    meta = f'"availability_zone":"zone-1","hostname":"{hostname}","uuid":"{UUID}"'
    keys = f',"public_keys":{{"key":"{key}"}}' if key else ""
    files["openstack/latest/meta_data.json"] = f"{{{meta}{keys}}}"
    files["openstack/latest/vendor_data.json"] = files["openstack/latest/network_data.json"] = "{}"
    if user_data:
        files["openstack/latest/user_data"] = files["cloudstack/userdata/user_data.txt"] = user_data
    if password:
        files["cloudstack/password/vm_password.txt"] = password
    return {name: text.encode() for name, text in files.items()}


Drive = dict[str, bytes]


def insert(files: Optional[Mapping[str, bytes]], discs: Path) -> Media:
    """CloudStack's CD-ROM, which is the second one; or none."""
    if files is None:
        return NoDrives()
    shutil.rmtree(discs / "sr1", ignore_errors=True)
    for name, content in files.items():
        (discs / "sr1" / name).parent.mkdir(parents=True, exist_ok=True)
        (discs / "sr1" / name).write_bytes(content)
    return Directories(discs, Volume("/dev/sr1", "iso9660", ("config-2",), 4 << 20))


class Setting(Programs):
    """As the programs of the other stories; what chpasswd is told in clear text is remembered."""

    told: list[str]

    def run(self, argv: Any, stdin: Optional[bytes] = None, *rest: Any, **named: Any) -> Finished:
        if tuple(argv) == (
            "chpasswd",
        ):  # of a clear text: it would hash it by this host's own rules, and for this host
            self.power.moment()
            name, _, secret = (stdin or b"").decode().rstrip("\n").partition(":")
            self.told.append(secret)
            text = f"{name}:$5$salt{len(self.told)}${hashed(secret)}\n".encode()
            return super().run(("chpasswd", "-e", "-R", str(self.directory)), text, *rest, **named)
        return super().run(argv, stdin, *rest, **named)


def hashed(secret: str) -> str:
    """What stands in the place of a hash, behind its salt."""
    return f"{secret.encode().hex():.<43.43}"


class Guest(Machine):
    """A machine in CloudStack."""

    def __init__(self, directory: Path, discs: Path, uuid: str = UUID) -> None:
        super().__init__(directory, uuid)
        self.discs = discs
        self.told: list[str] = []

    def system(self, power: Optional[Power] = None, writable: bool = True) -> System:
        power = power or Power()
        root = Disk(str(self.directory), power, writable)
        programs = Setting(self.directory, self.uuid, power, self.ran)
        programs.told = self.told
        return System(root, programs, insert(self.drive, self.discs), State(root), live=True)

    def passwords(self) -> list[str]:
        """What chpasswd was told since the last question."""
        told, self.told[:] = list(self.told), []
        return told

    def hash(self) -> str:
        """The default user's, without its salt."""
        lines = self.read("etc/shadow").splitlines()
        return next(line.split(":")[1].split("$")[-1] for line in lines if line.startswith("debian:"))

    def use_passwd(self, secret: str) -> None:
        """The user sets another one with passwd(1)."""
        file = self.directory / "etc/shadow"
        file.write_text(file.read_text().replace(f"${self.hash()}:", f"${hashed(secret)}:"))

    def keys(self) -> list[str]:
        return self.read("home/debian/.ssh/authorized_keys").splitlines()


@pytest.fixture
def guest(machine: Machine, fast: Path) -> Guest:
    (fast / "discs").mkdir()
    return Guest(machine.directory, fast / "discs")


def test_a_password_is_applied_when_it_changes_and_only_then(guest: Guest) -> None:
    """platforms.md 14, quirk 44: the id never changes; an unchanged file does not undo what the user set since."""
    guest.drive = drive(PASSWORD)
    first = guest.boot()
    assert (first.kind, first.result, guest.passwords(), guest.hash()) == (NEW, DONE, [PASSWORD], hashed(PASSWORD))
    assert (guest.boot().kind, guest.passwords()) == (SAME, [])
    guest.use_passwd("own choice")
    assert (guest.boot().kind, guest.passwords(), guest.hash()) == (SAME, [], hashed("own choice"))
    guest.drive = drive()  # a stop and a start without a reset: no password file
    assert (guest.boot().kind, guest.passwords(), guest.hash()) == (RECONFIGURED, [], hashed("own choice"))
    guest.drive = drive(RESET)
    reset = guest.boot()
    assert (reset.kind, reset.acted, guest.passwords()) == (RECONFIGURED, ["password:reset"], [RESET])
    assert guest.hash() == hashed(RESET)
    guest.use_passwd("again my own")
    for now in (drive(RESET), None):
        guest.drive = now
        assert guest.boot().kind in (SAME, NO_SEED)
    assert (guest.passwords(), guest.hash()) == ([], hashed("again my own"))


def test_an_unchanged_file_is_not_applied_again_when_something_else_changes(guest: Guest) -> None:
    guest.drive = drive(PASSWORD)
    guest.boot()
    guest.use_passwd("own choice")
    guest.passwords()
    guest.drive = drive(PASSWORD, hostname="vm-web-2")
    assert (guest.boot().kind, guest.passwords(), guest.hash()) == (RECONFIGURED, [], hashed("own choice"))
    assert guest.read("etc/hostname") == "vm-web-2\n"


@pytest.mark.parametrize("word", ["", "\n", "saved_password"])
def test_a_file_that_says_that_there_is_nothing(guest: Guest, word: str) -> None:
    guest.drive = {**drive(), "cloudstack/password/vm_password.txt": word.encode()}
    first = guest.boot()
    assert (first.result, guest.passwords()) == (DONE, [])


def test_a_reset_goes_before_what_user_data_says(guest: Guest) -> None:
    user_data = "#cloud-config\npassword: from-user-data\nchpasswd: {expire: false}\n"
    guest.drive = drive(user_data=user_data)
    guest.boot()
    assert guest.passwords() == ["from-user-data"]
    guest.drive = drive(RESET, user_data=user_data)
    guest.boot()
    assert (guest.passwords(), guest.hash()) == ([RESET], hashed(RESET))


def test_a_new_key_takes_the_place_of_the_old_one_and_others_stay(guest: Guest) -> None:
    guest.drive = drive(key=f"{KEY} me@host")
    guest.boot()
    with (guest.directory / "home/debian/.ssh/authorized_keys").open("a") as file:
        file.write(OWN + "\n")
    guest.drive = drive(key=f"{OTHER_KEY} new@host")
    assert guest.boot().kind == RECONFIGURED
    assert sorted(guest.keys()) == sorted([OWN, f"{OTHER_KEY} new@host"])
    host_keys = guest.host_keys()
    guest.drive = drive(key="")
    guest.boot()
    assert (guest.keys(), guest.host_keys()) == ([OWN], host_keys)


def test_a_reset_survives_a_power_cut_at_every_moment(guest: Guest, fast: Path) -> None:
    guest.drive = drive(PASSWORD)
    guest.boot()
    guest.drive = drive(RESET)
    for cut in range(200):
        directory = fast / f"cut{cut}"
        copy(guest.directory, directory)
        other = Guest(directory, guest.discs)
        other.boots, other.drive = guest.boots, guest.drive
        try:
            other.boot(Power(cut))
        except PowerCut:
            other.boot()
        else:
            assert cut > 5
            break
        assert other.hash() == hashed(RESET)
        assert [change for change in other.preview().changes if change.change != UNCHANGED] == []
    else:
        pytest.fail("the boot never ends")


def test_a_clone_is_another_machine(guest: Guest, fast: Path) -> None:
    guest.drive = drive(PASSWORD)
    guest.boot()
    copy(guest.directory, fast / "clone")
    clone = Guest(fast / "clone", guest.discs, OTHER_UUID)
    clone.drive = {name: text.replace(UUID.encode(), OTHER_UUID.encode()) for name, text in drive(RESET).items()}
    assert clone.boot().kind == NEW
    assert clone.passwords() == [RESET]
    assert clone.host_keys() != guest.host_keys()
