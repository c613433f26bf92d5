"""A machine behind CloudStack's virtual router over many boots: a router in a network namespace, and real shadow-utils.

The password is in the directory of the router until the guest says that it was applied (platforms.md 14: 41, 44).
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from guestinit import fastpath, pipeline, stages
from guestinit.model.action import STAGES
from guestinit.model.identity import NEW, RECONFIGURED, SAME
from guestinit.model.plan import UNCHANGED
from guestinit.model.report import Preview
from guestinit.system.process import Finished
from guestinit.system.state import State
from guestinit.system.system import System
from tests.http.cloudstack_router import Router, fill
from tests.http.namespaces import Ends, Namespace, router_link
from tests.media.played import NoDrives
from tests.story.test_boots import CutWhen, Disk, Machine, Power, PowerCut, Programs, copy
from tests.story.test_boots import fast as fast
from tests.story.test_boots import machine as machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts and namespaces need root")

VM = "5f0f1f4c-1111-4222-8333-944455556666"
OTHER_VM = "5f0f1f4c-1111-4222-8333-000000000000"
PASSWORD, RESET = "fQ7x Kp2", "nB4s9Wz!"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5ldyBrZXkgdGhhdCBub2JvZHkgaGFzISEhISEhISEh"
BOOTCMD = "#cloud-config\nbootcmd: [echo early]\n"


class Network(Programs):
    """As the programs of the other stories; ip(8) really looks at the network."""

    def run(self, argv: Any, stdin: Optional[bytes] = None, *rest: Any, **named: Any) -> Finished:
        words = tuple(argv)
        if words[0] == "ip":
            return super(Programs, self).run(argv, stdin, *rest, **named)
        if words[0] == "getent":  # nobody knows data-server
            return Finished(2, "", 0.0)
        if words[0] == "systemctl":  # the network is up: no card is ours to take a lease with
            self.ran.append(words)
            return Finished(3 if "is-active" in words and "network.target" not in words else 0, "", 0.0)
        if words == ("chpasswd",):  # of a clear text: it would hash it by this host's own rules, and for this host
            if "chpasswd" in self.broken:
                return Finished(1, "it is broken", 0.0)
            name, _, secret = (stdin or b"").decode().rstrip("\n").partition(":")
            salt = f"$5${os.urandom(6).hex()}$"
            stdin = f"{name}:{crypt(secret, salt)}\n".encode()
            argv = ("chpasswd", "-e", "-R", str(self.directory))
        return super().run(argv, stdin, *rest, **named)


class Watching(Router):
    """A router that remembers what the guest's /etc/shadow said when it was told that the password is applied."""

    shadow: Path
    seen: list[str]

    def _answer(self, request: str, client: str) -> str:
        if request == "saved_password":
            self.seen.append(self.shadow.read_text())
        return super()._answer(request, client)


class Guest(Machine):
    """A guest of that router: its boots are what the units and the fast path do."""

    def __init__(self, directory: Path, guest: Namespace, uuid: str = VM) -> None:
        super().__init__(directory, uuid)
        self.guest = guest
        self.drive = None
        self.codes: list[int] = []

    def system(self, power: Optional[Power] = None, writable: bool = True) -> System:
        power = power or Power()
        root = Disk(str(self.directory), power, writable)
        programs = Network(self.directory, self.uuid, power, self.ran)
        programs.broken = self.broken
        return System(root, programs, NoDrives(), State(root), live=True)

    def start_kernel(self) -> None:
        super().start_kernel()
        for path, text in (
            ("sys/class/dmi/id/sys_vendor", "Apache Software Foundation\n"),
            ("sys/class/dmi/id/product_name", "CloudStack KVM Hypervisor\n"),
            ("proc/uptime", "12.34 20.00\n"),
            ("proc/cmdline", "root=/dev/vda1\n"),
            ("run/systemd/system/x", ""),
        ):
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(text)

    def start(self, power: Optional[Power] = None) -> list[str]:
        """One boot: which stages ran, "fast" for the short path."""
        self.start_kernel()
        self.ran.clear()
        return self.guest.run(lambda: self._stages(power))

    def _stages(self, power: Optional[Power]) -> list[str]:
        ran = ["fast"] if fastpath.answer_unchanged(str(self.directory)) else ["local"]
        self.codes = [0]
        if ran == ["local"]:
            self.codes = [stages.run_stage("local", self.system(power))]
        for stage in STAGES[1:]:
            if (self.directory / f"run/guestinit/{stage}.todo").exists():
                self.codes.append(stages.run_stage(stage, self.system(power)))
                ran.append(stage)
        return ran

    @property
    def status(self) -> dict[str, Any]:
        document = json.loads(self.read("run/guestinit/status.json"))
        assert isinstance(document, dict)
        return document

    @property
    def kind(self) -> str:
        return str(self.status["identity"]["kind"])

    def hash(self) -> str:
        """The default user's password in /etc/shadow."""
        return self.hash_of("debian")

    def hash_of(self, user: str) -> str:
        return next(line.split(":")[1] for line in self.read("etc/shadow").splitlines() if line.startswith(f"{user}:"))

    def takes(self, password: str) -> bool:
        """Whether the default user could log in with this password."""
        return crypt(password, self.hash()) == self.hash()

    def preview_there(self) -> Preview:
        order = pipeline.Order(STAGES, dry_run=True)
        seen = self.guest.run(lambda: pipeline.run(order, self.system(writable=False), lambda line: None))
        assert isinstance(seen, Preview)
        return seen


