"""What holds for every document, sensible or not."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.network import CONFIGURED, MAIN_TABLE, VRF, Network
from guestinit.model.problem import ERROR, Problems
from guestinit.reading import network_config
from tests.network import documents, likely
from tests.network.strategies import (
    DOCUMENTS,
    DOCUMENTS_V1,
    ENI_WORDS,
    ITEMS_OPENSTACK,
    ITEMS_V1,
    LINKS_V2,
    WORDS,
)

LINE = re.compile(r"#.*|\[[A-Za-z0-9-]+(\.[A-Za-z0-9+/=]{44})?\]|[A-Za-z0-9_-]+ ?= ?\S.*|")
STANZA = re.compile(
    r"#.*|(auto|allow-hotplug) \S+|iface \S+ inet6? (static|manual|dhcp|auto|loopback)|    [a-z0-9_-]+ \S.*|"
)


def rendered(network: Network) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in documents.RENDERERS:
        files, problems = documents.render(name, network)
        assert all(problem.position.line for problem in problems)
        for each in files:
            assert (name + each.path) not in found
            found[name + each.path] = each.content.decode()
    return found


LIKELY = likely.DOCUMENTS.map(json.dumps)
SENSIBLE_OR_NOT = DOCUMENTS | LIKELY


@settings(max_examples=200, deadline=None)
@given(SENSIBLE_OR_NOT)
def test_any_document_is_read_and_rendered(text: str) -> None:
    network, problems = documents.read(text)
    assert all(problem.position.file == "network-config" and problem.position.line for problem in problems)
    if network is None:
        assert problems or '"version"' not in text
        return
    for path, content in rendered(network).items():
        if path.endswith(".yaml"):
            tree = yaml.safe_load(content)
            assert set(tree) == {"network"} and tree["network"]["version"] == 2
            continue
        for line in content.split("\n"):
            assert (STANZA if "interfaces.d" in path else LINE).fullmatch(line), f"{path}: {line!r}"


@settings(max_examples=200, deadline=None)
@given(SENSIBLE_OR_NOT)
def test_the_same_document_gives_the_same_bytes(text: str) -> None:
    first, second = documents.read(text)[0], documents.read(text)[0]
    assert first == second
    if first is not None and second is not None:
        assert rendered(first) == rendered(second)


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=200)
    | st.text(alphabet="version:12 config\n-{}[]&*'\"ethrs0.", max_size=120)
    | st.lists(st.sampled_from(("auto", "iface", "eth0", "inet", "static", "\n", "\\\n", " ", "x"))).map(" ".join),
    st.sampled_from(("", "v1", "v2", "openstack", "eni")),
)
def test_any_text_is_parsed_or_refused(text: str, input_format: str) -> None:
    """Under whatever format somebody announces it."""
    problems = Problems()
    network = network_config.read_text(text, "network-config", problems, input_format)
    assert all(problem.position.file == "network-config" for problem in problems.found)
    if network is not None and network.state == CONFIGURED:
        rendered(network)


@settings(max_examples=100, deadline=None)
@given(ITEMS_V1)
def test_no_item_takes_another_interface_down(item: Any) -> None:
    good = {
        "type": "physical", "name": "good0", "mac_address": "aa:00:00:00:00:01",
        "subnets": [{"type": "static", "address": "192.0.2.5/24", "gateway": "192.0.2.1"}],
    }  # fmt: skip
    for config in ([good, item], [item, good]):
        network, _ = documents.read(json.dumps({"version": 1, "config": config}))
        assert network is not None
        links = [link for link in network.links if link.name == "good0"]
        assert [str(address) for address in links[0].addresses] == ["192.0.2.5/24"]
        assert links[0].routes[0].via == "192.0.2.1"


@settings(max_examples=100, deadline=None)
@given(LINKS_V2 | likely.LINK.map(lambda link: link[2]), st.sampled_from(sorted(likely.SECTIONS)), WORDS)
def test_no_interface_of_version_2_takes_another_one_down(content: Any, section: str, name: str) -> None:
    good = {
        "match": {"macaddress": "aa:00:00:00:00:01"}, "addresses": ["192.0.2.5/24"],
        "routes": [{"to": "default", "via": "192.0.2.1"}],
    }  # fmt: skip
    ethernets = {"good0": good}
    document = {"version": 2, "ethernets": ethernets}
    if section == "ethernets":
        ethernets[name] = content
    else:
        document[section] = {name: content}
    check_good(json.dumps(document), name, "good0" in json.dumps(content))


@settings(max_examples=100, deadline=None)
@given(ITEMS_OPENSTACK, ITEMS_OPENSTACK)
def test_no_link_of_openstack_takes_another_one_down(link: Any, network: Any) -> None:
    links = [{"id": "good0", "type": "phy", "ethernet_mac_address": "aa:00:00:00:00:01"}, link]
    networks = [
        {"type": "ipv4", "link": "good0", "ip_address": "192.0.2.5", "netmask": "24", "gateway": "192.0.2.1"}, network,
    ]  # fmt: skip
    for document in (
        {"links": links, "networks": networks}, {"links": links[::-1], "networks": networks[::-1]},
    ):  # fmt: skip
        check_good(json.dumps(document))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(ENI_WORDS | WORDS, max_size=5).map(" ".join), max_size=6).map("\n".join))
def test_no_stanza_takes_another_one_down(stanza: str) -> None:
    good = "auto good0\niface good0 inet static\n  address 192.0.2.5/24\n  gateway 192.0.2.1\n"
    check_good(good + "auto other0\niface other0 inet manual\n  " + stanza + "\n")


def check_good(text: str, other: str = "", is_named: bool = False) -> None:
    """The interface good0 is as if there were nothing else (or somebody's member, if another one names it)."""
    network, _ = documents.read(text)
    assert network is not None, text
    links = [link for link in network.links if link.name == "good0"]
    if other != "good0" and not is_named:
        assert [str(address) for address in links[0].addresses] == ["192.0.2.5/24"]
        assert links[0].routes[0].via == "192.0.2.1"


@settings(max_examples=100, deadline=None)
@given(SENSIBLE_OR_NOT)
def test_open_metrics_never_collide(text: str) -> None:
    """Whatever is decided here about ways out differs by link, in each family; what the document says may not."""
    network, _ = documents.read(text)
    if network is None or "metric" in text:
        return
    home = {member.value: link.table for link in network.links if link.kind == VRF for member in link.members}
    for family in (4, 6):
        metrics: Counter[tuple[int, int | None]] = Counter()
        for link in network.links:
            table = link.table or home.get(link.name) or MAIN_TABLE
            for route in link.routes:
                if route.to in ("0.0.0.0/0", "::/0") and route.family == family and route.type in ("", "unicast"):
                    metrics[route.table or table, route.metric] += 1
            if family == 4 and link.dhcp4 and link.dhcp4.use_routes is not False:
                metrics[table, link.dhcp4.route_metric] += 1
        assert all(count == 1 for count in metrics.values())


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS_V1)
def test_what_is_left_out_is_said(text: str) -> None:
    """An interface of the document that is not in the model has an error."""
    network, problems = documents.read(text)
    if network is None:
        return
    document = json.loads(text)
    kinds = {"physical", "bond", "bridge", "vlan", "infiniband"}
    wanted = [each for each in document["config"] if isinstance(each, dict) and str(each.get("type")) in kinds]
    kept = [link for link in network.links if link.kind in kinds]
    errors = [problem for problem in problems if problem.severity == ERROR]
    assert len(wanted) - len(kept) <= len(errors)
