"""YAML, and JSON with it, as a tree of values that know where they stand.

Built from the parser's events and not from PyYAML's own composer, because that one recurses (100,000 brackets end the
process), has no limit on what aliases expand to, and gives `hostname: no` a type (platforms.md 1.8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guestinit.model.fields import shorten
from guestinit.model.problem import Position, Problems
from guestinit.model.value import LIST, MAP, SCALAR, Value

MOST_CHARACTERS = 16 * 2**20
MOST_DEPTH = 100  # levels of nesting, aliases included
MOST_VALUES = 100_000  # values of a document with every alias expanded; 1024 characters of text count as one more
MOST_DIRECTIVES = 64  # lines that begin with `%`: libyaml compares each with all before it

_CORE = "tag:yaml.org,2002:"
_UNDERSTOOD = frozenset(
    _CORE + name
    for name in ("binary", "bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp", "value")
)


def parse(text: str, label: str, problems: Problems, first_line: int = 1) -> Value | None:
    """The first document in this text; None if it cannot be read, and a problem says why and where.

    A text without any document (empty, or only comments) is the null scalar. `label` names the text in positions, and
    `first_line` is the number of its first line.
    """
    start = Position(label, first_line, 1)
    if not text.strip() or _is_comment(text):
        return Value(SCALAR, start)
    if len(text) > MOST_CHARACTERS:
        problems.error(start, "", f"longer than {MOST_CHARACTERS >> 20} MiB", "not read", 0)
        return None
    import yaml  # delayed: an empty document needs no parser, and neither does a boot without one

    from guestinit.reading import yaml_errors

    try:
        _check_characters(text, label, first_line)
        fast = getattr(yaml, "CSafeLoader", None)  # absent where PyYAML was built without libyaml
        loader = fast(_whole_escapes(text)) if fast else yaml.SafeLoader(_without_tabs(_whole_escapes(text)))
        composer = _Composer(loader, label, first_line, problems)
        try:
            value = composer.document()
            composer.check_rest()
        finally:
            loader.dispose()
        return value
    except Refused as refused:
        problems.error(refused.at, "", refused.message, refused.hint, 0)
    except yaml.YAMLError as error:
        problems.add(yaml_errors.explain(error, text, label, first_line))
    except (ValueError, OverflowError) as error:  # the Python scanner: "\UFFFFFFFF", %YAML 1.99999999999999999999
        problems.error(start, "", f"not valid YAML: {shorten(str(error))}", "not read", 0)
    return None


def _is_comment(text: str) -> bool:
    """Whether nothing but comments stands here, as in the image configuration that packages bring."""
    return all(not line or (line[0] == "#" and line.isprintable()) for line in text.split("\n"))


def place(text: str, index: int, label: str, first_line: int = 1) -> Position:
    """The position of the character at this index."""
    return Position(label, first_line + text.count("\n", 0, index), index - text.rfind("\n", 0, index))


class Refused(Exception):
    """A document that is not taken as it is."""

    def __init__(self, at: Position, message: str, hint: str = "not read") -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.hint = hint


def _check_characters(text: str, label: str, first_line: int) -> None:
    """Refuse what no YAML parser takes, here, where the line is known: libyaml names only the byte."""
    from yaml.reader import Reader

    found = Reader.NON_PRINTABLE.search(text)
    if found:
        at = place(text, found.start(), label, first_line)
        hint = 'not read; write it as "\\x.." in double quotes'
        raise Refused(at, f"the control character {found.group()!r} is not allowed in YAML", hint)
    if sum(text.count(end + "%") for end in "\n\r\x85\u2028\u2029") > MOST_DIRECTIVES:
        index = text.find("\n%") + 1
        raise Refused(place(text, index, label, first_line), f"more than {MOST_DIRECTIVES} lines begin with '%'")


def _is_flow(text: str) -> bool:
    """Whether the document is JSON, or written as JSON is."""
    start = _first_content(text)
    return text[start : start + 1] in ("{", "[")


def _without_tabs(text: str) -> str:
    """JSON with blanks for tabs in its indentation, where they mean nothing; PyYAML's own scanner refuses them."""
    import re

    if not _is_flow(text):
        return text
    return re.sub(r"(?m)^[ \t]+", lambda indent: indent.group().replace("\t", " "), text)


