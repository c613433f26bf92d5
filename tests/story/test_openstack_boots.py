"""OpenStack's metadata over several boots: what differs at each request, dsmode, files. It lies in the image."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Optional

import pytest

from guestinit.model.identity import NEW, NO_SEED, RECONFIGURED, RESUMED, SAME
from guestinit.model.report import DONE
from guestinit.system.process import Finished
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.story import test_boots
from tests.story.test_boots import OTHER_UUID, CutWhen, Machine, Power, PowerCut, Programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")

POOL = "dev/urandom"
fast, machine = test_boots.fast, test_boots.machine


@pytest.fixture(autouse=True)
def without_drive(machine: Machine) -> None:
    """The machine has a random pool, and nothing in its drive."""
    machine.drive = None
    (machine.directory / "dev").mkdir()
    (machine.directory / POOL).write_bytes(b"")


def give(machine: Machine, random: bytes = b"", **more: object) -> None:
    """What the platform says from now on."""
    place = machine.directory / "var/lib/cloud/seed/config_drive/openstack"
    for path in (place / "latest", place / "content"):
        path.mkdir(parents=True, exist_ok=True)
    document = {"uuid": machine.uuid, "hostname": "app-1.novalocal", **more}
    if random:
        document["random_seed"] = base64.b64encode(random).decode()
    (place / "latest/meta_data.json").write_text(json.dumps(document))
    (place / "content/0000").write_text("Welcome\n")


def pool(machine: Machine) -> bytes:
    """What was written into the random pool since the last time."""
    content = (machine.directory / POOL).read_bytes()
    (machine.directory / POOL).write_bytes(b"")
    return content


def test_random_seed_stirs_the_pool_of_a_new_machine_once(machine: Machine) -> None:
    """Quirk 19 of platforms.md: it is another one each time, and nothing is different for that."""
    give(machine, b"first" * 100)
    booted = machine.boot()
    assert (booted.kind, booted.result, pool(machine)) == (NEW, DONE, b"first" * 100)
    assert booted.acted[0] == "entropy:random_seed"  # before keys are made
    give(machine, b"second" * 80)
    booted = machine.boot()
    assert (booted.kind, booted.acted, pool(machine)) == (SAME, [], b"")
    give(machine, b"third", hostname="app-2")
    booted = machine.boot()
    assert (booted.kind, booted.result, pool(machine)) == (RECONFIGURED, DONE, b"")
    assert machine.read("etc/hostname") == "app-2\n"


def test_a_clone_gets_bytes_of_its_own(machine: Machine) -> None:
    give(machine, b"first")
    machine.boot()
    pool(machine)
    clone = machine.clone(machine.directory.parent / "clone", OTHER_UUID)
    give(clone, b"other")
    booted = clone.boot()
    assert (booted.kind, booted.result, pool(clone)) == (NEW, DONE, b"other")


def test_a_clone_of_an_image_with_a_seed_directory_is_new(machine: Machine) -> None:
    """What is baked into an image has one uuid for all clones; a platform's own drive is another matter."""
    give(machine, uuid="0c7b5b5e-3c39-4c9f-8a5e-0d0a5e2a9d51")
    machine.boot()
    clone = machine.clone(machine.directory.parent / "clone", OTHER_UUID)
    assert clone.boot().kind == NEW
    assert clone.host_keys() != machine.host_keys()
    assert clone.boot().kind == SAME


def test_random_seed_after_a_power_cut(machine: Machine) -> None:
    """The machine went down after the run had begun, and before the pool was written: then the next boot does it."""
    give(machine, b"first")
    disk = Root(str(machine.directory), writable=False)
    with pytest.raises(PowerCut):
        machine.boot(CutWhen(lambda: State(disk).unfinished() is not None))
    assert pool(machine) == b""
    give(machine, b"second")
    booted = machine.boot()
    assert (booted.kind, booted.result, pool(machine)) == (RESUMED, DONE, b"second")


def test_dry_run_touches_no_pool(machine: Machine) -> None:
    give(machine, b"first")
    changes = {change.step.id: change for change in machine.preview().changes}
    change = changes["entropy:random_seed"]
    assert (change.before, change.after, change.note) == (None, None, "5 bytes, not shown")
    assert pool(machine) == b""