def crypt(password: str, salt: str) -> str:
    """crypt(3), which Python has no more."""
    import ctypes

    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return str(library.crypt(password.encode(), salt.encode()).decode())


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    with router_link() as both:
        yield both


@pytest.fixture
def guest(ends: Ends, machine: Machine) -> Guest:
    return Guest(machine.directory, ends.guest)


@pytest.fixture
def router(ends: Ends, tmp_path: Path, guest: Guest) -> Iterator[Watching]:
    state = fill(tmp_path / "router")
    made = ends.cloud.run(lambda: Watching("10.1.1.1", state))
    made.shadow, made.seen = guest.directory / "etc/shadow", []
    yield made
    made.close()


def hand_over(router: Router, password: str) -> None:
    """Somebody resets the password in CloudStack."""
    (router.state / "password").write_text(password)


def asked(router: Router) -> list[str]:
    """What was said to the password server since the last look."""
    said = [line for line in router.log if not line.startswith("GET")]
    (router.state / "log").unlink(missing_ok=True)
    return said


def settle(guest: Guest, router: Router) -> None:
    """The first boot, with a password."""
    hand_over(router, PASSWORD)
    guest.start()
    assert (guest.kind, guest.status["state"]) == (NEW, "done"), guest.status
    asked(router)


def test_first_boot_applies_the_password_and_then_says_so(guest: Guest, router: Watching) -> None:
    """Quirk 41: the acknowledgement comes only after the password is applied."""
    hand_over(router, PASSWORD)
    assert guest.start() == ["local", "network", "late", "final"]
    assert guest.status["result"] == "done", guest.status
    assert guest.status["datasource"]["name"] == "cloudstack"
    assert guest.read("etc/hostname") == "vm-web-1\n"
    assert "ops@bastion" in guest.read("home/debian/.ssh/authorized_keys")
    assert guest.takes(PASSWORD)
    assert asked(router) == ["send_my_password", "saved_password"]
    assert [guest.hash() in shadow for shadow in router.seen] == [True]
    assert not (router.state / "password").exists()
    assert ("systemctl", "--no-block", "start", "network-online.target") in guest.ran


def test_router_of_the_default_network_has_the_password(
    ends: Ends, guest: Guest, router: Watching, tmp_path: Path
) -> None:
    """In a second network is a router, too: it answers sooner, gives the card no gateway, and has no password."""
    ours, network = ends
    hand_over(router, PASSWORD)
    fill(router.state, instance_id="")  # not ready yet
    lease = "lease {\n  fixed-address 10.2.2.23;\n  option dhcp-server-identifier 10.2.2.1;\n}\n"
    for path, text in (
        ("var/lib/dhcp/dhclient.eth1.leases", lease),
        ("sys/class/net/eth1/address", "02:00:4c:9f:00:02\n"),
        ("sys/class/net/eth1/device/uevent", ""),
    ):
        (guest.directory / path).parent.mkdir(parents=True, exist_ok=True)
        (guest.directory / path).write_text(text)
    ours.ip(f"link add eth1 type veth peer name vr1 netns {network.task}", "link set eth1 up",
            "address add 10.2.2.23/24 dev eth1")  # fmt: skip
    network.ip("link set vr1 up", "address add 10.2.2.1/24 dev vr1")
    second = network.run(lambda: Router("10.2.2.1", fill(tmp_path / "second", local_ipv4="10.2.2.23")))
    ready = threading.Timer(1.0, fill, (router.state,))
    ready.start()
    try:
        guest.start()
        assert guest.takes(PASSWORD)
        assert guest.status["datasource"]["where"] == "http://10.1.1.1/latest (gateway, over eth0)"
        router.close()  # and that one alone is asked all the same
        fill(second.state, local_hostname="vm-web-2")
        guest.start()
        assert guest.read("etc/hostname") == "vm-web-2\n"
    finally:
        ready.cancel()
        second.close()
        ours.ip("link del eth1")


