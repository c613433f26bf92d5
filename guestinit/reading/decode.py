"""Bytes to text: what a platform or its user wrapped around a document is taken off again.

Compression, base64 around the whole, byte order marks, Windows line ends, NUL padding of block devices
(platforms.md 1.7). Every step has a limit in bytes: a gzip bomb costs no more than that.
"""

from __future__ import annotations

from typing import NamedTuple

from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document, Part
from guestinit.reading import formats

# Of one document or part, unpacked. Proxmox VE allows 3 MiB for a whole seed, CloudStack 1 MiB for user-data.
MOST_BYTES = 16 * 2**20
MOST_WRAPPINGS = 4  # base64 around gzip around base64 happens; more is a trick

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\t "
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class Text(NamedTuple):
    """A decoded document. `content` are its bytes before the text was made of them, without the wrappings."""

    text: str
    content: bytes


def parts(document: Document, problems: Problems) -> tuple[Part, ...]:
    """The pieces of user-data or vendor-data, each with its format; empty ones are left out."""
    decoded = unwrap(document.content, document.label, problems)
    if decoded is None:
        return ()
    kind = formats.recognise(decoded.text)
    if kind == formats.MIME:
        from guestinit.reading import mime  # delayed: the email package is large

        report_bad_bytes(decoded, document.label, problems)
        return mime.parts(decoded.text, document.label, problems)
    part = make_part(kind, document.label, decoded, problems)
    return (part,) if part else ()


def text(document: Document, problems: Problems) -> str | None:
    """A document that is no user-data (meta-data, network-config): its text, or None if it cannot be read."""
    decoded = unwrap(document.content, document.label, problems)
    if decoded is None:
        return None
    report_bad_bytes(decoded, document.label, problems)
    return decoded.text


def make_part(kind: str, label: str, decoded: Text, problems: Problems, name: str = "") -> Part | None:
    """A piece of this format; None if there is nothing in it."""
    if kind == formats.EMPTY:
        return None
    if kind == formats.SCRIPT:
        # A script may carry bytes that are no text. The kernel wants "#!" first, and no carriage return behind it.
        content = decoded.content
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            content = decoded.text.encode("utf-8", "replace")
        content = content[content.index(b"#!") :] if b"#!" in content else content
        if content.split(b"\n", 1)[0].endswith(b"\r"):
            content = content.replace(b"\r\n", b"\n")
        return Part(kind, label, decoded.text, content, name)
    if kind != formats.UNKNOWN:
        report_bad_bytes(decoded, label, problems)
    return Part(kind, label, decoded.text, name=name)


def unwrap(content: bytes, label: str, problems: Problems, most: int = MOST_BYTES) -> Text | None:
    """Take off compression and base64, and make text of what is inside; None if that cannot be done, and it is said."""
    at = Position(label)
    for _ in range(MOST_WRAPPINGS):
        if content[:2] not in (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff"):
            content = content.rstrip(b"\0")
        if len(content) > most:
            problems.error(at, "", f"longer than {_size(most)}", "not read", 0)
            return None
        if content[:2] == b"\x1f\x8b":
            unpacked = _gunzip(content, at, problems, most)
            if unpacked is None:
                return None
            content = unpacked
            continue
        inside = _inside_base64(content)
        if inside is None:
            return Text(_characters(content), content)
        problems.note(at, "", "the whole document is base64", "it is decoded and read", 0)
        content = inside
    problems.error(at, "", f"packed more than {MOST_WRAPPINGS} times over", "not read", 0)
    return None


def report_bad_bytes(decoded: Text, label: str, problems: Problems) -> None:
    """Name the first place where the bytes are no UTF-8; there the text holds U+FFFD."""
    if "\ufffd" not in decoded.text or decoded.content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    try:
        decoded.content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = decoded.content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        byte = decoded.content[error.start]
        problems.error(
            Position(label, line, column), "", f"the byte 0x{byte:02x} is no UTF-8",
            "read as U+FFFD; save the file as UTF-8", 0,
        )  # fmt: skip


def _gunzip(content: bytes, at: Position, problems: Problems, most: int) -> bytes | None:
    """All members of a gzip file; None, with a problem, if it is damaged or grows beyond the limit."""
    import zlib  # delayed: few documents are compressed

    found = bytearray()
    while content[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(wbits=31)  # 31: a gzip header and its checksum
        try:
            found += stream.decompress(content, most - len(found) + 1)
        except zlib.error as error:
            problems.error(at, "", f"damaged gzip data ({error})", "not read", 0)
            return None
        if len(found) > most:
            problems.error(at, "", f"gzip data that unpacks to more than {_size(most)}", "not read", 0)
            return None
        if not stream.eof:
            problems.error(at, "", "gzip data that ends too early", "not read", 0)
            return None
        # What follows the last member is padding of a block device, as gzip(1) sees it too.
        content = stream.unused_data
    return bytes(found)


def _inside_base64(content: bytes, depth: int = MOST_WRAPPINGS) -> bytes | None:
    """The inside of bytes that are base64 and nothing else, if that is something known (or base64 of it again)."""
    head = content[:64]
    if not head.strip() or head.translate(None, _BASE64) or content.translate(None, _BASE64):
        return None
    import binascii  # delayed: hardly any document looks like base64

    packed = content.translate(None, b"\r\n\t ")
    try:
        inside = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return None
    if inside[:2] == b"\x1f\x8b":
        return inside
    start = _characters(inside[:4096])
    known = formats.recognise(start) not in (formats.UNKNOWN, formats.EMPTY) or start.lstrip()[:1] == "{"
    if known or (depth > 1 and _inside_base64(inside, depth - 1) is not None):
        return inside
    return None


def _characters(content: bytes) -> str:
    """Text of any usual encoding, with plain line ends; no line moves."""
    encoding = "utf-8"
    for mark, name in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            content, encoding = content[len(mark) :], name
            break
    # A document that was put together from files may have a mark before each of them.
    found = content.decode(encoding, "replace").rstrip("\0").replace("\ufeff", "")
    return found.replace("\r\r\n", "\n").replace("\r\n", "\n")


def _size(number: int) -> str:
    return f"{number >> 20} MiB" if number >= 2**20 else f"{number} bytes"
