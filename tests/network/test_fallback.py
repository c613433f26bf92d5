"""A seed without a network-config: which card gets a lease, and when nothing may be touched."""

from __future__ import annotations

from typing import Any

import pytest

from guestinit.model.action import Absence, File
from guestinit.model.facts import Facts, Ifupdown, Nic
from guestinit.model.identity import Identity
from guestinit.model.netplan import Definition
from guestinit.model.network import RENDERERS
from guestinit.renderers import fallback, rivals
from tests.network import documents
from tests.network.test_network_module import MAC, NETWORK_FILE, RECONFIGURED, facts, ids, plan

OTHER = "bc:24:11:0a:1b:2d"
FALLBACK = "/etc/systemd/network/10-guestinit-fallback.network"
SAME = Identity("same", "same instance-id, same content", "i-1")
RESUMED = Identity("resumed", "an earlier run did not finish", "i-1", of="new")
TWO = f"lo=00:00:00:00:00:00\nens18={MAC} bus=0000:00:12.0\nens19={OTHER} bus=0000:00:13.0"


def machine(cards: str = TWO, **fields: Any) -> Facts:
    here = documents.nics(cards)
    nics = tuple(nic._replace(physical=nic.name != "lo", carrier=nic.carrier or nic.name == "lo") for nic in here)
    return facts(nics=nics, **fields)


def test_one_card_gets_a_lease_and_listens_to_routers() -> None:
    steps, problems = plan(None, machine(f"ens18={MAC}"))
    assert [step.id for step in steps] == [f"file:{FALLBACK}", "command:networkctl reload"]
    assert isinstance(steps[0].action, File)
    assert bytes(steps[0].action.content).decode().splitlines()[1:9] == [  # type: ignore[arg-type]
        "", "[Match]", f"MACAddress={MAC}", "Type=ether", "", "[Network]", "DHCP=ipv4", "IPv6AcceptRA=yes",
    ]  # fmt: skip
    assert [(problem.severity, str(problem)) for problem in problems] == [
        ("note", f"network-config: the seed has none; ens18 ({MAC}) asks for a lease and listens to routers: it is the"
         " only card"),
    ]  # fmt: skip


@pytest.mark.parametrize("renderer", RENDERERS)
def test_every_renderer_writes_it(renderer: str) -> None:
    here = machine(renderer=renderer, ifupdown=Ifupdown((("/etc/network/interfaces", "source interfaces.d/*\n"),)))
    steps, _ = plan(None, here)
    written = [step.action for step in steps if isinstance(step.action, File)]
    assert len(written) == (2 if renderer == "netplan" else 1)  # a drop-in, for what its grammar lacks
    assert "dhcp" in bytes(written[0].content).decode().lower() or renderer == "network-manager"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cards", "taken", "why"),
    [
        (TWO, MAC, "the first card"),
        (f"{TWO} carrier", OTHER, "the first card with a carrier"),
        (f"ens18={MAC} bus=0000:00:13.0 carrier\nens19={OTHER} bus=0000:00:12.0 carrier", OTHER, "with a carrier"),
    ],
)
def test_the_first_card_with_a_carrier(cards: str, taken: str, why: str) -> None:
    choice = fallback.choose(machine(cards))
    assert choice is not None and choice.network is not None
    assert [link.match.mac for link in choice.network.links] == [taken]
    assert choice.said.message.endswith(why)


@pytest.mark.parametrize(
    "here",
    [
        machine(""),
        machine(live=False),
        machine(identity=SAME),
        machine(options=(("network.fallback", "none"),)),
        machine(options=(("network.config", "disabled"),)),
        machine(renderer="connman"),
        machine(identity=RECONFIGURED, written=(NETWORK_FILE,)),
    ],
)
def test_where_nothing_is_done(here: Facts) -> None:
    assert ids(None, here) == []
    assert fallback.undecided(here) == ()


def test_disabled_and_empty_stay_apart_from_absent() -> None:
    assert ids("version: 1\nconfig: disabled\n", machine()) == []
    assert ids("version: 1\nconfig: []\n", machine()) == []
    for text in ("", "{}", "network:\n", "{links: []}", "[not, a, mapping]"):
        assert [step.id for step in plan(text, machine())[0]][:1] == [f"file:{FALLBACK}"], text


def test_a_clone_loses_what_it_inherited_and_asks_for_a_lease() -> None:
    steps, _ = plan(None, machine(written=(NETWORK_FILE,)))
    assert [step.id for step in steps] == [f"file:{FALLBACK}", f"absence:{NETWORK_FILE}", "command:networkctl reload"]
    assert fallback.is_wanted(machine(identity=RESUMED, written=(NETWORK_FILE,)))


def test_a_card_that_was_replaced_gets_the_lease_of_the_one_before() -> None:
    assert f"file:{FALLBACK}" in [
        step.id for step in plan(None, machine(identity=RECONFIGURED, written=(FALLBACK,)))[0]
    ]


PROFILES = "/etc/NetworkManager/system-connections"


