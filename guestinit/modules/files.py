"""`write_files`: whole files, their encodings, modes and owners; before them the files that came with the meta-data.

How `permissions` is read, since YAML turns `0644` into 420 and generators write that number back:
quoted text and plain numbers with a leading zero or `0o` are octal. A plain number is octal if it makes a sensible mode
(the owner may read, the group may no more than the owner, others no more than the group); otherwise it is decimal if
that makes one (420, 493, 384); otherwise octal. What cannot be a mode gives 0600, the safe side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

from guestinit.model.accounts import Accounts
from guestinit.model.action import FINAL, LOCAL, Because, File, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key, nearest, shorten
from guestinit.model.mode import mode_of
from guestinit.model.packed import Budget, encodes, read_content
from guestinit.model.password import hide_lines
from guestinit.model.problem import Position, Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.model.value import MAP, Value

KEYS = (
    Key(
        "write_files", "list of mappings",
        "Files to write. Users exist by then; packages do for those with `defer`.", secret=True,
    ),
)  # fmt: skip

ENTRY_KEYS = (
    Key("path", "absolute path", "Where the file goes; missing directories are made."),
    Key("content", "text", "What stands in it; nothing makes an empty file.", secret=True),
    Key("encoding", "text/plain, b64, gzip or gz+b64", "How the content is packed."),
    Key("permissions", "octal mode in quotes", "The mode: '0644' unless given; append leaves an existing file's."),
    Key("owner", "user or user:group", "The owner: root:root unless given; append leaves an existing file's."),
    Key("append", "true or false", "Add the content at the end, unless the file holds it already."),
    Key("defer", "true or false", "Write it in the last stage, after packages."),
    Key("source", "mapping", "Fetching a file from a URI is not supported; `content` is taken, if it is there."),
)  # fmt: skip


class Entry(NamedTuple):
    """One file as asked for. None: not said."""

    at: Position
    path: str
    content: Secret
    mode: Optional[int] = None
    owner: Optional[str] = None
    group: str = ""
    append: bool = False
    defer: bool = False


class Section(NamedTuple):
    """All files that can be written, in the order in which they were given."""

    entries: tuple[Entry, ...] = ()


def read(fields: Fields, meta: MetaData) -> Section:
    """Every entry. One without a usable path or content is left out; a wrong mode or owner takes the safe side."""
    budget = Budget()
    entries: dict[int, Entry] = {}
    places: dict[str, list[int]] = {}  # the indices of the entries of each path
    injected = _injected(meta, fields.problems)
    for index, item in enumerate(fields.items("write_files") or ()):
        path = f"write_files.{index}"
        if item.is_null:
            continue
        if item.kind != MAP:
            expected = f"expected a mapping with path and content, got a {item.kind}"
            fields.problems.error(item.at, path, expected, "left out", 0)
            continue
        since = len(fields.problems.found)
        entry = _entry(Fields(item, path, ENTRY_KEYS, fields.problems), budget)
        hide_lines(fields.problems, since, item, ENTRY_KEYS)
        if entry is None:
            continue
        if not entry.append:
            _replace(entry, [entries.pop(other) for other in places.pop(entry.path, ())], path, fields)
        entries[index] = entry
        places.setdefault(entry.path, []).append(index)
    wholes = {entry.path for entry in entries.values() if not entry.append}
    for entry in injected:
        if entry.path in wholes:
            fields.problems.note(entry.at, "files", f"write_files has {shorten(entry.path)} too", "left out", 0)
    return Section((*(entry for entry in injected if entry.path not in wholes), *entries.values()))


def _injected(meta: MetaData, problems: Problems) -> list[Entry]:
    """What the user gave to the platform, root's and 0600: cloud-init's 0660 without a group that means nobody."""
    found: dict[str, Entry] = {}
    for number, file in enumerate(meta.files):
        text = file.path.value.strip()
        path = _clean(text)
        if not path:
            message = "expected an absolute path of a file, without '..'"
            problems.error(file.path.at, f"files.{number}.path", message, "left out", 0)
            continue
        if path in found:
            problems.warning(file.path.at, f"files.{number}.path", f"{shorten(path)} twice", "the last is taken", 0)
        found[path] = Entry(file.path.at, path, Secret(file.content), 0o600)
    return list(found.values())


def _entry(item: Fields, budget: Budget) -> Entry | None:
    path = _path(item)
    content = read_content(item, budget)
    append = item.flag("append")
    defer = item.flag("defer")
    mode = _mode(item)
    owner, group = _owner(item)
    if path is None or content is None:
        return None
    appends, waits = append is not None and append.value, defer is not None and defer.value
    return Entry(item.at, path, Secret(content), mode, owner, group, appends, waits)


def _replace(entry: Entry, earlier: list[Entry], path: str, fields: Fields) -> None:
    """Two whole files with one path cannot both be: name both places, unless they are the same."""
    if earlier and earlier[-1]._replace(at=entry.at) != entry:
        at = earlier[-1].at
        message = f"{shorten(entry.path)} is already written by line {at.line} of {at.file}"
        fields.problems.warning(entry.at, path, message, "the later one is taken", 0)


def _path(item: Fields) -> str | None:
    given = item.text("path")
    if given is None:
        if item.raw("path") is None:
            item.problems.error(item.at, item.path_of("path"), "a file needs a path", "left out", 0)
        return None
    text = given.value.strip()
    path = _clean(text)
    if not path:
        value = item.raw("path")
        if value is not None:
            item.wrong("path", value, "an absolute path of a file, without '..'")
        return None
    if path.startswith("/var/lib/cloud/scripts/"):
        item.problems.warning(
            given.at, item.path_of("path"), "nothing runs what lies here", "the file is written; use bootcmd or runcmd",
            len(text),
        )  # fmt: skip
    return path


def _clean(text: str) -> str:
    """The absolute path of a file, with single slashes; "" if this is none."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    printable = all(char.isprintable() for char in text) and encodes(text)
    is_file = text.startswith("/") and ".." not in parts and parts and not text.endswith("/")
    return "/" + "/".join(parts) if is_file and printable else ""


