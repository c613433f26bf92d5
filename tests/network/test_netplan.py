"""netplan's file read back; what is planned with it, and beside other files of the image."""

from __future__ import annotations

from typing import Any, Optional

import pytest
import yaml
from hypothesis import assume, given, settings

from guestinit.model import netplan
from guestinit.model.action import Absence, Command, File
from guestinit.model.network import (
    BRIDGE,
    DUMMY,
    INFINIBAND,
    LOOPBACK,
    NETPLAN_FILE,
    PHYSICAL,
    TUNNEL,
    VRF,
    Link,
    Network,
    masters,
)
from guestinit.model.problem import Position
from guestinit.model.secret import Secret
from guestinit.model.value import Given
from guestinit.renderers import is_waited_for, use_domains
from guestinit.renderers.netplan import CHECK, GENERATOR
from tests.network import documents
from tests.network.test_any_network import SENSIBLE_OR_NOT
from tests.network.test_cases_of_network import names, slurp
from tests.network.test_network_module import MAC, STATIC, facts, plan

# read back


def plain(value: Any) -> Any:
    """A record as lists and dictionaries, without places."""
    if isinstance(value, Position):
        return None
    if isinstance(value, Given):
        return plain(value.value)
    if isinstance(value, Secret):
        return value.reveal()
    if hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields if name not in ("at", "path")}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def comparable(link: Link, owner: Optional[Link], ids: dict[str, str]) -> dict[str, Any]:
    """What must come back of a link. What cannot stands here; but for the first paragraph it is in a drop-in, too."""
    found = plain(link)
    found.update(name=ids[link.name], members=[ids[each] for each in found["members"]])
    found["parent"] = ids[link.parent] if link.parent else ""
    # Netplan has one section for what has a name already.
    if link.kind in (DUMMY, INFINIBAND, LOOPBACK):
        found["kind"] = PHYSICAL
    if link.kind in (DUMMY, LOOPBACK):
        found["match"]["names"] = [link.name]
    # An advertised route has no metric in the grammar that all versions know, and IPv6 nothing of its own beside IPv4.
    del found["ra_metric"]
    for name, dhcp in (("dhcp4", link.dhcp4), ("dhcp6", link.dhcp6)):
        if dhcp is not None:
            domains = use_domains(link, dhcp)
            found[name]["use_domains"] = {"yes": "true", "no": "false"}.get(domains, domains)
    if link.dhcp4 and link.mtu is not None:
        found["dhcp4"]["use_mtu"] = False
    if link.dhcp6:
        found["dhcp6"]["route_metric"] = None
    if link.dhcp4 and link.dhcp6:
        found["dhcp6"] = {}
    if link.ipv6_generation != "eui64" or link.ipv6_token:
        found["ipv6_generation"] = ""
    found["ipv6_privacy"] = bool(link.ipv6_privacy)
    found["optional"] = not is_waited_for(link, owner)
    found["port"] = []
    # Netplan's own way to say the same: a route without a gateway, a rule for both families, no spanning tree.
    for route in found["routes"]:
        if not route["via"] and route["type"] in ("", "unicast"):
            route["scope"] = route["scope"] or "link"
    rules = found["rules"]
    rules = [[rule] if rule["source"] or rule["to"] else both(rule) for rule in rules]
    found["rules"] = [each for one in rules for each in one]
    parameters = {key: value for key, value in found["parameters"] if (key, value) not in ZEROS}
    if "primary" in parameters:
        parameters["primary"] = ids[parameters["primary"]]
    if link.kind == BRIDGE:
        parameters.setdefault("stp", "0")
    found["parameters"] = parameters
    for name in ("costs", "priorities"):
        found[name] = {ids[member]: number for member, number in found[name]}
    if link.kind == TUNNEL:
        for name in ("port", "mark"):
            found["tunnel"][name] = found["tunnel"][name] or None
        for peer in found["tunnel"]["peers"]:
            peer["keepalive"] = peer["keepalive"] or None
    # A VRF had little else before netplan 1.0.
    if link.kind == VRF:
        return {name: found[name] for name in ("kind", "name", "table", "members")}
    return dict(found)


def both(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**rule, "source": anywhere} for anywhere in ("0.0.0.0/0", "::/0")]


ZEROS = {(name, "0") for name in ("num_grat_arp", "packets_per_slave", "resend_igmp", "priority", "ageing")}


