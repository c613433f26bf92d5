"""A list of commands as people write it: `runcmd` and `bootcmd` share the format.

An item is a text for /bin/sh, or a list with a program and its arguments. Every item runs by itself (cloud-init joins
them into one script), so that each has its own exit status; what an item does to its own shell is gone when it ends.
"""

from __future__ import annotations

from typing import NamedTuple

from guestinit.model.fields import TRUE, Fields
from guestinit.model.problem import Position, Problems
from guestinit.model.secret import Secret
from guestinit.model.value import LIST, SCALAR, Value

# Words that only mean something to the shell that runs them. Alone in an item they do nothing for the next one.
_OWN_SHELL = (
    ".", "alias", "cd", "export", "local", "popd", "pushd", "readonly", "set", "shift", "source", "trap", "ulimit",
    "umask", "unalias", "unset",
)  # fmt: skip
# What a list may begin with though no program has that name.
_BUILTIN = (*_OWN_SHELL, ":", "command", "eval", "exec", "hash", "type", "wait")


class Item(NamedTuple):
    """One command."""

    number: int  # counted from 1, over all items that were written
    argv: tuple[str, ...]
    at: Position
    size: int  # bytes of what was written, which is all that others may see of it


class Items(NamedTuple):
    """The commands of one section."""

    items: tuple[Item, ...] = ()
    total: int = 0  # all that were written, the unusable ones too
    basis: Secret = Secret("")  # changes when any item does


def read_commands(fields: Fields, name: str) -> Items:
    """The list under the key `name`; items that cannot be used are reported and left out, the others stay."""
    values = fields.items(name) or ()
    found = []
    for index, value in enumerate(values):
        item = _item(value, index + 1, f"{fields.path_of(name)}.{index}", fields.problems)
        if item is not None:
            found.append(item)
    text = "\n".join("\0".join(item.argv) for item in found)
    return Items(tuple(found), len(values), Secret(text))


def is_true(word: str) -> bool:
    """An option of the image configuration."""
    return word.lower() in TRUE


def _item(value: Value, number: int, path: str, problems: Problems) -> Item | None:
    if value.is_null or (value.kind == SCALAR and not value.text.strip()):
        return None  # a dash with only a comment behind it
    if value.kind == SCALAR:
        if not _usable(value, path, problems):
            return None
        word = value.text.split()[0]
        variable, equals, _ = word.partition("=")
        assigns = equals and variable.isidentifier() and value.text.strip() == word
        if (word in _OWN_SHELL or assigns) and not any(mark in value.text.strip() for mark in "\n;&|"):
            _warn_own_shell(value, path, f"{variable}=" if assigns else word, problems)
        return Item(number, ("/bin/sh", "-c", value.text), value.at, _size(value.text))
    if value.kind != LIST:
        problems.error(
            value.at, path, "expected text or a list of text, got a mapping",
            "left out; put the command into quotes if it holds ': '", 0,
        )  # fmt: skip
        return None
    argv = []
    for index, part in enumerate(value.items):
        inner = f"{path}.{index}"
        if part.is_null:
            problems.warning(part.at, inner, "nothing is given here", "left out; quote an empty word or a '~'", 0)
        elif part.kind != SCALAR:
            problems.error(part.at, inner, f"expected text, got a {part.kind}", "the whole command is left out", 0)
            return None
        elif not _usable(part, inner, problems):
            return None
        else:
            argv.append(part.text)
    if not argv or not argv[0]:
        problems.error(value.at, path, "expected a program, got nothing", "left out", 0)
        return None
    size = _size(" ".join(argv))
    if argv[0] in _BUILTIN:
        if argv[0] in _OWN_SHELL:
            _warn_own_shell(value, path, argv[0], problems)
        argv = ["/bin/sh", "-c", '"$@"', "sh", *argv]
    return Item(number, tuple(argv), value.at, size)


def _usable(value: Value, path: str, problems: Problems) -> bool:
    """Whether the kernel can take this text as an argument."""
    try:
        value.text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        problems.error(value.at, path, "this text cannot be written in UTF-8", "left out", 0)
        return False
    if "\0" in value.text:
        problems.error(value.at, path, "a command cannot hold a NUL character", "left out", 0)
        return False
    return True


def _warn_own_shell(value: Value, path: str, word: str, problems: Problems) -> None:
    problems.warning(
        value.at, path, f"'{word}' has no effect on the commands after it: each runs by itself",
        "write them as one item, in several lines", 0,
    )  # fmt: skip


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
