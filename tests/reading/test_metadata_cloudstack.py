"""CloudStack's meta-data from its leaves, and beside OpenStack's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model.problem import Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.reading import metadata, metadata_cloudstack

ID = "5f0f1f4c-1111-4222-8333-944455556666"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGUga2V5IHRoYXQgbm9ib2R5IGhhcyEhISEh"


def seed(leaves: dict[str, bytes], written_as: str = "cloudstack", **documents: bytes) -> Seed:
    found = [Document(f"meta-data/{key}", f"config-2:{key}.txt", content) for key, content in leaves.items()]
    found += [Document(name, f"config-2:{name}", content) for name, content in documents.items()]
    return Seed("config-drive", "/dev/sr1", "", tuple(found), written_as)


def read(leaves: dict[str, bytes], **documents: bytes) -> tuple[MetaData, list[str]]:
    problems = Problems()
    return metadata.read(seed(leaves, **documents), problems), [str(problem) for problem in problems.found]


def test_what_the_leaves_say() -> None:
    meta, said = read({
        "instance-id": ID.encode(), "vm-id": ID.encode(), "local-hostname": b"vm-web-1", "local-ipv4": b"10.1.1.23",
        "availability-zone": b"zone-1", "service-offering": b"", "public-keys": f"{KEY} a\n\n{KEY} b".encode(),
        "role": b"web",
    })  # fmt: skip
    assert (meta.instance_id, meta.instance_id_given, said) == (ID, True, [])
    assert meta.hostname is not None
    assert (meta.hostname.value, str(meta.hostname.at)) == ("vm-web-1", "config-2:local-hostname.txt:1:1")
    assert [(key.value, key.at.line) for key in meta.public_keys] == [(f"{KEY} a", 1), (f"{KEY} b", 3)]
    assert meta.document["role"] == "web"
    assert "service-offering" not in meta.document
    assert meta.reset is None


def test_the_other_name_of_the_id_and_none() -> None:
    assert read({"vm-id": b"i-2-34-VM\n"})[0].instance_id == "i-2-34-VM"
    meta, _ = read({"local-hostname": b"web"})
    assert meta.instance_id.startswith("derived-")
    assert not meta.instance_id_given


def test_an_empty_id_is_not_taken_for_none() -> None:
    """platforms.md 7: a router that is being built answers every key with nothing."""
    with pytest.raises(Unreadable) as raised:
        read({"instance-id": b"", "local-hostname": b"", "public-keys": b""})
    assert str(raised.value.problem) == "config-2:instance-id.txt: instance-id: is not there, or empty"


def test_a_mac_address_in_the_place_of_an_ipv4_address() -> None:
    """platforms.md 14, quirk 39."""
    meta, said = read({"instance-id": ID.encode(), "local-ipv4": b"02:00:4c:9f:00:01"})
    assert "local-ipv4" not in meta.document
    place = "config-2:local-ipv4.txt:1:1: local-ipv4"
    assert said == [f"{place}: a MAC address stands in the place of the IPv4 address"]


def test_characters_that_java_escaped() -> None:
    meta, _ = read({"instance-id": ID.encode(), "note": rb"caf\u00e9 \ud83d\ude00 \uXYZ \u12".replace(b"XYZ", b"12G4")})
    assert meta.document["note"] == "caf\u00e9 \U0001f600 \\u12G4 \\u12"
    assert read({"instance-id": ID.encode(), "note": rb"\ud83d"})[0].document["note"] == "\ufffd"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"fRk8wZ", b"fRk8wZ"),
        (b"fRk8wZ\r\n", b"fRk8wZ"),
        (b" with blanks \n", b" with blanks "),
        (b"", None),
        (b"\n", None),
        (b"saved_password", None),
        (b"saved_password\n", None),
    ],
)
def test_the_password(content: bytes, expected: bytes | None) -> None:
    """platforms.md 6.3: only line ends are no part of it."""
    meta, said = read({"instance-id": ID.encode()}, password=content)
    assert (meta.reset.secret.reveal() if meta.reset and meta.reset.secret else None) == expected
    assert said == []
    assert "fRk8wZ" not in str(meta)


def test_a_password_that_would_be_two_lines_is_refused_and_not_shown() -> None:
    meta, said = read({"instance-id": ID.encode()}, password=b"fRk8wZ\nroot:x")
    assert (meta.reset, len(said)) == (None, 1)
    assert "fRk8wZ" not in said[0]


@given(st.dictionaries(st.text(max_size=8), st.binary(max_size=40)), st.binary(max_size=20))
def test_whatever_stands_there_is_read(leaves: dict[str, bytes], password: bytes) -> None:
    try:
        read(leaves, password=password)
    except Unreadable as unreadable:
        assert "is not there, or empty" in str(unreadable)


def test_what_openstacks_meta_data_lacks() -> None:
    found = MetaData("derived-1", False, document={"role": "of meta_data.json"})
    other = seed({"instance-id": ID.encode(), "local-hostname": b"vm", "public-keys": KEY.encode(), "role": b"x"},
                 "openstack", password=b"fRk8wZ")  # fmt: skip
    meta = metadata_cloudstack.complete(found, other, Problems())
    assert (meta.instance_id, meta.instance_id_given) == (ID, True)
    assert meta.hostname is not None and meta.hostname.value == "vm"
    assert [key.value for key in meta.public_keys] == [KEY]
    assert meta.document == {"instance-id": ID, "local-hostname": "vm", "public-keys": KEY, "role": "of meta_data.json"}
    assert meta.reset is not None
    given = metadata_cloudstack.complete(found._replace(instance_id="u", instance_id_given=True), other, Problems())
    assert given.instance_id == "u"
