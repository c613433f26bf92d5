"""NoCloud's meta-data in all its spellings (platforms.md 14, 12, 13, 15, 17, 21)."""

from __future__ import annotations

import json

import pytest

from guestinit.model.problem import Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.reading import metadata_nocloud as metadata

K1, K2 = "ssh-ed25519 AAAAC3Nz a@b", "ssh-rsa AAAAB3Nz c d"


def seed(meta: bytes | str | None, **others: bytes) -> Seed:
    documents = [Document(name.replace("_", "-"), name, content) for name, content in others.items()]
    if meta is not None:
        content = meta.encode() if isinstance(meta, str) else meta
        documents.append(Document("meta-data", "cidata:meta-data", content))
    return Seed("nocloud", "/dev/sr0", "", tuple(documents))


def read(meta: bytes | str | None, **others: bytes) -> tuple[MetaData, list[str]]:
    problems = Problems()
    found = metadata.read(seed(meta, **others), problems)
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


def test_proxmox() -> None:
    found, said = read("instance-id: 5a0c0f4b8c2f0d7b1e3c9a6d4f2e1b0a9c8d7e6f\n")
    assert said == []
    assert (
        found.instance_id, found.instance_id_given, found.hostname, found.public_keys, found.dsmode,
    ) == ("5a0c0f4b8c2f0d7b1e3c9a6d4f2e1b0a9c8d7e6f", True, None, (), "net")  # fmt: skip


@pytest.mark.parametrize("meta", [None, "", "\n", "\r\n", "{}", "null", "---\n", "# nothing\n", b"\0" * 512, "\ufeff"])
def test_nothing_said(meta: bytes | str | None) -> None:
    found, said = read(meta, user_data=b"#cloud-config\n")
    assert (found.instance_id_given, said, found.document) == (False, [], {})
    assert found.instance_id.startswith("derived-")


def test_derived_id_is_stable_and_follows_the_input() -> None:
    ids = {
        read("", user_data=user, network_config=network)[0].instance_id
        for user in (b"a", b"ab")
        for network in (b"b", b"", b"bc")
        for _ in range(2)
    }
    assert len(ids) == 6
    assert read("")[0].instance_id == read(None)[0].instance_id
    assert read("local-hostname: a")[0].instance_id != read("local-hostname: b")[0].instance_id
    assert read("", user_data=b"a")[0].instance_id == read("", user_data=b"a", vendor_data=b"x")[0].instance_id


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ("instance-id: 1001", "1001"),
        ("instance-id: 010", "010"),
        ("instance-id: 2026-01-01", "2026-01-01"),
        ("instance-id: 1e5", "1e5"),
        ("instance-id: no", "no"),
        ("instance-id: 'null'", "null"),
        ("instance-id: my.vm.default", "my.vm.default"),
        ("instance-id: B5F1A5E0-0000-4000-8000-000000000001", "B5F1A5E0-0000-4000-8000-000000000001"),
        ("instance-id: a/b c  \r\n", "a/b c"),
        ("instance_id: i-1", "i-1"),
        ('{"instance-id": "i-1"}', "i-1"),
        ('{\n\t"instance-id": 17\n}', "17"),
        ("\ufeffinstance-id: i-1", "i-1"),
        ("instance-id: i-1\r\nlocal-hostname: x\r\n", "i-1"),
    ],
)
def test_instance_id_is_text(meta: str, expected: str) -> None:
    found, said = read(meta)
    assert (expected, True, []) == (found.instance_id, found.instance_id_given, said)


@pytest.mark.parametrize("meta", ["instance-id:", "instance-id: null", "instance-id: ''", "instance-id: '  '"])
def test_empty_instance_id(meta: str) -> None:
    found, said = read(meta)
    assert (found.instance_id_given, said) == (False, [])


def test_instance_id_of_the_wrong_type() -> None:
    found, said = read("instance-id: [a]\n")
    assert not found.instance_id_given
    assert said == ["error cidata:meta-data:1:14: instance-id: expected text, got a list"]


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ("local-hostname: web1.example.test", "web1.example.test"),
        ("local-hostname: 10.0.0.1", "10.0.0.1"),
        ("local-hostname: 123", "123"),
        ("local-hostname: on", "on"),
        ("local-hostname: Web_1", "Web_1"),
        ("local-hostname: " + "a" * 70, "a" * 70),
        ("hostname: web1", "web1"),
        ("hostname: other\nlocal-hostname: web1", "web1"),
        ("local_hostname: web1\r\n", "web1"),
        ("local-hostname:", None),
        ("local-hostname: ''", None),
    ],
)
def test_hostname(meta: str, expected: str | None) -> None:
    found, said = read(meta)
    assert said == []
    assert expected == (found.hostname.value if found.hostname else None)


