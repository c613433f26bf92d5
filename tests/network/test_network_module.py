"""What is planned for the network, by what the seed says and what the machine is."""

from __future__ import annotations

from typing import Any, Optional, Union

import pytest

from guestinit.model.accounts import Accounts
from guestinit.model.action import Absence, Command, File, Gentler, Step
from guestinit.model.facts import DefaultUser, Distro, Facts, Ifupdown, Nic
from guestinit.model.fields import Fields
from guestinit.model.identity import Identity
from guestinit.model.problem import Position, Problem, Problems
from guestinit.model.seed import MetaData
from guestinit.model.value import MAP, Value
from guestinit.modules import network as module
from tests.network import documents

MAC = "bc:24:11:0a:1b:2c"
STATIC = f"""\
version: 1
config:
- {{type: physical, name: eth0, mac_address: '{MAC}',
   subnets: [{{type: static, address: 10.0.0.5/24, gateway: 10.0.0.1}}]}}
- {{type: nameserver, address: [10.0.0.53], search: [example.test]}}
"""
LEASE = f"""\
version: 1
config:
- {{type: physical, name: eth0, mac_address: '{MAC}', subnets: [{{type: dhcp4}}]}}
"""
NETWORK_FILE = "/etc/systemd/network/10-guestinit-eth0.network"
PROFILE = "/etc/NetworkManager/system-connections/guestinit-eth0.nmconnection"
DEBIAN = Distro("debian", DefaultUser("debian"), "sudo", "apt", "ssh.service", "/etc/default/locale", True)
NEW = Identity("new", "nothing settled here", "i-1")
RECONFIGURED = Identity("reconfigured", "other content", "i-1")


def facts(renderer: str = "networkd", **fields: Any) -> Facts:
    nics = (Nic("lo", "00:00:00:00:00:00", physical=False), Nic("ens18", MAC))
    base = Facts(DEBIAN, NEW, True, renderer, nics=nics, resolver="resolved")
    return base._replace(**fields)


def plan(text: Optional[str], here: Facts) -> tuple[list[Step], list[Problem]]:
    network = None if text is None else documents.read(text)[0]
    fields = Fields(Value(MAP, Position("user-data", 1, 1)), "", module.KEYS, Problems(), check=False)
    section = module.read(fields, MetaData("i-1", True, network=network))
    planned: list[Union[Step, Problem]] = list(module.plan(section, here, Accounts()))
    steps = [each for each in planned if isinstance(each, Step)]
    assert all(step.module == "network" and step.vital and step.stage == "local" for step in steps)
    assert len({step.id for step in steps}) == len(steps)
    return steps, [each for each in planned if isinstance(each, Problem)]


def ids(text: Optional[str], here: Facts) -> list[str]:
    steps, problems = plan(text, here)
    assert [str(problem) for problem in problems] == []
    return [step.id for step in steps]


def test_networkd() -> None:
    steps, problems = plan(STATIC, facts())
    assert problems == []
    assert [step.id for step in steps] == [f"file:{NETWORK_FILE}", "command:networkctl reload"]
    written, reload = steps
    assert isinstance(written.action, File)
    assert (written.action.path, written.action.mode) == (NETWORK_FILE, 0o644)
    assert b"Address=10.0.0.5/24\n" in bytes(written.action.content)  # type: ignore[arg-type]
    assert str(written.because) == "network-config:3:3"
    assert isinstance(reload.action, Command)
    assert reload.action.argv == ("networkctl", "reload")
    assert (reload.when_changed, reload.action.unit_active) == ((written.id,), "systemd-networkd.service")
    assert reload.action.may_repeat and reload.action.timeout


def test_network_manager_brings_up_what_changed_and_does_not_wait() -> None:
    steps, problems = plan(STATIC, facts("network-manager", resolver="file"))
    assert problems == []
    written, reload, up = steps
    assert isinstance(written.action, File)
    assert (written.action.path, written.action.mode) == (PROFILE, 0o600)
    assert [step.id for step in (reload, up)] == [
        "command:nmcli connection reload", "command:nmcli connection up guestinit-eth0",
    ]  # fmt: skip
    assert isinstance(up.action, Command)
    uuid = next(line[5:] for line in written.action.content.decode().splitlines() if line.startswith("uuid="))  # type: ignore[union-attr]
    assert up.action.argv == ("nmcli", "--wait", "0", "connection", "up", "uuid", uuid)
    assert up.when_changed == (written.id,)
    # An address that stays is not taken off the interface for it.
    assert up.action.gentler == Gentler(
        ("nmcli", "device", "reapply", "ens18"),
        ("nmcli", "--get-values", "GENERAL.CON-UUID", "device", "show", "ens18"), uuid,
    )  # fmt: skip
    assert up.action.unit_active == "NetworkManager.service"


