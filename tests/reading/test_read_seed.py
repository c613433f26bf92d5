"""A whole seed, as the pipeline reads it."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys

import pytest

from guestinit.model.image import Image
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document, Inputs, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import data
from guestinit.reading import config
from guestinit.reading.yaml_document import parse

KNOWN = (
    "hostname",
    "fqdn",
    "users",
    "user",
    "runcmd",
    "ssh_authorized_keys",
    "password",
    "chpasswd",
    "manage_etc_hosts",
    "package_upgrade",
    "timezone",
    "disable_root",
)


MIME_HEAD = 'Content-Type: multipart/mixed; boundary="B"\n\n--B\n\n'


def seed(**documents: bytes | str) -> Seed:
    found = []
    for name, content in documents.items():
        name = name.replace("_", "-")
        found.append(Document(name, name, content.encode() if isinstance(content, str) else content))
    return Seed("nocloud", "/dev/sr0", "", tuple(found))


def read(**documents: bytes | str) -> tuple[Inputs, list[str]]:
    return read_with(Image(), **documents)


def read_with(image: Image, **documents: bytes | str) -> tuple[Inputs, list[str]]:
    problems = Problems()
    inputs = config.read(seed(**documents), image, KNOWN, problems)
    return inputs, [f"{problem.severity} {problem}" for problem in problems.found]


PROXMOX: dict[str, bytes | str] = {
    "meta_data": "instance-id: 5a0c0f4b8c2f0d7b1e3c9a6d4f2e1b0a9c8d7e6f\n",
    "user_data": (
        "#cloud-config\nhostname: no\nmanage_etc_hosts: true\nfqdn: web01.a.test b.test\nuser: 123\n"
        "password: $5$Zk3PqVb1$o9Xk\nssh_authorized_keys:\n  - ssh-ed25519 AAAAC3Nz ops@bastion\r\n"
        "chpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n"
    ),
    "network_config": (
        "version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: 'bc:24:11:0a:1b:2c'\n"
        "      subnets:\n      - type: static\n        address: '10.20.0.15'\n        netmask: '255.255.255.0'\n"
        "        gateway: '10.20.0.1'\n    - type: nameserver\n      address:\n      - '10.20.0.53'\n"
    ),
    "vendor_data": "",
}


def test_proxmox() -> None:
    inputs, said = read(**PROXMOX)
    assert said == []
    assert inputs.meta.instance_id == "5a0c0f4b8c2f0d7b1e3c9a6d4f2e1b0a9c8d7e6f"
    assert data(inputs.cloud_config) == {
        "hostname": "no",
        "manage_etc_hosts": True,
        "fqdn": "web01.a.test b.test",
        "user": 123,
        "password": "$5$Zk3PqVb1$o9Xk",
        "ssh_authorized_keys": ["ssh-ed25519 AAAAC3Nz ops@bastion"],
        "chpasswd": {"expire": False},
        "users": ["default"],
        "package_upgrade": True,
    }
    assert inputs.meta.network is not None
    assert inputs.scripts == ()
    assert str(inputs.cloud_config.pairs[0][1].at) == "user-data:2:11"


def test_network_that_the_image_switches_off() -> None:
    inputs, said = read_with(Image(options=(("network.config", "disabled"),)), **PROXMOX)
    assert (inputs.meta.network, said) == (None, [])


def test_virt_install() -> None:
    inputs, said = read(
        meta_data="",
        user_data=(
            "#cloud-config\nchpasswd:\n  list: |\n    root:geheim\n  expire: True\nusers:\n- default\n- name: root\n"
            "  ssh_authorized_keys: [ssh-ed25519 AAAA]\nruncmd:\n- echo x > /etc/cloud/cloud-init.disabled\n"
        ),
    )
    assert said == []
    assert not inputs.meta.instance_id_given
    assert data(inputs.cloud_config)["chpasswd"]["list"] == "root:geheim\n"


def test_an_empty_seed() -> None:
    inputs, said = read()
    assert (data(inputs.cloud_config), inputs.scripts, inputs.meta.network, said) == ({}, (), None, [])


def test_sources_in_rank() -> None:
    defaults = parse("timezone: UTC\nhostname: i\n", "guestinit.yaml", Problems())
    assert defaults is not None
    inputs, said = read_with(
        Image(defaults=defaults), user_data="#cloud-config\nhostname: u\n", vendor_data="#cloud-config\nruncmd: [v]\n"
    )
    assert (data(inputs.cloud_config), said) == ({"hostname": "u", "runcmd": ["v"], "timezone": "UTC"}, [])
    assert inputs.cloud_config.pairs[2][1].at.file == "guestinit.yaml"


def test_scripts_of_the_vendor_run_first() -> None:
    inputs, said = read(user_data="#!/bin/sh\necho user\n", vendor_data="#!/bin/sh\necho vendor\n")
    assert said == []
    assert [(part.label, part.content) for part in inputs.scripts] == [
        ("vendor-data", b"#!/bin/sh\necho vendor\n"),
        ("user-data", b"#!/bin/sh\necho user\n"),
    ]


def test_the_user_refuses_the_vendor() -> None:
    inputs, said = read(
        user_data="#cloud-config\nvendor_data: {enabled: false}\n",
        vendor_data=MIME_HEAD + "#!/bin/sh\n--B\n\n#cloud-config\nuser: x\n--B--\n",
    )
    assert (data(inputs.cloud_config), inputs.scripts, said) == ({}, (), [])


def test_mime_positions() -> None:
    inputs, said = read(user_data=MIME_HEAD + "#!/bin/sh\n--B\n\n#cloud-config\nhostnam: x\n--B--\n")
    assert said == ["warning user-data[part-002]:2:1: hostnam: unknown key"]
    assert [part.label for part in inputs.scripts] == ["user-data[part-001]"]
    assert {"user-data[part-001]", "user-data[part-002]"} == set(inputs.texts)
    assert inputs.texts["user-data[part-002]"].split("\n")[1] == "hostnam: x"


def test_packed_text_is_kept_for_excerpts() -> None:
    content = base64.b64encode(gzip.compress(b"#cloud-config\nhostnam: x\n"))
    inputs, _ = read(user_data=content)
    assert inputs.texts["user-data"] == "#cloud-config\nhostnam: x\n"


def test_template() -> None:
    inputs, said = read(
        meta_data="instance-id: i-1\nlocal-hostname: web1\n",
        user_data="## template: jinja\n#cloud-config\nruncmd:\n- kubeadm {{ ds.meta_data.local_hostname }}\nzzzz: 1\n",
    )
    assert data(inputs.cloud_config) == {"runcmd": ["kubeadm web1"], "zzzz": 1}
    assert said == ["warning user-data:5:1: zzzz: unknown key"]


def test_template_with_a_loop_says_that_lines_moved() -> None:
    inputs, said = read(
        user_data="## template: jinja\n#cloud-config\n{% for n in [1, 2] %}\nzzzz{{ n }}: 1\n{% endfor %}\n"
    )
    assert said == [
        "warning user-data[rendered]:3:1: zzzz1: unknown key",
        "warning user-data[rendered]:4:1: zzzz2: unknown key",
    ]
    assert inputs.texts["user-data[rendered]"].split("\n")[3] == "zzzz2: 1"


def test_template_of_a_script() -> None:
    inputs, said = read(
        meta_data="instance-id: i-1", user_data="## template: jinja\n#!/bin/sh\necho {{ instance_id }}\n"
    )
    assert ([part.content for part in inputs.scripts], said) == ([b"#!/bin/sh\necho i-1\n"], [])


def test_template_that_makes_what_is_no_character() -> None:
    """A template can write one; so can a file name on CloudStack's drive, which is a key of its meta-data."""
    inputs, said = read(user_data='## template: jinja\n#!/bin/sh\necho {{ "\\udcff" }}\n')
    assert ([part.content for part in inputs.scripts], said) == ([b"#!/bin/sh\necho ?\n"], [])


