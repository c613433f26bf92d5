"""One machine over many boots: new, same, edited, cut off at every moment, cloned, restored, baked offline.

The machine is a directory. shadow-utils really run on it (with --prefix or -R); every other program is played, and its
runs are counted, so nothing here can reach the machine that runs the tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest

from guestinit import pipeline
from guestinit.model.action import EVERY_BOOT, STAGES
from guestinit.model.identity import NEW, NO_SEED, RECONFIGURED, RESUMED, SAME
from guestinit.model.plan import INTERRUPTED, LEFT, UNCHANGED, Outcome
from guestinit.model.report import DEGRADED, DONE, Preview
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.media.played import Cdrom

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")

TEMPLATE = Path(__file__).parents[2] / "examples" / "root"
UUID = "5a0c0f4b-8c2f-4d7b-9e3c-9a6d4f2e1b0a"
OTHER_UUID = "11111111-2222-4333-8444-555555555555"
MAC = "bc:24:11:0a:1b:2c"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGUga2V5IHRoYXQgbm9ib2R5IGhhcyEhISEh"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFub3RoZXIgZXhhbXBsZSBrZXkgb2Ygbm9ib2R5ISEh"
HASH = "$5$Zk3PqVb1$8Pz1vkAc1XJHMku07cDiMrygk2q1zoJ0IuyVt58QQD."
OTHER_HASH = "$5$Xk3PqVb1$8Pz1vkAc1XJHMku07cDiMrygk2q1zoJ0IuyVt58QQD."
SHADOW_UTILS = ("useradd", "usermod", "groupadd", "groupmod", "gpasswd", "chpasswd", "chage")

USER_DATA = f"""\
#cloud-config
hostname: web01
manage_etc_hosts: true
fqdn: web01.example.test
user: ops
password: {HASH}
ssh_authorized_keys:
  - {KEY} ops@bastion
  - {OTHER_KEY} second
chpasswd:
  expire: False
users:
  - default
groups: [builders]
ssh_pwauth: true
growpart: {{mode: off}}
resize_rootfs: false
bootcmd:
  - echo early
write_files:
  - path: /home/ops/.config/app
    owner: ops
    permissions: '0600'
    content: colour = blue
  - path: /etc/hosts
    append: true
    content: |
      192.0.2.9 registry
packages: [nginx]
runcmd:
  - echo first
  - [echo, second]
"""
NETWORK = f"""\
version: 1
config:
    - type: physical
      name: eth0
      mac_address: '{MAC}'
      subnets:
      - type: static
        address: '192.0.2.15'
        netmask: '255.255.255.0'
        gateway: '192.0.2.1'
    - type: nameserver
      address:
      - '192.0.2.53'
"""


class PowerCut(BaseException):
    """Nothing may catch this: the machine is off."""


class Power:
    """Counts the moments at which something changes, and fails at one of them."""

    def __init__(self, cut_at: int = -1) -> None:
        self.moments = 0
        self.cut_at = cut_at
        self.bug_at = ""  # a path at which guestinit itself goes wrong

    def moment(self) -> None:
        if self.moments == self.cut_at:
            raise PowerCut
        self.moments += 1


class CutWhen(Power):
    """It fails at the first moment at which something holds."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        super().__init__()
        self.holds = holds

    def moment(self) -> None:
        if self.holds():
            raise PowerCut
        super().moment()


class Disk(Root):
    """A root whose power may fail before any change."""

    def __init__(self, path: str, power: Power, writable: bool) -> None:
        super().__init__(path, writable)
        self.power = power

    def _touch(self, path: str) -> None:
        super()._touch(path)
        if path == self.power.bug_at:
            raise ZeroDivisionError("nobody thought of this")
        self.power.moment()

    def sync_all(self) -> None:
        self._touch("/")  # and not the disks of the machine that runs the tests, which may have a lot to write


