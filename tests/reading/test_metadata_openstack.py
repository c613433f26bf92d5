"""meta_data.json in every shape that a platform gives it (platforms.md 14: 12, 13, 15 to 17, 19 to 21)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.problem import ERROR, Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.reading import metadata_openstack as metadata

K1, K2 = "ssh-ed25519 AAAAC3Nz a@b", "ssh-rsa AAAAB3Nz Generated-by-Nova with blanks"
PEM = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n"
UUID = "9f1c7d6e-0000-4000-8000-00000000abcd"
LABEL = "config-2:openstack/latest/meta_data.json"
NOVA: dict[str, Any] = {
    "uuid": UUID, "hostname": "app-1.novalocal", "name": "app-1", "launch_index": 0, "availability_zone": "az1",
    "project_id": "0123456789abcdef0123456789abcdef", "random_seed": base64.b64encode(bytes(range(256)) * 2).decode(),
    "meta": {"role": "web"}, "public_keys": {"mykey": f"{K2}\n"},
    "keys": [{"name": "mykey", "type": "ssh", "data": f"{K2}\n"}], "admin_pass": "x7Hq2LmZ9sTu",
    "files": [{"path": "/etc/motd", "content_path": "/content/0000"}],
    "network_config": {"name": "network_config", "content_path": "/content/0001"},
    "devices": [
        {"type": "nic", "bus": "pci", "address": "0000:00:03.0", "mac": "fa:16:3e:00:11:22", "tags": ["mgmt"],
         "vlan": 1000, "vf_trusted": False},
        {"type": "share", "share_id": "s", "tag": "t", "bus": "none", "address": "none"},
    ],
    "dedicated_cpus": [],
}  # fmt: skip
# With the blanks and the order of keys that Jackson makes of a HashMap.
OVIRT = """{
  "launch_index" : "0",
  "availability_zone" : "nova",
  "network-interfaces" : "auto eth0\\niface eth0 inet static\\n  address 10.5.0.9\\n  netmask 255.255.255.0\\n",
  "network_config" : {
    "content_path" : "/content/0000",
    "path" : "/etc/network/interfaces"
  },
  "name" : "db1.example.test",
  "hostname" : "db1.example.test",
  "uuid" : "0c7b5b5e-3c39-4c9f-8a5e-0d0a5e2a9d51",
  "public_keys" : [ "ssh-rsa AAAAB3Nz alice", "ssh-ed25519 AAAAC3Nz bob" ],
  "meta" : {
    "dsmode" : "local",
    "essential" : "false",
    "role" : "server"
  }
}"""
PROXMOX = '{\n     "network_config" : {\n          "content_path" : "/content/0000"\n     },\n     "uuid" : "%s"\n}\n'
KUBEVIRT = (
    '{"instance_type":"u1.small","instance_id":"vm-a.ns1","hostname":"vm-a","uuid":"%s","devices":[{"type":"nic",'
    '"bus":"pci","address":"0000:01:00.0","mac":"02:00:00:00:00:01","numaNode":0,"alignedCPUs":[0,1],"tags":null}],'
    '"public_keys":{"0":"%s"}}'
)
CLOUDSTACK = (
    '{"availability_zone":"zone-1","hostname":"vm-web-1","uuid":"%s","name":"203.0.113.9",'
    '"hypervisor-host-name":"kvm07","cloud-name":"CloudStack","department":"sales","public_keys":{"key":"%s"},'
    '"keys":[{"type":"ssh","data":"ssh-ed25519 AAAAC3Nz a@b","name":"key"}]}'
)


def seed(meta: object, **others: bytes) -> Seed:
    documents = [Document(name.replace("_", "-"), f"config-2:{name}", content) for name, content in others.items()]
    documents += [Document(f"content/000{number}", f"config-2:content/000{number}", b"file %d" % number)
                  for number in range(3)]  # fmt: skip
    if meta is not None:
        content = meta if isinstance(meta, bytes) else meta.encode() if isinstance(meta, str) else json.dumps(meta)
        content = content.encode() if isinstance(content, str) else content
        documents.append(Document("meta-data", LABEL, content))
    return Seed("config-drive", "/dev/sr0", "", tuple(documents), "openstack")


def read(meta: object, **others: bytes) -> tuple[MetaData, list[str]]:
    problems = Problems()
    found = metadata.read(seed(meta, **others), problems)
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


def keys_of(found: MetaData) -> list[str]:
    return [key.value for key in found.public_keys]


# platform by platform


def test_nova() -> None:
    found, said = read(NOVA)
    assert said == []
    assert (found.instance_id, found.instance_id_given, found.dsmode) == (UUID, True, "net")
    assert found.hostname is not None and found.hostname.value == "app-1.novalocal"
    assert keys_of(found) == [K2]
    assert found.password is not None and found.password.secret is not None
    assert (found.password.secret.reveal(), found.password.hashed, found.password.random) == (
        b"x7Hq2LmZ9sTu", False, False,
    )  # fmt: skip
    assert [(file.path.value, file.content) for file in found.files] == [("/etc/motd", b"file 0")]
    assert found.network_document is not None and found.network_document.name == "content/0001"
    assert found.random_seed is not None and found.random_seed.reveal() == bytes(range(256)) * 2


def test_document_for_templates_holds_no_secrets() -> None:
    found, _ = read(NOVA)
    assert found.document == {name: NOVA[name] for name in NOVA if name not in ("admin_pass", "random_seed")}


@pytest.mark.parametrize(
    "without",
    [
        ("project_id", "random_seed", "files", "network_config", "keys", "devices", "dedicated_cpus", "admin_pass"),
        ("devices", "dedicated_cpus"),
        (),
    ],
    ids=["2012-08-10", "2016-06-30", "2020-10-14"],
)
def test_nova_of_any_version(without: tuple[str, ...]) -> None:
    found, said = read({name: value for name, value in NOVA.items() if name not in without})
    assert (said, found.instance_id, keys_of(found)) == ([], UUID, [K2])


def test_ovirt() -> None:
    """Quirk 16 of platforms.md, with 15 and 21: a text for a number, a list of keys, dsmode inside of meta."""
    found, said = read(OVIRT)
    assert said == []
    assert found.instance_id == "0c7b5b5e-3c39-4c9f-8a5e-0d0a5e2a9d51"
    assert found.hostname is not None and found.hostname.value == "db1.example.test"
    assert keys_of(found) == ["ssh-rsa AAAAB3Nz alice", "ssh-ed25519 AAAAC3Nz bob"]
    assert (found.dsmode, found.document["launch_index"]) == ("local", "0")
    assert found.network_document is not None and found.network_document.content == b"file 0"


def test_ovirt_without_the_file_that_it_points_at() -> None:
    problems = Problems()
    bare = seed(OVIRT)
    bare = bare._replace(documents=tuple(each for each in bare.documents if not each.name.startswith("content/")))
    found = metadata.read(bare, problems)
    said = [f"{problem.severity} {problem}" for problem in problems.found]
    assert said == [f"error {LABEL}:6:22: network_config.content_path: the seed has no content/0000"]
    assert found.network_document is not None
    assert found.network_document.label == f"{LABEL}[network-interfaces]"
    assert found.network_document.content.startswith(b"auto eth0\niface eth0 inet static\n")


def test_proxmox() -> None:
    """Quirk 13: forty hexadecimal digits are no UUID."""
    found, said = read(PROXMOX % ("5a0c0f4b" * 5))
    assert (said, found.instance_id, found.hostname, keys_of(found)) == ([], "5a0c0f4b" * 5, None, [])
    assert found.network_document is not None and found.network_document.name == "content/0000"
    assert (found.password, found.random_seed, found.files) == (None, None, ())


def test_proxmox_for_windows() -> None:
    text = json.dumps({"uuid": "5a" * 20, "admin_pass": "Clear.1", "public_keys": {"key-0": K1, "key-1": K2}})
    found, said = read(text)
    assert (said, keys_of(found)) == ([], [K1, K2])
    assert found.password is not None and found.password.secret is not None
    assert found.password.secret.reveal() == b"Clear.1"


def test_kubevirt() -> None:
    """The uuid goes before instance_id, which other tools made of the name; tags are null."""
    found, said = read(KUBEVIRT % (UUID, f"{K1}\\n{K2}\\n"))
    assert (said, found.instance_id, keys_of(found)) == ([], UUID, [K1, K2])
    assert found.document["devices"][0]["tags"] is None
    assert read('{"instance_id":"vm-a.ns1"}')[0].instance_id == "vm-a.ns1"


def test_cloudstack() -> None:
    """Quirk 15: two keys in one value, and the first of them once more in `keys`."""
    found, said = read(CLOUDSTACK % (UUID, f"{K1}\\n{K2}"))
    assert (said, found.instance_id, keys_of(found)) == ([], UUID, [K1, K2])
    assert found.hostname is not None and found.hostname.value == "vm-web-1"
    assert (found.document["department"], found.document["cloud-name"]) == ("sales", "CloudStack")


# field by field


@pytest.mark.parametrize("meta", [None, "{}", b"\xef\xbb\xbf{}", "{}\r\n", b"{}" + b"\0" * 510])
def test_nothing_said(meta: object) -> None:
    """Quirk 12, for JSON."""
    found, said = read(meta, user_data=b"#cloud-config\n")
    assert (found.instance_id_given, said, found.document) == (False, [], {})
    assert found.instance_id.startswith("derived-")


def test_derived_id_does_not_follow_the_random_seed() -> None:
    """Quirk 19: another one at each request."""
    ids = {read({"hostname": "a", "random_seed": text}, user_data=b"x")[0].instance_id for text in ("QQ==", "Qg==")}
    assert len(ids) == 1
    assert read({"hostname": "b"}, user_data=b"x")[0].instance_id not in ids


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1001, "1001"), ("010", "010"), ("2026-01-01", "2026-01-01"), (UUID.upper(), UUID.upper()), (" a/b ", "a/b")],
)
def test_uuid_is_text(value: object, expected: str) -> None:
    """Quirk 13."""
    found, said = read({"uuid": value})
    assert (found.instance_id, found.instance_id_given, said) == (expected, True, [])


@pytest.mark.parametrize("meta", [{"uuid": None}, {"uuid": ""}, {"uuid": "  "}])
def test_empty_uuid(meta: object) -> None:
    found, said = read(meta)
    assert (found.instance_id_given, said) == (False, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("web1.example.test", "web1.example.test"), ("web1", "web1"), ("10.0.0.5", "10.0.0.5"), ("123", "123"),
        (123, "123"), ("Web_1", "Web_1"), ("a" * 70, "a" * 70), ("", None), (None, None),
    ],
)  # fmt: skip
def test_hostname(value: object, expected: str | None) -> None:
    """Quirk 17: what can be a name is the business of the module that sets it."""
    found, said = read({"uuid": UUID, "hostname": value})
    assert (said, found.hostname.value if found.hostname else None) == ([], expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"mine": K1, "other": K2}, [K1, K2]),
        ({"mine": [K1, K2]}, [K1, K2]),
        ({"mine": f"{K1}\n{K2}\n"}, [K1, K2]),
        ([K1, K2], [K1, K2]),
        (f"{K1}\r\n{K2}\r\n", [K1, K2]),
        ({"mine": None}, []),
        ({}, []),
        ([], []),
        (None, []),
        ("", []),
    ],
)
def test_public_keys(value: object, expected: list[str]) -> None:
    """Quirk 15."""
    assert (keys_of(read({"public_keys": value})[0]), read({"public_keys": value})[1]) == (expected, [])


def test_certificate_is_left_out_with_one_note() -> None:
    """Quirk 15: Nova writes a key of the type x509 under both names."""
    found, said = read({
        "public_keys": {"cert": PEM, "mine": K1},
        "keys": [{"name": "cert", "type": "x509", "data": PEM}, {"name": "mine", "type": "ssh", "data": f"{K1}\n"}],
    })  # fmt: skip
    assert keys_of(found) == [K1]
    assert said == [f"note {LABEL}:1:26: public-keys: a certificate is no SSH key"]


def test_keys_alone() -> None:
    found, said = read({"keys": [{"name": "a", "type": "ssh", "data": K1}, {"data": K2}]})
    assert (keys_of(found), said) == ([K1, K2], [])


@pytest.mark.parametrize("value", [[K1], [{"name": "a"}], "x", {"a": 1}, [[]]])
def test_keys_of_the_wrong_type(value: object) -> None:
    found, said = read({"uuid": UUID, "keys": value})
    assert (keys_of(found), len(said)) == ([], 1)
    assert said[0].startswith("error ") and ": keys: expected " in said[0]


@pytest.mark.parametrize("mode", ["local", "net", "pass", "disabled"])
def test_dsmode(mode: str) -> None:
    """Quirk 21."""
    assert read({"meta": {"dsmode": mode}, "dsmode": "net"})[0].dsmode == mode
    assert read({"dsmode": mode, "meta": {"role": "x"}})[0].dsmode == mode
    assert read({"meta": None})[0].dsmode == "net"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("QUJD", b"ABC"), ("QUI=", b"AB"), ("QU\nI", b"AB"), ("QUI", b"AB"), ("", None), (None, None)],
)
def test_random_seed(value: object, expected: bytes | None) -> None:
    """Quirk 19."""
    found, said = read({"random_seed": value})
    assert (found.random_seed.reveal() if found.random_seed else None, said) == (expected, [])


@pytest.mark.parametrize("value", ["no base64!", "QUJDR", "é", ["QUJD"], {"a": "QUJD"}])
def test_random_seed_that_is_none(value: object) -> None:
    found, said = read({"random_seed": value, "uuid": UUID})
    assert (found.random_seed, found.instance_id, len(said)) == (None, UUID, 1)
    assert said[0].startswith(f"error {LABEL}:1:17: random_seed: ")
    assert "QUJD" not in said[0]


@pytest.mark.parametrize("value", [["Secret.1"], "Secret.1\nroot:x", {"a": "Secret.1"}])
def test_password_that_is_none_is_not_told(value: object) -> None:
    found, said = read({"admin_pass": value, "uuid": UUID})
    assert (found.password, len(said)) == (None, 1)
    assert "Secret.1" not in said[0]
    assert read({"admin_pass": ""})[0].password is None


def test_password_is_never_made_nor_a_hash() -> None:
    for text in ("R", "RANDOM", "$6$Zk3PqVb1$" + "a" * 86):
        found, said = read({"admin_pass": text})
        assert found.password is not None and found.password.secret is not None
        assert (found.password.secret.reveal(), found.password.hashed, found.password.random, said) == (
            text.encode(), False, False, [],
        )  # fmt: skip


# files


def files(*items: object) -> tuple[list[tuple[str, bytes]], list[str]]:
    found, said = read({"files": list(items)})
    return [(file.path.value, file.content) for file in found.files], [line.partition(": ")[2] for line in said]


@pytest.mark.parametrize("path", ["/content/0000", "content/0000", "./content//0000"])
def test_content_path_is_below_the_seed(path: str) -> None:
    assert files({"path": "/etc/motd", "content_path": path}) == ([("/etc/motd", b"file 0")], [])


@pytest.mark.parametrize(
    "path", ["/content/../../etc/shadow", "../content/0000", "/etc/shadow", "content", "/", "..", "content/a/b",
             "latest/meta_data.json", "content/..", "/content/./.."],
)  # fmt: skip
def test_content_path_that_leads_elsewhere(path: str) -> None:
    """Quirk 20: traversal."""
    expected = "files.1.content_path: expected a path such as /content/0000, without '..'"
    good = {"path": "/etc/issue", "content_path": "/content/0001"}
    assert files(good, {"path": "/etc/motd", "content_path": path}) == ([("/etc/issue", b"file 1")], [expected])


def test_content_that_is_missing() -> None:
    """Quirk 20: the drive has no such file."""
    said = ["files.0.content_path: the seed has no content/0009"]
    assert files({"path": "/etc/motd", "content_path": "/content/0009"}) == ([], said)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("/etc/motd", "files.0: expected a mapping with path and content_path, got a text"),
        ({"path": "/etc/motd"}, "files.0.content_path: is missing"),
        ({"path": "/etc/motd", "content_path": ["x"]}, "files.0.content_path: expected text, got a list"),
        ({"content_path": "/content/0000"}, "files.0.path: a file needs a path"),
        ({"path": [], "content_path": "/content/0000"}, "files.0.path: expected text, got a list"),
    ],
)
def test_file_that_cannot_be_written(item: object, said: str) -> None:
    assert files(item) == ([], [said])


# documents that are none


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (b"", ": an empty file"),
        (b"\n", ": an empty file"),
        (b"\0" * 512, ": an empty file"),
        ("[]", ':1:1: expected a mapping such as \'{"uuid": "..."}\', got a list'),
        ('"text"', ":1:1: expected a mapping"),
        ("<html><body>It works!</body></html>", ":1:1: expected a mapping"),
        ('{"uuid": "a", "b"', ":1:18: not valid JSON: expecting ':' delimiter"),
        ("[" * 200, ":1:"),
        ('{"uuid": ' + "9" * 5000 + ', "b"', ":1:"),  # more digits than int() takes
        ('{\n "uuid": "a"\n "hostname": "b"\n}', ":3:2: not valid JSON: expecting ',' delimiter"),
        (b"\x1f\x8b\x08", ": gzip data that ends too early"),
    ],
)
def test_unreadable(meta: bytes | str, said: str) -> None:
    problems = Problems()
    with pytest.raises(Unreadable) as raised:
        metadata.read(seed(meta), problems)
    assert str(raised.value.problem).startswith(LABEL + said)


@pytest.mark.parametrize("text", ["a\\/b", "\\ud83d\\ude00", "\\u00e9", "\\t"])
def test_escapes_of_json(text: str) -> None:
    found, said = read('{"uuid":"a","meta":{"x":"' + text + '"}}')
    assert (found.document["meta"]["x"], said) == (json.loads(f'"{text}"'), [])


NAMES = st.sampled_from([key.name for key in metadata.KEYS] + ["path", "content_path", "data", "type", "dsmode"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**40) | st.text(max_size=20)
    | st.sampled_from([K1, PEM, "/content/0000", "..", "disabled", "QUJD"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.binary(max_size=200) | st.dictionaries(NAMES, ANYTHING).map(json.dumps).map(str.encode))
@settings(max_examples=500, deadline=None)
def test_any_bytes(content: bytes) -> None:
    problems = Problems()
    try:
        found = metadata.read(seed(content), problems)
    except Unreadable as unreadable:
        assert unreadable.problem.severity == ERROR
        return
    assert found.instance_id
    assert found.dsmode in ("net", "local", "pass", "disabled")
    assert not {"admin_pass", "random_seed"} & set(found.document)


def test_line_with_a_password_is_not_shown() -> None:
    problems = Problems()
    metadata.read(seed({"uuid": [], "dsmode": "x", "admin_pass": "Secret.1"}), problems)
    assert [problem.width for problem in problems.found] == [0, 0]
    problems = Problems()
    metadata.read(seed('{"uuid": "a",\n "dsmode": "x",\n "admin_pass": "Secret.1"}'), problems)
    assert [problem.width for problem in problems.found] == [1]
