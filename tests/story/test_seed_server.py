"""NoCloud's seed on a server, over several boots of one machine: the network is a pair of namespaces."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestinit import pipeline
from guestinit.model.action import LOCAL, NETWORK
from guestinit.model.identity import NEW, RECONFIGURED, SAME
from guestinit.model.report import DONE, FAILURE, Preview, Report
from guestinit.system import unchanged
from guestinit.system.process import Finished, Process
from guestinit.system.state import State
from guestinit.system.system import System
from tests.http.listener import Listener, answer
from tests.http.namespaces import Ends, Namespace, link
from tests.media.played import Cdrom
from tests.story import test_boots
from tests.story.test_boots import OTHER_UUID, Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces, and accounts with shadow-utils")

fast, machine = test_boots.fast, test_boots.machine
ADDRESS = "http://10.0.0.2/web1/"


@pytest.fixture
def ends() -> Iterator[Ends]:
    with link() as both:
        yield both


class Networked(test_boots.Programs):
    """The network manager of this machine has done its work: ip(8) is real, and nobody else's cards are touched."""

    def run(self, argv: Any, *rest: Any, **named: Any) -> Finished:
        if tuple(argv) == ("systemctl", "is-active", "--quiet", "network.target"):
            return Finished(0, "active", 0.0)
        if tuple(argv[:2]) == ("ip", "-j"):
            return Process.run(self, argv, *rest, **named)
        return super().run(argv, *rest, **named)


class Server:
    """What lies in a directory of it may be changed between two boots."""

    def __init__(self, cloud: Namespace) -> None:
        self.files = {"meta-data": b"instance-id: i-1\nlocal-hostname: web1\n", "user-data": b""}
        self._listener = Listener(cloud, "10.0.0.2", self._behave)
        self.requests = self._listener.requests

    def _behave(self, connection: socket.socket, request: bytes) -> None:
        directory, _, name = request.split()[1].decode().rpartition("/")
        content = self.files.get(name) if directory == "/web1" else None
        connection.sendall(answer("404 Not Found", b"<html>") if content is None else answer("200 OK", content))

    def stop(self) -> None:
        self._listener.__exit__(None, None, None)


@pytest.fixture
def server(ends: Ends) -> Iterator[Server]:
    made = Server(ends.cloud)
    yield made
    made.stop()


@pytest.fixture
def disk(machine: Machine) -> Machine:
    """The machine without a drive, which a serial number points at the server."""
    machine.drive = None
    say(machine, f"ds=nocloud;s={ADDRESS}")
    return machine


def say(machine: Machine, serial: str) -> None:
    (machine.directory / "sys/class/dmi/id/product_serial").write_text(f"{serial}\n")


def system(machine: Machine, writable: bool = True) -> System:
    power = test_boots.Power()
    root = test_boots.Disk(str(machine.directory), power, writable)
    programs = Networked(machine.directory, machine.uuid, power, machine.ran)
    return System(root, programs, Cdrom(machine.drive), State(root), live=True)


def boot(machine: Machine, ends: Ends) -> list[Report]:
    """Every stage that is asked for, each with a memory of its own; the reports of the first ones."""
    machine.start_kernel()
    (machine.directory / "run/systemd/system").mkdir(parents=True)
    reports: list[Report] = []
    waiting = [LOCAL]
    while waiting:
        stage = waiting.pop(0)
        order = pipeline.Order((LOCAL, NETWORK) if stage == NETWORK else (stage,))
        ended = ends.guest.run(lambda order=order: pipeline.run(order, system(machine), lambda line: None))  # type: ignore[misc]
        assert isinstance(ended, pipeline.Ended)
        if stage in (LOCAL, NETWORK):
            reports.append(ended.report)
            waiting += ended.report.left
    return reports


def test_seed_is_fetched_in_the_network_stage(disk: Machine, server: Server, ends: Ends) -> None:
    local, network = boot(disk, ends)
    assert (local.left, local.outcomes) == ((NETWORK,), ())
    assert (network.identity.kind, network.result, disk.read("etc/hostname")) == (NEW, DONE, "web1\n")
    assert (network.datasource, network.where) == ("nocloud", ADDRESS)
    assert [request.split()[1] for request in server.requests] == [
        b"/web1/meta-data", b"/web1/user-data", b"/web1/vendor-data", b"/web1/network-config",
    ]  # fmt: skip