def _whole_escapes(text: str) -> str:
    """JSON writes what is beyond U+FFFF as two escapes; YAML knows only whole characters."""
    import re

    if "\\u" not in text or not _is_flow(text):
        return text

    def join(pair: re.Match[str]) -> str:
        if len(pair.group(1)) % 2:  # the last one escapes the backslash of what only looks like an escape
            return pair.group()
        return pair.group(1) + (bytes.fromhex(pair.group(2)) + bytes.fromhex(pair.group(3))).decode("utf-16-be")

    high, low = "[dD][89abAB][0-9a-fA-F]{2}", "[dD][c-fC-F][0-9a-fA-F]{2}"
    return re.sub(rf"(?<!\\)(\\*)\\u({high})\\u({low})", join, text)


def _first_content(text: str) -> int:
    """The index behind blank lines and comments: `#cloud-config` may stand above a JSON body."""
    import re

    blank = re.compile(r"[ \t\n]*")
    index = 0
    for _ in range(1000):  # comments; who writes more of them does not write JSON
        found = blank.match(text, index)
        index = found.end() if found else index
        if text[index : index + 1] != "#":
            break
        index = text.find("\n", index) % (len(text) + 1)  # -1, where the last line is a comment: the end
    return index


class _Open:
    """A mapping or list whose end has not come yet."""

    __slots__ = ("anchor", "at", "before", "children", "height", "is_map")

    def __init__(self, is_map: bool, at: Position, anchor: str | None, before: int) -> None:
        self.is_map = is_map
        self.at = at
        self.anchor = anchor
        self.before = before  # values in the document when it began
        self.children: list[Value] = []
        self.height = 0  # levels below it


