"""Every directory in tests/cases, from the seed to the tree that results; tests/cases/README.md says what is in one."""

from __future__ import annotations

import os
import runpy
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

import pytest

from guestinit import checking, pipeline
from guestinit.model.action import STAGES
from guestinit.model.plan import LEFT, UNCHANGED
from guestinit.model.problem import Problems
from guestinit.model.report import Preview
from guestinit.model.unreadable import Unreadable
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
NAMES = sorted(path.name for path in CASES.iterdir() if (path / "seed").is_dir() or (path / "seed.py").is_file())
# Ours, with digests keyed by random bytes; tests/system/test_journal_and_state.py is about them.
STATE = "var/lib/guestinit"
# shadow-utils' own copies and locks: "-" files hold what stood there before.
NOISE = ("etc/passwd-", "etc/shadow-", "etc/group-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock")
# The day on which a password was set stands in the third field of /etc/shadow.
SHADOW = "etc/shadow"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")


class Entry(NamedTuple):
    """One path of a tree."""

    kind: str
    mode: str
    owner: str
    content: bytes


# the machine of a case


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case, made ready in the current directory: `seed` and `root`."""
    given = CASES / str(request.param)
    make_seed(given, tmp_path / "seed")
    make_root(given, tmp_path / "root")
    monkeypatch.chdir(tmp_path)  # so that labels read `seed/user-data`, as a user sees them
    return given


def make_seed(case: Path, target: Path) -> None:
    if (case / "seed").is_dir():
        shutil.copytree(case / "seed", target)
    else:
        target.mkdir()
    if (case / "seed.py").is_file():
        for name, content in runpy.run_path(str(case / "seed.py"))["FILES"].items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)


def make_root(case: Path, root: Path) -> None:
    shutil.copytree(BASE, root, symlinks=True)
    without = case / "without.txt"
    for line in without.read_text().splitlines() if without.exists() else ():
        if (root / line).is_dir():
            shutil.rmtree(root / line)
        else:
            (root / line).unlink()
    if (case / "root").is_dir():
        shutil.copytree(case / "root", root, symlinks=True, dirs_exist_ok=True)
    # git keeps no modes but "executable", and a checkout depends on the umask.
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    for name in ("etc/shadow", "etc/gshadow"):
        (root / name).chmod(0o640)


def open_system(writable: bool) -> System:
    base = Root("root", writable=writable)
    return System(base, Process(), Media(), State(base), False)


def preview() -> Preview:
    seen = pipeline.run(pipeline.Order(STAGES, "seed", dry_run=True), open_system(False), lambda line: None)
    assert isinstance(seen, Preview)
    return seen


# a tree as text


def snapshot() -> dict[str, Entry]:
    """Every path with its mode, owner, kind and content."""
    found = {}
    root = Path("root")
    users, groups = (names(root / "etc" / file) for file in ("passwd", "group"))
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(STATE) or name in NOISE:
            continue
        info = path.lstat()
        mode = f"{stat.S_IMODE(info.st_mode):04o}"
        owner = f"{users.get(info.st_uid, info.st_uid)}:{groups.get(info.st_gid, info.st_gid)}"
        if stat.S_ISLNK(info.st_mode):
            found[name] = Entry("link", "", "", os.readlink(path).encode())
        elif stat.S_ISDIR(info.st_mode):
            found[name] = Entry("directory", mode, owner, b"")
        else:
            content = path.read_bytes()
            found[name] = Entry("file", mode, owner, without_days(content) if name == SHADOW else content)
    return found


def without_days(shadow: bytes) -> bytes:
    lines = [line.split(b":") for line in shadow.splitlines()]
    for fields in lines:
        if fields[2].isdigit() and int(fields[2]) > 20000:
            fields[2] = b"DAY"
    return b"\n".join(b":".join(fields) for fields in lines) + b"\n"


def names(file: Path) -> dict[int, str]:
    rows = (line.split(":") for line in file.read_text().splitlines())
    return {int(row[2]): row[0] for row in rows}


def describe(before: dict[str, Entry], after: dict[str, Entry]) -> str:
    lines = []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        if name not in after:
            lines.append(f"- {name}")
            continue
        entry = after[name]
        sign = "~" if name in before else "+"
        if entry.kind == "link":
            lines.append(f"{sign} {name} -> {entry.content.decode()}")
        else:
            lines.append(f"{sign} {entry.mode} {entry.owner} {name}{'/' if entry.kind == 'directory' else ''}")
    return "".join(line + "\n" for line in lines)


def expect(path: Path, actual: str) -> None:
    """Compare with what is expected; a file that is not there expects nothing."""
    if UPDATE and actual:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(actual.encode())
    elif UPDATE:
        path.unlink(missing_ok=True)
    expected = path.read_bytes().decode() if path.exists() else ""
    assert actual == expected


def expect_no_secrets(case: Path, *texts: str) -> None:
    seed = b"".join(path.read_bytes() for path in Path("seed").rglob("*") if path.is_file())
    for secret in (case / "secrets.txt").read_text().split() if (case / "secrets.txt").exists() else ():
        assert secret.encode() in seed
        assert [text for text in texts if secret in text] == []


# the four looks at a case


def test_plan(case: Path) -> None:
    try:
        seen = preview()
    except Unreadable as unreadable:
        expect(case / "plan.txt", show_problems.format(unreadable.problem, {}, False) + "\n")
        return
    text = show.text(seen) + "\n"
    expect_no_secrets(case, text, show.json(seen))
    expect(case / "plan.txt", text)


def test_problems(case: Path) -> None:
    problems = Problems()
    sources = checking.check("seed", problems)
    text = "".join(show_problems.format(found, sources, False) + "\n" for found in problems.in_order())
    expect_no_secrets(case, text)
    expect(case / "problems.txt", text)


@needs_root
def test_apply(case: Path) -> None:
    before = snapshot()
    log: list[str] = []
    try:
        ended = pipeline.run(pipeline.Order(STAGES, "seed"), open_system(True), log.append)
    except Unreadable:
        assert snapshot() == before
        return
    assert isinstance(ended, pipeline.Ended)
    bad = [outcome for outcome in ended.report.outcomes if outcome.result not in ("ok", LEFT)]
    said = "".join(f"{outcome.change.step.id} {outcome.result}: {outcome.message}\n" for outcome in bad)
    expect_no_secrets(case, said, *log)
    expect(case / "failures.txt", said)
    after = snapshot()
    expect(case / "after.txt", describe(before, after))
    changed = {
        path: entry.content.decode("utf-8", "backslashreplace")
        for path, entry in after.items()
        if entry.kind == "file" and entry.content and before.get(path) != entry
    }
    if UPDATE:
        shutil.rmtree(case / "after", ignore_errors=True)
    for path, content in changed.items():
        expect(case / "after" / path, content)
    expected = {str(path.relative_to(case / "after")) for path in (case / "after").rglob("*") if path.is_file()}
    assert expected == set(changed)
    if not bad:
        assert [change.step.id for change in preview().changes if change.change not in (UNCHANGED, LEFT)] == []


def test_there_are_cases() -> None:
    assert len(NAMES) > 40
