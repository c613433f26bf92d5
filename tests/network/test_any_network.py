"""What holds for every document, sensible or not."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.network import CONFIGURED, Network
from guestinit.model.problem import ERROR
from tests.network import documents
from tests.network.strategies import DOCUMENTS, DOCUMENTS_V1, ITEMS_V1

LINE = re.compile(r"#.*|\[[A-Za-z0-9-]+(\.[A-Za-z0-9+/=]{44})?\]|[A-Za-z0-9_-]+=\S.*|")
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


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
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
@given(DOCUMENTS)
def test_the_same_document_gives_the_same_bytes(text: str) -> None:
    first, second = documents.read(text)[0], documents.read(text)[0]
    assert first == second
    if first is not None and second is not None:
        assert rendered(first) == rendered(second)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="version:12 config\n-{}[]&*'\"ethrs0.", max_size=120))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    network, problems = documents.read(text)
    assert all(problem.position.file == "network-config" for problem in problems)
    if network is not None and network.state == CONFIGURED:
        rendered(network)


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_open_metrics_never_collide(text: str) -> None:
    """Whatever is decided here about ways out differs by link, in each family; what the document says may not."""
    network, _ = documents.read(text)
    if network is None or "metric" in text:
        return
    for family in (4, 6):
        metrics: Counter[int | None] = Counter()
        for link in network.links:
            metrics.update(route.metric for route in link.routes if route.is_default and route.family == family)
            if family == 4 and link.dhcp4 and link.dhcp4.use_routes is not False:
                metrics[link.dhcp4.route_metric] += 1
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
