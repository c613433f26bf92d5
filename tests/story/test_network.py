"""What becomes of the network over many boots when the seed says something, nothing, or no longer anything about it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Optional

import pytest

from guestinit.model.identity import NEW, RECONFIGURED, SAME
from guestinit.model.plan import LEFT, UNCHANGED
from guestinit.system.process import Finished
from guestinit.system.system import System
from tests.story import test_boots as story
from tests.story.test_boots import MAC, NETWORK, OTHER_UUID, Machine

fast, template, pytestmark = story.fast, story.machine, story.pytestmark

FILES = "etc/systemd/network"
FALLBACK = f"{FILES}/10-guestinit-fallback.network"
STATIC = f"{FILES}/10-guestinit-eth0.network"


@pytest.fixture
def machine(template: Machine) -> Machine:
    """A clone of a template without any configuration of interfaces."""
    (template.directory / FILES / "80-default.network").unlink()
    return template


def insert(machine: Machine, network: str, instance_id: str = "i-1") -> None:
    machine.insert("#cloud-config\nhostname: web01\n", network, instance_id)
    assert machine.drive is not None
    if not network:
        del machine.drive["network-config"]


def written(machine: Machine) -> list[str]:
    return sorted(path.name for path in (machine.directory / FILES).glob("*guestinit*"))


def test_absent_then_there_then_gone_again(machine: Machine) -> None:
    insert(machine, "")
    assert machine.boot().kind == NEW
    assert written(machine) == ["10-guestinit-fallback.network"]
    text = machine.read(FALLBACK)
    assert f"MACAddress={MAC}\n" in text and "DHCP=ipv4\n" in text and "IPv6AcceptRA=yes\n" in text
    assert machine.boot().kind == SAME

    insert(machine, NETWORK)
    assert machine.boot().kind == RECONFIGURED
    assert written(machine) == ["10-guestinit-eth0.network"]
    static = machine.read(STATIC)

    insert(machine, "")  # somebody took the document away: the machine keeps its address
    assert machine.boot().kind == RECONFIGURED
    assert written(machine) == ["10-guestinit-eth0.network"]
    assert machine.read(STATIC) == static
    machine.drive = None
    machine.boot()
    assert machine.read(STATIC) == static


def test_a_clone_whose_seed_has_none_does_not_keep_the_address(machine: Machine, tmp_path: Path) -> None:
    insert(machine, NETWORK)
    machine.boot()
    clone = machine.clone(tmp_path / "clone", OTHER_UUID)
    insert(clone, "", "i-2")
    assert clone.boot().kind == NEW
    assert written(clone) == ["10-guestinit-fallback.network"]


@pytest.mark.parametrize("network", ["version: 1\nconfig: disabled\n", "version: 1\nconfig: []\n"])
def test_disabled_and_empty_write_no_lease(machine: Machine, network: str) -> None:
    insert(machine, network)
    machine.boot()
    assert written(machine) == []


@pytest.mark.parametrize("network", ["{}\n", "# only a comment\n", "version: 7\n"])
def test_what_says_nothing_is_as_good_as_none(machine: Machine, network: str) -> None:
    insert(machine, network)
    machine.boot()
    assert written(machine) == ["10-guestinit-fallback.network"]


def test_the_images_own_configuration_stays_and_the_preview_says_so(machine: Machine) -> None:
    insert(machine, "")
    default = machine.directory / FILES / "80-default.network"
    default.write_text("[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n")
    machine.start_kernel()
    preview = machine.preview()
    [note] = preview.problems
    assert note.message == f"the seed has none; eth0 keeps what the image has for it in /{FILES}/80-default.network"
    machine.boot()
    assert written(machine) == []


def test_a_preview_with_two_cards_touches_none(machine: Machine) -> None:
    insert(machine, "")
    machine.start_kernel()
    for path, text in (("address", "bc:24:11:0a:1b:2d\n"), ("device/uevent", "")):
        file = machine.directory / "sys/class/net/eth1" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    preview = machine.preview()  # its programs are those of the story: none of them is ip
    assert [change.step.id for change in preview.changes if change.change not in (UNCHANGED, LEFT)].count(
        f"file:/{FALLBACK}"
    )
    assert "eth0" in str(preview.problems[0]) and str(preview.problems[0]).endswith("it is the first card")


SWAP = f"""\
version: 2
ethernets:
  a: {{match: {{macaddress: '{MAC}'}}, set-name: eth1, dhcp4: true}}
  b: {{match: {{macaddress: 'bc:24:11:0a:1b:2d'}}, set-name: eth0}}
  c: {{match: {{macaddress: 'bc:24:11:0a:1b:99'}}, set-name: lan, dhcp4: true}}
