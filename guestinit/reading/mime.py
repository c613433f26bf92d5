"""MIME messages: several pieces of user-data in one document.

The message is cut at its boundaries here, in one pass with limits, and only the headers are given to the email package:
its own parser recurses into each nested part, and forgives a boundary that is never closed without saying so.
"""

from __future__ import annotations

from email.message import Message
from email.parser import HeaderParser

from guestinit.model.fields import shorten
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Part
from guestinit.reading import decode, formats

MOST_PARTS = 200
MOST_DEPTH = 4  # multipart in multipart
MOST_HEADER_LINES = 200
MOST_HEADER_LINE = 4096
MOST_BYTES = 2 * decode.MOST_BYTES  # of all parts together, unpacked

_PACKED = ("application/gzip", "application/x-gzip", "application/gzip-compressed", "application/x-compressed")


def parts(text: str, label: str, problems: Problems) -> tuple[Part, ...]:
    """All parts of a message, numbered in the order in which they stand; `label[part-001]` names each in positions."""
    reader = _Reader(label, problems)
    reader.message(text, 1, 0)
    return tuple(reader.found)


class _Reader:
    def __init__(self, label: str, problems: Problems) -> None:
        self.found: list[Part] = []
        self._label = label
        self._problems = problems
        self._number = 0
        self._left = MOST_BYTES

    def message(self, text: str, line: int, depth: int) -> None:
        """One message or part, which begins in this line of the document."""
        headers, body, body_line = _split_headers(text, line)
        at = Position(self._label, line, 1)
        if headers.get_content_maintype() != "multipart":
            self._leaf(headers, body, at)
            return
        boundary = headers.get_boundary()
        if not boundary:
            self._problems.error(at, "", "a multipart message without a boundary", "not read")
        elif depth >= MOST_DEPTH:
            self._problems.error(at, "", f"parts within parts, {MOST_DEPTH} deep", "not read")
        else:
            for piece, piece_line in self._cut(body, body_line, boundary):
                self.message(piece, piece_line, depth + 1)

    def _cut(self, body: str, line: int, boundary: str) -> list[tuple[str, int]]:
        """The pieces between the lines `--boundary`; what stands before the first and after the last is for people."""
        pieces: list[tuple[str, int]] = []
        lines = body.split("\n")
        start = None
        closed = False
        for index, text in enumerate(lines):
            if not text.startswith("--" + boundary):
                continue
            rest = text[len(boundary) + 2 :].rstrip()
            if rest not in ("", "--"):
                continue
            if start is not None:
                pieces.append(("\n".join(lines[start:index]), line + start))
            start = index + 1
            closed = rest == "--"
            if closed:
                break
        at = Position(self._label, line, 1)
        if start is None:
            self._problems.error(at, "", f"no line '--{shorten(boundary)}' begins a part", "nothing is read")
        elif not closed:
            pieces.append(("\n".join(lines[start:]), line + start))
            hint = "the document may be cut off; what is there is read"
            self._problems.warning(at, "", f"the line '--{shorten(boundary)}--' at the end is missing", hint)
        return pieces

    def _leaf(self, headers: Message, body: str, at: Position) -> None:
        self._number += 1
        if self._number == MOST_PARTS + 1:
            self._problems.error(at, "", f"more than {MOST_PARTS} parts", "the rest is not read")
        if self._number > MOST_PARTS:
            return
        label = f"{self._label}[part-{self._number:03d}]"
        headers.set_payload(body.encode("utf-8", "replace").decode("ascii", "surrogateescape"))
        # Bytes for every transfer encoding; damaged base64 comes back as it is and is recognised as nothing.
        payload = headers.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        decoded = decode.unwrap(content, label, self._problems, min(decode.MOST_BYTES, self._left))
        if decoded is None:
            return
        self._left -= len(decoded.content)
        content_type = headers.get_content_type()
        kind = formats.of_type("" if content_type in _PACKED else content_type, decoded.text)
        if kind == formats.MIME:
            self._problems.error(Position(label), "", "a message within a part", "not read", 0)
            return
        part = decode.make_part(kind, label, decoded, self._problems, _file_name(headers))
        if part is not None:
            self.found.append(part)


def _split_headers(text: str, line: int) -> tuple[Message, str, int]:
    """Headers, body, and the line in which the body begins. The blank line between them may be missing."""
    lines = text.split("\n")
    end = 0
    if lines[0].startswith("From "):  # the first line of a mailbox file
        end = 1
    first = end
    while end < len(lines) and end < MOST_HEADER_LINES and len(lines[end]) < MOST_HEADER_LINE:
        name, colon, _ = lines[end].partition(":")
        continues = lines[end][:1] in (" ", "\t") and end > first and lines[end].strip()
        if not continues and (not colon or not name or not name.isascii() or not name.isprintable() or " " in name):
            break
        if name.startswith("#"):
            break
        end += 1
    headers = HeaderParser().parsestr("\n".join(lines[first:end]) + "\n\n")
    if end < len(lines) and not lines[end].strip():
        end += 1
    return headers, "\n".join(lines[end:]), line + end


def _file_name(headers: Message) -> str:
    try:
        return headers.get_filename("") or ""
    except (LookupError, ValueError):  # RFC 2231 names an encoding that does not exist
        return ""
