"""vendor_data.json and vendor_data2.json (platforms.md 14, 18)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document, Inputs, Seed
from guestinit.model.value import data
from guestinit.reading import config

KNOWN = ("hostname", "timezone", "packages", "password", "runcmd")
META = '{"uuid": "a", "hostname": "h"}'


def seed(user: str = "", vendor: object = None, vendor2: object = None) -> Seed:
    given = {"meta-data": META, "user-data": user, "vendor-data": vendor, "vendor-data2": vendor2}
    documents = []
    for name, content in given.items():
        if content is not None:
            raw = content if isinstance(content, bytes) else str(content).encode()
            documents.append(Document(name, f"{name}.json" if name != "user-data" else name, raw))
    return Seed("config-drive", "/dev/sr0", "", tuple(documents), "openstack")


def read(given: Seed) -> tuple[Inputs, list[str]]:
    problems = Problems()
    inputs = config.read(given, Image(), KNOWN, problems)
    return inputs, [f"{problem.severity} {problem}" for problem in problems.found]


def merged(*documents: object) -> tuple[object, list[str]]:
    inputs, said = read(seed("", *documents))
    return data(inputs.cloud_config), said


ZONE = "#cloud-config\ntimezone: UTC\n"


@pytest.mark.parametrize(
    "content", ["", "\n", b"\0" * 64, "{}", "null", "[]", '""', '{"static": {}}', '{"cloud-init": null}']
)
def test_nothing_said(content: object) -> None:
    """Quirk 18: zero bytes (Proxmox VE), `{}` (Nova's default), other agents' names only."""
    assert merged(content, content) == ({}, [])


@pytest.mark.parametrize(
    "document",
    [
        {"cloud-init": ZONE},
        {"cloud-init": [ZONE]},
        {"cloud-init": ["#cloud-config\npackages: [a]\n", ZONE]},
        {"static": {"x": 1}, "cloud-init": ZONE},
        ZONE,
        [ZONE],
    ],
    ids=["text", "list", "longer list", "beside another", "bare text", "bare list"],
)
def test_shapes(document: object) -> None:
    """Quirk 18."""
    for documents in ((json.dumps(document),), (None, json.dumps(document))):
        found, said = merged(*documents)
        assert isinstance(found, dict)
        assert (found["timezone"], said) == ("UTC", [])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"cloud-init": {"timezone": "UTC"}}', "1:16: cloud-init: expected a text or a list of texts, got a mapping"),
        ('{"cloud-init": [{"timezone": "UTC"}]}', "1:17: cloud-init.0: expected a text, got a mapping"),
        ('[["x"]]', "1:2: 0: expected a text, got a list"),
        ('{"cloud-init": "x"', "1:19: not valid JSON: expecting ',' delimiter"),
        (ZONE, "1:1: expected a JSON object, list or text"),
        ("<html>", "1:1: expected a JSON object, list or text"),
        ("17", "1:1: expected a JSON object, list or text"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_seed_goes_on(document: str, said: str) -> None:
    """Quirk 18: a mapping where user-data is expected, and JSON that is none."""
    inputs, told = read(seed("#cloud-config\nhostname: web1\n", document))
    assert told == [f"error vendor-data.json:{said}"]
    assert (data(inputs.cloud_config), inputs.meta.instance_id) == ({"hostname": "web1"}, "a")


def test_a_list_keeps_what_is_good_of_it() -> None:
    found, said = merged(json.dumps({"cloud-init": [5, ZONE, {}]}))
    assert found == {"timezone": "UTC"}
    assert said == [
        "error vendor-data.json:1:54: cloud-init.2: expected a text, got a mapping",
        "error vendor-data.json[cloud-init.0]:1:1: a text of no known format",
    ]


def test_ranks() -> None:
    """User over vendor-data2 over vendor-data, whole key by key."""
    vendor = "#cloud-config\nhostname: v1\ntimezone: V1\npackages: [v1]\n"
    vendor2 = "#cloud-config\nhostname: v2\ntimezone: V2\n"
    given = seed("#cloud-config\nhostname: user\n", json.dumps({"cloud-init": vendor}), json.dumps(vendor2))
    inputs, said = read(given)
    assert said == []
    assert data(inputs.cloud_config) == {"hostname": "user", "timezone": "V2", "packages": ["v1"]}


def test_scripts_run_in_the_order_of_ranks() -> None:
    given = seed(
        "#!/bin/sh\nuser\n", json.dumps(["#!/bin/sh\nv1\n", "#!/bin/sh\nv1b\n"]), json.dumps("#!/bin/sh\nv2\n")
    )
    inputs, _ = read(given)
    assert [part.label for part in inputs.scripts] == [
        "vendor-data.json[0]", "vendor-data.json[1]", "vendor-data2.json", "user-data",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("switch", "expected"),
    [("vendor_data", {"timezone": "V2"}), ("vendor_data2", {"timezone": "V1"}), ("x-vendor", {"timezone": "V2"})],
)
def test_each_is_switched_off_by_its_name(switch: str, expected: dict[str, str]) -> None:
    given = seed(
        f"#cloud-config\n{switch}: {{enabled: false}}\n", json.dumps("#cloud-config\ntimezone: V1\n"),
        json.dumps("#cloud-config\ntimezone: V2\n"),
    )  # fmt: skip
    found = data(read(given)[0].cloud_config)
    assert isinstance(found, dict)
    assert {name: value for name, value in found.items() if name == "timezone"} == expected


def test_cloudstack_hands_over_a_password_so() -> None:
    text = "#cloud-config\npassword: Abc.123\nchpasswd: {expire: False}\n"
    inputs, said = read(seed("", json.dumps({"cloud-init": text})))
    assert inputs.cloud_config.get("password") is not None
    assert "Abc.123" not in " ".join(said)


def test_plain_vendor_data_of_nocloud_stays_as_it_is() -> None:
    problems = Problems()
    documents = (Document("meta-data", "m", b"instance-id: x\n"), Document("vendor-data", "v", ZONE.encode()))
    inputs = config.read(Seed("nocloud", "", "", documents), Image(), KNOWN, problems)
    assert (data(inputs.cloud_config), problems.found) == ({"timezone": "UTC"}, [])


@given(st.binary(max_size=100) | st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.just(ZONE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cloud-init", "static"]), inner),
).map(json.dumps).map(str.encode))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_bytes(content: bytes) -> None:
    inputs, _ = read(seed("#cloud-config\nhostname: web1\n", content, content))
    assert inputs.cloud_config.get("hostname") is not None
