"""Passwords as documents give them: a crypt(5) hash, a clear text, or one to be made here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from guestinit.model.fields import Key
from guestinit.model.problem import Position, Problems
from guestinit.model.secret import Secret
from guestinit.model.value import Given, Value

# crypt(5): md5, bcrypt, sha256, sha512, scrypt, yescrypt, gost-yescrypt; at least a salt and a hash behind the prefix.
_HASH = re.compile(r"\$(?:1|2a|2b|2y|5|6|7|y|gy)(?:\$[./0-9A-Za-z=,_-]+){2,4}\Z")
# The last field of those that have one length.
_LENGTHS = {"1": 22, "2a": 53, "2b": 53, "2y": 53, "5": 43, "6": 86, "7": 43, "y": 43, "gy": 43}
RANDOM = ("R", "RANDOM")


class GivenPassword(NamedTuple):
    """A password and where it stands."""

    at: Position
    secret: Optional[Secret] = None  # None: made here
    hashed: bool = False
    random: bool = False


def is_hash(text: str) -> bool:
    """Whether this is shaped like a hash that crypt(3) knows."""
    return _HASH.match(text) is not None


def read_hash(given: Given[str], path: str, problems: Problems) -> GivenPassword | None:
    """A hash. What is none would go to /etc/shadow as it stands, where nothing matches it."""
    if not is_hash(given.value):
        problems.error(
            given.at, path, "expected a password hash such as $6$..., got something else",
            "left out; a password in clear text goes into plain_text_passwd, or into chpasswd with type: text", 0,
        )  # fmt: skip
        return None
    _, kind, *_, last = given.value.split("$")
    if len(last) != _LENGTHS[kind]:
        problems.warning(
            given.at, path, f"the hash has {len(last)} characters behind its salt, not {_LENGTHS[kind]}",
            "nobody could log in with it; was it cut off?", 0,
        )  # fmt: skip
    return GivenPassword(given.at, Secret(given.value), True)


def read_text(given: Given[str], path: str, problems: Problems) -> GivenPassword | None:
    """A password in clear text, as it is to be typed."""
    if not given.value:
        problems.error(given.at, path, "an empty password would let anybody in", "left out", 0)
        return None
    if not given.value.isprintable():  # a line break would begin another user's line on chpasswd's input
        problems.error(given.at, path, "a password cannot hold a line break or a control character", "left out", 0)
        return None
    return GivenPassword(given.at, Secret(given.value))


def read_either(given: Given[str], path: str, problems: Problems) -> GivenPassword | None:
    """Clear text, a hash by its shape, or `R` and `RANDOM`: what `password` and the old `chpasswd.list` hold."""
    if given.value in RANDOM:
        return GivenPassword(given.at, random=True)
    return read_hash(given, path, problems) if is_hash(given.value) else read_text(given, path, problems)


def hide_lines(problems: Problems, since: int, value: Value, keys: Sequence[Key]) -> None:
    """Forbid to show the lines of this mapping that may hold a secret, in problems from number `since` on.

    Those with the value of a secret key, which in `{name: x, passwd: y}` is on the line of every other key too, and
    those with an unknown key: it may be a secret one, misspelled.
    """
    spellings = {spelling: key for key in keys for spelling in (key.name, *key.aliases)}
    hidden: set[int] = set()
    for name, content in value.pairs:
        key = spellings.get(name.text)
        if key is None or key.secret:
            hidden.update(range(name.at.line, _last_line(content) + 1))
    for index in range(since, len(problems.found)):
        problem = problems.found[index]
        if problem.position.line in hidden and problem.position.file == value.at.file:
            problems.found[index] = problem._replace(width=0)


def _last_line(value: Value) -> int:
    # A folded text has more lines than line breaks, but no problem is ever placed on one of them.
    last = value.at.line + value.text.count("\n")
    for item in value.items:
        last = max(last, _last_line(item))
    for _, content in value.pairs:
        last = max(last, _last_line(content))
    return last
