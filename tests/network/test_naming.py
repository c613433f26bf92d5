"""Which interfaces a document means, what they will be called, and the step that calls them so.

The texts of the messages stand in the cases; here are the relations that cases would not show.
"""

from __future__ import annotations

import pytest

from guestinit.model import hardware
from guestinit.model.action import CONVERGE, EVERY_BOOT, Rename
from guestinit.model.facts import Nic
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document, Seed
from guestinit.reading import config
from tests.network import documents
from tests.network.test_network_module import facts, plan

A, B, C = (f"02:00:00:00:00:0{number}" for number in (1, 2, 3))
SWAP = f"""\
version: 2
ethernets:
  a: {{match: {{macaddress: '{A}'}}, set-name: eth1, dhcp4: true}}
  b: {{match: {{macaddress: '{B}'}}, set-name: eth0}}
"""
NAMED = "version: 1\nconfig:\n" + "".join(f"- {{type: physical, name: eth{n}}}\n" for n in (10, 2, 0))


def cards(text: str) -> tuple[Nic, ...]:
    return documents.nics(text)


@pytest.mark.parametrize(
    ("here", "taken"),
    [
        # By number where the number is a card's, the rest in the order of the bus: eth2 before eth10.
        (f"ens1={A} bus=0000:00:03.0\nens2={B} bus=0000:00:04.0\nens3={C} bus=0000:00:05.0", {0: A, 2: C, 10: B}),
        (f"ens1={A} bus=0000:00:10.0\nens2={B} bus=0000:00:09.0", {0: B, 2: A}),
        (f"ens1={A} bus=10000:00:03.0\nens2={B} bus=0000:ff:04.0", {0: B, 2: A}),
        (f"eth0={A}\nens2={B}", {2: B}),
        (f"enx2={A}\nenx1={B}", {0: B, 2: A}),
        ("", {}),
    ],
)
def test_cards_that_stand_in_for_names(here: str, taken: dict[int, str]) -> None:
    network, _ = documents.read(NAMED)
    assert network is not None
    resolved, problems = documents.resolve(network, cards(here))
    found = {int(link.name[3:]): link.match.mac for link in resolved.network.links if link.match.mac}
    assert found == taken
    assert len(problems) == len(taken)
    assert all(problem.severity == "warning" for problem in problems)


def test_what_else_the_machine_has_never_stands_in() -> None:
    network, _ = documents.read("version: 1\nconfig: [{type: physical, name: lan}]\n")
    assert network is not None
    [wireless] = cards(f"wlan0={A}")
    others = (
        wireless._replace(ethernet=False), wireless._replace(name="br0", physical=False),
        wireless._replace(name="eth9", port=True),
    )  # fmt: skip
    resolved, problems = documents.resolve(network, others)
    assert resolved.network == network
    assert problems == []


def test_the_upper_one_of_a_failover_pair_is_meant() -> None:
    network = documents.configured(SWAP)
    upper, lower = cards(f"eth5={A}\neth6={A}")
    pair = (upper, lower._replace(port=True))
    assert hardware.Cards(pair).matching(network.links[0]) == (upper,)
    assert hardware.Cards(pair[1:]).matching(network.links[0]) == pair[1:]  # a member of a bond that is up already
    assert hardware.kernel_names(network._replace(links=(network.links[0]._replace(set_name=""),)), pair) == {
        "a": "eth5"
    }


def test_a_swap_is_one_step_and_renderers_see_what_comes_of_it() -> None:
    here = facts(nics=cards(f"eth0={A}\neth1={B}"))
    steps, problems = plan(SWAP, here)
    assert problems == []
    [rename] = [step for step in steps if isinstance(step.action, Rename)]
    assert rename.action == Rename(((A, "eth1"), (B, "eth0")))
    assert rename.frequency == EVERY_BOOT
    assert [step.id for step in steps].index(rename.id) < [step.id for step in steps].index("command:networkctl reload")
    network = documents.configured(SWAP)
    resolved, _ = documents.resolve(network, here.nics)
    assert {nic.mac: nic.name for nic in resolved.nics} == {A: "eth1", B: "eth0"}
    assert hardware.kernel_names(resolved.network, resolved.nics) == {"a": "eth1", "b": "eth0"}
    assert not [step for step in plan(SWAP, here._replace(live=False, nics=()))[0] if isinstance(step.action, Rename)]


def test_one_name_on_a_machine_with_one_card_is_nothing_for_every_boot() -> None:
    text = f"version: 2\nethernets: {{a: {{match: {{macaddress: '{A}'}}, set-name: lan, dhcp4: true}}}}\n"
    for more, frequency in (("", CONVERGE), (f"\neth1={B}", EVERY_BOOT)):
        steps, _ = plan(text, facts(nics=cards(f"eth0={A}{more}")))
        assert [step.frequency for step in steps if isinstance(step.action, Rename)] == [frequency]


def test_a_name_that_is_refused_is_not_written_either() -> None:
    text = f"version: 2\nethernets: {{a: {{match: {{macaddress: '{A}'}}, set-name: eth1, dhcp4: true}}}}\n"
    steps, problems = plan(text, facts(nics=cards(f"eth0={A}\neth1={B}")))
    assert [step.id for step in steps if step.id.endswith(".link") or isinstance(step.action, Rename)] == []
    assert "another interface has this name and keeps it" in problems[0].message


# version 1


def v1(name: str, image: Image) -> tuple[list[str], list[str]]:
    text = f"version: 1\nconfig:\n- {{type: physical, {name}mac_address: '{A}', subnets: [{{type: dhcp4}}]}}\n"
    documents_ = (Document("meta-data", "meta-data", b"instance-id: a\n"),
                  Document("network-config", "network-config", text.encode()))  # fmt: skip
    problems = Problems()
    network = config.read(Seed("nocloud", "seed", "", documents_), image, (), problems).meta.network
    assert network is not None
    return [link.set_name for link in network.links], [str(problem) for problem in problems.found]


def test_the_name_of_version_1_is_a_label_unless_the_image_asks() -> None:
    asked = Image(options=(("network.rename_v1", "true"),))
    assert v1("name: eth0, ", Image()) == ([""], [])
    assert v1("name: eth0, ", asked) == (["eth0"], [])
    assert v1("", asked) == ([""], [])
    names, problems = v1("name: a-name-of-many-letters, ", asked)
    assert names == [""]
    assert problems[0].startswith("network-config:3:3: config.0.name: 'a-name-of-many-letters' is longer than the 15")
