"""Who may import whom (docs/explanation/architecture.md): every file's imports are walked, at any depth."""

from __future__ import annotations

import ast
import os

import guestinit

PACKAGE = os.path.dirname(guestinit.__file__)
ROOMS = ("datasources", "modules", "renderers", "distros", "reading", "system", "show")
# Each room and what it may import; "" is the top floor: cli, pipeline and the other files beside them.
MAY = {
    "": {"", "model", *ROOMS},
    "model": {"model"},
    "modules": {"modules", "model"},
    "renderers": {"renderers", "model"},
    "distros": {"distros", "model"},
    "reading": {"reading", "model"},
    "show": {"show", "model"},
    "system": {"system", "model", "distros"},
    "datasources": {"datasources", "system", "model"},
}
# `rooms.one` loads by name, and the version is a word: neither is a room.
NEUTRAL = {"guestinit.rooms", "guestinit"}


def imports_of(path: str) -> set[str]:
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            if node.module == "guestinit":
                found |= {f"guestinit.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return {name for name in found if name.split(".")[0] == "guestinit"}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY else ""


def files() -> list[str]:
    return sorted(
        os.path.join(directory, name)
        for directory, _, names in os.walk(PACKAGE)
        for name in names
        if name.endswith(".py")
    )


def test_every_import_follows_the_arrows() -> None:
    wrong = []
    for path in files():
        module = "guestinit." + os.path.relpath(path, PACKAGE)[:-3].replace(os.sep, ".")
        room = room_of(module)
        for name in imports_of(path):
            if name in NEUTRAL or name == "guestinit.__version__":
                continue
            if room_of(name) not in MAY[room]:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_modules_and_renderers_do_not_import_each_other() -> None:
    wrong = []
    for room in ("modules", "renderers", "datasources"):
        for path in files():
            module = "guestinit." + os.path.relpath(path, PACKAGE)[:-3].replace(os.sep, ".")
            if room_of(module) == room and not module.endswith("__init__"):
                wrong += [
                    f"{module} imports {name}" for name in imports_of(path) if name.startswith(f"guestinit.{room}.")
                ]
    assert wrong == []


def test_no_file_is_a_hall() -> None:
    long = {}
    for path in files():
        with open(path, encoding="utf-8") as file:
            count = len(file.readlines())
        if count > 420:
            long[os.path.relpath(path, PACKAGE)] = count
    assert long == {}
