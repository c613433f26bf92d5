"""Names of interfaces, on a directory that a played ip(8) changes as the kernel would."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.action import EVERY_BOOT, Because, Rename, Step
from guestinit.model.facts import Nic
from guestinit.model.plan import LEFT, MODIFY, UNCHANGED
from guestinit.system import engine, kinds, unchanged
from guestinit.system.failed import Failed
from guestinit.system.process import Finished, Process
from tests.network import documents
from tests.system import machine


class Kernel(Process):
    """ip(8) and udevadm(8) of a machine whose interfaces are directories."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.net = path / "sys/class/net"
        self.altnames: dict[str, str] = {}
        self.broken: set[str] = set()  # names that it does not give
        self.ran: list[str] = []
        self.running = path / "run/udev/control"

    def run(self, argv: Sequence[str], *_: Any, **__: Any) -> Finished:
        words = " ".join(argv)
        self.ran.append(words)
        if words == "udevadm settle --timeout=60":
            return Finished(0, "", 0.0)
        if words.startswith("ip link property del dev "):
            assert argv[5] == argv[7]
            return Finished(0 if self.altnames.pop(argv[5], "") else 2, "", 0.0)
        assert tuple(argv[:4]) == ("ip", "link", "set", "dev") and argv[5] == "name", words
        now, name = argv[4], argv[6]
        assert len(name) <= 15
        if (self.net / name).exists() or name in self.altnames or name in self.broken:
            return Finished(2, "RTNETLINK answers: File exists", 0.0)
        (self.net / now).rename(self.net / name)
        return Finished(0, "", 0.0)

    def add(self, name: str, mac: str, up: bool = False, physical: bool = True) -> None:
        (self.net / name).mkdir(parents=True)
        (self.net / name / "address").write_text(mac + "\n")
        (self.net / name / "flags").write_text("0x1003\n" if up else "0x1002\n")
        if physical:
            (self.net / name / "device").mkdir()

    def names(self) -> dict[str, str]:
        return {(self.net / name / "address").read_text().strip(): name for name in os.listdir(self.net)}


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def rename(*names: str) -> Rename:
    return Rename(tuple((mac(number), name) for number, name in enumerate(names)))


def test_every_permutation_of_four_names(tmp_path: Path) -> None:
    for number, order in enumerate(itertools.permutations(range(4))):
        kernel = Kernel(tmp_path / str(number))
        for index in range(4):
            kernel.add(f"eth{index}", mac(index))
        system = machine.machine(tmp_path / str(number), kernel)
        wanted = [f"eth{index}" for index in order]
        if wanted != sorted(wanted):
            machine.do(rename(*wanted), system)
        assert kernel.names() == {mac(index): name for index, name in enumerate(wanted)}
        cycles = sum(name.endswith(f" name guestinit{n}") for name in kernel.ran for n in range(9))
        assert len(kernel.ran) == sum(f"eth{i}" != name for i, name in enumerate(wanted)) + cycles


NAMES = st.sampled_from(["eth0", "eth1", "eth2", "eth3", "lan", "guestinit0"])


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, unique=True, max_size=5), st.lists(st.tuples(st.integers(0, 5), NAMES), max_size=5))
def test_any_wishes_end_as_the_plan_says(have: list[str], wishes: list[tuple[int, str]]) -> None:
    """Whatever a document asks for: what cannot be had is refused beforehand, and all the rest comes true."""
    links = "".join(
        f"  l{number}: {{match: {{macaddress: '{mac(card)}'}}, set-name: {name}}}\n"
        for number, (card, name) in enumerate(wishes)
    )
    network, _ = documents.read(f"version: 2\nethernets:\n{links or '  x: {}'}")
    assert network is not None
    nics = tuple(Nic(name, mac(index)) for index, name in enumerate(have))
    resolved, problems = documents.resolve(network, nics)
    assert len({nic.name for nic in resolved.nics}) == len(nics)
    assert len({name for _, name in resolved.names}) == len(resolved.names)
    with tempfile.TemporaryDirectory() as directory:
        kernel = Kernel(Path(directory))
        kernel.net.mkdir(parents=True)
        for nic in nics:
            kernel.add(nic.name, nic.mac)
        system = machine.machine(Path(directory), kernel)
        if machine.look(Rename(resolved.names), system).change != UNCHANGED:
            machine.do(Rename(resolved.names), system)
        assert kernel.names() == {nic.mac: nic.name for nic in resolved.nics}
    asked = {link.name for link in network.links if link.set_name}
    given_ = {link.name for link in resolved.network.links if link.set_name}
    assert len(problems) == len(asked - given_)