class Programs(Process):
    """The programs of one machine: the power may fail before, in the middle, and before the end is in the journal."""

    def __init__(self, directory: Path, uuid: str, power: Power, ran: list[tuple[str, ...]]) -> None:
        super().__init__()
        self.directory = directory
        self.uuid = uuid
        self.power = power
        self.ran = ran
        self.broken: tuple[str, ...] = ()

    def run(self, argv: Any, stdin: Optional[bytes] = None, *rest: Any, **named: Any) -> Finished:
        words = tuple(argv)
        if words[:2] == ("systemctl", "is-active"):
            return Finished(3, "inactive", 0.0)  # early in a boot no manager and no sshd runs
        self.power.moment()
        if words[0] in SHADOW_UTILS:
            assert str(self.directory) in words, words
            finished = super().run(argv, stdin, *rest, **named)
        else:
            assert words[:2] == ("chroot", str(self.directory)), words
            finished = self.play(words[2:])
        self.power.moment()
        return finished

    def play(self, words: tuple[str, ...]) -> Finished:
        self.ran.append(words)
        if any(word in words for word in self.broken):
            return Finished(100, "it is broken", 0.0)
        if words[0] == "ssh-keygen":
            return self.make_key(words[words.index("-t") + 1], self.directory / words[-1].lstrip("/"))
        if words[0] == "systemd-machine-id-setup":
            (self.directory / "etc/machine-id").write_text(self.uuid.replace("-", "") + "\n")
        return Finished(0, "", 0.0)

    def make_key(self, kind: str, path: Path) -> Finished:
        """As ssh-keygen does it: never over a file that is there, in place, the public part last."""
        if path.exists():
            return Finished(1, f"{path} already exists.", 0.0)
        path.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
        path.chmod(0o600)
        self.power.moment()
        with path.open("a") as file:
            file.write(f"{kind} of {self.uuid}\n-----END OPENSSH PRIVATE KEY-----\n")
        self.power.moment()
        Path(f"{path}.pub").write_text(f"ssh-{kind} {self.uuid}\n")
        return Finished(0, "", 0.0)


class Boot(NamedTuple):
    """What one boot did."""

    kind: str
    reason: str
    result: str
    outcomes: tuple[Outcome, ...]
    ran: list[tuple[str, ...]]  # programs, without shadow-utils

    @property
    def acted(self) -> list[str]:
        """The steps that changed something or ran."""
        return [one.change.step.id for one in self.outcomes if one.change.change not in (UNCHANGED, LEFT)]