def test_broken_template_leaves_the_rest() -> None:
    inputs, said = read(meta_data="local-hostname: a", user_data="## template: jinja\n#cloud-config\nuser: {{ x }}\n")
    assert inputs.meta.hostname is not None
    assert said == ["error user-data:3:1: the template asks for 'x', which is not known"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({"ignition": {"version": "3.4.0"}}), "user-data:1:1: an Ignition configuration: not supported"),
        ("#include\nhttp://192.0.2.1/\n", "user-data:1:1: a list of addresses to include: not supported"),
        ("#cloud-boothook\n", "user-data:1:1: a cloud-boothook: not supported"),
        ("#cloud-config-archive\n- x\n", "user-data:1:1: a cloud-config archive: not supported"),
        ("#part-handler\n", "user-data:1:1: a part-handler (Python code): not supported"),
        ("hostname: x\n", "user-data:1:1: a text of no known format"),
        ("# mine\n\n#cloud-config\nhostname: x\n", "user-data:1:1: '#cloud-config' is not the first line"),
        (b"\x7fELF\x02\x01\x01\0\0\0\xff", "user-data:1:1: 11 bytes of no known format"),
        ("#cloud-config\n- a\n", "user-data:2:1: expected a mapping of keys to values, got a list"),
        ("#cloud-config\nhostname = x\n", "user-data:2:1: expected a mapping of keys to values, got a text"),
    ],
)
def test_user_data_that_is_not_acted_on(content: bytes | str, said: str) -> None:
    """One clear message, and what the platform says still happens."""
    inputs, told = read(**{**PROXMOX, "user_data": content})
    assert len(told) == 1 and told[0].startswith(f"error {said}")
    assert (data(inputs.cloud_config), inputs.scripts) == ({}, ())
    assert inputs.meta.network is not None


