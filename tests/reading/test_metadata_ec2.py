"""EC2's tree as it is read, from leaves as the services hand them out (platforms.md 9)."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.image import Image
from guestinit.model.network import CONFIGURED, PHYSICAL, Link, Network
from guestinit.model.problem import NOTE, Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.reading import config, metadata, template

MACS = "network/interfaces/macs/"
FIRST, SECOND = "02:29:96:8f:6a:2d", "02:aa:96:8f:6a:2d"
K1, K2 = "ssh-ed25519 AAAAC3Nz a@b", "ssh-rsa AAAAB3Nz c d"


def seed(leaves: Mapping[str, str | bytes], **others: bytes) -> Seed:
    documents = []
    for path, text in leaves.items():
        content = text.encode() if isinstance(text, str) else text
        documents.append(Document(f"meta-data/{path}", f"ec2:meta-data/{path}", content))
    documents += [Document(name.replace("_", "-"), f"ec2:{name}", content) for name, content in others.items()]
    return Seed("ec2", "http://169.254.169.254 (eth0)", "", tuple(documents), "ec2")


def read(leaves: Mapping[str, str | bytes]) -> tuple[MetaData, list[str]]:
    problems = Problems()
    found = metadata.read(seed({"instance-id": "i-0abc", **leaves}), problems)
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


def network(leaves: Mapping[str, str]) -> tuple[Network, list[str]]:
    meta, said = read({f"{MACS}{path}": text for path, text in leaves.items()})
    assert meta.network is not None
    return meta.network, said


def test_instance() -> None:
    found, said = read({"local-hostname": "ip-10-0-0-5.ec2.internal\n", "hostname": "other"})
    assert said == [] and (found.instance_id, found.instance_id_given) == ("i-0abc", True)
    assert found.hostname is not None and found.hostname.value == "ip-10-0-0-5.ec2.internal"
    assert str(found.hostname.at) == "ec2:meta-data/local-hostname:1:1"
    assert found.network is None and found.network_document is None


@pytest.mark.parametrize("leaves", [{}, {"instance-id": ""}, {"instance-id": "\n \0"}])
def test_instance_without_an_id_is_unreadable(leaves: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="ec2:meta-data/instance-id: the service gives no instance-id"):
        metadata.read(seed(leaves), Problems())


def test_first_of_several_host_names_counts() -> None:
    found, _ = read({"local-hostname": "ip-10-0-0-5.a.example ip-10-0-0-5.b.example"})
    assert found.hostname is not None and found.hostname.value == "ip-10-0-0-5.a.example"
    assert read({"local-hostname": " \n"})[0].hostname is None


def test_keys_come_in_the_order_of_their_numbers_each_once() -> None:
    keys = {"public-keys/10/openssh-key": K2, "public-keys/2/openssh-key": f"{K1}\n", "public-keys/3/openssh-key": K1,
            "public-keys/4/other": "x"}  # fmt: skip
    found, said = read(keys)
    assert [key.value for key in found.public_keys] == [K1, K2] and said == []
    assert str(found.public_keys[0].at) == "ec2:meta-data/public-keys/2/openssh-key:1:1"
    far, _ = read({**keys, f"public-keys/{'9' * 5000}/openssh-key": f"{K1} far"})  # more digits than int() takes
    assert [key.value for key in far.public_keys] == [K1, K2, f"{K1} far"]


def test_templates_see_the_tree() -> None:
    found, _ = read({"placement/availability-zone": "az1", "security-groups": "a\nb", "public-ipv4": "",
                     "tags/instance/Name": "web", "tags": "x"})  # fmt: skip
    names = ("ds.meta_data.placement.availability_zone", "v1.availability_zone", "ds.meta_data.tags.instance.Name")
    text = "## template: jinja\n" + " ".join(f"{{{{ {name} }}}}" for name in names)
    assert found.document["security-groups"] == ["a", "b"] and found.document["public-ipv4"] == ""
    problems = Problems()
    rendered = template.render(text, "user-data", template.variables(found, "ec2", {}), problems)
    assert (rendered, problems.found) == ("\naz1 az1 web", [])


def test_card_is_known_by_its_mac_and_asks_for_a_lease() -> None:
    found, said = network({f"{FIRST}/device-number": "0", f"{FIRST}/local-ipv4s": "10.0.0.5",
                           f"{FIRST}/subnet-ipv4-cidr-block": "10.0.0.0/24"})  # fmt: skip
    (link,) = found.links
    assert (found.state, said, link.kind, link.match.mac) == (CONFIGURED, [], PHYSICAL, FIRST)
    assert link.dhcp4 is not None and link.dhcp4.route_metric is None
    assert (link.dhcp6, link.accept_ra, link.addresses) == (None, None, ())
    assert str(link.at) == f"ec2:meta-data/{MACS}{FIRST}"


def test_device_numbers_make_the_order_and_the_earlier_card_is_the_way_out() -> None:
    found, said = network({
        f"{FIRST.upper()}/device-number": "1", f"{FIRST.upper()}/local-ipv4s": "10.0.1.5",
        f"{SECOND}/device-number": "0\n", f"{SECOND}/local-ipv4s": "10.0.0.5", f"{SECOND}/ipv6s": "2001:db8::5",
    })  # fmt: skip
    assert [(link.name, link.match.mac) for link in found.links] == [("nic0", SECOND), ("nic1", FIRST)]
    assert [link.dhcp4.route_metric for link in found.links if link.dhcp4] == [100, 200] and said == []
    assert [(link.dhcp6 is not None, link.accept_ra) for link in found.links] == [(True, True), (False, None)]


def test_card_with_ipv6_only_asks_for_no_ipv4_lease() -> None:
    found, _ = network({f"{FIRST}/ipv6s": "2001:db8::5"})
    assert (found.links[0].dhcp4, found.links[0].dhcp6 is not None) == (None, True)


def test_further_ipv4_addresses_are_added_in_their_subnet() -> None:
    leaves = {f"{FIRST}/local-ipv4s": "10.0.0.5\n10.0.0.6\n10.0.0.7\n10.0.0.6", f"{FIRST}/device-number": "0"}
    found, said = network({**leaves, f"{FIRST}/subnet-ipv4-cidr-block": "10.0.0.0/20"})
    assert ([str(address) for address in found.links[0].addresses], said) == (["10.0.0.6/20", "10.0.0.7/20"], [])
    found, said = network(leaves)
    assert found.links[0].addresses == () and len(said) == 1 and "without the subnet" in said[0]
    found, said = network({**leaves, f"{FIRST}/subnet-ipv4-cidr-block": "10.9.0.0/20"})
    assert found.links[0].addresses == () and "10.0.0.6 is not in 10.9.0.0/20" in said[0]


def test_broken_card_is_left_out_and_the_others_go_on() -> None:
    found, said = network({"02:xx:96:8f:6a:2d/device-number": "0", f"{SECOND}/device-number": "1"})
    assert [link.match.mac for link in found.links] == [SECOND]
    assert len(said) == 1 and "'02:xx:96:8f:6a:2d' is no MAC address" in said[0]


def test_network_of_the_tree_is_taken_and_a_document_would_win() -> None:
    leaves = {"instance-id": "i-1", f"{MACS}{FIRST}/device-number": "0"}

    def links(**documents: bytes) -> tuple[Link, ...]:
        inputs = config.read(seed(leaves, **documents), Image(), (), Problems())
        return inputs.meta.network.links if inputs.meta.network else ()

    assert [link.match.mac for link in links()] == [FIRST]
    other = b"version: 2\nethernets: {eth9: {dhcp4: true}}\n"
    assert [link.name for link in links(network_config=other)] == ["eth9"]


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "gzip": gzip.compress,
    "base64": base64.b64encode,
    "base64 of gzip": lambda text: base64.b64encode(gzip.compress(text)),
    "base64 twice": lambda text: base64.encodebytes(base64.b64encode(text)),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_user_data_is_read_however_it_is_wrapped(wrap: Callable[[bytes], bytes]) -> None:
    problems = Problems()
    given = seed({"instance-id": "i-1"}, user_data=wrap(b"#cloud-config\nlocale: C.UTF-8\n"))
    inputs = config.read(given, Image(), ("locale",), problems)
    locale = inputs.cloud_config.get("locale")
    assert locale is not None and locale.text == "C.UTF-8"
    assert all(problem.severity == NOTE for problem in problems.found)


PATHS = st.sampled_from(
    ["local-hostname", "public-keys/0/openssh-key", "public-keys/x/openssh-key", "a/b", "a", "tags/instance/Name",
     *(f"{MACS}{mac}/{name}" for mac in (FIRST, "x", "02-AA-96-8f-6a-2d")
       for name in ("device-number", "local-ipv4s", "ipv6s", "subnet-ipv4-cidr-block"))]
)  # fmt: skip
TEXTS = st.one_of(st.binary(max_size=40), st.sampled_from([b"0", b"10.0.0.5\n10.0.0.6", b"10.0.0.0/24", b"::1", b"-1"]))


@settings(max_examples=300)
@given(st.dictionaries(PATHS, TEXTS, max_size=12))
def test_any_leaves_are_read_or_said_to_be_wrong(leaves: dict[str, bytes]) -> None:
    problems = Problems()
    found = metadata.read(seed({"instance-id": "i-1", **leaves}), problems)
    assert found.instance_id == "i-1" and isinstance(found.document, dict)
    if found.network is not None:
        for link in found.network.links:
            assert link.dhcp4 or link.dhcp6
            assert all(address.family == 4 for address in link.addresses)
    assert all(problem.hint for problem in problems.found)