def test_reboot_without_news_takes_the_short_path_and_leaves_everything(guest: Guest, router: Watching) -> None:
    settle(guest, router)
    before, memory = guest.tree(), guest.memory()
    assert guest.start() == ["fast", "final"]
    assert (guest.kind, guest.status["state"]) == (SAME, "done")
    assert "asked for news" in guest.status["identity"]["reason"]
    assert asked(router) == ["send_my_password"]
    assert (guest.tree(), guest.memory()) == (before, memory)
    assert not (guest.directory / "run/guestinit/renew").exists()


def test_reset_is_applied_at_the_next_boot_and_nothing_else(
    guest: Guest, router: Watching, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quirk 44: the instance-id is the same for ever; the password is applied all the same."""
    settle(guest, router)
    before, keys, compared = guest.tree(), guest.host_keys(), guest.read("var/lib/guestinit/fast")
    hand_over(router, RESET)
    assert guest.start() == ["fast", "final"]
    assert (guest.kind, guest.status["state"]) == (RECONFIGURED, "done")
    assert guest.status["identity"]["reason"] == "the platform hands over a new password"
    assert guest.takes(RESET) and not guest.takes(PASSWORD)
    assert asked(router) == ["send_my_password", "saved_password"]
    assert guest.host_keys() == keys
    assert {path for path, entry in guest.tree().items() if entry != before.get(path)} == {"etc/shadow"}
    assert guest.read("var/lib/guestinit/fast").split("\n")[:3] == compared.split("\n")[:3]
    assert "the platform hands over a new password" in capsys.readouterr().err
    assert guest.start() == ["fast", "final"]
    assert (guest.kind, guest.takes(RESET)) == (SAME, True)


def test_password_that_the_user_set_stays(guest: Guest, router: Watching) -> None:
    """Quirk 44: neither a boot without news nor a router that hands over an old password again undoes passwd(1)."""
    settle(guest, router)
    own = "$5$Zk3PqVb1$8Pz1vkAc1XJHMku07cDiMrygk2q1zoJ0IuyVt58QQD."
    shadow = guest.directory / "etc/shadow"
    shadow.write_text(guest.read("etc/shadow").replace(guest.hash(), own))
    guest.start()
    assert guest.hash() == own
    hand_over(router, PASSWORD)  # the backup router never heard of it
    asked(router)
    guest.start()
    assert guest.hash() == own
    assert asked(router) == ["send_my_password", "saved_password"]
    assert not (router.state / "password").exists()
    guest.start()
    assert guest.kind == SAME


def test_another_key_replaces_the_old_one(guest: Guest, router: Watching) -> None:
    settle(guest, router)
    (router.state / "meta-data/public-keys").write_text(f"{KEY} new")
    guest.start()
    assert (guest.kind, guest.status["state"]) == (RECONFIGURED, "done")
    assert guest.read("home/debian/.ssh/authorized_keys") == f"{KEY} new\n"


def test_host_that_changed_is_no_news(guest: Guest, router: Watching) -> None:
    """A guest that was migrated while it was off: where it runs is not what it is."""
    fill(router.state, hypervisor_host_name="kvm07")
    settle(guest, router)
    fill(router.state, hypervisor_host_name="kvm08")
    guest.start()
    assert guest.kind == SAME


def test_silent_router_is_one_line_in_the_journal(
    guest: Guest, router: Watching, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from guestinit.datasources import services

    monkeypatch.setattr(services, "RENEWAL_LIMIT", 20)
    settle(guest, router)
    before = guest.tree()
    (router.state / "clients").write_text("10.1.1.99\n")
    guest.start_kernel()
    capsys.readouterr()
    assert guest.start() == ["fast", "final"]
    assert (guest.kind, guest.status["state"], guest.codes[-1]) == (SAME, "done", 0)
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("<6>org.")]
    assert len(said) == 1 and said[0].startswith("<5>the cloudstack metadata service gave no answer (")
    assert "status 404" in said[0]
    assert guest.tree() == before


@pytest.mark.parametrize("off", ["metadata: {service: none}", "datasources: [nocloud]"])
def test_settled_machine_asks_nobody_any_more_when_that_is_switched_off(
    guest: Guest, router: Watching, capsys: pytest.CaptureFixture[str], off: str
) -> None:
    settle(guest, router)
    hand_over(router, RESET)
    (guest.directory / "etc/guestinit").mkdir(exist_ok=True)
    (guest.directory / "etc/guestinit/guestinit.yaml").write_text(off + "\n")
    asked(router)
    guest.start()
    assert router.log == [] and guest.takes(PASSWORD)
    assert (guest.kind, guest.status["state"]) == (SAME, "done")
    reason = "same machine; the cloudstack metadata service is not asked any more"
    assert guest.status["identity"]["reason"] == reason
    if "none" in off:
        assert "cloudstack: not asked: the image configuration names none" in guest.status["datasource"]["reasons"]
    capsys.readouterr()
    guest.start()
    assert [line for line in capsys.readouterr().err.splitlines() if not line.startswith("<6>org.")] == []


def test_password_for_nobody_says_at_each_boot_what_to_do(
    guest: Guest, router: Watching, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not acknowledged, so the router goes on handing it over until somebody is there to have it."""
    (router.state / "user-data").write_text("#cloud-config\nusers: []\n")
    guest.start()
    hand_over(router, RESET)
    for _ in range(2):
        asked(router)
        capsys.readouterr()
        guest.start()
        assert "no default user to have it; add default to users\n" in capsys.readouterr().err
        assert asked(router) == ["send_my_password"]
    (router.state / "user-data").unlink()
    guest.start()
    assert guest.takes(RESET)
    assert asked(router) == ["send_my_password", "saved_password"]


def test_many_cards_leave_enough_time_for_the_first(guest: Guest, router: Watching) -> None:
    settle(guest, router)
    hand_over(router, RESET)
    cards = range(1, 8)
    try:
        for card in cards:
            guest.guest.ip(
                f"link add card{card} type veth peer name far{card}",
                f"link set far{card} up",
                f"link set card{card} up",
                f"address add 10.9.{card}.2/24 dev card{card}",
                f"route add default via 10.9.{card}.1 metric {card}",
            )
        guest.start()
    finally:
        for card in cards:
            guest.guest.ip(f"link del card{card}")
    assert guest.takes(RESET)


def test_router_that_never_answers_fails_the_first_boot(
    guest: Guest, router: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guestinit.datasources import services

    monkeypatch.setattr(services, "LIMIT", 10)
    (router.state / "clients").write_text("10.1.1.99\n")
    assert guest.start()[:2] == ["local", "network"]
    assert guest.codes[:2] == [0, 1]
    assert guest.status["refused"] == "the cloudstack metadata service gave no seed"
    assert any("10.1.1.1 (gateway): status 404" in reason for reason in guest.status["datasource"]["reasons"])
    (router.state / "clients").unlink()
    settle(guest, router)


def test_failed_password_is_not_acknowledged_and_tried_again(guest: Guest, router: Watching) -> None:
    settle(guest, router)
    hand_over(router, RESET)
    guest.broken = ("chpasswd",)
    guest.start()
    assert guest.status["state"] == "failed"
    assert asked(router) == ["send_my_password"]
    guest.broken = ()
    guest.start()
    assert guest.status["state"] == "done" and guest.takes(RESET)
    assert asked(router) == ["send_my_password", "saved_password"]


def test_clone_with_another_uuid_is_new_before_its_network_is_up(
    guest: Guest, router: Watching, tmp_path: Path
) -> None:
    settle(guest, router)
    keys = guest.host_keys()
    fill(router.state, instance_id=OTHER_VM, vm_id=OTHER_VM, local_hostname="vm-web-2")
    copy(guest.directory, tmp_path / "clone")
    clone = Guest(tmp_path / "clone", guest.guest, OTHER_VM)
    assert clone.start() == ["local", "network", "late", "final"]
    assert (clone.kind, clone.read("etc/hostname")) == (NEW, "vm-web-2\n")
    assert not set(clone.host_keys().values()) & set(keys.values())


def test_machine_without_a_uuid_asks_before_its_network_is_up(
    guest: Guest, router: Watching, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the router can tell it from its clones. Everything is done in that stage, and the host is told once."""
    guest.uuid = ""
    (router.state / "user-data").write_text(BOOTCMD)
    settle(guest, router)
    capsys.readouterr()
    assert guest.start() == ["local", "network", "final"]
    assert (guest.kind, guest.status["state"]) == (SAME, "done")
    assert ("/bin/sh", "-c", "echo early") in guest.ran
    assert sorted(path.name for path in (guest.directory / "run/guestinit").glob("*.todo")) == ["final.todo"]
    assert capsys.readouterr().err.count("org.guestinit.0: ") == 1


def test_commands_of_every_boot_do_not_make_a_boot_wait_for_the_router(guest: Guest, router: Watching) -> None:
    (router.state / "user-data").write_text(BOOTCMD)
    settle(guest, router)
    assert guest.start() == ["local", "final"]
    assert (guest.kind, guest.status["state"]) == (SAME, "done")
    assert ("/bin/sh", "-c", "echo early") in guest.ran


def test_dry_run_shows_the_password_and_the_acknowledgement_and_sends_none(guest: Guest, router: Watching) -> None:
    settle(guest, router)
    hand_over(router, RESET)
    before, hashed = guest.tree(), guest.hash()
    changing = [change.step.id for change in guest.preview_there().changes if change.change != UNCHANGED]
    assert changing == ["password:reset", "request:password_server"]
    assert asked(router) == ["send_my_password"]
    assert (guest.tree(), guest.hash()) == (before, hashed)


# the power fails


def moments(guest: Guest, router: Watching, tmp_path: Path, prepare: Callable[[], None]) -> int:
    """How many moments a boot has that is not disturbed."""
    copy(guest.directory, tmp_path / "undisturbed")
    power = Power()
    prepare()
    victim = Guest(tmp_path / "undisturbed", guest.guest)
    victim.start(power)
    assert victim.takes(RESET) and asked(router)[-1] == "saved_password"
    return power.moments


def test_power_cut_at_every_moment_of_a_reset(guest: Guest, router: Watching, tmp_path: Path) -> None:
    """The password is never lost, is applied once it is known to be applied never again, and is acknowledged."""
    settle(guest, router)

    def prepare() -> None:
        hand_over(router, RESET)

    count = moments(guest, router, tmp_path, prepare)
    between = 0
    for at in range(count):
        directory = tmp_path / f"cut-{at}"
        copy(guest.directory, directory)
        prepare()
        victim = Guest(directory, guest.guest)
        with pytest.raises(PowerCut):
            victim.start(Power(at))
        early, hashed = asked(router), victim.hash()
        journal = victim.read("var/lib/guestinit/journal")
        was_applied = '{"done": "password:reset", "result": "ok"}' in journal
        victim.start()
        assert victim.status["state"] == "done", (at, victim.status)
        assert victim.takes(RESET), at
        if was_applied:
            assert victim.hash() == hashed, at  # a second chpasswd would have taken another salt
        said = [word for word in early + asked(router) if word == "saved_password"]
        if was_applied and '{"begun": "request:password_server"}' not in journal:
            between += 1
            assert early == ["send_my_password"] and said == ["saved_password"], at
        assert 1 <= len(said) <= 2, at
        assert not (router.state / "password").exists()
        victim.start()
        assert (victim.kind, asked(router)) == (SAME, ["send_my_password"]), at
        assert "pending" not in victim.memory()[0]
        shutil.rmtree(directory)
    assert between >= 1


def test_router_that_is_gone_after_a_power_cut_is_told_later(guest: Guest, router: Watching) -> None:
    """Between password and acknowledgement the power fails, and the router is away: what was kept is enough."""
    settle(guest, router)
    hand_over(router, RESET)
    begun = '{"begun": "request:password_server"}'
    with pytest.raises(PowerCut):
        guest.start(CutWhen(lambda: begun in guest.read("var/lib/guestinit/journal")))
    assert guest.takes(RESET) and asked(router) == ["send_my_password"]
    meta_data = router.state / "meta-data"
    meta_data.rename(router.state / "away")
    meta_data.mkdir()
    started = time.monotonic()
    guest.start()
    assert time.monotonic() - started < 60
    assert guest.status["state"] == "done" and guest.takes(RESET)
    assert asked(router) == ["saved_password"]


# secrets


def test_password_is_nowhere_but_in_shadow_as_a_hash(
    guest: Guest, router: Watching, capfd: pytest.CaptureFixture[str]
) -> None:
    settle(guest, router)
    hand_over(router, RESET)
    guest.start()
    guest.start()
    printed = capfd.readouterr()
    told = printed.out + printed.err + json.dumps(guest.status)
    argv = "".join(" ".join(words) for words in guest.ran)
    for secret in (PASSWORD, RESET):
        assert secret not in told and secret not in argv
        found = [path for path in guest.directory.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
        assert found == []
    hand_over(router, "third")
    from guestinit.show import plan as show

    preview = guest.preview_there()
    for text in (show.text(preview, reveal=True), show.json(preview)):
        assert "third" not in text
        assert "password server 10.1.1.1: saved_password" in text