def test_disabled_seed_leaves_the_machine_as_it_is(machine: Machine) -> None:
    """Quirk 21."""
    give(machine, meta={"dsmode": "disabled"})
    before = machine.tree()
    booted = machine.boot()
    assert (booted.kind, booted.result, booted.acted) == (NO_SEED, DONE, [])
    assert machine.tree() == before


def test_pass_brings_files_and_a_network_only(machine: Machine) -> None:
    """Quirk 21."""
    files = [{"path": "/opt/welcome", "content_path": "/content/0000"}]
    give(machine, b"bytes", meta={"dsmode": "pass"}, files=files, public_keys={"a": test_boots.KEY})
    booted = machine.boot()
    assert (booted.kind, booted.result, pool(machine)) == (NEW, DONE, b"bytes")
    assert machine.read("opt/welcome") == "Welcome\n"
    assert machine.read("etc/hostname") != "app-1\n"
    assert test_boots.KEY not in machine.read("home/debian/.ssh/authorized_keys")


def test_injected_file_comes_back_with_a_new_configuration(machine: Machine) -> None:
    files = [{"path": "/opt/welcome", "content_path": "/content/0000"}]
    give(machine, files=files)
    machine.boot()
    (machine.directory / "opt/welcome").write_text("mine\n")
    assert machine.boot().kind == SAME
    assert machine.read("opt/welcome") == "mine\n"
    give(machine, files=files, hostname="app-2")
    assert machine.boot().kind == RECONFIGURED
    assert machine.read("opt/welcome") == "Welcome\n"


def test_ovirt_makes_up_a_uuid_for_each_payload(machine: Machine) -> None:
    """Quirk 14: Run Once on a machine that is there already; its keys stay, though its id is another one."""
    give(machine, uuid="0c7b5b5e-3c39-4c9f-8a5e-0d0a5e2a9d51")
    assert machine.boot().kind == NEW
    keys = machine.host_keys()
    give(machine, uuid="77777777-3c39-4c9f-8a5e-0d0a5e2a9d51", hostname="app-2")
    booted = machine.boot()
    assert (booted.kind, booted.result) == (RECONFIGURED, DONE)
    assert (machine.host_keys(), machine.read("etc/hostname")) == (keys, "app-2\n")


class WithPasswords(Programs):
    """chpasswd(8) with a clear text, which the real one only does for the machine that it runs on."""

    def run(self, argv: Any, stdin: Optional[bytes] = None, *rest: Any, **named: Any) -> Finished:
        if tuple(argv) != ("chpasswd",):
            return super().run(argv, stdin, *rest, **named)
        assert stdin is not None
        user, _, clear = stdin.decode().strip().partition(":")
        set_password(self.directory, user, hash_of(clear))
        return Finished(0, "", 0.0)


class MachineWithPasswords(Machine):
    def system(self, power: Optional[Power] = None, writable: bool = True) -> System:
        system = super().system(power, writable)
        return system._replace(process=WithPasswords(self.directory, self.uuid, power or Power(), self.ran))


def hash_of(clear: str) -> str:
    return "$5$Zk3PqVb1$" + base64.b64encode(clear.encode()).decode().rstrip("=").ljust(43, ".")


def set_password(directory: Path, user: str, hashed: str) -> None:
    shadow = directory / "etc/shadow"
    lines = [line.split(":") for line in shadow.read_text().splitlines()]
    for fields in lines:
        fields[1] = hashed if fields[0] == user else fields[1]
    shadow.write_text("".join(":".join(fields) + "\n" for fields in lines))


def test_admin_pass_is_applied_once_for_each_value(machine: Machine) -> None:
    here = MachineWithPasswords(machine.directory)

    def password() -> str:
        return next(line.split(":")[1] for line in here.read("etc/shadow").splitlines() if line.startswith("debian:"))

    give(here, admin_pass="first")
    assert (here.boot().result, password()) == (DONE, hash_of("first"))
    set_password(here.directory, "debian", hash_of("mine"))  # passwd(1)
    assert (here.boot().kind, password()) == (SAME, hash_of("mine"))
    give(here, admin_pass="first", hostname="app-2")
    assert (here.boot().kind, password()) == (RECONFIGURED, hash_of("mine"))
    give(here, admin_pass="second", hostname="app-2")
    assert (here.boot().kind, password()) == (RECONFIGURED, hash_of("second"))
    assert not here.read("etc/ssh/sshd_config.d/50-guestinit.conf")
