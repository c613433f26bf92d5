"""What can still be used of a cloud-config that is not valid YAML: the way in to the machine.

Proxmox VE writes SSH keys without quotes (platforms.md 2.2). A key whose comment holds `: ` makes the document invalid,
or turns the list item into a mapping; either way nobody could log in. So the keys are read line by line; and if the
document is still invalid, those of its top-level keys that say who the machine is and who may log in are read by
themselves.
"""

from __future__ import annotations

import re

from guestinit.model.problem import Position, Problems
from guestinit.model.value import LIST, MAP, SCALAR, Value
from guestinit.reading import yaml_document

# Identity and access. Nothing that runs commands or writes files: half of those is worse than none.
ACCESS = (
    "hostname", "fqdn", "prefer_fqdn_over_hostname", "preserve_hostname", "manage_etc_hosts", "user", "users", "groups",
    "ssh_authorized_keys", "allow_public_ssh_keys", "disable_root", "password", "chpasswd", "ssh_pwauth",
)  # fmt: skip
MOST_BLOCKS = 50

_KEYS = ("ssh_authorized_keys", "ssh-authorized-keys")
# Compiled when they are needed: a document that is right needs none of them.
_LIST = r"(?P<indent>[ ]*(?:-[ ]+)?)ssh[_-]authorized[_-]keys[ ]*:[ \t]*(?:#.*)?"
_ITEM = r"(?P<indent>[ ]*)-[ \t]+(?P<text>[^\s'\"|>&*!{\[].*)"
_PUBLIC_KEY = r"(?:^|\s)(?:ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)[\w.@-]+\s+AAAA"
_BLOCK_TEXT = r"(?:.*[\s:-])?[|>][-+0-9]*[ \t]*(?:#.*)?"
# What begins in the first column and does not belong to what stands above, as comments, list items and brackets do.
_COLUMN_ONE = r"(?m)^(?:---|\.\.\.|[^\s#\-\]}])"
_TOP_LEVEL = r"(?P<quote>['\"]?)(?P<name>[A-Za-z_][\w-]*)(?P=quote)[ \t]*:(?:\s|$)"


def read(text: str, label: str, problems: Problems) -> Value | None:
    """A cloud-config document, or what can be used of it. None: nothing; problems say why."""
    found = Problems()
    value = yaml_document.parse(text, label, found)
    if value is not None:
        _report(found, problems)
        return _join_keys(value, problems)
    repaired, lines = quote_keys(text)
    if lines:
        again = Problems()
        value = yaml_document.parse(repaired, label, again)
        if value is not None:
            for line in lines:
                _note_key(Position(label, line, 1), problems)
            _report(again, problems)
            return _join_keys(value, problems)
    value = _access_only(repaired, label)
    if value is not None:
        names = ", ".join(name.text for name, _ in value.pairs)
        error = found.found[-1]
        hint = "; ".join(part for part in (error.hint, f"of this document only these are used: {names}") if part)
        found.found[-1] = error._replace(hint=hint)
        value = _join_keys(value, problems)
    _report(found, problems)
    return value


def quote_keys(text: str) -> tuple[str, list[int]]:
    """The text with quotes around those bare SSH keys that YAML would misread, and the numbers of their lines."""
    changed: list[int] = []
    if not any(key in text for key in _KEYS):
        return text, changed
    lines = text.split("\n")
    inside: int | None = None  # the indentation of the list that we are in
    block: int | None = None  # the indentation of the line that began a block of literal text
    for index, line in enumerate(lines):
        indent = len(line) - len(line.lstrip(" "))
        if not line.strip() or (block is not None and indent > block):
            continue
        block = indent if re.fullmatch(_BLOCK_TEXT, line) else None
        begins = re.fullmatch(_LIST, line)
        if begins:
            inside = len(begins["indent"])
            continue
        item = re.fullmatch(_ITEM, line.rstrip())
        if inside is None or not item or indent < inside:
            if not line.lstrip().startswith(("#", "-")) or indent < (inside or 0):
                inside = None
            continue
        key = item["text"]
        if re.search(_PUBLIC_KEY, key) and (": " in key or ":\t" in key or key.endswith(":")):
            quoted = key.replace("'", "''")
            lines[index] = f"{line[: item.start('text')]}'{quoted}'"
            changed.append(index + 1)
    return "\n".join(lines), changed


def _access_only(text: str, label: str) -> Value | None:
    """The top-level keys of ACCESS that are valid by themselves."""
    pairs: list[tuple[Value, Value]] = []
    for start, end in _access_blocks(text):
        found = Problems()
        value = yaml_document.parse(text[start:end], label, found, text.count("\n", 0, start) + 1)
        if value is not None and value.kind == MAP and not found.found:
            pairs += value.pairs
    return Value(MAP, pairs[0][0].at, pairs=tuple(pairs)) if pairs else None


def _access_blocks(text: str) -> list[tuple[int, int]]:
    """Where the sections under the keys of ACCESS begin and end, in the first document."""
    blocks: list[tuple[int, int]] = []
    open_at: int | None = None
    nothing_yet = True
    for begin in re.finditer(_COLUMN_ONE, text):
        if open_at is not None:
            blocks.append((open_at, begin.start()))
            open_at = None
        separator = begin.group() in ("---", "...")
        if len(blocks) == MOST_BLOCKS or (separator and not nothing_yet):
            break
        nothing_yet = False
        match = re.compile(_TOP_LEVEL).match(text, begin.start())
        if match and match["name"] in ACCESS:
            open_at = begin.start()
    if open_at is not None:
        blocks.append((open_at, len(text)))
    return blocks


def _join_keys(value: Value, problems: Problems) -> Value:
    """SSH keys that became mappings of one pair (`ssh-rsa AAAA... ops: laptop`) made text again."""
    if value.kind == LIST:
        items = tuple(_join_keys(item, problems) for item in value.items)
        return value if all(new is old for new, old in zip(items, value.items)) else value._replace(items=items)
    if value.kind != MAP:
        return value
    pairs = []
    for name, content in value.pairs:
        if name.text in _KEYS and content.kind == LIST:
            items = tuple(_joined(item, problems) for item in content.items)
            if any(new is not old for new, old in zip(items, content.items)):
                content = content._replace(items=items)
        elif name.text in ("users", "user"):
            content = _join_keys(content, problems)
        pairs.append((name, content))
    return value._replace(pairs=tuple(pairs))


def _joined(item: Value, problems: Problems) -> Value:
    if item.kind != MAP or len(item.pairs) != 1:
        return item
    name, content = item.pairs[0]
    if content.kind != SCALAR or not re.search(_PUBLIC_KEY, name.text):
        return item
    _note_key(item.at, problems)
    return Value(SCALAR, item.at, f"{name.text}: {content.text}".strip(), plain=False)


def _note_key(at: Position, problems: Problems) -> None:
    problems.note(at, "ssh_authorized_keys", "': ' in the comment of a key", "read as text; put the key in quotes")


def _report(found: Problems, problems: Problems) -> None:
    for problem in found.found:
        problems.add(problem)