def test_hostname_knows_its_place() -> None:
    found, _ = read("instance-id: x\nlocal-hostname: web1\n")
    assert found.hostname is not None
    assert str(found.hostname.at) == "cidata:meta-data:2:17"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (K1, [K1]),
        (K1 + "\n", [K1]),
        (f"{K1}\n{K2}\n", [K1, K2]),
        (f"{K1}\r\n\r\n# old\r\n{K2}\r\n", [K1, K2]),
        ([K1, K2], [K1, K2]),
        ([f"{K1}\n{K2}"], [K1, K2]),
        ([K1, None, ""], [K1]),
        ({"mine": K1, "other": K2}, [K1, K2]),
        ({"mine": [K1, K2]}, [K1, K2]),
        ({"0": {"openssh-key": K1}}, [K1]),
        ([K1, K1], [K1]),
        ({}, []),
        ([], []),
        (None, []),
        ("", []),
    ],
)
@pytest.mark.parametrize("name", ["public-keys", "public_keys"])
def test_public_keys(name: str, value: object, expected: list[str]) -> None:
    found, said = read(json.dumps({name: value}))
    assert (expected, []) == ([key.value for key in found.public_keys], said)


def test_certificate_is_no_key() -> None:
    found, said = read(
        json.dumps({"public-keys": [K1, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]})
    )
    assert [key.value for key in found.public_keys] == [K1]
    assert len(said) == 1 and said[0].endswith("public-keys: a certificate is no SSH key")


@pytest.mark.parametrize(
    ("text", "expected"), [("local", "local"), ("NET", "net"), ("disabled", "disabled"), ("", "net")]
)
def test_dsmode(text: str, expected: str) -> None:
    found, said = read(f"dsmode: {text}\n")
    assert (expected, []) == (found.dsmode, said)


def test_unknown_dsmode() -> None:
    found, said = read("dsmode: maybe\n")
    assert found.dsmode == "net"
    assert said == ["error cidata:meta-data:1:9: dsmode: expected net, local, pass or disabled, got 'maybe'"]


def test_document_for_templates() -> None:
    found, _ = read("instance-id: 1\nmeta: {a: [1, 'x', null, true], b: 010}\n")
    assert found.document == {"instance-id": 1, "meta": {"a": [1, "x", None, True], "b": "010"}}


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ("- a\n- b\n", "cidata:meta-data:1:1: expected a mapping such as 'instance-id: web1', got a list"),
        ("nonsense\n", "cidata:meta-data:1:1: expected a mapping such as 'instance-id: web1', got a text"),
        ("<html><body>404</body></html>", "cidata:meta-data:1:1: expected a mapping"),
        ("a: b: c\n", "cidata:meta-data:1:5: ': ' is not expected here"),
        ("a:\n\tb: 1\n", "cidata:meta-data:2:1: a tab in the indentation"),
        (b"a: \x01\n", "cidata:meta-data:1:4: the control character"),
        (b"\x1f\x8b\x08", "cidata:meta-data: gzip data that ends too early"),
        (bytes(range(1, 32)), "cidata:meta-data:1:1: the control character"),
    ],
)
def test_unreadable(meta: bytes | str, said: str) -> None:
    problems = Problems()
    with pytest.raises(Unreadable) as raised:
        metadata.read(seed(meta), problems)
    assert str(raised.value.problem).startswith(said)


@pytest.mark.parametrize("name", ["network-interfaces", "network_interfaces"])
def test_ifupdown_text_is_a_document_of_its_own(name: str) -> None:
    found, said = read(f"instance-id: x\n{name}: |\n  auto eth0\n  iface eth0 inet dhcp\n")
    document = found.network_document
    assert document is not None
    assert (said, document.label) == ([], "cidata:meta-data[network-interfaces]")
    assert document.content == b"auto eth0\niface eth0 inet dhcp\n"
    assert read("network-interfaces: '  '")[0].network_document is None


def test_a_seedfrom_is_not_followed_and_that_is_said() -> None:
    found, said = read("instance-id: x\nseedfrom: http://10.0.2.2/?key=hush\n")
    assert found.instance_id == "x"
    assert said == ["warning cidata:meta-data:2:1: seedfrom: is not followed here"]