"""


class WithIp(story.Programs):
    """ip(8) for the story: renames a directory of the kernel's; the power may fail before and after."""

    def run(self, argv: Any, *rest: Any, **named: Any) -> Finished:
        words = tuple(argv)
        if words[:4] != ("ip", "link", "set", "dev"):
            return super().run(argv, *rest, **named)
        net = self.directory / "sys/class/net"
        if words[5] in ("up", "down"):
            self.ran.append(words)
            (net / words[4] / "flags").write_text("0x1003\n" if words[5] == "up" else "0x1002\n")
            if words[4] == "eth1":  # the one with a cable
                (net / "eth1/carrier").write_text("1\n" if words[5] == "up" else "")
            return Finished(0, "", 0.0)
        self.ran.append(("moment", str(self.power.moments)))
        self.power.moment()
        if (net / words[6]).exists():
            return Finished(2, "RTNETLINK answers: File exists", 0.0)
        (net / words[4]).rename(net / words[6])
        self.power.moment()
        return Finished(0, "", 0.0)


class TwoCards(Machine):
    """A machine with two cards that the kernel calls eth0 and eth1 at every boot, whatever became of that."""

    def system(self, power: Optional[story.Power] = None, writable: bool = True) -> System:
        made = super().system(power, writable)
        assert isinstance(made.process, story.Programs)
        return made._replace(process=WithIp(self.directory, self.uuid, made.process.power, self.ran))

    def start_kernel(self) -> None:
        shutil.rmtree(self.directory / "sys/class/net", ignore_errors=True)
        super().start_kernel()
        net = self.directory / "sys/class/net"
        for name, mac in (("eth0", MAC), ("eth1", "bc:24:11:0a:1b:2d")):
            (net / name / "device").mkdir(parents=True, exist_ok=True)
            (net / name / "address").write_text(f"{mac}\n")
            (net / name / "flags").write_text("0x1002\n")

    def names(self) -> dict[str, str]:
        net = self.directory / "sys/class/net"
        return {(path / "address").read_text().strip(): path.name for path in net.iterdir()}


@pytest.fixture
def two_cards(machine: Machine) -> TwoCards:
    return TwoCards(machine.directory)


def test_the_card_with_a_cable_is_found_in_the_first_stage_only(two_cards: TwoCards) -> None:
    """The later ones run beside the network manager, which must not find its cards switched off."""
    insert(two_cards, "")
    first = two_cards.boot()
    assert len({one.change.step.stage for one in first.outcomes}) > 1
    assert [" ".join(words[3:]) for words in first.ran if words[0] == "ip"] == [
        "dev eth0 up", "dev eth1 up", "dev eth0 down", "dev eth1 down",
    ]  # fmt: skip
    assert "MACAddress=bc:24:11:0a:1b:2d\n" in two_cards.read(FALLBACK)
    assert two_cards.read("run/guestinit/chosen-card") == "bc:24:11:0a:1b:2d"
    assert [words for words in two_cards.boot().ran if words[0] == "ip"] == []


EXCHANGED = {MAC: "eth1", "bc:24:11:0a:1b:2d": "eth0"}


def test_exchanged_names_hold_at_every_boot(two_cards: TwoCards) -> None:
    insert(two_cards, SWAP)
    first = two_cards.boot()
    assert two_cards.names() == EXCHANGED
    assert first.result == "degraded"  # one of the three is not there
    lines = two_cards.read("var/lib/guestinit/fast").splitlines()
    assert [line for line in lines if line.startswith("name ")] == [f"name eth1 {MAC}", "name eth0 bc:24:11:0a:1b:2d"]
    for _ in range(2):
        again = two_cards.boot()
        assert again.kind == SAME
        assert again.acted == ["rename:interfaces"]
        assert two_cards.names() == EXCHANGED


def test_a_power_cut_in_the_middle_of_the_exchange(two_cards: TwoCards, tmp_path: Path) -> None:
    insert(two_cards, SWAP)
    power = story.Power()
    counting = TwoCards(tmp_path / "counting")
    story.copy(two_cards.directory, counting.directory)
    counting.drive = two_cards.drive
    moments = [int(words[1]) for words in counting.boot(power).ran if words[0] == "moment"]
    cuts = 0
    for moment in range(moments[0], moments[-1] + 2):  # before the first renaming, and after each
        victim = TwoCards(tmp_path / "victim")
        story.copy(two_cards.directory, victim.directory)
        victim.drive = two_cards.drive
        with pytest.raises(story.PowerCut):
            victim.boot(story.Power(cut_at=moment))
        if "guestinit0" in victim.names().values():
            cuts += 1
            # The process alone died: the names are as it left them, and the next run finishes.
            victim.start_kernel = lambda: None  # type: ignore[method-assign]
            victim.boot()
            assert victim.names() == EXCHANGED
        shutil.rmtree(victim.directory)
    assert cuts >= 2