def test_appended_script_with_a_second_document() -> None:
    """oVirt's engine puts its own document and the user's one after the other."""
    inputs, said = read(
        user_data=b"#cloud-config\r\nhostname: a\r\nruncmd:\r\n- x\r\n"
        b"#cloud-config\r\nruncmd:\r\n- y\r\n---\r\nuser: b\r\n"
    )
    assert data(inputs.cloud_config) == {"hostname": "a", "runcmd": ["y"]}
    assert said == [
        "error user-data:8:1: a second YAML document begins here",
        "warning user-data:6:1: runcmd: given twice, first in line 3",
    ]


def test_unreadable_meta_data() -> None:
    with pytest.raises(Unreadable) as raised:
        config.read(seed(**{**PROXMOX, "meta_data": "- a"}), Image(), KNOWN, Problems())
    assert Position("meta-data", 1, 1) == raised.value.problem.position


def test_secrets_are_in_no_message() -> None:
    """Values that stand where something is wrong are not repeated."""
    _, said = read(user_data="#cloud-config\npassword: geheim: x\nchpasswd: [geheim: @\n", meta_data="instance-id: x")
    assert said and "geheim" not in "".join(said)


# What is imported: an ordinary seed needs YAML; everything else only by need.

PROGRAM = """
import sys
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document, Seed
from guestinit.reading import config
before = set(sys.modules)
contents = [eval(text) for text in sys.argv[1:]]
documents = tuple(Document(name, name, content) for name, content in contents)
config.read(Seed("nocloud", "", "", documents), Image(), ["hostname"], Problems())
print(*sorted(name for name in sys.modules if name.split(".")[0] in sys.argv[0:1] + HEAVY))
""".replace(
    "HEAVY",
    repr(
        [
            "yaml",
            "email",
            "jinja2",
            "dataclasses",
            "logging",
            "json",
            "hashlib",
            "zlib",
            "difflib",
            "subprocess",
            "base64",
        ]
    ),
)


PATH = f"import sys; sys.path[:0] = {sys.path!r}\n"


def imported(*documents: tuple[str, bytes]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PATH + PROGRAM, *map(repr, documents)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


ID = ("meta-data", b"instance-id: i-1\n")


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([("user-data", b"")], {"hashlib"}),
        ([ID, ("user-data", b"#cloud-config\nhostname: x\n"), ("vendor-data", b"")], {"yaml", "base64"}),
        ([ID, ("user-data", b"#!/bin/sh\n")], {"yaml", "base64"}),
        ([ID, ("user-data", gzip.compress(b"#cloud-config\nhostname: x\n"))], {"yaml", "base64", "zlib"}),
        ([ID, ("user-data", b"#cloud-config\nhostnam: x\n")], {"yaml", "base64", "difflib"}),
    ],
)
def test_imports(documents: list[tuple[str, bytes]], expected: set[str]) -> None:
    assert expected == imported(*documents)


def test_a_broken_network_leaves_the_rest() -> None:
    inputs, said = read(**{**PROXMOX, "network_config": "version: 1\nconfig:\n\t- type: physical\n"})
    assert said == ["error network-config:3:1: a tab in the indentation"]
    assert (inputs.meta.network, data(inputs.cloud_config)["hostname"]) == (None, "no")


@pytest.mark.parametrize("content", ["", "\n", "\0\0\0"])
def test_an_empty_network_config_is_as_none(content: str) -> None:
    inputs, said = read(**{**PROXMOX, "network_config": content})
    assert (inputs.meta.network, said) == (None, [])
