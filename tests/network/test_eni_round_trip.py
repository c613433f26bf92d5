"""What the renderer of ifupdown writes, read again.

What cannot come back, and is not compared: which hardware is meant beyond its MAC or name; `set-name`; a name of
hardware with a dot, which is a VLAN's there; the settings of IPv6 (advertisements beside static addresses are asked for
explicitly; privacy, tokens, address generation); DHCPv6, which is a command; labels and lifetimes of addresses; routes
with a source, a scope, a type or in other tables; rules; `optional` and wake-on-LAN; flags of a bridge's ports; VRFs,
dummies and tunnels, which the format has no word for.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings

from guestinit.model.facts import Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    HARDWARE,
    LOOPBACK,
    VLAN,
    VRF,
    Link,
    Network,
    Route,
    masters,
)
from guestinit.model.problem import Problems
from guestinit.reading import network_config, network_eni
from guestinit.renderers.ifupdown import PATH, names
from tests.network import documents
from tests.network.strategies import DOCUMENTS
from tests.network.test_cases_of_network import names as cases
from tests.network.test_cases_of_network import slurp

KINDS = (*HARDWARE, BOND, BRIDGE, VLAN)


def written(network: Network, nics: tuple[Nic, ...]) -> str:
    files, _ = documents.render("ifupdown", network, nics)
    return "".join(file.content.decode() for file in files if file.path == PATH)


def called(network: Network, nics: tuple[Nic, ...]) -> dict[str, str]:
    """What each link is called in the file: those that are one interface, and not found by a wildcard."""
    targets = names.resolve(network, nics, Problems())
    found = {}
    for link in network.links:
        own = targets.get(link.name, ())
        is_vlan_there = link.kind in HARDWARE and any("." in each.logical for each in own)
        if len(own) == 1 and not own[0].pattern.startswith("/") and not is_vlan_there:
            found[link.name] = own[0].logical
    return found


def comparable(network: Network, by_name: dict[str, str]) -> dict[str, dict[str, Any]]:
    owners = masters(network)
    found = {}
    for link in network.links:
        is_in_vrf = link.name in owners and owners[link.name].kind == VRF
        if link.kind in KINDS and link.name in by_name and not is_in_vrf and _has_own_stanza(link, network, by_name):
            found[by_name[link.name]] = _said(link, by_name)
    return found


def _has_own_stanza(link: Link, network: Network, by_name: dict[str, str]) -> bool:
    """Whether all that it is made with comes back too."""
    needed = [member.value for member in link.members] + ([link.parent] if link.parent else [])
    links = {each.name: each for each in network.links}
    owners = masters(network)
    return all(
        name in by_name and name in links and links[name].kind in KINDS and (name not in owners or name in needed)
        and _has_own_stanza(links[name], network, by_name)
        for name in needed
    )  # fmt: skip


def _said(link: Link, by_name: dict[str, str]) -> dict[str, Any]:
    addresses = [each for each in link.addresses if not each.label and not (each.deprecated and each.family == 4)]
    parameters = dict(link.parameters)
    if link.kind == BOND:
        parameters.setdefault("mode", "balance-rr")
        parameters["primary"] = by_name.get(parameters.get("primary", ""), parameters.get("primary", ""))
    return {
        "kind": LOOPBACK if link.kind == LOOPBACK else "hardware" if link.kind in HARDWARE else link.kind,
        "addresses": sorted(str(each) for each in addresses),
        "routes": sorted(map(_route, filter(_is_plain, link.routes))),
        "lease": link.dhcp4 is not None,
        "metric": link.dhcp4.route_metric if link.dhcp4 else None,
        "mtu": link.mtu,
        "mac": link.mac if link.kind not in HARDWARE else "",
        "dns": [each.value for each in link.dns] if addresses or link.dhcp4 else [],
        "search": [each.value for each in link.search] if addresses or link.dhcp4 else [],
        "members": sorted(by_name[each.value] for each in link.members),
        "parent": by_name.get(link.parent, link.parent),
        "vlan": link.vlan_id,
        "parameters": parameters,
        "costs": sorted((by_name.get(name, name), cost) for name, cost in link.costs),
        "priorities": sorted((by_name.get(name, name), priority) for name, priority in link.priorities),
    }


def _is_plain(route: Route) -> bool:
    more = (route.source, route.scope, route.congestion_window, route.receive_window, route.advertised_mss)
    return not any(more) and route.table in (None, 254) and route.type in ("", "unicast") and bool(route.via)


def _route(route: Route) -> tuple[str, str, int, int]:
    return route.to, route.via, -1 if route.metric is None else route.metric, route.mtu or 0


def comes_back(network: Network, nics: tuple[Nic, ...] = ()) -> None:
    text = written(network, nics)
    by_name = called(network, nics)
    wanted = comparable(network, by_name)
    if not wanted:
        return
    problems = Problems()
    again = network_eni.read(text, "interfaces", problems)
    assert again is not None
    found = comparable(again, {link.name: link.name for link in again.links})
    for name, said in wanted.items():
        here = found.get(name, {})
        if said["metric"] is None and here:  # the reader may have to decide it
            here["metric"] = None
        assert here == said, text


@pytest.mark.parametrize("case", [case for case in cases() if slurp(case, "state") == f"{CONFIGURED}\n"])
def test_every_case_comes_back(case: str) -> None:
    network, _ = documents.read(slurp(case, "network-config"))
    assert network is not None
    resolved, _ = documents.resolve(network, documents.nics(slurp(case, "nics")))
    comes_back(resolved.network, resolved.nics)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_any_network_comes_back(text: str) -> None:
    network, _ = documents.read(text)
    if network is not None and network.state == CONFIGURED:
        comes_back(network)


def test_the_text_is_known_for_what_it_is() -> None:
    text = written(documents.configured("version: 2\nethernets: {eth0: {dhcp4: true}}\n"), ())
    assert network_eni.looks_like(text)
    network = network_config.read_text(text, os.path.basename(PATH), Problems())
    assert network is not None
    assert network.links[0].dhcp4 is not None