def test_a_port_is_told_of_its_own_change_after_its_bond() -> None:
    text = "version: 2\nethernets: {eth1: {mtu: 1400}}\nbonds: {bond0: {interfaces: [eth1], dhcp4: true}}\n"
    steps, _ = plan(text, facts("network-manager", nics=(Nic("eth1", MAC),)))
    ups = [step for step in steps if isinstance(step.action, Command)][1:]
    assert [step.id.rpartition(" ")[2] for step in ups] == ["guestinit-bond0", "guestinit-eth1"]
    assert [step.when_changed[0].rpartition("/")[2] for step in ups] == [
        "guestinit-bond0.nmconnection", "guestinit-eth1.nmconnection",
    ]  # fmt: skip


def test_without_resolved_the_servers_stand_in_resolv_conf() -> None:
    steps, _ = plan(STATIC, facts(resolver="file"))
    files = {step.action.path: step.action.content for step in steps if isinstance(step.action, File)}
    assert list(files) == [NETWORK_FILE, "/etc/resolv.conf"]
    assert bytes(files["/etc/resolv.conf"]).decode().splitlines()[1:] == [  # type: ignore[arg-type]
        "nameserver 10.0.0.53", "search example.test",
    ]  # fmt: skip
    assert ids(LEASE, facts(resolver="file")) == [f"file:{NETWORK_FILE}", "command:networkctl reload"]


def test_only_name_servers() -> None:
    text = "version: 1\nconfig:\n- {type: nameserver, address: [10.0.0.53, 10.0.0.54, 10.0.0.55, 10.0.0.56]}\n"
    assert ids(text, facts()) == [
        "file:/etc/systemd/resolved.conf.d/50-guestinit.conf", "command:networkctl reload",
        "command:restart systemd-resolved",
    ]  # fmt: skip
    steps, problems = plan(text, facts(resolver="file"))
    assert [step.id for step in steps] == ["file:/etc/resolv.conf"]
    assert "ask the first 3" in problems[0].message


@pytest.mark.parametrize("text", ["version: 1\nconfig: disabled\n", "network: {config: disabled}\n"])
def test_disabled_touches_nothing(text: str) -> None:
    assert ids(text, facts(written=(NETWORK_FILE,))) == []


def test_disabled_by_the_image_touches_nothing() -> None:
    here = facts(written=(NETWORK_FILE,), options=(("network.config", "disabled"),))
    assert ids(STATIC, here) == []
    assert ids(None, here) == []


NO_FALLBACK = (("network.fallback", "none"),)


def test_without_network_config_the_image_keeps_what_it_has() -> None:
    assert ids(None, facts(options=NO_FALLBACK)) == []
    assert ids(None, facts(identity=RECONFIGURED, written=(NETWORK_FILE,))) == []


def test_a_clone_without_network_config_does_not_keep_its_templates_address() -> None:
    steps, problems = plan(None, facts(written=(NETWORK_FILE, "/etc/resolv.conf"), options=NO_FALLBACK))
    assert problems == []
    assert [step.id for step in steps] == [f"absence:{NETWORK_FILE}", "command:networkctl reload"]
    assert steps[0].action == Absence(NETWORK_FILE)


def test_empty_removes_what_an_earlier_run_wrote_and_nothing_else() -> None:
    written = (NETWORK_FILE, "/etc/systemd/network/80-mine.network", "/etc/resolv.conf")
    assert ids("version: 1\nconfig: []\n", facts(written=written)) == [
        f"absence:{NETWORK_FILE}", "command:networkctl reload",
    ]  # fmt: skip


def test_files_of_an_earlier_plan_go() -> None:
    gone = "/etc/systemd/network/10-guestinit-eth1.network"
    steps, _ = plan(STATIC, facts(identity=RECONFIGURED, written=(NETWORK_FILE, gone)))
    assert [step.id for step in steps] == [f"file:{NETWORK_FILE}", f"absence:{gone}", "command:networkctl reload"]
    assert steps[2].when_changed == (steps[0].id, steps[1].id)


def test_nothing_goes_unless_its_successor_was_taken() -> None:
    gone = "/etc/systemd/network/10-guestinit-old.network"
    rival = ("/etc/systemd/network/10-cloud-init-ens18.network", "[Match]\nName=ens18\n")
    steps, _ = plan(STATIC, facts(written=(gone,), network_files=(rival,)))
    assert [(step.id, step.needs) for step in steps[:3]] == [
        (f"file:{NETWORK_FILE}", ()),
        (f"absence:{rival[0]}", (f"file:{NETWORK_FILE}",)),
        (f"absence:{gone}", (f"file:{NETWORK_FILE}",)),
    ]
    assert all(step.keep for step in steps[:3])