class Machine:
    """A virtual machine: its disk, its uuid, what lies in its drive."""

    def __init__(self, directory: Path, uuid: str = UUID) -> None:
        self.directory = directory
        self.uuid = uuid
        self.drive: Optional[dict[str, bytes]] = None
        self.ran: list[tuple[str, ...]] = []
        self.boots = 0
        self.broken: tuple[str, ...] = ()  # programs with one of these words fail

    def insert(self, user_data: str = USER_DATA, network: str = NETWORK, instance_id: str = "") -> None:
        """What Proxmox VE writes: its id is a digest of the other two documents."""
        user, net = user_data.encode(), network.encode()
        name = instance_id or hashlib.sha1(user + net).hexdigest()
        meta = f"instance-id: {name}\n".encode()
        self.drive = {"meta-data": meta, "user-data": user, "network-config": net, "vendor-data": b""}

    def system(self, power: Optional[Power] = None, writable: bool = True) -> System:
        power = power or Power()
        root = Disk(str(self.directory), power, writable)
        programs = Programs(self.directory, self.uuid, power, self.ran)
        programs.broken = self.broken
        return System(root, programs, Cdrom(self.drive), State(root), live=True)

    def boot(self, power: Optional[Power] = None) -> Boot:
        """All stages that have something to do, as the units would run them: each a process of its own."""
        self.start_kernel()
        self.ran.clear()
        waiting = [STAGES[0]]
        outcomes: list[Outcome] = []
        ends = []
        while waiting:
            stage = waiting.pop(0)
            ended = pipeline.run(pipeline.Order((stage,)), self.system(power), lambda line: None)
            assert isinstance(ended, pipeline.Ended)
            outcomes += ended.report.outcomes
            ends.append(ended.report)
            if stage == STAGES[0]:
                waiting += ended.report.left
        results = {report.result for report in ends}
        worst = DONE if results == {DONE} else DEGRADED if results <= {DONE, DEGRADED} else "failed"
        return Boot(ends[0].identity.kind, ends[0].identity.reason, worst, tuple(outcomes), list(self.ran))

    def preview(self) -> Preview:
        seen = pipeline.run(pipeline.Order(STAGES, dry_run=True), self.system(writable=False), lambda line: None)
        assert isinstance(seen, Preview)
        return seen

    def start_kernel(self) -> None:
        shutil.rmtree(self.directory / "run", ignore_errors=True)
        self.boots += 1
        machine_id = self.directory / "etc/machine-id"
        if not machine_id.read_text():  # systemd fills an empty one by itself, under KVM from the same uuid
            machine_id.write_text(self.uuid.replace("-", "") + "\n")
        name = self.read("etc/hostname") or "localhost\n"
        for path, text in (
            ("proc/sys/kernel/hostname", name),
            ("proc/sys/kernel/random/boot_id", f"00000000-0000-4000-8000-{self.boots:012}\n"),
            ("proc/stat", f"cpu 0 0\nbtime {int(time.time()) - 5}\n"),
            ("sys/class/dmi/id/product_uuid", f"{self.uuid}\n"),
            ("sys/class/net/eth0/address", f"{MAC}\n"),
            ("sys/class/net/eth0/device/uevent", ""),
        ):
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(text)

    def clone(self, directory: Path, uuid: str) -> Machine:
        copy(self.directory, directory)
        return Machine(directory, uuid)

    def read(self, path: str) -> str:
        file = self.directory / path
        return file.read_text() if file.exists() else ""

    def password(self) -> str:
        return next(line.split(":")[1] for line in self.read("etc/shadow").splitlines() if line.startswith("ops:"))

    def host_keys(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.directory / "etc/ssh").glob("ssh_host_*")}

    def tree(self) -> dict[str, tuple[int, int, int, bytes]]:
        """Every path with mode, owner and content; without the kernel's, the log, our memory, shadow-utils' copies."""
        found = {}
        for path in sorted(self.directory.rglob("*")):
            name = str(path.relative_to(self.directory))
            other = name.startswith(("proc", "sys/", "run", "var/lib/guestinit", "var/log/guestinit.log"))
            if other or name.endswith("-") or name == "etc/.pwd.lock":
                continue
            info = path.lstat()
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[name] = (stat.S_IFMT(info.st_mode) | stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, content)
        return found

    def memory(self) -> tuple[list[str], Any]:
        """What lies in our directory, and which instance is settled."""
        names = sorted(path.name for path in (self.directory / "var/lib/guestinit").iterdir())
        settled = State(Root(str(self.directory), writable=False)).settled
        assert settled is not None
        return names, (settled.instance.instance_id, settled.instance.uuid, settled.instance.from_image)


def copy(source: Path, target: Path) -> None:
    """With owners and times, as a disk is cloned."""
    shutil.copytree(source, target, symlinks=True)
    for path in (source, *source.rglob("*")):
        info = path.lstat()
        os.chown(target / path.relative_to(source), info.st_uid, info.st_gid, follow_symlinks=False)


def commands(ran: list[tuple[str, ...]]) -> list[str]:
    """The user's own commands among the programs."""
    lines = (" ".join(words[2:] if words[:2] == ("/bin/sh", "-c") else words) for words in ran)
    return [line for line in lines if line.startswith("echo")]


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: hundreds of runs, each of which asks the disk to keep every file."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    directory = Path(tempfile.mkdtemp(prefix="guestinit-boots-", dir="/dev/shm"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def machine(fast: Path) -> Machine:
    """A clone of a template that was started before: it has host keys and a machine-id of its own."""
    directory = fast / "disk"
    shutil.copytree(TEMPLATE, directory, symlinks=True)
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    (directory / "etc/shadow").chmod(0o640)
    (directory / "etc/gshadow").chmod(0o640)
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = directory / f"etc/ssh/ssh_host_{kind}_key"
        key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nof the template\n-----END OPENSSH PRIVATE KEY-----\n")
        key.chmod(0o600)
        Path(f"{key}.pub").write_text(f"ssh-{kind} template\n")
    machine_id = directory / "etc/machine-id"
    machine_id.write_text("0123456789abcdef0123456789abcdef\n")
    machine_id.chmod(0o444)
    os.utime(machine_id, (1, 1))
    (directory / "root/.ssh").mkdir(mode=0o700)
    (directory / "root/.ssh/authorized_keys").write_text("ssh-ed25519 AAAAsomebodyelse admin\n")
    (directory / "root/.ssh/authorized_keys").chmod(0o600)
    made = Machine(directory)
    made.insert()
    made.start_kernel()
    return made