class _Composer:
    """Events in, one value out."""

    def __init__(self, loader: Any, label: str, first_line: int, problems: Problems) -> None:
        self._loader = loader
        self._label = label
        self._first_line = first_line
        self._problems = problems
        self._open: list[_Open] = []
        self._count = 0
        # What `*name` stands for: the value, how many values that is, how many levels.
        self._anchors: dict[str, tuple[Value, int, int]] = {}

    def _at(self, event: Any) -> Position:
        mark = event.start_mark
        return Position(self._label, self._first_line + mark.line, mark.column + 1)

    def document(self) -> Value:
        """The first document; raises Refused, and what the library raises."""
        from yaml import events

        take: dict[Any, Callable[[Any], Value | None]] = {
            events.ScalarEvent: self._scalar,
            events.AliasEvent: self._alias,
            events.MappingStartEvent: self._begin,
            events.SequenceStartEvent: self._begin,
            events.MappingEndEvent: self._end,
            events.SequenceEndEvent: self._end,
        }
        while True:
            event = self._loader.get_event()
            if isinstance(event, events.StreamEndEvent):
                return Value(SCALAR, Position(self._label, self._first_line, 1))
            handle = take.get(type(event))
            value = handle(event) if handle else None
            if value is not None and not self._open:
                return value

    def check_rest(self) -> None:
        """Say so if something follows the first document. Raises what the library raises if that one has no end."""
        import yaml

        if not self._loader.check_event():  # there was no document at all
            return
        self._loader.get_event()  # the end of the first document
        try:
            event = self._loader.get_event()
            if isinstance(event, yaml.StreamEndEvent):
                return
            content = self._loader.get_event()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line, column = (mark.line, mark.column + 1) if mark else (0, 1)
            at = Position(self._label, self._first_line + line, column)
            self._problems.error(at, "", "text after the end of the document", "only what stands before it is read", 0)
            return
        if not (isinstance(content, yaml.ScalarEvent) and not content.value):  # a lone `---` at the end is harmless
            self._problems.error(
                self._at(event), "", "a second YAML document begins here",
                "only the first one is read; remove the line '---' to make them one", 3,
            )  # fmt: skip

    def _scalar(self, event: Any) -> Value:
        plain = not event.style
        binary = event.tag == _CORE + "binary"
        if event.tag is not None:
            if event.tag in ("!", _CORE + "str"):
                plain = False
            self._check_tag(event)
        value = Value(SCALAR, self._at(event), _whole_characters(event.value), plain, binary=binary)
        self._counted(1 + len(event.value) // 1024, value.at)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1 + len(event.value) // 1024, 0)
        return self._add(value, 0)

    def _alias(self, event: Any) -> Value:
        if event.anchor not in self._anchors:
            if any(event.anchor == collection.anchor for collection in self._open):
                raise Refused(self._at(event), f"'*{shorten(event.anchor)}' stands inside what it refers to")
            # Not by its name: it may be an unquoted password.
            hint = "not read; quote the text if it is one"
            raise Refused(self._at(event), "an alias ('*') that refers to nothing", hint)
        value, count, height = self._anchors[event.anchor]
        self._counted(count, self._at(event))
        self._check_depth(height, self._at(event))
        return self._add(value, height)

    def _begin(self, event: Any) -> None:
        from yaml import MappingStartEvent

        at = self._at(event)
        self._check_tag(event)
        # What is said again under the same name hides what it said above, also in its own inside.
        self._anchors.pop(event.anchor, None)
        self._open.append(_Open(isinstance(event, MappingStartEvent), at, event.anchor, self._count))
        self._counted(1, at)
        self._check_depth(0, at)

    def _end(self, event: Any) -> Value:
        done = self._open.pop()
        if done.is_map:
            value = Value(MAP, done.at, pairs=self._pairs(done.children))
        else:
            value = Value(LIST, done.at, items=tuple(done.children))
        if done.anchor is not None:
            self._anchors[done.anchor] = (value, self._count - done.before, done.height)
        return self._add(value, done.height)

    def _add(self, value: Value, height: int) -> Value:
        if self._open:
            parent = self._open[-1]
            parent.children.append(value)
            parent.height = max(parent.height, height + 1)
        return value

    def _counted(self, values: int, at: Position) -> None:
        self._count += values
        if self._count > MOST_VALUES:
            raise Refused(at, f"more than {MOST_VALUES} values, counting each alias with all that it stands for")

    def _check_depth(self, height: int, at: Position) -> None:
        if len(self._open) + height > MOST_DEPTH:
            raise Refused(at, f"nested more than {MOST_DEPTH} levels deep")

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!" and event.tag not in _UNDERSTOOD:
            hint = "the value is read without it; quote the text if it is one"
            # Neither the tag nor its line: it may be an unquoted password.
            self._problems.warning(self._at(event), "", "an unknown tag ('!')", hint, 0)

    def _pairs(self, children: list[Value]) -> tuple[tuple[Value, Value], ...]:
        """Keys with their values, and what `<<` merges in before them, where they do not give it themselves."""
        pairs: list[tuple[Value, Value]] = []
        merged: list[Value] = []
        for key, value in zip(children[::2], children[1::2]):
            if key.kind != SCALAR:
                self._problems.error(
                    key.at, "", f"a key must be text, got a {key.kind}",
                    "left out; quote it, and a document with {{ }} begins with '## template: jinja'",
                )  # fmt: skip
            elif key.text == "<<" and key.plain:
                merged.extend(value.items if value.kind == LIST else (value,))
            else:
                pairs.append((key, value))
        if merged:
            given = {key.text for key, _ in pairs}
            inherited = []
            for source in merged:
                if source.kind != MAP:
                    message = f"expected a mapping to merge, got a {source.kind}"
                    self._problems.error(source.at, "<<", message, "left out")
                fresh = [pair for pair in source.pairs if pair[0].text not in given]
                inherited += fresh
                given.update(key.text for key, _ in fresh)
            pairs = inherited + pairs
        return tuple(pairs)


def _whole_characters(text: str) -> str:
    """The Python scanner makes half characters of the escape "\\ud800"; nothing could be written with one."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