def assert_comes_back(network: Network) -> None:
    files, problems = documents.render("netplan", network)
    if problems:  # it is said what netplan cannot express
        return
    [text] = [each.content.decode() for each in files if each.path == NETPLAN_FILE]
    back, said = documents.read(text)
    assert back is not None
    ids = netplan.ids(network)
    wanted = [link for link in network.links if link.kind != LOOPBACK or link.addresses]
    itself = {link.name: link.name for link in back.links}
    owners, theirs = masters(network), masters(back)
    found = {link.name: comparable(link, theirs.get(link.name), itself) for link in back.links}
    assert found == {ids[link.name]: comparable(link, owners.get(link.name), ids) for link in wanted}, said


@settings(max_examples=300, deadline=None)
@given(SENSIBLE_OR_NOT)
def test_what_is_rendered_without_a_problem_comes_back(text: str) -> None:
    network, _ = documents.read(text)
    assume(network is not None and network.links)
    assert network is not None
    assert_comes_back(network)


@pytest.mark.parametrize("case", [name for name in names() if slurp(name, "netplan", "50-cloud-init.yaml")])
def test_every_case_comes_back(case: str) -> None:
    network, _ = documents.read(slurp(case, "network-config"))
    assert network is not None
    assert_comes_back(documents.resolve(network, documents.nics(slurp(case, "nics")))[0].network)


# what is planned

PLAN = facts("netplan", netplan_backend="networkd", networkd_starts=True, paths=frozenset([GENERATOR]))
GENERATE, RELOAD = "command:netplan generate", "command:networkctl reload"


def test_an_image_that_starts_networkd() -> None:
    steps, problems = plan(STATIC, PLAN)
    assert problems == []
    assert [step.id for step in steps] == [f"file:{NETPLAN_FILE}", GENERATE, RELOAD]
    written, generate, reload = steps
    assert isinstance(written.action, File) and isinstance(generate.action, Command)
    assert (written.action.mode, written.action.check) == (0o600, CHECK)
    assert (generate.action.argv, generate.action.unit_active) == ((GENERATOR,), "")
    assert generate.when_changed == reload.when_changed == (written.id,)


def test_networkd_that_would_not_start_is_started_and_nobody_waits_for_it() -> None:
    steps, _ = plan(STATIC, PLAN._replace(networkd_starts=False, paths=frozenset()))
    assert [step.id for step in steps][1:] == [
        GENERATE, RELOAD, "command:systemctl daemon-reload", "command:start systemd-networkd",
    ]  # fmt: skip
    commands = [step.action for step in steps if isinstance(step.action, Command)]
    assert commands[0].argv == ("netplan", "generate")
    assert commands[-1].argv == ("systemctl", "--no-block", "start", "systemd-networkd.service")


def test_network_manager_behind_netplan() -> None:
    steps, _ = plan(STATIC, PLAN._replace(netplan_backend="network-manager"))
    assert [step.id for step in steps][1:] == [GENERATE, "command:netplan apply"]
    assert isinstance(steps[-1].action, Command)
    assert steps[-1].action.unit_active == "NetworkManager.service"
    more = f"version: 2\nethernets: {{eth0: {{match: {{macaddress: '{MAC}'}}, dhcp4: true, ipv6-privacy: false}}}}\n"
    _, problems = plan(more, PLAN._replace(netplan_backend="network-manager"))
    assert "50-guestinit-eth0.network.conf for systemd-networkd" in problems[0].message
    assert plan(more, PLAN)[1] == []


def test_only_name_servers() -> None:
    text = "version: 1\nconfig:\n- {type: nameserver, address: [10.0.0.53]}\n"
    steps, _ = plan(text, PLAN)
    assert [step.id for step in steps] == [
        "file:/etc/systemd/resolved.conf.d/50-guestinit.conf", GENERATE, RELOAD, "command:restart systemd-resolved",
    ]  # fmt: skip
    steps, _ = plan(text, PLAN._replace(resolver="file"))
    assert [step.id for step in steps] == ["file:/etc/resolv.conf"]
    steps, _ = plan(STATIC, PLAN._replace(resolver="file"))
    assert "file:/etc/resolv.conf" in [step.id for step in steps]