def test_a_device_that_exists_is_not_made_again() -> None:
    text = "version: 2\nbridges: {br0: {addresses: [10.0.0.5/24]}}\n"
    here = facts(nics=(*facts().nics, Nic("br0", "02:00:00:00:00:01", physical=False)))
    told = {step.id: step.told for step in plan(text, here)[0]}
    assert "counts from the next boot" in told["file:/etc/systemd/network/10-guestinit-br0.netdev"]
    assert told["file:/etc/systemd/network/10-guestinit-br0.network"] == ""
    assert {step.told for step in plan(text, facts())[0]} == {""}
    gone = "/etc/systemd/network/10-guestinit-br1.netdev"
    told = {step.id: step.told for step in plan(text, facts(written=(gone,)))[0]}
    assert "stays until the next boot" in told[f"absence:{gone}"]


def test_absent_hardware_is_said_and_configured_all_the_same() -> None:
    here = facts(nics=(Nic("lo", "00:00:00:00:00:00"), Nic("ens18", "bc:24:11:00:00:99")))
    steps, problems = plan(STATIC, here)
    assert f"file:{NETWORK_FILE}" in [step.id for step in steps]
    assert [problem.severity for problem in problems] == ["error"]
    assert str(problems[0]) == f"network-config:3:3: config.0: this machine has no interface with the MAC {MAC}"
    assert "ens18 bc:24:11:00:00:99" in problems[0].hint
    _, problems = plan("version: 2\nethernets: {eth0: {dhcp4: true}}\n", here)
    assert "has no interface named eth0" in problems[0].message
    assert plan(STATIC, here._replace(live=False))[1] == []


def test_an_image_with_another_network_manager() -> None:
    steps, problems = plan(STATIC, facts("wicked"))
    assert steps == []
    assert "wicked" in problems[0].message


# the image's own configuration


def rivals(renderer: str, path: str, text: str) -> tuple[list[str], list[str]]:
    steps, problems = plan(STATIC, facts(renderer, network_files=((path, text),)))
    return [step.id for step in steps if isinstance(step.action, Absence)], [problem.message for problem in problems]


def test_what_cloud_init_left_for_the_same_interface_goes() -> None:
    path = "/etc/systemd/network/10-cloud-init-ens18.network"
    assert rivals("networkd", path, "[Match]\nName=ens18\n") == ([f"absence:{path}"], [])
    path = "/etc/NetworkManager/system-connections/cloud-init-ens18.nmconnection"
    text = f"[connection]\nautoconnect-priority=120\n[ethernet]\nmac-address={MAC.upper()}\n"
    assert rivals("network-manager", path, text) == ([f"absence:{path}"], [])


LAN = "/etc/systemd/network/05-lan.network"
STANZA = "iface ens18 inet dhcp\n"
KEYFILE = "/etc/NetworkManager/system-connections/ens18.nmconnection"


@pytest.mark.parametrize(
    ("renderer", "path", "text"),
    [
        ("networkd", LAN, "[Match]\nName=eth*\n"),
        ("networkd", LAN, "[Match]\nName=en*\nMACAddress=02:00:00:00:00:01\n"),
        ("networkd", LAN, "[Match]\nKind=bridge\n[Network]\nName=ens18\n"),
        ("networkd", "/etc/systemd/network/80-lan.network", "[Match]\nName=en*\n"),
        ("networkd", "/etc/systemd/network/05-lan.link", "[Match]\nOriginalName=*\n[Link]\nName=lan0\n"),
        ("networkd", "/etc/network/interfaces", "auto lo\niface lo inet loopback\n"),
        ("networkd", "/etc/network/interfaces.d/a", STANZA),
        ("network-manager", KEYFILE, "interface-name=ens18\n"),
    ],
)
def test_what_has_no_say_stays(renderer: str, path: str, text: str) -> None:
    assert rivals(renderer, path, text) == ([], [])


@pytest.mark.parametrize(
    ("renderer", "path", "text"),
    [
        ("networkd", LAN, "[Match]\nName=en*\n[Network]\nDHCP=yes\n"),
        ("networkd", LAN, f"[Match]\nMACAddress={MAC}\nType=ether\n"),
        ("network-manager", KEYFILE, "interface-name=ens18\nautoconnect-priority=999\n"),
    ],
)
def test_what_is_for_the_same_interface_alone_goes(renderer: str, path: str, text: str) -> None:
    steps, problems = plan(STATIC, facts(renderer, network_files=((path, text),)))
    [step] = [step for step in steps if isinstance(step.action, Absence)]
    assert (problems, step.action) == ([], Absence(path, must_keep=True))
    assert step.keep and step.needs[0].startswith("file:")
    assert "the image's own" in str(step.because) and "ens18" in str(step.because)