def test_settled_machine_does_not_ask_again(disk: Machine, server: Server, ends: Ends) -> None:
    assert len(boot(disk, ends)) == 2
    asked, before = len(server.requests), disk.tree()
    server.files["meta-data"] = b"instance-id: i-2\nlocal-hostname: web2\n"
    (report,) = boot(disk, ends)
    assert (report.identity.kind, report.result, report.left) == (SAME, DONE, ())
    assert report.identity.reason == "same machine; its nocloud seed is asked for on a first boot only"
    assert "nocloud: not asked again, this machine is settled" in report.reasons
    assert (len(server.requests), disk.tree()) == (asked, before)


def test_it_asks_again_when_it_is_told_something_else(disk: Machine, server: Server, ends: Ends) -> None:
    boot(disk, ends)
    server.files["meta-data"] = b"instance-id: i-1\nlocal-hostname: web2\n"
    say(disk, f"ds=nocloud;s={ADDRESS}%s")
    assert (boot(disk, ends)[-1].identity.kind, disk.read("etc/hostname")) == (RECONFIGURED, "web2\n")
    # Another way to the same seed: asked once more, and not at every boot that follows.
    say(disk, f"ds=nocloud;s={ADDRESS}")
    assert boot(disk, ends)[-1].identity.kind == SAME
    assert len(boot(disk, ends)) == 1


def test_a_clone_asks_for_its_own_seed(disk: Machine, server: Server, ends: Ends, fast: Path) -> None:
    boot(disk, ends)
    clone = disk.clone(fast / "clone", OTHER_UUID)
    server.files["meta-data"] = b"instance-id: i-2\nlocal-hostname: web2\n"
    assert (boot(clone, ends)[-1].identity.kind, clone.read("etc/hostname")) == (NEW, "web2\n")


def test_a_drive_does_not_come_before_what_the_serial_number_says(disk: Machine, server: Server, ends: Ends) -> None:
    disk.insert()
    assert (boot(disk, ends)[-1].datasource, disk.read("etc/hostname")) == ("nocloud", "web1\n")


def test_what_is_said_replaces_what_is_fetched(disk: Machine, server: Server, ends: Ends) -> None:
    say(disk, f"ds=nocloud;h=web7;s={ADDRESS}")
    assert (boot(disk, ends)[-1].result, disk.read("etc/hostname")) == (DONE, "web7\n")


def test_a_machine_that_nobody_has_set_up_fails_without_its_seed(disk: Machine, server: Server, ends: Ends) -> None:
    del server.files["user-data"]
    before = disk.tree()
    report = boot(disk, ends)[-1]
    assert (report.result, report.refused) == (FAILURE, "the server that NoCloud's seedfrom names gave no seed")
    assert any(f"{ADDRESS}user-data: the server has no such file" in reason for reason in report.reasons)
    assert disk.tree() == before
    server.files["user-data"] = b""
    assert boot(disk, ends)[-1].result == DONE


def test_dry_run_fetches_at_once_and_touches_nothing(disk: Machine, server: Server, ends: Ends) -> None:
    before = disk.tree()
    order = pipeline.Order(test_boots.STAGES, dry_run=True)
    seen = ends.guest.run(lambda: pipeline.run(order, system(disk, writable=False), lambda line: None))
    assert isinstance(seen, Preview)
    assert (seen.where, disk.tree()) == (ADDRESS, before)
    assert "file:/etc/hostname" in [change.step.id for change in seen.changes]


@pytest.mark.parametrize(
    ("serial", "unchanged_boot"),
    [
        (f"ds=nocloud;s={ADDRESS}", True),
        (f"'ds=nocloud;s={ADDRESS}'", True),
        ("", True),  # whoever operates it says it for the first boot only
        ("ds=nocloud", True),
        ("ds=nocloud;s=http://10.0.0.3/", False),
        (f"ds=nocloud;h=web9;s={ADDRESS}", False),
    ],
)
def test_an_unchanged_boot_sees_whether_it_is_told_something_else(
    disk: Machine, server: Server, ends: Ends, serial: str, unchanged_boot: bool
) -> None:
    boot(disk, ends)
    say(disk, serial)
    found = unchanged.compare(str(disk.directory))
    assert (found is not None) is unchanged_boot
