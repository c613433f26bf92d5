"""Every directory in tests/cases, from the seed to the tree that results; tests/cases/README.md says what is in one."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from guestinit import checking, pipeline
from guestinit.model.action import STAGES
from guestinit.model.plan import LEFT, UNCHANGED
from guestinit.model.problem import Problems
from guestinit.model.report import Preview
from guestinit.show import plan as show
from guestinit.show import problems as show_problems
from guestinit.system.media import Media
from guestinit.system.process import Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System

CASES = Path(__file__).parent / "cases"
BASE = CASES.parent.parent / "examples" / "root"
UPDATE = bool(os.environ.get("GUESTINIT_UPDATE_CASES"))
NAMES = sorted(path.name for path in CASES.iterdir() if (path / "seed").is_dir()) if CASES.is_dir() else []
# Ours, with digests keyed by random bytes; tests/system/test_journal_and_state.py is about them.
STATE = "var/lib/guestinit"
# shadow-utils' own copies and locks: "-" files hold what stood there before.
NOISE = ("etc/passwd-", "etc/shadow-", "etc/group-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock")
# The day on which a password was set stands in the third field of /etc/shadow.
SHADOW = "etc/shadow"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")


def open_system(root: Path, writable: bool = True) -> System:
    base = Root(str(root), writable=writable)
    return System(base, Process(), Media(), State(base), False)


def make_root(case: Path, target: Path) -> Path:
    root = target / "root"
    shutil.copytree(BASE, root, symlinks=True)
    if (case / "root").is_dir():
        shutil.copytree(case / "root", root, symlinks=True, dirs_exist_ok=True)
    for path in (root / "etc/shadow", root / "etc/gshadow"):
        path.chmod(0o640)
    return root


def preview(root: Path, case: Path, monkeypatch: pytest.MonkeyPatch) -> Preview:
    monkeypatch.chdir(case)  # so that labels read `seed/user-data`, as a user sees them
    seen = pipeline.run(pipeline.Order(STAGES, "seed", dry_run=True), open_system(root, writable=False), lambda line: None)
    assert isinstance(seen, Preview)
    return seen


def snapshot(root: Path) -> dict[str, tuple[str, str, str, bytes]]:
    """Every path with its mode, owner, kind and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(STATE) or name in NOISE:
            continue
        info = path.lstat()
        owner = f"{name_of(root, 'passwd', info.st_uid)}:{name_of(root, 'group', info.st_gid)}"
        if stat.S_ISLNK(info.st_mode):
            found[name] = ("", owner, "link", os.readlink(path).encode())
        elif stat.S_ISDIR(info.st_mode):
            found[name] = (f"{stat.S_IMODE(info.st_mode):04o}", owner, "directory", b"")
        else:
            content = path.read_bytes()
            if name == SHADOW:
                content = without_days(content)
            found[name] = (f"{stat.S_IMODE(info.st_mode):04o}", owner, "file", content)
    return found


def without_days(shadow: bytes) -> bytes:
    lines = [line.split(b":") for line in shadow.splitlines()]
    for fields in lines:
        if fields[2].isdigit() and int(fields[2]) > 10000:
            fields[2] = b"DAY"
    return b"\n".join(b":".join(fields) for fields in lines) + b"\n"


def name_of(root: Path, file: str, number: int) -> str:
    for line in (root / "etc" / file).read_text().splitlines():
        fields = line.split(":")
        if fields[2] == str(number):
            return fields[0]
    return str(number)


def describe(before: dict[str, tuple[str, str, str, bytes]], after: dict[str, tuple[str, str, str, bytes]]) -> str:
    lines = []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        if name not in after:
            lines.append(f"- {name}")
            continue
        mode, owner, kind, content = after[name]
        sign = "~" if name in before else "+"
        if kind == "link":
            lines.append(f"{sign} {name} -> {content.decode()}")
        else:
            lines.append(f"{sign} {mode} {owner} {name}{'/' if kind == 'directory' else ''}")
    return "".join(line + "\n" for line in lines)


def expect(path: Path, actual: str) -> None:
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(actual)
    expected = path.read_text() if path.exists() else ""
    assert expected == actual


@pytest.mark.parametrize("name", NAMES)
def test_plan(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES / name
    seen = preview(make_root(case, tmp_path), case, monkeypatch)
    expect(case / "plan.txt", show.text(seen) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_problems(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES / name
    monkeypatch.chdir(case)
    problems = Problems()
    sources = checking.check("seed", problems)
    expect(case / "problems.txt", "".join(show_problems.format(found, sources, False) + "\n" for found in problems.found))


@needs_root
@pytest.mark.parametrize("name", NAMES)
def test_apply(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES / name
    root = make_root(case, tmp_path)
    before = snapshot(root)
    monkeypatch.chdir(case)
    log: list[str] = []
    ended = pipeline.run(pipeline.Order(STAGES, "seed"), open_system(root), log.append)
    assert isinstance(ended, pipeline.Ended)
    bad = [outcome for outcome in ended.report.outcomes if outcome.result not in ("ok", LEFT)]
    assert bad == [], log
    after = snapshot(root)
    expect(case / "after.txt", describe(before, after))
    changed = {
        path: content
        for path, (mode, owner, kind, content) in after.items()
        if kind == "file" and before.get(path) != (mode, owner, kind, content) and not path.startswith("var/log/")
    }
    for path, content in changed.items():
        expect(case / "after" / path, content.decode("utf-8", "backslashreplace"))
    expected = {str(path.relative_to(case / "after")) for path in (case / "after").rglob("*") if path.is_file()}
    assert expected == set(changed)
    again = preview(root, case, monkeypatch)
    assert [change.step.id for change in again.changes if change.change not in (UNCHANGED, LEFT)] == []


def test_there_are_cases() -> None:
    assert NAMES