@pytest.mark.parametrize(
    ("renderer", "path", "text", "said"),
    [
        ("networkd", LAN, "[Match]\nName=en*\n[Network]\nDHCP=yes\n", "read before"),  # ens19 has nothing else
        ("networkd", "/run/systemd/network/05-lan.network", "[Match]\nName=ens18\n", "read before"),
    ],
)
def test_what_others_need_too_is_named(renderer: str, path: str, text: str, said: str) -> None:
    nics = (Nic("lo", "00:00:00:00:00:00", physical=False), Nic("ens18", MAC), Nic("ens19", "bc:24:11:0a:1b:2d"))
    steps, problems = plan(STATIC, facts(renderer, nics=nics, network_files=((path, text),)))
    assert [step for step in steps if isinstance(step.action, Absence)] == []
    [problem] = problems
    assert said in problem.message and path in problem.message and "ens18" in problem.message


@pytest.mark.parametrize(
    ("renderer", "start", "said"),
    [
        ("networkd", "allow-hotplug ens18\n", "ifupdown brings it up too"),
        ("network-manager", "auto ens18\n", "leaves it alone"),
        ("network-manager", "", "leaves it alone"),
    ],
)
def test_lines_of_ifupdown_are_disabled(renderer: str, start: str, said: str) -> None:
    path = "/etc/network/interfaces"
    text = f"auto lo ens19\niface lo inet loopback\n{start}{STANZA}    metric 7\niface ens19 inet dhcp\n"
    here = facts(renderer, network_files=((path, text),), ifupdown=Ifupdown(((path, text),)))
    steps, problems = plan(STATIC, here)
    [step] = [step for step in steps if step.id == f"file:{path}"]
    assert problems == [] and isinstance(step.action, File)
    kept = [line for line in bytes(step.action.content).decode().splitlines() if not line.startswith("#")]  # type: ignore[arg-type]
    assert kept == ["auto lo ens19", "iface lo inet loopback", "iface ens19 inet dhcp"]
    assert (step.action.mode, step.keep, step.needs[0][:5]) == (None, True, "file:")
    assert said in str(step.because)
    [problem] = plan(STATIC, here._replace(ifupdown=Ifupdown()))[1]  # its text is not known: too large, or not root's
    assert said in problem.message and path in problem.message


def test_another_name_for_the_same_interface() -> None:
    text = f"version: 2\nethernets: {{lan: {{match: {{macaddress: '{MAC}'}}, set-name: lan0, dhcp4: true}}}}\n"
    path = "/etc/systemd/network/05-names.link"
    file = (path, "[Match]\nOriginalName=*\n[Link]\nName=wan0\n")
    steps, _ = plan(text, facts(network_files=(file,), nics=(Nic("ens18", MAC),)))
    assert f"absence:{path}" in [step.id for step in steps]
    file = (path, "[Match]\nOriginalName=*\n[Link]\nMACAddressPolicy=none\n")  # no name in it
    steps, _ = plan(text, facts(network_files=(file,), nics=(Nic("ens18", MAC),)))
    assert f"absence:{path}" not in [step.id for step in steps]


def test_two_managers_never_share_an_interface() -> None:
    conf = "/etc/NetworkManager/conf.d/50-guestinit.conf"
    steps, _ = plan(STATIC, facts("networkd", managers=("networkd", "network-manager")))
    assert [step.id for step in steps] == [
        f"file:{NETWORK_FILE}", f"file:{conf}", "command:nmcli general reload conf", "command:networkctl reload",
    ]  # fmt: skip
    assert isinstance(steps[1].action, File)
    assert bytes(steps[1].action.content).decode().splitlines()[2:] == [  # type: ignore[arg-type]
        "[device-guestinit]", f"match-device=mac:{MAC}", "managed=0",
    ]  # fmt: skip
    steps, _ = plan(STATIC, facts("network-manager", managers=("networkd", "network-manager"), resolver="file"))
    content = {step.id: step.action.content for step in steps if isinstance(step.action, File)}
    assert bytes(content[f"file:{NETWORK_FILE}"]).decode().splitlines()[2:] == [  # type: ignore[arg-type]
        "[Match]", f"MACAddress={MAC}", "", "[Link]", "Unmanaged=yes",
    ]  # fmt: skip
    assert steps[2].id == "command:networkctl reload"
    alone = plan(STATIC, facts("networkd", managers=("networkd",), written=(conf,)))[0]
    assert f"absence:{conf}" in [step.id for step in alone]
