"""A problem as people read it, with its line and a caret, and as programs do."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from guestinit.model.problem import ERROR, WARNING, Problem
from guestinit.show.cells import printable, shown
from guestinit.show.colour import BOLD, DIM, RED, YELLOW, paint

# Cells of a document's line that are shown; the rest is cut away around the mistake.
EXCERPT = 100
# What stands in a line beside the mistake may be a secret, which is only known by its look.
_SECRET_KEY = re.compile(
    r"(pass|pwd|secret|token|private|shared|credential|hash|key|random.seed)[\w -]*[\"']?\s*[:=]", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"\$\w{1,12}\$|PRIVATE KEY|://[^/\s]*@")
_KEY_END = re.compile(r"[\"']?\s*:(?=\s*\S)")
# What YAML 1.1 counts as the end of a line.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def format(problem: Problem, sources: Mapping[str, str], colour: bool = False) -> str:
    """Several lines: place, path and message; the line of the document with a caret; what was done and what to write.

    `sources` holds the text of the documents by the label that positions carry. The document's line is left out where
    the problem says so (width 0), and where a secret may stand in it. No final newline.
    """
    tone = {ERROR: RED, WARNING: YELLOW}.get(problem.severity, DIM)
    where = f"{problem.path}: " if problem.path else ""
    kind = "" if problem.severity == ERROR else f" [{problem.severity}]"
    lines = [
        paint(printable(f"{problem.position}:"), BOLD, colour) + " "
        + paint(printable(f"{where}{problem.message}"), tone, colour) + kind
    ]  # fmt: skip
    excerpt = _excerpt(problem, sources)
    hint = printable(problem.hint)
    if excerpt is not None:
        line, blanks, carets = excerpt
        number = str(problem.position.line)
        lines.append(f"  {number:>2} | {line}")
        caret = " " * blanks + paint("^" * carets, tone, colour) + (f"  {hint}" if hint else "")
        lines.append(f"  {' ' * max(2, len(number))} | {caret}")
    elif hint:
        lines.append(f"  {hint}")
    return "\n".join(lines)


def json(problems: Iterable[Problem]) -> str:
    """A JSON list of problems, as in a plan."""
    import json as encoder

    return encoder.dumps([record(problem) for problem in problems], indent=1)


def record(problem: Problem) -> dict[str, Any]:
    """A problem as programs read it: severity, file, line, column, path, message, hint."""
    return {
        "severity": problem.severity,
        "file": problem.position.file,
        "line": problem.position.line,
        "column": problem.position.column,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    }


@functools.lru_cache(maxsize=4)  # a document with two hundred problems is cut into lines once
def _lines(text: str) -> list[str]:
    return _BREAK.split(text)


def _excerpt(problem: Problem, sources: Mapping[str, str]) -> tuple[str, int, int] | None:
    """(the line as shown, cells before the caret, carets), or None where it is not to be shown."""
    at = problem.position
    text = sources.get(at.file)
    if text is None or problem.width <= 0 or at.line <= 0:
        return None
    lines = _lines(text)
    if at.line > len(lines):
        return None
    line = lines[at.line - 1].rstrip()
    first = max(0, at.column - 1)
    if first > len(line):
        return None
    secret = _secret_part(line, first, problem.width)
    if secret == 0:
        return None
    cells = shown(line)
    begin, end = _window(cells, first)
    if secret is not None:
        end = min(end, secret)
    more = " ***" if secret is not None and end == secret else " ..." if end < len(cells) else ""
    left = "... " if begin else ""
    visible = left + "".join(text for text, _ in cells[begin:end]) + more
    blanks = len(left) + sum(width for _, width in cells[begin:first])
    carets = sum(width for _, width in cells[first : min(end, first + problem.width)])
    return visible, blanks, max(1, carets)


def _secret_part(line: str, first: int, width: int) -> int | None:
    """Where in the line a secret may begin; 0 if that is before the end of what is marked; None: nowhere."""
    found = [match.end() for match in _SECRET_KEY.finditer(line) if line[match.end() :].strip()]
    found += [match.start() for match in _SECRET_VALUE.finditer(line)]
    inside = first + width
    key = _KEY_END.match(line, inside)
    if key is not None:  # a key is marked, which may be `password` misspelled
        found.append(key.end())
    if not found:
        return None
    # `lock_passwd: maybe` is marked at its value, which its reader has declared to be none.
    after = [index for index in found if index >= inside]
    before = [index for index in found if index < inside and not (index <= first and not line[index:first].strip())]
    return 0 if before else min(after) if after else None


def _window(cells: list[tuple[str, int]], first: int) -> tuple[int, int]:
    """The part of a long line around the character `first`."""
    if sum(width for _, width in cells) <= EXCERPT:
        return 0, len(cells)
    begin, used = first, 0
    while begin > 0 and used + cells[begin - 1][1] <= EXCERPT // 2:
        begin -= 1
        used += cells[begin][1]
    end, used = begin, 0
    while end < len(cells) and used + cells[end][1] <= EXCERPT:
        used += cells[end][1]
        end += 1
    return begin, end
