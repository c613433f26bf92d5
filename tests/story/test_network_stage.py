"""A seed that a server has, stage by stage, on a machine in a directory: what each one asks for, says and leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from guestinit import stages
from guestinit.model.identity import Instance, Settled
from guestinit.show import status as show
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.media.played import NoDrives

EXAMPLES = Path(__file__).parents[2] / "examples"
BOOT = "5f6b2c1e-0000-4000-8000-000000000001"
UUID = "5A0C0F4B-8C2F-4D7B-9E3C-9A6D4F2E1B0A"
BY_ADDRESS = "ds=nocloud;s=http://192.0.2.1/"  # TEST-NET-1: nobody
BY_NAME = "ds=nocloud;s=http://seed.example.com/"


class Machine:
    """One boot of a machine without drives; its programs are noted and do nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_online = False
        self.started: list[str] = []

    def run(self, stage: str, writable: bool = True) -> int:
        base = Root(str(self.root), writable=writable)
        return stages.run_stage(stage, System(base, Programs(self), NoDrives(), State(base), True))

    @property
    def status(self) -> dict[str, Any]:
        document = json.loads((self.root / "run/guestinit/status.json").read_text())
        assert isinstance(document, dict)
        return document

    @property
    def asked_for(self) -> list[str]:
        return sorted(path.name for path in (self.root / "run/guestinit").glob("*.todo"))

    @property
    def network_files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob("etc/systemd/network/10-guestinit*"))

    def settle(self, uuid: str = UUID) -> None:
        """As it, or its template, was set up in an earlier boot, when its command line named another server."""
        base = Root(str(self.root))
        base.make_directory("/var/lib/guestinit", 0o700)
        State(base).settle(Settled(Instance("a", uuid.lower(), "content", False), "new"), "")


class Programs(Process):
    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def run(self, argv: Any, *_: Any, **__: Any) -> Finished:
        self.machine.started.append(" ".join(argv))
        if tuple(argv[:3]) == ("systemctl", "is-active", "--quiet") and argv[3] == "network.target":
            return Finished(0 if self.machine.is_online else 3, "", 0.0)
        if tuple(argv[:2]) == ("ip", "link"):
            return Finished(0, "", 0.0)
        return Finished(1, "", 0.0)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With one network card that has no carrier, and systemd."""
    root = tmp_path / "root"
    shutil.copytree(EXAMPLES / "root", root, symlinks=True)
    card = "sys/class/net/eth0"
    for path, text in (
        ("proc/sys/kernel/random/boot_id", BOOT + "\n"),
        ("proc/uptime", "12.34 20.00\n"),
        ("proc/cmdline", f"root=/dev/vda1 ro {BY_ADDRESS}\n"),
        ("sys/class/dmi/id/product_uuid", UUID + "\n"),
        ("run/systemd/system/x", ""),
        *((f"{card}/{name}", text) for name, text in (("address", "52:54:00:12:34:56"), ("flags", "0x1002"))),
        *((f"{card}/{name}", text) for name, text in (("carrier", "0"), ("type", "1"), ("device/x", ""))),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Machine(root)


def has_client(machine: Machine) -> None:
    client = machine.root / "usr/sbin/dhcpcd"
    client.parent.mkdir(parents=True, exist_ok=True)
    client.write_text("")


def named(machine: Machine) -> None:
    (machine.root / "proc/cmdline").write_text(f"root=/dev/vda1 ro {BY_NAME}\n")


def test_the_local_stage_asks_for_the_one_that_may_ask_a_server(machine: Machine) -> None:
    assert machine.run("local") == 0
    assert machine.asked_for == ["final.todo", "network.todo"]
    assert machine.status["state"] == "running"
    waits = "running: stage local, unknown (the server that NoCloud's seedfrom names has to be asked)"
    assert show.text(machine.status) == waits
    assert not any(line.startswith(("ip link", "systemctl")) for line in machine.started)


def test_a_silent_server_fails_a_new_machine_with_reasons_and_the_final_stage_reports(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestinit.system.uplink.PATIENCE", 0.2)
    has_client(machine)
    machine.run("local")
    assert machine.run("network") == 1
    status = machine.status
    assert (status["state"], status["stage"]) == ("failed", "network")
    assert "gave no seed" in status["refused"]
    assert "nocloud: eth0 has no carrier" in status["datasource"]["reasons"]
    assert machine.asked_for == ["final.todo"]
    assert machine.network_files == []
    assert machine.run("final") == 0
    assert machine.status["state"] == "failed"


@pytest.mark.parametrize("configured", [False, True])
def test_without_a_lease_client_it_is_asked_again_over_the_machines_own_network(
    machine: Machine, configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the image configures none, one card gets a lease by the network manager's own client."""
    if not configured:
        (machine.root / "etc/systemd/network/80-default.network").unlink()
    monkeypatch.setattr("guestinit.system.uplink.PATIENCE", 0.2)
    machine.run("local")
    assert machine.run("network") == 0
    assert machine.asked_for == ["final.todo", "network.todo", "online.todo"]
    assert machine.started[-1] == "systemctl --no-block start guestinit-online.service"
    what = "the server that NoCloud's seedfrom names is asked when the machine's own network is up"
    assert show.text(machine.status) == f"running: stage network, unknown ({what})"
    written = [] if configured else ["etc/systemd/network/10-guestinit-fallback.network"]
    assert machine.network_files == written
    assert [module["name"] for module in machine.status["modules"]] == ["network"] * len(written)

    machine.is_online = True
    machine.started.clear()
    assert machine.run("network") == 1
    assert not any(line.startswith(("ip link", "systemctl --no-block")) for line in machine.started)
    assert machine.status["state"] == "failed"
    # guestinit.target requires the final stage, and not guestinit-online.service.
    assert machine.run("final") == 1


def test_a_name_is_asked_when_somebody_can_resolve_it(machine: Machine) -> None:
    has_client(machine)
    named(machine)
    machine.run("local")
    assert machine.run("network") == 0
    assert "online.todo" in machine.asked_for
    assert not any(line.startswith("ip link") for line in machine.started)
    reason = "nocloud: names can be resolved when the machine's own network is up"
    assert reason in machine.status["datasource"]["reasons"]


def test_a_settled_machine_goes_on_without_a_server(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestinit.system.uplink.PATIENCE", 0.2)
    has_client(machine)
    machine.settle()
    machine.run("local")
    assert machine.asked_for == ["final.todo", "network.todo"]
    assert machine.run("network") == 0
    assert machine.status["state"] == "none"
    silent = "the server that NoCloud's seedfrom names gave no seed; the machine stays as it was settled"
    assert (machine.status["identity"]["reason"], machine.status["instance_id"]) == (silent, "a")
    assert machine.asked_for == []
    assert machine.network_files == []


@pytest.mark.parametrize("client", [False, True])
def test_a_clone_of_a_settled_machine_is_a_new_one(
    machine: Machine, client: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody answers it fails, not under its template's name; its own network is that of a new machine."""
    monkeypatch.setattr("guestinit.system.uplink.PATIENCE", 0.2)
    (machine.root / "etc/systemd/network/80-default.network").unlink()
    machine.settle(uuid=UUID.replace("5A0C", "5A0D"))
    if client:
        has_client(machine)
    machine.run("local")
    assert machine.run("network") == (1 if client else 0)
    assert machine.status["state"] == ("failed" if client else "running")
    assert machine.status["instance_id"] == ""
    assert "settled" not in machine.status["identity"]["reason"]
    assert machine.network_files == ([] if client else ["etc/systemd/network/10-guestinit-fallback.network"])
