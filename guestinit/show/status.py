"""The status document as people read it. docs/reference/status.md describes it; a part that is missing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guestinit.show.cells import length, pad, printable
from guestinit.show.colour import BOLD, CYAN, DIM, GREEN, RED, YELLOW, paint

_PLACE = re.compile(r":\d+:\d+")
_TONES = {"done": GREEN, "degraded": YELLOW, "failed": RED, "running": CYAN, "none": DIM, "disabled": DIM}


def text(document: Mapping[str, Any], long: bool = False, colour: bool = False) -> str:
    """One line for the state, then a line for each thing that went wrong; with `long` everything that there is."""
    lines = [_first_line(document, colour)]
    lines += _details(document, colour) if long else _trouble(document)
    return "\n".join(lines)


def json(document: Mapping[str, Any]) -> str:
    """The document itself."""
    import json as encoder

    return encoder.dumps(document, indent=1)


def _first_line(document: Mapping[str, Any], colour: bool) -> str:
    state = str(document.get("state", "not started"))
    head = paint(state, _TONES.get(state, BOLD), colour)
    identity = document.get("identity") or {}
    source = document.get("datasource") or {}
    parts = []
    if document.get("refused"):
        parts.append(str(document["refused"]))
    elif state == "running":
        parts.append(f"stage {document.get('stage', '')}")
    if source.get("name"):
        parts.append(f"{source['name']} in {source['where']}" if source.get("where") else str(source["name"]))
    if document.get("instance_id"):
        parts.append(f"instance {document['instance_id']}")
    if identity.get("kind") == "none":  # nothing was looked at: an off switch
        parts.append(str(identity.get("reason") or ""))
    elif identity.get("kind") and not (state == "failed" and identity.get("reason") == document.get("refused")):
        parts.append(f"{identity['kind']} ({identity['reason']})" if identity.get("reason") else str(identity["kind"]))
    return f"{head}: {printable(', '.join(parts))}" if parts else head


def _trouble(document: Mapping[str, Any]) -> Iterator[str]:
    """What did not go as asked, one line each."""
    for module in document.get("modules", ()):
        if module.get("result") != "ok":
            yield printable(f"  {module.get('name')}: {module.get('reason') or module.get('result')}")
    severities = [problem.get("severity") for problem in document.get("problems", ())]
    counted = [
        f"{count} {noun}{'' if count == 1 else 's'}"
        for noun, count in (("error", severities.count("error")), ("warning", severities.count("warning")))
        if count
    ]
    if counted:
        yield f"  {' and '.join(counted)} in the input; guestinit status --long names them"


def _details(document: Mapping[str, Any], colour: bool) -> Iterator[str]:
    for reason in (document.get("datasource") or {}).get("reasons", ()):
        yield f"  {printable(str(reason))}"
    yield from _times(document)
    if document.get("earlier_network_files"):
        yield f"  the network's files before this change: {document['earlier_network_files']}; guestinit net undo"
    yield from _list("addresses", document.get("addresses", ()), colour)
    yield from _list("ssh host keys", document.get("ssh_host_keys", ()), colour)
    modules = [
        (
            str(module.get("name")), str(module.get("stage", "")), str(module.get("result")),
            f"{module.get('changed', 0)} changed", f"{module.get('ms', 0)} ms", str(module.get("reason", "")),
        )
        for module in document.get("modules", ())
    ]  # fmt: skip
    yield from _table("modules", modules, colour)
    actions = [
        (
            str(action.get("id")), str(action.get("result")), _ending(action), _because(action),
        )
        for action in document.get("actions", ())
    ]  # fmt: skip
    yield from _table("commands, failures and remarks", actions, colour)
    yield from _list("problems in the input", map(_problem, document.get("problems", ())), colour)


def _ending(action: Mapping[str, Any]) -> str:
    """The message, and the exit status unless the message names it."""
    message = str(action.get("message") or "")
    status = "" if action.get("code") is None else f"exit status {action['code']}"
    return message if status in message else f"{status}: {message}" if message else status


def _because(action: Mapping[str, Any]) -> str:
    """The place that asked for it; a reason alone would read as if it went on with the message."""
    because = str(action.get("because") or "")
    return f"because {because}" if because and not _PLACE.search(because) else because


def _times(document: Mapping[str, Any]) -> Iterator[str]:
    started, finished = document.get("started"), document.get("finished")
    if isinstance(started, (int, float)):
        end = f", finished at {finished:.1f} s" if isinstance(finished, (int, float)) else ", not finished"
        yield f"  started {started:.1f} s after the kernel{end}"


def _problem(problem: Mapping[str, Any]) -> str:
    place = str(problem.get("file"))
    if problem.get("line"):
        place += f":{problem['line']}:{problem.get('column')}"
    path = f"{problem['path']}: " if problem.get("path") else ""
    kind = "" if problem.get("severity") == "error" else f" [{problem.get('severity')}]"
    return f"{place}: {path}{problem.get('message')}{kind}"


def _list(head: str, entries: Any, colour: bool) -> Iterator[str]:
    lines = [f"  {printable(str(entry))}" for entry in entries]
    if lines:
        yield paint(f"{head}:", BOLD, colour)
        yield from lines


def _table(head: str, rows: Sequence[tuple[str, ...]], colour: bool) -> Iterator[str]:
    if not rows:
        return
    clean = [tuple(printable(cell) for cell in row) for row in rows]
    # The last column is as long as it likes.
    widths = [max(length(row[index]) for row in clean) for index in range(len(clean[0]) - 1)]
    yield paint(f"{head}:", BOLD, colour)
    for row in clean:
        cells = [pad(cell, width) for cell, width in zip(row, widths) if width]
        yield "  " + "  ".join((*cells, row[-1])).rstrip()