def test_a_chain_begins_at_its_end(kernel: Kernel, tmp_path: Path) -> None:
    for index in range(3):
        kernel.add(f"eth{index}", mac(index))
    system = machine.machine(tmp_path, kernel)
    change = machine.look(rename("eth1", "eth2", "lan"), system)
    assert (change.change, change.before) == (MODIFY, "".join(f"{mac(i)} eth{i}\n" for i in range(3)))
    machine.do(rename("eth1", "eth2", "lan"), system)
    assert kernel.ran == [
        "ip link set dev eth2 name lan", "ip link set dev eth1 name eth2", "ip link set dev eth0 name eth1",
    ]  # fmt: skip


def test_what_an_interrupted_swap_left_is_finished(kernel: Kernel, tmp_path: Path) -> None:
    kernel.add("guestinit0", mac(0))
    kernel.add("eth0", mac(1))
    machine.do(rename("eth1", "eth0"), machine.machine(tmp_path, kernel))
    assert kernel.ran == ["ip link set dev guestinit0 name eth1"]


def test_an_interface_that_is_up_keeps_its_name(kernel: Kernel, tmp_path: Path) -> None:
    kernel.add("eth0", mac(0), up=True)
    kernel.add("eth1", mac(1))
    system = machine.machine(tmp_path, kernel)
    assert machine.look(rename("lan"), system).change == UNCHANGED
    assert "eth0 is up" in machine.look(rename("lan"), system).note
    with pytest.raises(Failed, match="eth1 cannot be called eth0: another interface has this name"):
        machine.do(rename("lan", "eth0"), system)
    assert kernel.ran == []


def test_absent_and_virtual_interfaces_are_none_of_its_business(kernel: Kernel, tmp_path: Path) -> None:
    kernel.add("br0", mac(0), physical=False)
    system = machine.machine(tmp_path, kernel)
    assert machine.look(rename("lan", "wan"), system).change == UNCHANGED
    assert machine.look(rename("lan"), machine.machine(tmp_path, kernel, live=False)).change == LEFT


def test_one_that_fails_leaves_nobody_with_a_name_of_ours(kernel: Kernel, tmp_path: Path) -> None:
    for index in range(3):
        kernel.add(f"eth{index}", mac(index))
    kernel.broken.add("eth0")
    system = machine.machine(tmp_path, kernel)
    with pytest.raises(Failed) as raised:
        machine.do(rename("eth1", "eth0", "lan"), system)
    assert "eth1 cannot be called eth0: ip: RTNETLINK answers: File exists" in raised.value.message
    kernel.broken.clear()
    assert kernel.names()[mac(2)] == "lan"  # the others go on
    assert kernel.names()[mac(1)] == "eth1"


def test_a_further_name_of_an_interface_is_taken_away_first(kernel: Kernel, tmp_path: Path) -> None:
    kernel.add("eth0", mac(0))
    kernel.altnames["ens3"] = "eth0"
    machine.do(rename("ens3"), machine.machine(tmp_path, kernel))
    assert kernel.ran[1] == "ip link property del dev ens3 altname ens3"


def test_udev_finishes_first(kernel: Kernel, tmp_path: Path) -> None:
    kernel.add("eth0", mac(0))
    kernel.running.parent.mkdir(parents=True)
    kernel.running.touch()
    machine.do(rename("lan"), machine.machine(tmp_path, kernel))
    assert kernel.ran[0] == "udevadm settle --timeout=60"


def test_an_unchanged_boot_compares_the_names(kernel: Kernel, tmp_path: Path) -> None:
    step = Step("rename:interfaces", "network", rename("eth1", "ens3", "eth2", "lan"), Because(), frequency=EVERY_BOOT)
    system = machine.machine(tmp_path, kernel)
    for index, name in ((0, "eth1"), (1, "ens3"), (3, "lan")):
        kernel.add(name, mac(index))
    checks = list(engine.every_boot_checks([step], system))
    assert checks == [f"name eth1 {mac(0)}", f"name ens3 {mac(1)}"]  # eth2 is not here, and lan nobody else's
    state = tmp_path / unchanged.STATE.lstrip("/")
    state.mkdir(parents=True)
    (state / "fast").write_text("\n".join((unchanged.MAGIC, *checks, "")))
    both = ((mac(0), "eth1"), (mac(1), "ens3"))

    def boot(*names: str) -> tuple[tuple[str, str], ...]:
        shutil.rmtree(kernel.net)
        kernel.net.mkdir()
        for index, name in enumerate(names):
            kernel.add(name, mac(index))
        return unchanged.names_to_give(str(tmp_path))

    assert boot("eth1", "ens3") == ()
    assert boot("eth7", "ens3") == ()  # udev is about to
    assert boot("ens3", "eth1") == both
    assert boot("eth0", "eth1", "ens3") == both
    assert boot("eth1") == both  # the other one comes later, as eth1 or eth0
    assert kinds.observe(step, system).change == UNCHANGED
