"""What arrives around a document: compression, base64, marks, line ends, padding (platforms.md 14, 22, 23, 26)."""

from __future__ import annotations

import base64
import gzip
import io
import resource
import subprocess
import sys
import zlib

import pytest

from guestinit.model.problem import Problems
from guestinit.model.seed import Document, Part
from guestinit.reading import decode, formats

CONFIG = b"#cloud-config\nhostname: web1\n"


def parts(content: bytes) -> tuple[tuple[Part, ...], list[str]]:
    problems = Problems()
    found = decode.parts(Document("user-data", "user-data", content), problems)
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b" \r\n\t\n",
        b"\0" * 512,
        b"\n\0\0",
        b"null",
        b"null\n",
        b"{}",
        b"{}\n\0\0",
        b"---\n",
        b"\xef\xbb\xbf",
        gzip.compress(b""),
    ],
)
def test_nothing(content: bytes) -> None:
    assert parts(content) == ((), [])


@pytest.mark.parametrize(
    "content",
    [
        CONFIG,
        CONFIG + b"\0" * 100,
        b"\xef\xbb\xbf" + CONFIG,
        CONFIG.replace(b"\n", b"\r\n"),
        CONFIG.replace(b"\n", b"\r\r\n"),
        CONFIG.decode().encode("utf-16"),
        b"\xff\xfe" + CONFIG.decode().encode("utf-16-le"),
        b"\xfe\xff" + CONFIG.decode().encode("utf-16-be"),
        gzip.compress(CONFIG),
        gzip.compress(CONFIG) + b"\0" * 512,
        gzip.compress(CONFIG[:7]) + gzip.compress(CONFIG[7:]),
        gzip.compress(gzip.compress(CONFIG)),
    ],
)
def test_wrappings_that_say_nothing(content: bytes) -> None:
    (part,), said = parts(content)
    assert ([], formats.CLOUD_CONFIG, "user-data", CONFIG.decode()) == (said, part.kind, part.label, part.text)


@pytest.mark.parametrize(
    "content",
    [
        base64.b64encode(CONFIG),
        base64.encodebytes(CONFIG * 20),
        base64.b64encode(CONFIG).rstrip(b"="),
        base64.b64encode(gzip.compress(CONFIG)),
        b"\n" + base64.b64encode(CONFIG) + b"\n\0\0",
    ],
)
def test_base64_is_noted(content: bytes) -> None:
    (part,), said = parts(content)
    assert said == ["note user-data: the whole document is base64"]
    assert part.text in (CONFIG.decode(), (CONFIG * 20).decode())


def test_double_base64() -> None:
    (part,), said = parts(base64.b64encode(base64.b64encode(CONFIG)))
    assert (CONFIG.decode(), 2) == (part.text, len(said))


@pytest.mark.parametrize("content", [b"aGVsbG8gd29ybGQ=", b"hostname", b"AAAA"])
def test_what_only_looks_like_base64_stays(content: bytes) -> None:
    (part,), said = parts(content)
    assert (formats.UNKNOWN, content.decode(), []) == (part.kind, part.text, said)


def test_packed_too_often() -> None:
    content = CONFIG
    for _ in range(5):
        content = gzip.compress(content)
    assert parts(content) == ((), ["error user-data: packed more than 4 times over"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(CONFIG)[:-6], "gzip data that ends too early"),
        (gzip.compress(CONFIG)[:-8] + b"\1" * 8, "damaged gzip data"),
        (b"\x1f\x8b\x07garbage.....", "damaged gzip data"),
        (b"\x1f\x8b", "gzip data that ends too early"),
        (b"#cloud-config\n" + b"#" * (17 << 20), "longer than 16 MiB"),
    ],
)
def test_damaged(content: bytes, said: str) -> None:
    found, messages = parts(content)
    assert found == ()
    (message,) = messages
    assert message.startswith(f"error user-data: {said}")


def bomb(size: int) -> bytes:
    """That many zero bytes, packed."""
    packer = zlib.compressobj(9, wbits=31)
    found = io.BytesIO()
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        found.write(packer.compress(block))
    found.write(packer.flush())
    return found.getvalue()


def test_gzip_bomb_costs_a_fixed_amount_of_memory(tmp_path: object) -> None:
    path = f"{tmp_path}/bomb.gz"
    with open(path, "wb") as file:
        file.write(bomb(1 << 30))
    program = (
        "import sys\n"
        "from guestinit.model.problem import Problems\n"
        "from guestinit.model.seed import Document\n"
        "from guestinit.reading import decode\n"
        "problems = Problems()\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "print(decode.parts(Document('user-data', 'user-data', content), problems), problems.found[0])\n"
    )
    limit = 256 << 20
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.stdout == "() user-data: gzip data that unpacks to more than 16 MiB\n"


def test_bad_utf_8_names_the_byte_and_the_rest_is_read() -> None:
    (part,), said = parts(b"#cloud-config\n# ok\nuser: J\xfcrgen\n")
    assert said == ["error user-data:3:8: the byte 0xfc is no UTF-8"]
    assert "user: J\ufffdrgen" in part.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"#cloud-config", formats.CLOUD_CONFIG),
        (b"#cloud-config  \nx: 1", formats.CLOUD_CONFIG),
        (b" #cloud-config\nx: 1", formats.CLOUD_CONFIG),
        (b"\n\n#Cloud-Config\nx: 1", formats.CLOUD_CONFIG),
        (b"#cloud-config-archive\n- x", formats.ARCHIVE),
        (b"#cloud-config-jsonp\n[]", formats.JSON_PATCH),
        (b"#cloud-boothook\necho", formats.BOOTHOOK),
        (b"#include\nhttp://192.0.2.1/", formats.INCLUDE),
        (b"#include-once http://192.0.2.1/", formats.INCLUDE),
        (b"#part-handler\n", formats.PART_HANDLER),
        (b"#!/bin/sh\necho", formats.SCRIPT),
        (b"#ps1_sysnative\n", formats.WINDOWS),
        (b"## template: jinja\n#cloud-config\n", formats.TEMPLATE),
        (b"##template:jinja\n", formats.TEMPLATE),
        (b'{"ignition": {"version": "3.4.0"}}', formats.IGNITION),
        (b'{ "storage": {}, "ignition" : {"version": "2.3.0"}}', formats.IGNITION),
        (b"#cloud-configuration\n", formats.UNKNOWN),
        (b"hostname: web1\n", formats.UNKNOWN),
        (b'{"a": 1}', formats.UNKNOWN),
        (b"version: v1alpha1\nmachine: {}\n", formats.UNKNOWN),
        (b"\x7fELF\x02\x01\x01\0\0\0rest", formats.UNKNOWN),
    ],
)
def test_formats(content: bytes, kind: str) -> None:
    (part,), said = parts(content)
    assert (kind, []) == (part.kind, said)


def test_script_keeps_its_bytes() -> None:
    (part,), said = parts(b"\n#!/bin/sh\ntail -n +3 $0 | sh\n\xff\xfe\r\n\x80")
    assert (part.content, said) == (b"#!/bin/sh\ntail -n +3 $0 | sh\n\xff\xfe\r\n\x80", [])


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_script_from_windows(start: bytes) -> None:
    (part,), _ = parts(start + b"#!/bin/sh\r\necho hi\r\n")
    assert part.content == b"#!/bin/sh\necho hi\n"
    (part,), _ = parts("#!/bin/sh\r\necho hi\r\n".encode("utf-16"))
    assert part.content == b"#!/bin/sh\necho hi\n"
