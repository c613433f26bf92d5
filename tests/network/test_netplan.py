"""netplan's file read back, and taken by netplan itself; who comes first among several files."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import assume, given, settings

from guestinit.model import netplan
from guestinit.model.facts import Nic
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
)
from guestinit.model.problem import Position, Problems
from guestinit.model.secret import Secret
from guestinit.model.value import Given
from guestinit.renderers.netplan import GENERATOR, precedence
from tests.network import documents
from tests.network.strategies import DOCUMENTS
from tests.network.test_cases_of_network import CASES, names, slurp

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


def comparable(link: Link, ids: dict[str, str]) -> dict[str, Any]:
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
    for name in ("dhcp4", "dhcp6"):
        if found[name] is not None:
            found[name]["use_domains"] = found[name]["use_domains"] or "true"
    if link.dhcp4 and link.mtu is not None:
        found["dhcp4"]["use_mtu"] = False
    if link.dhcp6:
        found["dhcp6"]["route_metric"] = None
    if link.dhcp4 and link.dhcp6:
        found["dhcp6"] = {}
    if link.ipv6_generation != "eui64" or link.ipv6_token:
        found["ipv6_generation"] = ""
    found["ipv6_privacy"] = bool(link.ipv6_privacy)
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
    # A VRF had nothing else before netplan 1.0.
    if link.kind == VRF:
        return {name: found[name] for name in ("kind", "name", "table", "members", "routes", "rules")}
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
    found = {link.name: comparable(link, itself) for link in back.links}
    assert found == {ids[link.name]: comparable(link, ids) for link in wanted}, said


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
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
