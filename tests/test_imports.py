"""What each path of a boot imports, pinned. The launcher runs in a throw-away machine, as a unit runs it.

tests/imports/*.txt hold the lists. Lines `guestinit.x` and `yaml` are exact. Lines `std x` name what may be imported of
the standard library, of which every version of Python needs a little more or less. GUESTINIT_UPDATE_IMPORTS=1 writes
what is there now, and adds to the `std` lines; then look at the difference.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
UPDATE = bool(os.environ.get("GUESTINIT_UPDATE_IMPORTS"))
THIRD_PARTY = {"yaml", "_yaml", "jinja2", "markupsafe", "pyudev", "pyroute2", "pycdlib"}
CASES = {"no seed": "no-seed", "same": "same", "first boot": "first-boot"}
# Never, whatever the lists say: what these cost was measured (docs/explanation/decisions.md).
HEAVY = {
    "argparse", "logging", "dataclasses", "pathlib", "tempfile", "shutil", "jinja2", "pyudev", "pyroute2", "pycdlib",
    "email", "difflib", "urllib", "http", "hashlib", "shlex", "inspect", "ssl", "asyncio", "importlib.metadata",
}  # fmt: skip
FORBIDDEN = {
    "no seed": {*(HEAVY - {"hashlib"}), "yaml"},  # the fingerprints of the host keys are for whoever logs in
    "same": {*HEAVY, "yaml", "json", "re", "typing", "subprocess", "collections", "functools", "enum", "contextlib"},
    "first boot": HEAVY,
}


def why_not() -> str:
    """Why the throw-away machine cannot be made here; "" if it can."""
    if os.geteuid() != 0:
        return "an overlay and namespaces need root"
    try:
        subprocess.run(["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "true"], check=True)
        subprocess.run(["genisoimage", "--version"], check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no namespaces, or no genisoimage: {error}"
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def load_stage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stage", HERE.parent / "benchmarks" / "stage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stage"] = module  # its records look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, str]]:
    stage = load_stage()
    directory = str(tmp_path_factory.mktemp("machine"))
    stage.install(directory, sys.executable)
    yield stage, directory
    del sys.modules["stage"]


def split(modules: list[str]) -> tuple[list[str], list[str]]:
    """(ours and other people's packages, public top-level names of the standard library)."""
    exact, standard = set(), set()
    for name in modules:
        top = name.partition(".")[0]
        if top == "guestinit":
            exact.add(name)
        elif top in THIRD_PARTY:
            exact.add(top)
        elif not top.startswith("_"):  # what is written in C for a public module
            standard.add(top)
    return sorted(exact), sorted(standard)


@pytest.mark.parametrize("case", CASES)
def test_path_imports_what_is_listed(case: str, machine: tuple[ModuleType, str]) -> None:
    stage, directory = machine
    exact, standard = split(stage.imports(case, directory, sys.executable))
    path = HERE / "imports" / f"{CASES[case]}.txt"
    if UPDATE:
        before = path.read_text().splitlines() if path.exists() else []
        may = sorted({*standard, *(line[4:] for line in before if line.startswith("std "))})
        path.write_text("".join(f"{name}\n" for name in exact) + "".join(f"std {name}\n" for name in may))
    lines = path.read_text().splitlines()
    assert [line for line in lines if not line.startswith("std ")] == exact
    assert set(standard) - {line[4:] for line in lines} == set()


@pytest.mark.parametrize("case", CASES)
def test_path_imports_nothing_heavy(case: str, machine: tuple[ModuleType, str]) -> None:
    stage, directory = machine
    modules = stage.imports(case, directory, sys.executable)
    assert "guestinit.fastpath" in modules  # so that an empty list is no success
    assert [name for name in modules if name in FORBIDDEN[case]] == []


def test_bare_interpreter_has_no_imports_of_ours(machine: tuple[ModuleType, str]) -> None:
    stage, directory = machine
    assert not any(name.startswith("guestinit") for name in stage.imports("bare", directory, sys.executable))
