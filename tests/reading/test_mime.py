"""MIME messages, as platforms and people write them (platforms.md 14, 23)."""

from __future__ import annotations

import base64
import gzip
import time
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from guestinit.model.problem import Problems
from guestinit.model.seed import Document, Part
from guestinit.reading import decode, formats

HEAD = 'Content-Type: multipart/mixed; boundary="B"\nMIME-Version: 1.0\n'
TWO = (
    HEAD + "\n--B\nContent-Type: text/cloud-config\n\n#cloud-config\nhostname: web1\n"
    "--B\nContent-Type: text/x-shellscript; charset=utf-8\n"
    'Content-Disposition: attachment; filename="hello.sh"\n\n#!/bin/sh\necho hello\n--B--\n'
)


def parts(content: str | bytes) -> tuple[tuple[Part, ...], list[str]]:
    problems = Problems()
    content = content.encode() if isinstance(content, str) else content
    found = decode.parts(Document("user-data", "user-data", content), problems)
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


def told(found: tuple[Part, ...]) -> list[tuple[str, str, str]]:
    return [(part.kind, part.label, part.text) for part in found]


EXPECTED = [
    ("cloud-config", "user-data[part-001]", "#cloud-config\nhostname: web1"),
    ("script", "user-data[part-002]", "#!/bin/sh\necho hello"),
]


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        TWO.replace("\n", "\r\n"),
        TWO.replace("1.0\n\n", "1.0\n"),  # no blank line after the headers
        TWO.replace("config\n\n", "config\n"),  # nor in a part
        TWO.replace("Content-Type: multipart", "content-type: multipart").replace("MIME-", "Mime-"),
        TWO.replace(HEAD, 'MIME-Version: 1.0\nContent-Type: multipart/mixed;\n  boundary="B"\n'),
        "From nobody Mon Jan  1 00:00:00 2024\n" + TWO,
        TWO.replace("\n\n--B\n", "\n\nThis is a message in several parts.\n--B\n", 1),
        TWO.replace("Content-Type: text/cloud-config\n", "Content-Type: text/plain\n"),
        TWO.replace("Content-Type: text/cloud-config\n", "Content-Type: application/octet-stream\n"),
        TWO.replace("Content-Type: text/cloud-config\n\n", ""),
        TWO + "text for people\n",
    ],
)
def test_two_parts(text: str) -> None:
    found, said = parts(text)
    assert (said, told(found)) == ([], EXPECTED)
    assert found[1].name == "hello.sh"


def test_boundary_is_never_closed() -> None:
    found, said = parts(TWO.replace("--B--\n", ""))
    assert said == ["warning user-data:4:1: the line '--B--' at the end is missing"]
    assert [(kind, label, text.rstrip("\n")) for kind, label, text in told(found)] == EXPECTED


def test_written_by_python() -> None:
    message = MIMEMultipart()
    message.attach(MIMEText("#cloud-config\nhostname: wéb1\n", "cloud-config", "utf-8"))  # base64
    message.attach(MIMEText("#!/bin/sh\necho hello\n", "x-shellscript", "us-ascii"))
    found, said = parts(message.as_bytes())
    assert said == []
    assert [(part.kind, part.text) for part in found] == [
        (formats.CLOUD_CONFIG, "#cloud-config\nhostname: wéb1\n"),
        (formats.SCRIPT, "#!/bin/sh\necho hello\n"),
    ]


@pytest.mark.parametrize("content_type", ["application/x-gzip", "application/gzip", "text/cloud-config"])
def test_packed_part(content_type: str) -> None:
    packed = base64.encodebytes(gzip.compress(b"#cloud-config\nhostname: web1\n")).decode()
    text = f"{HEAD}\n--B\nContent-Type: {content_type}\nContent-Transfer-Encoding: base64\n\n{packed}--B--\n"
    found, said = parts(text)
    assert (said, found[0].text) == ([], "#cloud-config\nhostname: web1\n")


def test_packed_message() -> None:
    found, said = parts(gzip.compress(TWO.encode()))
    assert (said, told(found)) == ([], EXPECTED)


def test_quoted_printable() -> None:
    text = (
        f"{HEAD}\n--B\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: quoted-printable\n\n"
        "#cloud-config\nhostname: w=C3=A9b=\n1\n--B--\n"
    )
    assert parts(text)[0][0].text == "#cloud-config\nhostname: wéb1"


def test_parts_within_parts() -> None:
    inner = TWO.replace('"B"', '"C"').replace("--B", "--C")
    found, said = parts(f"{HEAD}\n--B\n{inner}\n--B--\n")
    assert (said, told(found)) == ([], EXPECTED)


def test_nested_too_deep() -> None:
    text = "#cloud-config"
    for level in range(8):
        text = f'Content-Type: multipart/mixed; boundary="L{level}"\n\n--L{level}\n{text}\n--L{level}--\n'
    found, said = parts(text)
    assert found == ()
    assert said == ["error user-data:13:1: parts within parts, 4 deep"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Content-Type: multipart/mixed\n\nx", "error user-data:1:1: a multipart message without a boundary"),
        (HEAD + "\nno parts\n", "error user-data:4:1: no line '--B' begins a part"),
    ],
)
def test_no_message(text: str, said: str) -> None:
    assert ((), [said]) == parts(text)


def test_too_many_parts() -> None:
    text = HEAD + "\n" + "--B\n\n#!/bin/sh\n" * 300 + "--B--\n"
    found, said = parts(text)
    assert len(found) == 200
    assert said == ["error user-data:605:1: more than 200 parts"]


def test_many_bombs_share_one_limit() -> None:
    packed = base64.encodebytes(gzip.compress(b"#cloud-config\n" + b"#" * (12 << 20))).decode()
    part = f"--B\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n{packed}"
    found, said = parts(HEAD + "\n" + part * 5 + "--B--\n")
    assert len(found) == 2
    assert len(said) == 3
    assert "gzip data that unpacks to more than 7 MiB" in said[0]


def test_large_messages_are_read_in_one_pass() -> None:
    began = time.process_time()
    parts("Content-Type: x\n" * 500_000)
    parts("Content-Type: message/rfc822\n\n" * 300_000)
    parts(HEAD + "\n" + "--B\n" * 200_000)
    # Seconds on the slowest machine; a parser that looks at every line for every part takes hours.
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/x-shellscript-per-instance", formats.SCRIPT),
        ("text/x-shellscript-per-boot", formats.PER_BOOT),
        ("text/x-shellscript-per-once", formats.PER_ONCE),
        ("text/cloud-boothook", formats.BOOTHOOK),
        ("text/part-handler", formats.PART_HANDLER),
        ("text/x-include-url", formats.INCLUDE),
        ("text/x-cfninitdata", formats.HEAT),
        ("text/jinja2", formats.TEMPLATE),
        ("text/html", formats.UNKNOWN),
    ],
)
def test_types(content_type: str, kind: str) -> None:
    found, _ = parts(f"{HEAD}\n--B\nContent-Type: {content_type}\n\nsome text\n--B--\n")
    assert [kind] == [part.kind for part in found]
