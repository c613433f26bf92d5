"""The content of a file as documents carry it: text, base64, gzip, or gzip in base64."""

from __future__ import annotations

from guestinit.model.fields import Fields

# All contents of one document together, unpacked: a bomb of some kilobytes would fill the memory otherwise.
UNPACKED_LIMIT = 32 * 1024 * 1024

_ENCODINGS = {
    "": (), "text/plain": (), "text": (), "plain": (),
    "b64": ("base64",), "base64": ("base64",),
    "gz": ("gzip",), "gzip": ("gzip",),
    "gz+b64": ("base64", "gzip"), "gz+base64": ("base64", "gzip"),
    "gzip+b64": ("base64", "gzip"), "gzip+base64": ("base64", "gzip"),
}  # fmt: skip


class Budget:
    """How many bytes may still be unpacked."""

    def __init__(self) -> None:
        self.left = UNPACKED_LIMIT


class Unusable(Exception):
    """Why a content cannot be unpacked."""


def read_content(item: Fields, budget: Budget) -> bytes | None:
    """What the keys `content`, `encoding` and `source` of an entry say; None, with a problem, where it is unusable."""
    source = item.raw("source")
    value = item.raw("content")
    if source is not None:
        report = item.problems.error if value is None else item.problems.warning
        report(
            source.at, item.path_of("source"), "fetching files is not supported",
            "the content is taken" if value is not None else "left out; put it into content or fetch it with runcmd",
        )  # fmt: skip
        if value is None:
            return None
    steps = _encoding(item)
    if value is None:
        return b"" if steps is not None else None
    text = item.text("content")
    if text is None or steps is None:
        return None
    if value.binary:
        steps = ("base64", *steps)
    try:
        data = _bytes(text.value)
        for step in steps if data else ():
            data = from_base64(data) if step == "base64" else _from_gzip(data, budget)
    except Unusable as error:
        item.problems.error(text.at, item.path_of("content"), str(error), "the file is left out", 0)
        return None
    return data


def _encoding(item: Fields) -> tuple[str, ...] | None:
    given = item.text("encoding")
    if given is None:
        return () if item.raw("encoding") is None else None
    steps = _ENCODINGS.get(given.value.strip().lower())
    value = item.raw("encoding")
    if steps is None and value is not None:
        item.wrong("encoding", value, "text/plain, b64, gzip or gz+b64", "the file is left out")
    return steps


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Unusable("this text cannot be written in UTF-8") from None


def encodes(text: str) -> bool:
    """Whether a text can be written in UTF-8, bytes that came as surrogates included."""
    try:
        _bytes(text)
    except Unusable:
        return False
    return True


def from_base64(data: bytes) -> bytes:
    """The bytes behind base64 of any line length, padded or not. Raises `Unusable` if it is anything else."""
    import binascii  # delayed: only for packed files

    packed = b"".join(data.split())
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = packed.rstrip(b"=")
    # b2a_base64's counterpart skips what is no base64 and would make a file of something else.
    if bare.translate(None, alphabet) or len(bare) % 4 == 1:
        raise Unusable("this is not base64")
    try:
        return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        raise Unusable("this is not base64") from None


def _from_gzip(data: bytes, budget: Budget) -> bytes:
    import zlib  # delayed: only for packed files

    if not data.startswith(b"\x1f\x8b"):
        raise Unusable("this is not gzip; write encoding: gz+b64 if it is base64 of it")
    found = []
    while data.startswith(b"\x1f\x8b"):  # gzip files may stand one behind another
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(data, budget.left + 1)
        except zlib.error:
            raise Unusable("this gzip is damaged") from None
        budget.left -= len(part)
        if budget.left < 0:
            budget.left = 0
            raise Unusable(f"this unpacks to more than the {UNPACKED_LIMIT >> 20} MiB that all files may have")
        if not unpacker.eof:
            raise Unusable("this gzip is cut off")
        found.append(part)
        data = unpacker.unused_data
    return b"".join(found)