def settle(machine: Machine) -> Boot:
    """The first boot, which everything else goes on from."""
    booted = machine.boot()
    assert (booted.kind, booted.result) == (NEW, DONE)
    return booted


# undisturbed


def test_new(machine: Machine) -> None:
    shown = [change.step.id for change in machine.preview().changes if change.change not in (UNCHANGED, LEFT)]
    booted = settle(machine)
    assert sorted(booted.acted) == sorted(shown)  # what was shown is what is done
    assert machine.read("etc/hostname") == "web01\n"
    assert machine.read("proc/sys/kernel/hostname").strip() == "web01"
    assert machine.password() == HASH
    assert machine.read("etc/machine-id").strip() == UUID.replace("-", "")
    assert all(UUID in text for text in machine.host_keys().values()) and len(machine.host_keys()) == 6
    assert "somebodyelse" in machine.read("root/.ssh/authorized_keys")
    assert commands(booted.ran) == ["echo early", "echo first", "echo second"]
    names, (instance_id, uuid, from_image) = machine.memory()
    assert not {"journal", "pending", "scripts"}.intersection(names)
    assert (uuid, from_image) == (UUID, False)
    assert instance_id in (machine.drive or {})["meta-data"].decode()


def test_same(machine: Machine) -> None:
    settle(machine)
    before = machine.tree()
    assert [change for change in machine.preview().changes if change.step.frequency != EVERY_BOOT] == []
    booted = machine.boot()
    assert (booted.kind, booted.result) == (SAME, DONE)
    assert booted.acted == ["command:bootcmd.1"]
    assert commands(booted.ran) == ["echo early"]
    assert machine.tree() == before


def test_the_drive_is_gone(machine: Machine) -> None:
    settle(machine)
    before = machine.tree()
    machine.drive = None
    booted = machine.boot()
    assert (booted.kind, booted.result, booted.acted, booted.ran) == (NO_SEED, DONE, [], [])
    assert machine.tree() == before
    machine.insert()
    assert machine.boot().kind == SAME


def test_edited_address(machine: Machine) -> None:
    settle(machine)
    (machine.directory / "etc/shadow").write_text(machine.read("etc/shadow").replace(HASH, OTHER_HASH))  # passwd(1)
    with (machine.directory / "home/ops/.ssh/authorized_keys").open("a") as file:
        file.write("ssh-ed25519 AAAAofacolleague colleague\n")
    keys, machine_id = machine.host_keys(), machine.read("etc/machine-id")
    network = "etc/systemd/network/10-guestinit-eth0.network"
    machine.insert(network=NETWORK.replace("192.0.2.15", "192.0.2.16"))
    booted = machine.boot()
    assert (booted.kind, booted.result) == (RECONFIGURED, DONE)
    assert booted.acted == [f"file:/{network}", "command:bootcmd.1"]
    assert "Address=192.0.2.16/24" in machine.read(network) and "192.0.2.15" not in machine.read(network)
    assert machine.password() == OTHER_HASH
    assert (machine.host_keys(), machine.read("etc/machine-id")) == (keys, machine_id)
    assert "colleague" in machine.read("home/ops/.ssh/authorized_keys")
    assert machine.boot().kind == SAME