@pytest.mark.parametrize(
    ("renderer", "path", "text", "is_his"),
    [
        ("networkd", "/etc/systemd/network/80-default.network", "[Match]\nName=en* eth*\n[Network]\n", True),
        ("networkd", "/usr/lib/systemd/network/zz-default.network", "[Match]\nName=!lo\n", True),
        ("networkd", "/usr/lib/systemd/network/zz-default.network", "[Match]\nType=!ether\n", False),
        ("networkd", "/etc/systemd/network/89-ethernet.network", "[Match]\nType=ether\nKind=!*\n", True),
        ("networkd", "/etc/systemd/network/80-veth.network", "[Match]\nKind=veth\nName=*\n", False),
        ("networkd", "/etc/systemd/network/80-lan.network", f"[Match]\nMACAddress={OTHER}\n", False),
        ("networkd", "/etc/systemd/network/80-lan.network", "[Match]\nDriver=virtio*\n", True),
        ("networkd", "/etc/systemd/network/80-lan.network", "[Match]\nDriver=e1000\n", False),
        ("networkd", "/run/systemd/network/10-netplan-all.network", "[Match]\nName=ens18\n", True),
        ("networkd", "/etc/systemd/network/10-cloud-init-ens18.network", "[Match]\nName=ens18\n", False),
        ("networkd", "/etc/systemd/network/10-guestinit-ens18.network", "[Match]\nName=ens18\n", False),
        ("networkd", f"{PROFILES}/a.nmconnection", "type=ethernet\n", False),
        ("ifupdown", "/etc/network/interfaces", "auto lo\niface lo inet loopback\n", False),
        ("ifupdown", "/etc/network/interfaces", "allow-hotplug ens18\niface ens18 inet dhcp\n", True),
        ("networkd", "/etc/network/interfaces", "allow-hotplug ens18\niface ens18 inet dhcp\n", False),
        ("network-manager", f"{PROFILES}/a.nmconnection", "[connection]\ntype=ethernet\n", True),
        ("network-manager", f"{PROFILES}/a.nmconnection", "[connection]\ntype=wifi\n", False),
        ("network-manager", f"{PROFILES}/a.nmconnection", "type=ethernet\nautoconnect=false\n", False),
        ("network-manager", f"{PROFILES}/a.nmconnection", "type=ethernet\ninterface-name=ens18\n", True),
        ("network-manager", f"{PROFILES}/a.nmconnection", f"type=ethernet\nmac-address={OTHER.upper()}\n", False),
        ("network-manager", "/etc/sysconfig/network-scripts/ifcfg-a", 'TYPE="Ethernet"\nDEVICE="ens18"\n', True),
        ("network-manager", "/etc/sysconfig/network-scripts/ifcfg-a", "DEVICE=ens18\nONBOOT=no\n", False),
        ("network-manager", "/etc/systemd/network/80-default.network", "[Match]\nName=*\n", False),
    ],
)
def test_a_card_that_the_image_configures_keeps_that(renderer: str, path: str, text: str, is_his: bool) -> None:
    here = machine(f"ens18={MAC} driver=virtio_net", renderer=renderer, network_files=((path, text),))
    steps, problems = plan(None, here)
    assert ([step.id for step in steps if isinstance(step.action, File)] == []) == is_his
    assert (f"ens18 keeps what the image has for it in {path}" in problems[0].message) == is_his
    removed = [step.action.path for step in steps if isinstance(step.action, Absence)]
    assert removed == ([path] if "cloud-init" in path else [])


@pytest.mark.parametrize(
    ("definition", "is_his"),
    [
        (Definition("ethernets", "ens18"), True),
        (Definition("ethernets", "ens19"), False),
        (Definition("bridges", "ens18"), False),
        (Definition("ethernets", "all", mac=MAC), True),
        (Definition("ethernets", "all", name="en*"), True),
        (Definition("ethernets", "all", name="eth*"), False),
        (Definition("ethernets", "all", name="en*", mac=OTHER), False),
        (Definition("ethernets", "all", drivers="e1000,virtio_*"), True),
    ],
)
def test_a_card_that_a_netplan_file_configures(definition: Definition, is_his: bool) -> None:
    nic = Nic("ens18", MAC, "virtio_net")
    path = "/etc/netplan/00-installer-config.yaml"
    assert rivals.configuring(("netplan",), nic, ((path, definition.line()),)) == (path if is_his else "")
    assert rivals.configuring(("networkd",), nic, ((path, definition.line()),)) == ""


def test_another_manager_that_the_image_starts_counts_too() -> None:
    files = (("/etc/network/interfaces", "auto ens18\niface ens18 inet dhcp\n"),)
    for managers, is_his in (((), False), (("networkd", "ifupdown"), True)):
        choice = fallback.choose(machine(f"ens18={MAC}", managers=managers, network_files=files))
        assert choice is not None
        assert (choice.network is None) == is_his


def test_only_where_carriers_decide_they_are_asked_for() -> None:
    assert [nic.name for nic in fallback.undecided(machine())] == ["ens18", "ens19"]
    assert fallback.undecided(machine(f"ens18={MAC}")) == ()
    assert fallback.undecided(machine(f"{TWO} up")) == ()
    assert fallback.undecided(machine(f"{TWO} carrier")) == ()
    catch_all = (("/etc/systemd/network/80-default.network", "[Match]\nName=en*\n"),)
    assert fallback.undecided(machine(network_files=catch_all)) == ()
    one = (("/etc/systemd/network/80-default.network", "[Match]\nName=ens18\n"),)
    assert len(fallback.undecided(machine(network_files=one))) == 2
