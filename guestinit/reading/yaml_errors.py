"""What a YAML library says about a syntax error, in plain words and with the place where the mistake was made."""

from __future__ import annotations

from typing import Any

from guestinit.model.fields import shorten
from guestinit.model.problem import ERROR, Position, Problem

# What libyaml says (and what PyYAML's own parser says, where that differs), in the order in which they are looked for.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("mapping values are not allowed", "': ' is not expected here",
     "quote the text if ': ' belongs to it, else check the indentation"),
    ("sequence entries are not allowed", "a list item ('- ') is not expected here",
     "begin the list in a line of its own"),
    ("could not find expected ':'", "a key without ': '",
     "write 'key: value', and indent text that goes on in a new line"),
    ("expected ',' or ']'", "a '[' is never closed", "close it with ']', or quote the text"),
    ("expected ',' or '}'", "a '{' is never closed", "close it with '}', or quote the text"),
    ("expected node content", "a value is missing or begins with a character that YAML keeps for itself",
     "quote the text"),
    ("found unexpected end of stream", "a quote is never closed",
     "close it, or write the text after '|' in lines of its own"),
    ("unexpected document indicator", "a quote is never closed", "close it before the line '---' or '...'"),
    ("unknown escape character", "an unknown escape after '\\' in double quotes", "use single quotes, or write '\\\\'"),
    ("found a tab", "a tab in the indentation", "YAML allows only spaces there"),
    ("expected '-' indicator", "this does not belong to the list above", "check the indentation"),
    ("expected <block end>", "this does not fit what stands above",
     "check the indentation, and close quotes and brackets"),
    ("expected key", "this does not fit the mapping above", "check the indentation, and close quotes and brackets"),
    ("undefined tag handle", "a '!' here begins a tag that is not declared", "quote the text"),
    ("expected '>'", "'!<' here begins a tag that is not well-formed", "quote the text"),
    ("tag", "a '!' here begins a tag that is not well-formed", "quote the text"),
    ("anchor", "'&' or '*' here needs a name of letters and digits", "quote the text"),
    ("alias", "'&' or '*' here needs a name of letters and digits", "quote the text"),
    ("comment or line break", "after '|' or '>' only '+', '-' or a digit may follow in the line",
     "begin the text in the next line"),
    ("chomping or indentation", "after '|' or '>' only '+', '-' or a digit may follow in the line",
     "begin the text in the next line"),
    ("directive", "a '%' at the beginning of a line is a YAML directive", "indent or quote the text"),
    ("expected <document start>", "this does not belong to what stands above", "check the indentation"),
)  # fmt: skip


def explain(error: Any, text: str, label: str, first_line: int = 1) -> Problem:
    """A yaml.YAMLError as a problem: `text` is the document, whose first line has this number."""
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    mark = _where(error, said)
    index, column = (mark.line, mark.column + 1) if mark else (0, 1)
    ends_early = "node content" in said and not text[_start_of(text, index) :][column - 1 :].strip()
    if ends_early:  # noticed behind the last line, where there is nothing to be seen
        written = text.rstrip()
        index, column = written.count("\n"), len(written) - written.rfind("\n") - 1
    start = _start_of(text, index)
    line = _line_at(text, start)
    at = Position(label, first_line + index, column)
    message, hint = f"not valid YAML: {shorten(said)}", ""
    character = line[at.column - 1 : at.column]
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        at = at._replace(column=indentation.index("\t") + 1)
        message, hint = "a tab in the indentation", "YAML allows only spaces there"
    elif ends_early:
        message, hint = "the document ends too early", "close every '[' and '{'"
    elif "cannot start any token" in said and character:
        message, hint = f"text cannot begin with {character!r}", "quote the text"
    else:
        for known, words, advice in _WORDS:
            if known in said:
                message, hint = words, advice
                break
    return Problem(ERROR, at, "", message, hint, 1 if may_show(text, start) else 0)


def _where(error: Any, said: str) -> Any:
    """The mark to show: of a quote, bracket or key that never ends, where it begins."""
    opened = getattr(error, "context_mark", None)
    noticed = getattr(error, "problem_mark", None)
    begun = ("end of stream", "document indicator", "expected ',' or", "could not find expected ':'")
    if opened is not None and any(words in said for words in begun):
        return opened
    return noticed or opened


# Below these top-level keys every line may hold a secret: passwords, content of files, commands.
_HIDDEN_BELOW = (
    "bootcmd", "chpasswd", "password", "phone_home", "power_state", "random_seed", "runcmd", "ssh_keys", "write_files",
)  # fmt: skip
_HIDDEN_WITH = ("pass", "secret", "token", "private", "shared", " key:", " keys:", "credential", "psk",
                "$1$", "$5$", "$6$", "$2", "$y$", "://")  # fmt: skip


def may_show(text: str, start: int) -> bool:
    """Whether the line that begins here may stand in a message: in a broken document nobody knows what it means."""
    line = _line_at(text, start)
    above = _line_at(text, _before(text, start))
    if any(word in context.lower() for context in (line, above) for word in _HIDDEN_WITH):
        return False
    while line[:1] in ("", " ", "\t", "#", "-") and start > 0:
        start = _before(text, start)
        line = _line_at(text, start)
    # One line that holds everything (JSON), or the top-level key to which the line belongs.
    name = line.split(":", 1)[0].strip("'\" ")
    return name.replace("-", "_") not in _HIDDEN_BELOW and line[:1] not in ("{", "[")


# Indices instead of a list of lines: a document may have millions of them.


def _start_of(text: str, index: int) -> int:
    """Where the line with this number, from 0, begins."""
    start = 0
    for _ in range(index):
        start = text.find("\n", start) + 1
        if not start:
            return len(text)
    return start


def _line_at(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _before(text: str, start: int) -> int:
    """Where the line above begins."""
    return text.rfind("\n", 0, max(0, start - 1)) + 1