def test_only_a_file_that_we_wrote_is_removed() -> None:
    drop_in = "/etc/systemd/network/10-netplan-eth0.network.d/50-guestinit-eth0.network.conf"
    steps, _ = plan("version: 1\nconfig: []\n", PLAN._replace(written=(NETPLAN_FILE, drop_in)))
    assert [step.id for step in steps] == [f"absence:{NETPLAN_FILE}", f"absence:{drop_in}", GENERATE, RELOAD]
    assert plan("version: 1\nconfig: []\n", PLAN._replace(network_files=((NETPLAN_FILE, ""),))) == ([], [])


# other files of the image


def written(text: str, *definitions: netplan.Definition, path: str = "/etc/netplan/90-default.yaml") -> tuple[Any, Any]:
    """The file that is planned beside an image's file with these definitions, and what is said."""
    told = "".join(definition.line() for definition in definitions)
    steps, problems = plan(text, PLAN._replace(network_files=((path, told),)))
    [content] = [bytes(step.action.content) for step in steps if step.id == f"file:{NETPLAN_FILE}"]  # type: ignore
    return yaml.safe_load(content)["network"], [(problem.severity, problem.message) for problem in problems]


def test_what_would_come_first_or_be_mixed_does_not() -> None:
    """Debian's cloud images ask for a lease on everything; installers name the interface."""
    for rival in (
        netplan.Definition("ethernets", "all-en", name="en*"),
        netplan.Definition("ethernets", "a", mac=MAC),
        netplan.Definition("ethernets", "eth0", mac="02:00:00:00:00:99"),
        netplan.Definition("bridges", "eth0"),
        netplan.Definition("ethernets", "ens18"),
    ):
        network, said = written(STATIC, rival)
        assert said == [("note", f"/etc/netplan/90-default.yaml has {rival.id} for it too")]
        assert list(network["ethernets"]) == ["0-eth0"]
        assert netplan.order("0-eth0") < netplan.order(rival.id)
        assert network["ethernets"]["0-eth0"]["match"] == {"macaddress": MAC}


def test_what_is_for_others_or_comes_later_changes_nothing() -> None:
    for rival in (
        netplan.Definition("ethernets", "all-en", name="eth*"),
        netplan.Definition("ethernets", "lan", mac=MAC),
        netplan.Definition("wifis", "a", name="*"),
        netplan.Definition("ethernets", "a", drivers="virtio_net"),
    ):
        network, said = written(STATIC, rival)
        assert (list(network["ethernets"]), said) == (["eth0"], [])
    network, said = written(STATIC, netplan.Definition("ethernets", "all-en", name="en*"), path=NETPLAN_FILE)
    assert (list(network["ethernets"]), said) == (["eth0"], [])


def test_links_that_name_each_other_do_so_afterwards() -> None:
    text = f"""\
version: 2
ethernets:
  eth0: {{match: {{macaddress: '{MAC}'}}}}
  eth1: {{match: {{name: "en*"}}, dhcp4: true}}
bonds:
  bond0: {{interfaces: [eth0], parameters: {{mode: active-backup, primary: eth0}}}}
vlans:
  vlan5: {{id: 5, link: eth0}}
bridges:
  br0: {{interfaces: [vlan5], parameters: {{path-cost: {{vlan5: 4}}}}}}
"""
    everything = netplan.Definition("ethernets", "all", name="*")
    network, said = written(text, everything, netplan.Definition("bridges", "br0"))
    assert list(network["ethernets"]) == ["0-eth0", "1-eth1"]
    assert network["bonds"]["bond0"]["interfaces"] == ["0-eth0"]
    assert network["bonds"]["bond0"]["parameters"]["primary"] == "0-eth0"
    assert network["vlans"]["vlan5"]["link"] == "0-eth0"
    assert [severity for severity, _ in said] == ["note", "note", "error"]
    assert said[-1][1] == "/etc/netplan/90-default.yaml defines br0 too, and netplan mixes both"


def test_files_of_networkd_that_are_read_before_those_of_netplan() -> None:
    for path, outcome in (
        ("/etc/systemd/network/05-lan.network", ["absence:/etc/systemd/network/05-lan.network"]),
        ("/run/systemd/network/10-netplan-all.network", []),
        ("/etc/systemd/network/80-lan.network", []),
    ):
        steps, problems = plan(STATIC, PLAN._replace(network_files=((path, "[Match]\nName=en*\n"),)))
        assert [step.id for step in steps if isinstance(step.action, Absence)] == outcome
        assert problems == []
