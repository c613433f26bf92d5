"""`locale`: the language of the system, written early and generated late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from guestinit.model.accounts import Accounts
from guestinit.model.action import FINAL, ONCE, Because, Command, Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import FALSE, Fields, Key
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.model.value import Given

KEYS = (
    Key(
        "locale", "name of a locale",
        "The system's locale, as in LANG: de_DE.UTF-8. It is generated on Debian; Fedora and EL need the package "
        "glibc-langpack-de.",
    ),
    Key("locale_configfile", "absolute path", "Another file than the distribution's own to write LANG= into."),
)  # fmt: skip

# Part of the C library: neither generated nor listed in /etc/locale.gen.
_BUILT_IN = ("C", "POSIX", "C.UTF-8")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class Section(NamedTuple):
    """The locale, if one is given, and the file for it."""

    locale: Optional[Given[str]] = None
    file: str = ""


def read(fields: Fields, meta: MetaData) -> Section:
    """Read both keys. `locale: false` leaves the image's own; a name without a character set means UTF-8."""
    given = fields.text("locale")
    if given is None or given.value.lower() in FALSE or not given.value.strip():
        return Section(file=_file(fields))
    name = given.value.strip()
    language, at_sign, modifier = name.partition("@")
    language, dot, charset = language.partition(".")
    words = [language, *([charset] if dot else []), *([modifier] if at_sign else [])]
    if any(not word or word.startswith("-") or not set(word) <= _LETTERS for word in words):
        value = fields.raw("locale")
        if value is not None:
            fields.wrong("locale", value, "a locale such as de_DE.UTF-8")
        return Section(file=_file(fields))
    if charset.lower() in ("utf8", "utf-8"):
        charset = "UTF-8"
    elif not charset and language not in _BUILT_IN:
        charset = "UTF-8"
        fields.problems.note(given.at, "locale", "no character set is named", f"taken as {language}.UTF-8", len(name))
    full = language + (f".{charset}" if charset else "") + (f"@{modifier}" if modifier else "")
    return Section(Given(full, given.at), _file(fields))


def _file(fields: Fields) -> str:
    path = fields.text("locale_configfile")
    if path is None:
        return ""
    if not path.value.startswith("/") or ".." in path.value.split("/") or path.value.endswith("/"):
        value = fields.raw("locale_configfile")
        if value is not None:
            hint = "the distribution's own file is taken"
            fields.wrong("locale_configfile", value, "an absolute path without '..'", hint)
        return ""
    return path.value


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """LANG= at once, so that the first login has it; generating takes seconds and waits for the last stage."""
    if section.locale is None:
        return
    name = section.locale.value
    because = Because(section.locale.at)
    path = section.file or facts.distro.locale_file
    # Other variables in the file (LC_TIME, LANGUAGE) are the administrator's.
    yield Step(f"lines:{path}", "locale", Lines(path, (f"LANG={name}",), replace=r"^\s*(export\s+)?LANG="), because)
    if name in _BUILT_IN or not facts.distro.locale_gen:
        return
    generate = Command(("locale-gen",), "locale-gen", may_repeat=True)
    if "/etc/locale.gen" not in facts.paths:
        # The package `locales` is not there (yet): the command fails, says so, and is tried again on the next boot.
        yield Step("command:locale-gen", "locale", generate, because, FINAL, frequency=ONCE, basis=Secret(name))
        return
    listed = f"{name} {name.partition('@')[0].partition('.')[2]}"
    pattern = rf"^\s*#?\s*{_escape(listed)}\s*$"
    lines = "lines:/etc/locale.gen"
    yield Step(lines, "locale", Lines("/etc/locale.gen", (listed,), replace=pattern), because, FINAL)
    yield Step(
        "command:locale-gen", "locale", generate, Because(section.locale.at, "/etc/locale.gen changes"), FINAL,
        needs=(lines,), when_changed=(lines,),
    )  # fmt: skip


def _escape(text: str) -> str:
    """For a regular expression; the names hold no other special character than these."""
    return text.replace(".", r"\.").replace("-", r"\-").replace("+", r"\+")
