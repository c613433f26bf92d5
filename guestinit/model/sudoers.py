"""Rules of sudoers(5), as far as they are trusted here.

One line that sudo cannot read made every rule of the machine void before sudo 1.9.3, and no visudo may be there to ask.
So only the shape that people use is let through: hosts = (users) TAGS: commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from guestinit.model.action import Check

_LONGEST = 1000
_WORD = r"[A-Za-z_][A-Za-z0-9_.-]*\$?"
_WHO = rf"!?\s*(?:%?{_WORD}|%?\#[0-9]{{1,10}})"
_WHOS = rf"{_WHO}(?:\s*,\s*{_WHO})*"
_HOST = r"!?\s*[A-Za-z0-9_](?:[A-Za-z0-9_.*-]*[A-Za-z0-9_*])?"
_RUNAS = rf"\(\s*(?:{_WHOS})?\s*(?::\s*{_WHOS})?\s*\)\s*"
_SELINUX = r"(?:(?:ROLE|TYPE)\s*=\s*[a-z][a-z0-9_]*\s+)"
_TAG = r"(?:(?:NO)?(?:PASSWD|EXEC|SETENV|LOG_INPUT|LOG_OUTPUT|MAIL|FOLLOW)\s*:\s*)"
_PATH = r"/(?!\S*sudoedit)(?:[A-Za-z0-9_./*?@%+~-]|\\[,:= ])+"  # sudoedit is a word of its own, without a path
# In arguments sudoers(5) wants a backslash before `,`, `:`, `=` and `\`; `#` begins a comment, `^` a pattern.
_ARGUMENT = r"(?:[A-Za-z0-9_./*?@%+~{}$&;<>|!'-]|\\[,:=])+"
_ARGUMENTS = rf"\s+(?:\"\"|{_ARGUMENT}(?:\s+{_ARGUMENT})*)"
_COMMAND = rf"(?:!\s*)*(?:ALL|[A-Z][A-Z0-9_]*|sudoedit\s+{_PATH}|{_PATH}(?<!/){_ARGUMENTS}|{_PATH})"
_ITEM = rf"(?:{_RUNAS})?{_SELINUX}*{_TAG}*{_COMMAND}"
_RULE = rf"{_HOST}(?:\s*,\s*{_HOST})*\s*=\s*{_ITEM}(?:\s*,\s*{_ITEM})*\Z"
# What nearly everybody writes is not worth the milliseconds that compiling this pattern takes.
_COMMON = ("ALL=(ALL) NOPASSWD:ALL", "ALL=(ALL) NOPASSWD: ALL", "ALL=(ALL:ALL) NOPASSWD:ALL", "ALL=(ALL) ALL")

VISUDO = Check(("visudo", "-c", "-f", "-"), b"root ALL=(ALL) ALL\n")


def is_rule(text: str) -> bool:
    """Whether this is a rule that sudo reads, to stand behind a user's name: `ALL=(ALL) NOPASSWD: ALL`."""
    text = _one_line(text)
    if text in _COMMON:
        return True
    return len(text) <= _LONGEST and text.isascii() and text.isprintable() and re.match(_RULE, text) is not None


def check(rules: Iterable[str]) -> Optional[Check]:
    """Who is asked too before these rules count: nobody about what everybody writes."""
    return None if all(_one_line(rule) in _COMMON for rule in rules) else VISUDO


def line(user: str, rule: str) -> str:
    """The line for one user. Names like ALL and Defaults mean something else to sudo unless they are quoted."""
    plain = user.islower() and not user.startswith(".") and not user.endswith("$")
    return f"{user} {_one_line(rule)}" if plain else f'"{user}" {_one_line(rule)}'


def _one_line(text: str) -> str:
    return text.replace("\t", " ").strip(" ")