def test_edited_key_name_and_interface(machine: Machine) -> None:
    settle(machine)
    with (machine.directory / "home/ops/.ssh/authorized_keys").open("a") as file:
        file.write("ssh-ed25519 AAAAofacolleague colleague\n")
    changed = USER_DATA.replace(f"  - {OTHER_KEY} second\n", "").replace("web01", "web02")
    machine.insert(changed, NETWORK.replace("name: eth0", "name: eth1"))
    booted = machine.boot()
    assert booted.kind == RECONFIGURED
    assert machine.read("home/ops/.ssh/authorized_keys").splitlines() == [
        f"{KEY} ops@bastion", "ssh-ed25519 AAAAofacolleague colleague",
    ]  # fmt: skip
    assert OTHER_KEY not in machine.read("root/.ssh/authorized_keys")
    assert "somebodyelse" in machine.read("root/.ssh/authorized_keys")
    assert machine.read("etc/hosts").splitlines()[2:] == ["127.0.1.1 web02.example.test web02", "192.0.2.9 registry"]
    ours = sorted(path.name for path in (machine.directory / "etc/systemd/network").glob("*guestinit*"))
    assert ours == ["10-guestinit-eth1.network"]
    assert commands(booted.ran) == ["echo early"]


def test_edited_password(machine: Machine) -> None:
    settle(machine)
    machine.insert(USER_DATA.replace(HASH, OTHER_HASH))
    assert "password:ops" in machine.boot().acted
    assert machine.password() == OTHER_HASH


def test_edited_commands_run_again_as_a_whole(machine: Machine) -> None:
    settle(machine)
    machine.insert(USER_DATA.replace("[echo, second]", "[echo, third]"))
    booted = machine.boot()
    assert booted.acted == ["command:bootcmd.1", "command:runcmd.1", "command:runcmd.2"]
    assert commands(booted.ran) == ["echo early", "echo first", "echo third"]


def test_edited_packages_upgrade_and_run_nothing_else(machine: Machine) -> None:
    settle(machine)
    machine.insert(USER_DATA.replace("[nginx]", "[nginx, curl]"))
    booted = machine.boot()
    assert booted.acted == ["command:bootcmd.1", "command:packages.update", "command:packages.install"]
    assert [words[-2:] for words in booted.ran if words[0] == "apt-get"][-1] == ("nginx", "curl")


def test_what_somebody_removed_comes_back_only_on_an_edit(machine: Machine) -> None:
    settle(machine)
    (machine.directory / "etc/sudoers.d/90-guestinit").unlink()
    assert machine.boot().kind == SAME
    assert not machine.read("etc/sudoers.d/90-guestinit")
    machine.insert(network=NETWORK.replace("192.0.2.15", "192.0.2.16"))
    machine.boot()
    assert machine.read("etc/sudoers.d/90-guestinit")


def test_failed_command_is_reported_and_not_repeated(machine: Machine) -> None:
    machine.broken = ("echo first",)
    booted = machine.boot()
    assert (booted.kind, booted.result) == (NEW, DEGRADED)
    assert commands(booted.ran)[1:] == ["echo first", "echo second"]
    machine.broken = ()
    booted = machine.boot()
    assert (booted.kind, commands(booted.ran)) == (SAME, ["echo early"])


def test_failed_package_is_tried_again_at_the_next_boot(machine: Machine) -> None:
    machine.broken = ("nginx",)
    booted = machine.boot()
    assert (booted.kind, booted.result) == (NEW, DEGRADED)
    keys = machine.host_keys()
    machine.broken = ()
    booted = machine.boot()
    assert (booted.kind, booted.result) == (RESUMED, DONE)
    assert [words[-1] for words in booted.ran if words[0] == "apt-get"] == ["nginx"]
    assert commands(booted.ran) == ["echo early"]
    assert machine.host_keys() == keys
    assert machine.boot().kind == SAME


def test_mistake_of_ours_in_one_step_does_not_keep_the_others_away(machine: Machine) -> None:
    power = Power()
    power.bug_at = "/etc/ssh/sshd_config.d/50-guestinit.conf"
    booted = machine.boot(power)
    assert (booted.kind, booted.result) == (NEW, DEGRADED)
    failed = {one.change.step.id: one.message for one in booted.outcomes if one.result != "ok"}
    assert list(failed) == [f"file:{power.bug_at}"]
    assert "ZeroDivisionError in " in failed[f"file:{power.bug_at}"]
    assert machine.read("etc/systemd/network/10-guestinit-eth0.network") and machine.password() == HASH
    booted = machine.boot()
    assert (booted.kind, booted.result) == (RESUMED, DONE)
    assert machine.read(power.bug_at[1:])
    assert machine.boot().kind == SAME


