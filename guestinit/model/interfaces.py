"""The text of interfaces(5), the format of ifupdown, as far as one has to read what somebody else wrote there.

Nothing is lost: the lines of all parts together are the text. Lines that are disabled keep standing there behind a
mark, and come back byte for byte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

FILE = "/etc/network/interfaces"
DIRECTORY = "/etc/network/interfaces.d"

_DISABLED = "# disabled by guestinit: "
_REPLACED = "# replaced by guestinit with the line below: "
_STARTS = ("auto", "no-auto-down", "no-scripts", "rename")  # and allow-*: lists of interfaces


class Part(NamedTuple):
    """A stanza, or what stands before the first one."""

    words: tuple[str, ...]  # of its first line: ("iface", "eth0", "inet", "dhcp"); empty before the first stanza
    lines: tuple[str, ...]  # with their ends; blank lines and comments that follow are in it

    @property
    def keyword(self) -> str:
        """ "iface", "auto", "allow-hotplug", "mapping", "source", ..."""
        return self.words[0] if self.words else ""

    @property
    def is_list(self) -> bool:
        """Whether it is a line that lists interfaces."""
        return self.keyword in _STARTS or self.keyword.startswith("allow-")


def split(text: str) -> list[Part]:
    """The parts of a text."""
    parts: list[Part] = [Part((), ())]
    lines = _lines(text)
    index = 0
    while index < len(lines):
        end = index + 1
        is_comment = lines[index].lstrip().startswith("#")
        while not is_comment and lines[end - 1].rstrip("\r\n").endswith("\\") and end < len(lines):
            end += 1
        whole = " ".join(line.rstrip("\r\n").rstrip("\\") for line in lines[index:end])
        words = () if is_comment else tuple(whole.split())
        if words and _is_start(words[0]):
            parts.append(Part(words, tuple(lines[index:end])))
        else:
            parts[-1] = parts[-1]._replace(lines=(*parts[-1].lines, *lines[index:end]))
        index = end
    return parts if parts[0].lines else parts[1:]


def _lines(text: str) -> list[str]:
    """With their ends. Only a line feed ends a line here."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _is_start(word: str) -> bool:
    return word in ("iface", "mapping", "source", "source-directory", *_STARTS) or word.startswith("allow-")


# disabling


def disable(text: str, names: Collection[str]) -> str:
    """The text in which nothing is about these interfaces, and everything is as it was that is about others."""
    found: list[str] = []
    for part in split(restore(text)):
        listed = part.words[1:]
        # An `iface` line goes on with the family; every word of a `mapping` line is an interface or a pattern.
        subject = listed[:1] if part.keyword == "iface" else listed if part.keyword == "mapping" else ()
        if subject and all(word in names for word in subject):
            found += _marked(part.lines, _DISABLED)
        elif part.is_list and any(_name(word) in names for word in listed):
            others = [word for word in listed if _name(word) not in names]
            # What is no comment belongs to the list: the line itself and those that continue it.
            count = next((n for n, line in enumerate(part.lines) if not line.rstrip("\r\n").endswith("\\")), 0) + 1
            found += _marked(part.lines[:count], _REPLACED if others else _DISABLED)
            if others:
                found[-1] = found[-1].rstrip("\n") + "\n"
                found.append(f"{part.keyword} {' '.join(others)}\n")
            found += part.lines[count:]
        else:
            found += part.lines
    return "".join(found)


def restore(text: str) -> str:
    """The text before `disable`."""
    found = []
    skips = False
    for line in _lines(text):
        if line.startswith(_REPLACED):
            found.append(line[len(_REPLACED) :])
            skips = True
        elif skips:
            skips = False
        elif line.startswith(_DISABLED):
            found.append(line[len(_DISABLED) :])
        else:
            found.append(line)
    return "".join(found)


def _marked(lines: Iterable[str], mark: str) -> list[str]:
    """Lines behind a mark; comments and blank lines need none, unless they continue the line before."""
    found = []
    continues = False
    for line in lines:
        needs = continues or (line.strip() != "" and not line.lstrip().startswith("#"))
        continues = needs and line.rstrip("\r\n").endswith("\\")
        found.append(mark + line if needs else line)
    return found


def _name(word: str) -> str:
    """The interface in a word of a list: `eth0=home` is eth0, brought up as home."""
    return word.partition("=")[0]


# looking


def configured(text: str) -> set[str]:
    """The interfaces that the stanzas of a text are for."""
    return {part.words[1] for part in split(text) if part.keyword == "iface" and len(part.words) > 1}


def patterns(text: str) -> list[str]:
    """Words that bring up interfaces by what they are, not by their names."""
    starts = (part for part in split(text) if part.keyword == "auto" or part.keyword.startswith("allow-"))
    return [word for part in starts for word in part.words[1:] if "/" in word]


def sources(text: str, path: str) -> bool:
    """Whether a text of `/etc/network/interfaces` makes ifupdown read this file in /etc/network/interfaces.d."""
    import fnmatch  # delayed: only images with ifupdown come here

    name = path.rpartition("/")[2]
    for part in split(text):
        for word in part.words[1:]:
            word = word if word.startswith("/") else f"/etc/network/{word}"
            if part.keyword == "source" and fnmatch.fnmatchcase(path, word):
                return True
            if part.keyword.startswith("source-dir") and word.rstrip("/") == DIRECTORY:
                return name.replace("-", "").replace("_", "").isalnum()
    return False


def stanzas(text: str) -> dict[str, str]:
    """All that a text says about each interface, by the name of its stanzas, with the word that brings it up."""
    found: dict[str, str] = {}
    for part in split(text):
        if part.keyword == "iface" and len(part.words) > 1:
            said = "".join(line for line in part.lines if line.strip() and not line.lstrip().startswith("#"))
            found[part.words[1]] = found.get(part.words[1], "") + said
        elif part.keyword == "auto":
            for word in part.words[1:]:
                name = word.partition("=")[2] or word
                found[name] = f"auto {word}\n" + found.get(name, "")
    return found