# mode and owner


def _mode(item: Fields) -> int | None:
    value = item.raw("permissions")
    if value is None:
        return _misspelled(item)
    mode, decimal = mode_of(value)
    if mode is None:
        item.wrong("permissions", value, "an octal mode such as '0644'", "taken as '0600'; write the mode in quotes")
        return 0o600
    if decimal:
        item.problems.note(
            value.at, item.path_of("permissions"), f"read as the decimal number for '0{mode:o}'",
            "write it so, in quotes", len(value.text),
        )  # fmt: skip
    return mode


def _misspelled(item: Fields) -> int | None:
    """A mistyped `permissions` must not publish the file."""
    known = [key.name for key in ENTRY_KEYS]
    for key, _ in item.value.pairs:
        if key.text in known or key.text.startswith("x-"):
            continue
        if key.text.lower() in ("mode", "chmod", "perm", "perms") or nearest(key.text, ("permissions",)):
            _explain(key, item)
            return 0o600
    return None


def _explain(key: Value, item: Fields) -> None:
    """Say it in the warning that an unknown key has got already: one message for one mistake."""
    for number, problem in enumerate(item.problems.found):
        if problem.position == key.at and problem.message == "unknown key":
            hint = "did you mean 'permissions'? the mode is '0600' to be safe"
            item.problems.found[number] = problem._replace(hint=hint)


def _owner(item: Fields) -> tuple[str | None, str]:
    given = item.text("owner")
    if given is None:
        return None, ""
    owner, _, group = given.value.strip().partition(":")
    if not _is_name(owner) or (group and not _is_name(group)):
        value = item.raw("owner")
        if value is not None:
            item.wrong("owner", value, "user or user:group", "root owns the file; write user or user:group")
        return "root", "root"
    return owner, group


def _is_name(text: str) -> bool:
    # What shadow-utils refuses in names, and what would mean something else to tools.
    if not text or text[0] in "-~":
        return False
    return not any(char in ":,/" or char.isspace() or not char.isprintable() for char in text)


# planning


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """A step for each file. What is appended to one that is written here is part of it, so that it compares equal."""
    users, groups = _declared(facts, accounts)
    counts: dict[str, int] = {}
    for entry in _joined(section.entries):
        number = counts[entry.path] = counts.get(entry.path, 0) + 1
        owner = entry.owner if entry.owner is not None else "" if entry.append else "root"
        group = entry.group if entry.owner is not None else "" if entry.append else "root"
        mode = entry.mode if entry.mode is not None or entry.append else 0o644
        because = Because(entry.at)
        stage = FINAL if entry.defer else LOCAL
        stranger = _stranger(owner, group, users | set(facts.users), users | groups | set(facts.groups))
        if stranger and stage == LOCAL:
            # A package may bring the account; failing early would help nobody.
            stage, because = FINAL, Because(entry.at, f"after packages: there is no {stranger} yet")
        # Without a mode the file's own counts, which may be 0600.
        content: Union[bytes, Secret] = entry.content
        if mode is not None and mode & 0o004:
            content = entry.content.reveal()
        yield Step(
            id=f"file:{entry.path}" if number == 1 else f"file:{entry.path}#{number}",
            module="files",
            action=File(entry.path, content, mode, owner, group, entry.append),
            because=because,
            stage=stage,
            needs=_needs(owner, group, users, groups),
        )


def _joined(entries: tuple[Entry, ...]) -> list[Entry]:
    """Entries that append to a whole file of the same document become part of it."""
    joined: list[Entry] = []
    wholes: dict[str, int] = {}  # where in `joined`
    parts: dict[str, list[bytes]] = {}
    for entry in entries:
        if not entry.append:
            wholes[entry.path] = len(joined)
            parts[entry.path] = [entry.content.reveal()]
        elif entry.path in wholes:
            parts[entry.path].append(entry.content.reveal())
            whole = joined[wholes[entry.path]]
            joined[wholes[entry.path]] = whole._replace(
                mode=entry.mode if entry.mode is not None else whole.mode,
                owner=entry.owner if entry.owner is not None else whole.owner,
                group=entry.group if entry.owner is not None else whole.group,
            )
            continue
        joined.append(entry)
    for path, index in wholes.items():
        joined[index] = joined[index]._replace(content=Secret(b"".join(parts[path])))
    return joined


def _declared(facts: Facts, accounts: Accounts) -> tuple[set[str], set[str]]:
    """Names of the users and groups that this configuration makes."""
    people = accounts.everybody(facts)
    groups = {group.name for group in accounts.groups}
    for account in people:
        if account.create_groups:
            groups.update(account.groups or ())
            groups.update([account.primary_group] if account.primary_group else [])
    return {account.name for account in people}, groups


def _stranger(owner: str, group: str, users: set[str], groups: set[str]) -> str:
    """The user or group that neither exists nor is declared, or an empty text. A user brings a group of its name."""
    if owner and owner != "root" and not owner.isdecimal() and owner not in users:
        return f"user {owner}"
    return f"group {group}" if group and group != "root" and not group.isdecimal() and group not in groups else ""


def _needs(owner: str, group: str, users: set[str], groups: set[str]) -> tuple[str, ...]:
    needs = [f"user:{owner}"] if owner in users else []
    if group in groups:
        needs.append(f"group:{group}")
    elif group in users and group != owner:
        needs.append(f"user:{group}")
    return tuple(needs)