# who is who


def test_clone(machine: Machine, fast: Path) -> None:
    settle(machine)
    os.utime(machine.directory / "etc/machine-id", (1, 1))
    clone = machine.clone(fast / "clone", OTHER_UUID)
    clone.insert(USER_DATA.replace("web01", "web02"), NETWORK.replace("192.0.2.15", "192.0.2.16"))
    booted = clone.boot()
    assert (booted.kind, booted.result) == (NEW, DONE)
    assert all(OTHER_UUID in text for text in clone.host_keys().values()) and len(clone.host_keys()) == 6
    assert clone.read("etc/machine-id").strip() == OTHER_UUID.replace("-", "")
    assert commands(booted.ran) == ["echo early", "echo first", "echo second"]
    assert "password:ops" not in booted.acted  # the hash is the same one
    passwd = clone.read("etc/passwd")
    assert passwd.count("\nops:") == 1


def test_clones_that_share_an_id_from_a_snippet(machine: Machine, fast: Path) -> None:
    machine.insert(instance_id="web")
    settle(machine)
    clone = machine.clone(fast / "clone", OTHER_UUID)
    clone.insert(instance_id="web")
    assert clone.boot().kind == NEW
    machine.insert(instance_id="web")
    assert machine.boot().kind == SAME


def test_restored_with_another_uuid(machine: Machine, fast: Path) -> None:
    settle(machine)
    keys = machine.host_keys()
    restored = machine.clone(fast / "restored", OTHER_UUID)
    restored.insert()
    booted = restored.boot()
    assert (booted.kind, booted.acted) == (RECONFIGURED, ["command:bootcmd.1"])
    assert restored.host_keys() == keys


def test_applied_offline_and_completed_at_the_first_boot(machine: Machine, fast: Path) -> None:
    seed = fast / "seed"
    seed.mkdir()
    for name, content in (machine.drive or {}).items():
        (seed / name).write_bytes(content)
    offline = machine.system()._replace(live=False)
    ended = pipeline.run(pipeline.Order(STAGES, str(seed)), offline, lambda line: None)
    assert isinstance(ended, pipeline.Ended) and ended.report.result == DONE
    assert machine.ran == []
    assert machine.password() == HASH
    booted = machine.boot()
    assert (booted.kind, booted.result) == (RECONFIGURED, DONE)
    assert commands(booted.ran) == ["echo early", "echo first", "echo second"]
    assert "password:ops" not in booted.acted and "user:ops" not in booted.acted
    assert machine.boot().kind == SAME


# the power fails


def moments(machine: Machine, fast: Path, prepare: Callable[[Machine], None]) -> tuple[int, Machine]:
    """How many moments an undisturbed boot has, and the machine after it."""
    undisturbed = machine.clone(fast / "undisturbed", machine.uuid)
    prepare(undisturbed)
    power = Power()
    assert undisturbed.boot(power).result == DONE
    return power.moments, undisturbed


def cut(machine: Machine, fast: Path, prepare: Callable[[Machine], None], at: int) -> tuple[Machine, list[str], Boot]:
    """A boot that is cut off at this moment, and the one after it; between them what the user's commands had done."""
    victim = machine.clone(fast / f"cut-{at}", machine.uuid)
    prepare(victim)
    with pytest.raises(PowerCut):
        victim.boot(Power(at))
    early = commands(victim.ran)
    return victim, early, victim.boot()


def check(at: int, victim: Machine, undisturbed: Machine, early: list[str], booted: Boot) -> None:
    """The same machine as without the cut, nothing twice, and every command that may not have ended is named."""
    assert victim.tree() == undisturbed.tree(), at
    assert victim.memory() == undisturbed.memory(), at
    late = commands(booted.ran)
    for number, command in enumerate(("echo first", "echo second"), 1):
        times = (early + late).count(command)
        outcome = next((one for one in booted.outcomes if one.change.step.id == f"command:runcmd.{number}"), None)
        reported = outcome is not None and outcome.result == INTERRUPTED
        assert times == 1 or (times == 0 and reported), (at, command, times)
    assert victim.boot().kind == SAME, at
    shutil.rmtree(victim.directory)


