"""Reading the keys of one mapping: each by its type, with the place of every mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guestinit.model.problem import Position, Problems
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value

# The spellings of YAML 1.1, which is what people and platforms write; the numbers are accepted from old generators.
TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")

MOST_GUESSES = 20  # unknown names of one mapping for which a similar one is looked up
LONGEST_NAME = 60  # characters of a name in a message


class Key(NamedTuple):
    """One key of a mapping: parser, check, and reference page are all made from it."""

    name: str
    expects: str  # as people read it: "text", "true or false", "list of text"
    about: str  # one sentence for the reference page
    secret: bool = False
    aliases: tuple[str, ...] = ()  # other spellings that are read too, with a note
    ignored: bool = False  # known, accepted, without effect: `about` says why


class Fields:
    """The keys of one mapping. What cannot be used is reported and left out, never guessed at."""

    def __init__(self, value: Value, path: str, keys: Sequence[Key], problems: Problems, check: bool = True) -> None:
        self.value = value
        self.path = path
        self.problems = problems
        self._keys = {key.name: key for key in keys}
        if check:
            self._check_names()

    @property
    def at(self) -> Position:
        """Where the mapping begins."""
        return self.value.at

    # names

    def _check_names(self) -> None:
        known = {spelling: key for key in self._keys.values() for spelling in (key.name, *key.aliases)}
        seen: dict[str, Position] = {}
        strangers = 0
        for name, _ in self.value.pairs:
            text = name.text
            if text in seen:
                self.problems.warning(
                    name.at,
                    self.path_of(text),
                    f"given twice, first in line {seen[text].line}",
                    "the last one is taken",
                    len(text),
                )
            seen[text] = name.at
            if text.startswith("x-"):
                continue
            key = known.get(text)
            if key is None:
                strangers += 1
                # Looking for similar names takes a millisecond each: nobody needs it a thousand times.
                guess = nearest(text, list(known)) if strangers <= MOST_GUESSES else ""
                hint = f"did you mean '{guess}'?" if guess else "it is ignored"
                self.problems.warning(name.at, self.path_of(text), "unknown key", hint, max(1, len(text)))
            elif key.ignored:
                self.problems.note(name.at, self.path_of(text), "has no effect here", key.about, len(text))
            elif text != key.name:
                self.problems.note(
                    name.at, self.path_of(text), f"old spelling of '{key.name}'", "it is read all the same", len(text)
                )

    def path_of(self, name: str) -> str:
        """`users.0.name` for the key `name` of this mapping."""
        return f"{self.path}.{shorten(name)}" if self.path else shorten(name)

    def key_at(self, name: str) -> Position:
        """Where the key itself stands, or the mapping if it is not given."""
        for key, _ in self.value.pairs:
            if key.text in (name, *self._keys[name].aliases):
                return key.at
        return self.at

    # values

    def raw(self, name: str) -> Value | None:
        """The value as it stands, or None where it is absent or null."""
        key = self._keys[name]  # a KeyError here is a reader that takes a key which it did not declare
        for spelling in (key.name, *key.aliases):
            value = self.value.get(spelling)
            if value is not None and not value.is_null:
                return value
        return None

    def text(self, name: str) -> Given[str] | None:
        """A scalar as written: `123`, `no` and `010101` stay text."""
        value = self.raw(name)
        if value is None:
            return None
        if value.kind != SCALAR:
            self.wrong(name, value, "text")
            return None
        if "\0" in value.text:
            # "\0" in double quotes is valid YAML; no name, path or file system call of Linux can hold it.
            self.wrong(name, value, "text without NUL characters")
            return None
        return Given(value.text, value.at)

    def flag(self, name: str, safe: bool | None = None) -> Given[bool] | None:
        """True or false. `safe` is taken for an unusable value, where leaving it out would weaken the machine."""
        value = self.raw(name)
        if value is None:
            return None
        word = value.text.lower() if value.kind == SCALAR else ""
        if word in TRUE or word in FALSE:
            return Given(word in TRUE, value.at)
        if safe is None:
            self.wrong(name, value, "true or false")
            return None
        self.wrong(name, value, "true or false", f"taken as {'true' if safe else 'false'}; write true or false")
        return Given(safe, value.at)

    def number(self, name: str, low: int = 0, high: int = 2**32 - 2) -> Given[int] | None:
        """A whole number in decimal, in bounds; quotes are allowed."""
        value = self.raw(name)
        if value is None:
            return None
        text = value.text.strip()
        # isdecimal also accepts other scripts' digits, which int() reads and no tool writes.
        if value.kind != SCALAR or not (text.isascii() and text.isdecimal()) or len(text) > 12:
            self.wrong(name, value, "a whole number")
            return None
        if not low <= int(text) <= high:
            self.wrong(name, value, f"a number from {low} to {high}")
            return None
        return Given(int(text), value.at)

    def texts(self, name: str, split: str = "") -> tuple[Given[str], ...] | None:
        """A list of scalars; a single scalar counts as a list of one, or is cut at `split` (`groups: a, b`)."""
        value = self.raw(name)
        if value is None:
            return None
        if value.kind == SCALAR:
            if "\0" in value.text:
                self.wrong(name, value, "text without NUL characters")
                return None
            parts = value.text.split(split) if split else [value.text]
            parts = [part.strip() for part in parts if part.strip()] if split else parts
            return tuple(Given(part, value.at) for part in parts)
        if value.kind != LIST:
            self.wrong(name, value, "a list of text")
            return None
        found = []
        for index, item in enumerate(value.items):
            if item.is_null:
                continue
            if item.kind == SCALAR and "\0" not in item.text:
                found.append(Given(item.text, item.at))
            else:
                got = "NUL characters" if item.kind == SCALAR else f"a {item.kind}"
                self.problems.error(item.at, f"{self.path_of(name)}.{index}", f"expected text, got {got}", "left out")
        return tuple(found)

    def items(self, name: str) -> tuple[Value, ...] | None:
        """The elements of a list, whatever they are."""
        value = self.raw(name)
        if value is None:
            return None
        if value.kind != LIST:
            self.wrong(name, value, "a list")
            return None
        return value.items

    def mapping(self, name: str, keys: Sequence[Key]) -> Fields | None:
        """A mapping with its own keys."""
        value = self.raw(name)
        if value is None:
            return None
        if value.kind != MAP:
            self.wrong(name, value, "a mapping")
            return None
        return Fields(value, self.path_of(name), keys, self.problems)

    def wrong(self, name: str, value: Value, expected: str, hint: str = "") -> None:
        """Report a value that cannot be used; the value of a secret key is not repeated."""
        secret = self._keys[name].secret
        got = f"a {value.kind}" if secret else describe(value)
        self.problems.error(
            value.at,
            self.path_of(name),
            f"expected {expected}, got {got}",
            hint or f"left out; write {expected}",
            0 if secret else max(1, len(value.text.split("\n")[0])),
        )


def describe(value: Value) -> str:
    """A value as an error message names it: short, one line."""
    if value.kind != SCALAR:
        return f"a {value.kind}"
    if value.is_null:
        return "nothing"
    text = value.text.split("\n")[0]
    return repr(text if len(text) <= 40 else text[:37] + "...")


def shorten(name: str) -> str:
    """A name from a document as it may stand in a message: not long, and without control characters."""
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 3] + "..."
    return name if name.isprintable() else repr(name)[1:-1]


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name that is most like this one, or an empty text. Of several like `dhcp4` and `dhcp6`, the first."""
    if len(name) > LONGEST_NAME:
        return ""
    import difflib  # delayed: only when there is a mistake to explain

    found = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.7)
    found.sort(key=known.index)
    return max(found, key=lambda each: difflib.SequenceMatcher(None, each, name.lower()).ratio(), default="")
