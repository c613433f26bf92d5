"""Asking the program that a file is for, before the file is replaced.

Nothing on the machine changes by it, so a preview asks too. A key never stands in an argument, nor in what is told.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestinit.model import key_material
from guestinit.model.action import TREE, Check
from guestinit.model.secret import Secret
from guestinit.system.place import remove_tree

if TYPE_CHECKING:
    from guestinit.system.process import Finished, Process

RUNTIME = "/run/guestinit"
_TIMEOUT = 10.0  # seconds; who does not answer by then is no judge
_LONGEST = 300  # characters of its words


def refusal(path: str, content: bytes, check: Check, process: Process) -> str:
    """Why the program does not take this content for `path`; "" if it does, or cannot tell."""
    ended, tree = _ask(path, content, check, process)
    if ended.code == 0 or ended.timed_out or _ask(path, check.good, check, process)[0].code != 0:
        return ""
    return f"{check.argv[0]}: {_words(ended, path, tree)}"


def _ask(path: str, content: bytes, check: Check, process: Process) -> tuple[Finished, str]:
    """How the program ended, and the directory that it had instead of the machine."""
    secrets = [Secret(value) for value in key_material.values(content.decode("utf-8", "replace"))]
    if not any(TREE in word for word in check.argv):
        return process.run(check.argv, stdin=content, timeout=_TIMEOUT, secrets=secrets), ""
    tree = _make_tree()
    try:
        _fill(tree + path, content)
        argv = [word.replace(TREE, tree) for word in check.argv]
        return process.run(argv, timeout=_TIMEOUT, secrets=secrets), tree
    finally:
        _remove(tree)


def _words(ended: Finished, path: str, tree: str) -> str:
    """Its complaint in one line, with the names that people know."""
    lines = [line.strip() for line in ended.output.splitlines() if line.strip()]
    said = next((line for line in lines if "error" in line.lower()), lines[0] if lines else f"exit status {ended.code}")
    if tree:
        said = said.replace(tree, "")
    elif said.startswith("stdin:"):
        said = path + said[len("stdin") :]
    while said.lower().startswith("error: "):
        said = said[len("error: ") :]
    return said[:_LONGEST]


# a directory of its own: not below the machine's root, which a preview must not touch


def _make_tree() -> str:
    parent = RUNTIME if os.access(RUNTIME, os.W_OK) else "/tmp"
    tree = f"{parent}/check-{os.urandom(8).hex()}"
    os.mkdir(tree, 0o700)
    return tree


def _fill(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), 0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _remove(tree: str) -> None:
    parent = os.open(os.path.dirname(tree), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        remove_tree(parent, os.path.basename(tree))
    finally:
        os.close(parent)