def kept_files(machine: Machine) -> dict[str, str]:
    """What was at each path before the network changed: its text, or "absent"."""
    files = "var/lib/guestinit/earlier/files"
    entries = machine.system().state.earlier.entries()
    return {entry.path: machine.read(files + entry.path) if entry.was == "file" else entry.was for entry in entries}


def test_power_cut_at_every_moment_of_the_first_boot(machine: Machine, fast: Path) -> None:
    def prepare(victim: Machine) -> None:
        victim.insert()

    count, undisturbed = moments(machine, fast, prepare)
    assert count > 100
    kinds = set()
    for at in range(count):
        victim, early, booted = cut(machine, fast, prepare, at)
        kinds.add(booted.kind)
        check(at, victim, undisturbed, early, booted)
    assert kinds == {NEW, RESUMED, SAME}


def test_power_cut_at_every_moment_after_an_edit(machine: Machine, fast: Path) -> None:
    settle(machine)
    keys = machine.host_keys()
    changed = USER_DATA.replace(HASH, OTHER_HASH).replace(f"  - {OTHER_KEY} second\n", "").replace("first", "1st")

    def prepare(victim: Machine) -> None:
        victim.insert(changed, NETWORK.replace("name: eth0", "name: eth1"))

    count, undisturbed = moments(machine, fast, prepare)
    before = machine.read("etc/systemd/network/10-guestinit-eth0.network")
    kept = kept_files(undisturbed)
    assert set(kept.values()) == {before, "absent"}
    for at in range(count):
        victim, early, booted = cut(machine, fast, prepare, at)
        assert booted.kind in (RECONFIGURED, RESUMED, SAME), at
        assert victim.host_keys() == keys, at
        assert kept_files(victim) == kept, at  # what an admin can go back to is never lost
        early = [command.replace("1st", "first") for command in early]
        booted = booted._replace(ran=[tuple(word.replace("1st", "first") for word in words) for words in booted.ran])
        check(at, victim, undisturbed, early, booted)


def test_power_cuts_one_after_the_other(machine: Machine, fast: Path) -> None:
    """The boot that resumes is cut off as well, a little later each time, until one gets through."""

    def prepare(victim: Machine) -> None:
        victim.insert()

    _, undisturbed = moments(machine, fast, prepare)
    ran: list[str] = []
    for at in range(10, 1000, 10):
        try:
            booted = machine.boot(Power(at))
        except PowerCut:
            ran += commands(machine.ran)
            continue
        check(at, machine, undisturbed, ran, booted)
        return
    pytest.fail("it never gets through")


def test_the_drive_goes_before_the_first_boot_is_through(machine: Machine, fast: Path) -> None:
    """virt-install removes it after the first shutdown: the documents that were kept are used."""
    count, undisturbed = moments(machine, fast, lambda victim: victim.insert())
    for at in (count // 4, count // 2, count * 3 // 4):
        victim = machine.clone(fast / f"cut-{at}", UUID)
        victim.insert()
        with pytest.raises(PowerCut):
            victim.boot(Power(at))
        early = commands(victim.ran)
        victim.drive = None
        booted = victim.boot()
        assert booted.kind == RESUMED
        victim.insert()
        check(at, victim, undisturbed, early, booted)


def test_a_template_that_was_sealed_halfway_gives_its_documents_to_no_clone(machine: Machine, fast: Path) -> None:
    count, _ = moments(machine, fast, lambda victim: victim.insert())
    template = machine.clone(fast / "template", UUID)
    template.insert()
    with pytest.raises(PowerCut):
        template.boot(Power(count // 2))
    clone = template.clone(fast / "clone", OTHER_UUID)
    clone.drive = None
    booted = clone.boot()
    assert (booted.kind, booted.acted) == (NO_SEED, [])
    clone.insert(USER_DATA.replace("web01", "web02"))
    assert clone.boot().kind == NEW
    assert clone.read("etc/hostname") == "web02\n"
