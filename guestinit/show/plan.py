"""What would change, as people read it (with a real diff) and as programs do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guestinit.model.action import (
    KINDS,
    Absence,
    Command,
    Directory,
    Entropy,
    File,
    Group,
    Grow,
    Lines,
    Link,
    Live,
    Password,
    Rename,
    Request,
    Step,
    User,
)
from guestinit.model.plan import CREATE, LEFT, MODIFY, REMOVE, RUN, UNCHANGED, Change
from guestinit.model.problem import NOTE
from guestinit.model.report import Preview
from guestinit.show import problems
from guestinit.show.cells import length, pad, printable
from guestinit.show.colour import BOLD, CYAN, DIM, GREEN, RED, YELLOW, paint

VERSION = 1  # of the JSON document

_SIGNS = {CREATE: ("+", GREEN), MODIFY: ("~", YELLOW), REMOVE: ("-", RED), RUN: (">", CYAN), LEFT: (".", DIM)}
# Longer texts are summed up: difflib takes time with the square of the lines, and nobody reads so far.
_MOST_LINES = 2000
_MOST_SHOWN = 200
_WIDEST_TITLE = 56


def text(preview: Preview, colour: bool = False, width: int = 100, reveal: bool = False) -> str:
    """The whole preview. `width` is that of the terminal in cells; `reveal` shows the text of users' own commands."""
    parts = list(_header(preview, colour, width))
    parts += [problems.format(problem, preview.sources, colour) for problem in preview.problems]
    shown = [change for change in preview.changes if change.change != UNCHANGED]
    titles = [title(change.step) for change in shown]
    modules = max((len(change.step.module) for change in shown), default=0)
    room = min(max(map(length, titles), default=0), _WIDEST_TITLE)
    for change, name in zip(shown, titles):
        sign, tone = _SIGNS[change.change]
        left = paint(f"{sign} {pad(name, room)}", tone, colour)
        parts.append(f"{left}  {change.step.module:<{modules}}  {_reason(change.step)}".rstrip())
        parts += [f"    {line}" for line in _body(change, colour, reveal)]
    parts.append(_last_line(preview))
    return "\n".join(parts)


def json(preview: Preview) -> str:
    """The preview for programs; docs/reference describes it. Every action is in it, also those that change nothing."""
    import json as encoder

    document = {
        "version": VERSION,
        "datasource": {"name": preview.datasource, "where": preview.where, "reasons": list(preview.reasons)},
        "instance_id": preview.identity.instance_id,
        "identity": {"kind": preview.identity.kind, "reason": preview.identity.reason},
        "problems": [problems.record(problem) for problem in preview.problems],
        "actions": [_record(change) for change in preview.changes],
        "summary": dict(zip(("unchanged", "change", "run", "left"), _counts(preview))),
    }
    return encoder.dumps(document, indent=1)


def title(step: Step) -> str:
    """What a step is about: a path, an account, a command's label."""
    action = step.action
    if isinstance(action, (File, Lines, Link, Absence)):
        return printable(action.path)
    if isinstance(action, Directory):
        return printable(action.path.rstrip("/") + "/")
    if isinstance(action, (Command, Request)):
        return printable(action.label)
    if isinstance(action, Password):
        return printable(f"password of {action.user}")
    if isinstance(action, Group):
        return printable(f"group {action.name}")
    if isinstance(action, User):
        return printable(f"user {action.name}")
    if isinstance(action, Live):
        return printable(f"running {action.name}")
    if isinstance(action, Entropy):
        return "the kernel's random pool"
    if isinstance(action, Rename):
        return printable(f"interface names {', '.join(name for _, name in action.names)}")
    assert isinstance(action, Grow)
    return printable(f"grow {action.mount}")


def _header(preview: Preview, colour: bool, width: int) -> Iterator[str]:
    identity = preview.identity
    if not preview.datasource:
        yield paint(printable(f"no seed: {identity.reason}"), BOLD, colour)
        yield from (f"  {printable(reason)}" for reason in preview.reasons)
        return
    instance = f"instance {_short(identity.instance_id)}, " if identity.instance_id else ""
    reason = f" ({identity.reason})" if identity.reason else ""
    left = printable(f"{preview.datasource} seed in {preview.where}, {instance}{identity.kind}{reason}")
    wrong = [problem for problem in preview.problems if problem.severity != NOTE]
    right = f"{_number(preview.sections, 'section')}, {_number(len(wrong), 'problem')}"
    if length(left) + 2 + len(right) <= width:
        yield paint(left, BOLD, colour) + " " * (width - length(left) - len(right)) + right
    else:
        yield paint(left, BOLD, colour)
        yield f"  {right}"
    # The first reason is the seed's own; the others tell what was skipped.
    yield from (f"  {printable(reason)}" for reason in preview.reasons[1:])


