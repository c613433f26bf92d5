"""Public keys as they stand in authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT)."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import NamedTuple

from guestinit.model.fields import Fields
from guestinit.model.problem import Problems
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value


class PublicKey(NamedTuple):
    """One line, taken apart."""

    options: str  # `from="10.0.0.0/8",no-pty`, or nothing
    type: str
    blob: str  # base64
    comment: str


def parse(line: str) -> PublicKey | None:
    """The parts of a line, or None if no sshd would take it as a key.

    Types are not listed here: the blob names its own, so that the next kind of key needs no new release.
    """
    words = line.split(None, 2)
    if len(words) >= 2 and _is_blob(words[1], words[0]):
        return PublicKey("", words[0], words[1], words[2] if len(words) == 3 else "")
    end = _end_of_options(line)
    words = line[end:].split(None, 2)
    if len(words) >= 2 and _is_blob(words[1], words[0]):
        return PublicKey(line[:end], words[0], words[1], words[2] if len(words) == 3 else "")
    return None


def _is_blob(text: str, kind: str) -> bool:
    if not text.isascii() or not text.rstrip("=").replace("+", "a").replace("/", "a").isalnum():
        return False  # binascii passes over what does not belong there, sshd does not
    try:
        data = binascii.a2b_base64(text)
    except ValueError:
        return False
    # RFC 4253, 6.6: fields with their length in 4 bytes in front; the first is the name of the type.
    name = kind.encode("ascii", "replace")
    if data[: 4 + len(name)] != len(name).to_bytes(4, "big") + name:
        return False
    if "-cert-" in kind:
        return len(data) > 4 + len(name)  # some fields of certificates are numbers
    end = 4 + len(name)
    while end + 4 <= len(data):
        end += 4 + int.from_bytes(data[end : end + 4], "big")
    return end == len(data) > 4 + len(name)


def _end_of_options(line: str) -> int:
    """Where the first blank stands that is not within quotes."""
    quoted = False
    for index, character in enumerate(line):
        if character == '"' and line[index - 1 : index] != "\\":
            quoted = not quoted
        elif character in " \t" and not quoted:
            return index
    return len(line)


def read_keys(fields: Fields, name: str) -> tuple[Given[str], ...]:
    """The keys under this name: a list, or a text with one on each line. A bad one is reported, the others come."""
    value = fields.raw(name)
    if value is None:
        return ()
    path = fields.path_of(name)
    found: list[Given[str]] = []
    for index, item in enumerate(value.items if value.kind == LIST else (value,)):
        where = f"{path}.{index}" if value.kind == LIST else path
        if item.is_null:
            continue
        text = _text(item)
        if text is None:
            fields.problems.error(item.at, where, f"expected a public key, got a {item.kind}", "left out")
        else:
            found += check((Given(text, item.at),), where, fields.problems)
    return tuple(found)


def _text(item: Value) -> str | None:
    if item.kind == SCALAR:
        return item.text
    # A comment with ": " in it makes the line a mapping; Proxmox VE writes keys without quotes.
    if item.kind == MAP and len(item.pairs) == 1:
        name, rest = item.pairs[0]
        if rest.kind == SCALAR and len(name.text.split()) >= 2:
            return f"{name.text}: {rest.text}"
    return None


def check(given: Iterable[Given[str]], path: str, problems: Problems) -> list[Given[str]]:
    """Each usable key of these texts, one line each, without carriage returns and empty lines."""
    found = []
    for text in given:
        for line in text.value.splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if not line.isprintable() or parse(line) is None:
                problems.error(
                    text.at, path, "expected a public key such as 'ssh-ed25519 AAAA... comment', got something else",
                    "left out; the other keys come", 0 if "PRIVATE" in text.value else max(1, len(line)),
                )  # fmt: skip
                continue
            found.append(Given(line, text.at))
    return found
