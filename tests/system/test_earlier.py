"""What a network file held before it changed, and the way back."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from machine import FakeProcess, as_root, machine, make_accounts, snapshot

from guestinit import cli
from guestinit.model.action import Absence, Action, Because, File, Link, Step
from guestinit.model.identity import Instance, Settled
from guestinit.model.plan import FAILED, OK
from guestinit.model.seed import Document, Seed
from guestinit.system import clean, engine
from guestinit.system.earlier import DIRECTORY, RECORD, Earlier
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System

pytestmark = as_root

ETC = "/etc/systemd/network"
OLD = f"{ETC}/10-guestinit-eth0.network"
NEW = f"{ETC}/10-guestinit-eth1.network"
GONE = f"{ETC}/05-image.network"
SEED = Seed("nocloud", "here", "", (Document("network-config", "network-config", b"x"),))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    make_accounts(tmp_path)
    directory = tmp_path / ETC[1:]
    directory.mkdir(parents=True)
    (directory / "10-guestinit-eth0.network").write_text("[Match]\nName=eth0\n")
    (directory / "10-guestinit-eth0.network").chmod(0o640)
    os.chown(directory / "10-guestinit-eth0.network", 0, 4)
    (directory / "05-image.network").write_text("[Match]\nName=eth*\n")
    (directory / "99-default.link").symlink_to("/dev/null")
    return tmp_path


def open_tree(tree: Path) -> System:
    """As a new process finds it."""
    here = machine(tree, FakeProcess({}))
    return here._replace(state=State(here.root))


def change(path: str, action: Action) -> Step:
    return Step(f"x:{path}", "network", action, Because(None, "a test"), keep=True, vital=True)


STEPS = (
    change(OLD, File(OLD, b"[Match]\nName=eth0\n[Network]\nDHCP=yes\n")),
    change(NEW, File(NEW, b"[Match]\nName=eth1\n")),
    change(GONE, Absence(GONE)),
    change(f"{ETC}/99-default.link", Absence(f"{ETC}/99-default.link")),
)


def run_of(content: str, boot: str = "b-1") -> Settled:
    return Settled(Instance("i-1", "", content, False), "reconfigured", boot=boot)


def change_all(tree: Path, content: str = "one", steps: tuple[Step, ...] = STEPS, boot: str = "b-1") -> engine.Applied:
    here = open_tree(tree)
    here.state.begin(SEED, run_of(content, boot))
    applied = engine.apply(steps, here, lambda line: None)
    assert [outcome.result for outcome in applied.outcomes] == [OK] * len(steps)
    here.state.remember_written(applied.outcomes)
    here.state.save()
    return applied


def etc(tree: Path) -> dict[str, Any]:
    return {path: entry for path, entry in snapshot(tree).items() if path.startswith(ETC[1:])}


def test_undo_brings_back_everything_as_it_was(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = etc(tree)
    assert change_all(tree).kept
    after = etc(tree)
    assert after != before
    assert cli.main(["net", "undo", "--dry-run", "--root", str(tree)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"would put back {ETC}/99-default.link", f"would put back {GONE}", f"would remove {NEW}",
        f"would put back {OLD}",
    ]  # fmt: skip
    assert etc(tree) == after
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert etc(tree) == before
    assert State(Root(str(tree))).written == [OLD, GONE]  # ours again, so that a later plan can take it out
    assert not (tree / DIRECTORY[1:]).exists()
    assert cli.main(["net", "undo", "--root", str(tree)]) == 1
    assert "no earlier network files" in capsys.readouterr().err


def test_copies_are_for_root_alone(tree: Path) -> None:
    change_all(tree)
    for path in [tree / DIRECTORY[1:], *(tree / DIRECTORY[1:]).rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == 0o600 if path.is_file() else mode & 0o022 == 0, path
    assert stat.S_IMODE((tree / DIRECTORY[1:]).stat().st_mode) == 0o700


def test_a_run_that_goes_on_keeps_the_first_state(tree: Path) -> None:
    before = etc(tree)
    change_all(tree, "one", STEPS[:1])
    with open(tree / RECORD[1:], "ab") as record:
        record.write(b'{"path": "/etc/half')  # the power went in the middle of a line
    change_all(
        tree, "one", (change(OLD, File(OLD, b"a second time\n")), *STEPS[1:]), boot=""
    )  # as resumed runs have it
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert etc(tree) == before


def test_the_next_run_begins_anew(tree: Path) -> None:
    change_all(tree, "one")
    between = etc(tree)
    change_all(tree, "two", (change(OLD, File(OLD, b"another\n", 0o644)),))
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert etc(tree) == between


def test_a_module_that_is_run_again_is_a_run_by_itself(tree: Path) -> None:
    change_all(tree, "one")  # has not finished: something has to be tried again on every boot
    between = etc(tree)
    here = open_tree(tree)
    engine.apply((change(OLD, File(OLD, b"another\n", 0o644)),), here, lambda line: None)
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert etc(tree) == between


def test_a_run_that_changes_nothing_leaves_what_is_kept(tree: Path) -> None:
    change_all(tree, "one")
    kept = snapshot(tree / DIRECTORY[1:])
    assert not change_all(tree, "two").kept
    assert snapshot(tree / DIRECTORY[1:]) == kept


def test_keys_rest_nowhere_else(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = "/etc/NetworkManager/system-connections/wlan.nmconnection"
    (tree / path[1:]).parent.mkdir(parents=True)
    (tree / path[1:]).write_text("[wifi-security]\npsk=open sesame\n")
    applied = change_all(tree, "one", (change(path, File(path, b"[connection]\n", 0o600)), *STEPS[:1]))
    assert applied.outcomes[0].message == "its content before cannot be kept: it holds a key or a password"
    assert not any(b"sesame" in entry[3] for entry in snapshot(tree / DIRECTORY[1:]).values())
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert f"{path} cannot be put back: it holds a key or a password" in capsys.readouterr().err
    assert (tree / path[1:]).read_text() == "[connection]\n"


def test_what_is_somebody_elses_and_cannot_be_kept_stays(tree: Path) -> None:
    path = "/etc/NetworkManager/system-connections/lan.nmconnection"
    (tree / path[1:]).parent.mkdir(parents=True)
    (tree / path[1:]).write_text("[802-1x]\npassword=open sesame\n")
    here = open_tree(tree)
    [outcome] = engine.apply([change(path, Absence(path, must_keep=True))], here, lambda line: None).outcomes
    assert (outcome.result, outcome.message) == (
        FAILED, "not removed: its content before cannot be kept: it holds a key or a password",
    )  # fmt: skip
    assert (tree / path[1:]).exists()


def test_the_copy_is_there_before_the_change(tree: Path) -> None:
    here = open_tree(tree)
    earlier = Earlier(here.root, {"a": "run"})
    earlier.keep(OLD, follow=True)
    [entry] = Earlier(here.root, {}).entries()  # of the disk, not of the memory
    assert (entry.path, entry.mode, entry.owner, entry.group) == (OLD, 0o640, "root", "adm")
    assert (tree / DIRECTORY[1:] / "files" / OLD[1:]).read_text() == (tree / OLD[1:]).read_text()


def test_new_files_alone_are_nothing_to_tell(tree: Path) -> None:
    applied = change_all(tree, "one", STEPS[1:2])
    assert not applied.kept
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert not (tree / NEW[1:]).exists()


def test_a_link_to_a_file_is_written_through(tree: Path) -> None:
    (tree / "srv").mkdir()
    (tree / "srv/file").write_text("old\n")
    (tree / "etc/resolv.conf").symlink_to("/srv/file")
    change_all(tree, "one", (change("/etc/resolv.conf", File("/etc/resolv.conf", b"new\n")),))
    assert (tree / "srv/file").read_text() == "new\n"
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert (tree / "srv/file").read_text() == "old\n"
    assert (tree / "etc/resolv.conf").is_symlink()


def test_a_clone_has_nothing_of_its_template(tree: Path) -> None:
    change_all(tree)
    here = open_tree(tree)
    here.state.begin(SEED, run_of("clone")._replace(kind="new"))
    assert not (tree / DIRECTORY[1:]).exists()


def test_clean_takes_it_along(tree: Path) -> None:
    change_all(tree)
    here = open_tree(tree)
    goes = clean.plan(here, logs=False, machine_id=False)
    assert f"remove {DIRECTORY}" in [removal.words for removal in goes]
    clean.apply(goes, here)
    assert not (tree / DIRECTORY[1:]).exists()


def test_offline_there_is_nothing_to_go_back_to(tree: Path) -> None:
    here = open_tree(tree)._replace(live=False)
    here.state.begin(SEED, run_of("one"))
    applied = engine.apply(STEPS, here, lambda line: None)
    assert not applied.kept
    assert not (tree / DIRECTORY[1:]).exists()


def test_a_link_is_kept_as_a_link(tree: Path) -> None:
    path = f"{ETC}/80-mask.network"
    change_all(tree, "one", (change(path, Link(path, "/dev/null")),))
    assert cli.main(["net", "undo", "--root", str(tree)]) == 0
    assert not (tree / path[1:]).is_symlink()