def _short(instance_id: str) -> str:
    """A hash, as Proxmox VE makes them, is told apart by its first digits."""
    is_hash = len(instance_id) in (32, 40, 64) and set(instance_id) <= set("0123456789abcdef")
    return instance_id[:8] if is_hash else instance_id


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _reason(step: Step) -> str:
    at, words = step.because
    if at is None:
        return printable(f"because {words}" if words else "")
    return printable(f"{at}, {words}" if words else str(at))


# bodies


def _body(change: Change, colour: bool, reveal: bool) -> Iterator[str]:
    action = change.step.action
    if isinstance(action, Command):
        if reveal:
            yield from (paint(printable(line), DIM, colour) for line in _command_text(action))
        elif change.after and not action.hidden and change.after.strip() != action.label:
            yield from (paint(printable(line), DIM, colour) for line in change.after.rstrip("\n").split("\n"))
    elif change.before is not None or change.after is not None:
        yield from _diff(change.before or "", change.after or "", isinstance(action, File), colour)
    # Why something is left is the same for all, and the last line says it; a hidden command's note is its title.
    if change.note and change.change != LEFT and printable(change.note) != title(change.step):
        yield paint(printable(change.note), DIM, colour)


def _command_text(action: Command) -> list[str]:
    if action.argv[:2] == ("/bin/sh", "-c") and len(action.argv) == 3:
        return action.argv[2].rstrip("\n").split("\n")
    import shlex

    return shlex.join(action.argv).split("\n")


def _diff(before: str, after: str, is_file: bool, colour: bool) -> Iterator[str]:
    """A unified diff without its file header; without the line numbers too where it begins with the first line."""
    import difflib  # delayed: only where something differs

    old, new = _split(before, is_file), _split(after, is_file)
    if max(len(old), len(new)) > _MOST_LINES:
        yield paint(f"{_number(len(old), 'line')} -> {_number(len(new), 'line')}, too many to show", DIM, colour)
        return
    lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
    hunks = [line for line in lines if line.startswith("@@")]
    if len(hunks) == 1 and hunks[0].startswith(("@@ -1 ", "@@ -1,", "@@ -0,0 ")):
        lines = lines[1:]
    for line in lines[:_MOST_SHOWN]:
        tone = {"+": GREEN, "-": RED, "@": CYAN, "\\": DIM}.get(line[:1], "")
        yield from (paint(printable(part), tone, colour) for part in line.split("\n"))
    if len(lines) > _MOST_SHOWN:
        yield paint(f"... {_number(len(lines) - _MOST_SHOWN, 'more line')}", DIM, colour)


def _split(content: str, is_file: bool) -> list[str]:
    """Lines; the last one of a file carries the remark that diff(1) makes if it has no newline."""
    if not content:
        return []
    lines = content.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], lines[-1] + ("\n\\ No newline at end of file" if is_file else "")]


# sums


def _counts(preview: Preview) -> tuple[int, int, int, int]:
    kinds = [change.change for change in preview.changes]
    run, left, unchanged = kinds.count(RUN), kinds.count(LEFT), kinds.count(UNCHANGED)
    return unchanged, len(kinds) - run - left - unchanged, run, left


def _last_line(preview: Preview) -> str:
    unchanged, change, run, left = _counts(preview)
    later = f", {left} left for the first boot" if left else ""
    return f"{unchanged} unchanged, {change} to change, {run} to run{later}. Nothing was touched."


def _record(change: Change) -> dict[str, Any]:
    step = change.step
    at = step.because.at
    hidden = isinstance(step.action, Command) and step.action.hidden
    return {
        "id": step.id,
        "module": step.module,
        "stage": step.stage,
        "kind": KINDS[type(step.action)],
        "title": title(step),
        "change": change.change,
        "before": change.before,
        "after": None if hidden else change.after,
        "note": change.note,
        "because": {
            "file": at.file if at else None,
            "line": at.line if at else None,
            "column": at.column if at else None,
            "text": step.because.text,
        },
    }
