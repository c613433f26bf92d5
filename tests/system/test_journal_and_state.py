"""The memory of a machine: what is on disk at which moment, and what a cut in between leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guestinit.model.action import LOCAL, ONCE, Because, Command, File, Step
from guestinit.model.identity import NEW, Instance, Settled
from guestinit.model.plan import OK, Change, Outcome
from guestinit.model.secret import Secret
from guestinit.model.seed import Document, Seed
from guestinit.system.journal import Journal
from guestinit.system.root import Root
from guestinit.system.state import DIRECTORY, State

SEED = Seed(
    "nocloud", "./seed", "named",
    (Document("user-data", "seed/user-data", b"#cloud-config\npassword: hunter2\n"), Document("meta-data", "m", b"")),
)  # fmt: skip
RUN = Settled(Instance("id-1", "", "digest"), NEW)


def step(name: str, basis: str | None = None) -> Step:
    secret = None if basis is None else Secret(basis)
    return Step(f"command:{name}", "runcmd", Command(("true",), name), Because(), LOCAL, frequency=ONCE, basis=secret)


def test_a_journal_is_read_back_and_a_half_line_is_nothing(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    journal = Journal(root, "/journal")
    journal.begin_run({"instance_id": "a"})
    journal.begin("file:/a")
    journal.complete("file:/a", "ok")
    journal.begin("command:b")
    with open(tmp_path / "journal", "ab") as file:
        file.write(b'{"done": "comm')  # the power went here
    again = Journal(root, "/journal")
    assert again.run == {"instance_id": "a"}
    assert again.result("file:/a") == "ok"
    assert not again.interrupted("file:/a")
    assert again.interrupted("command:b")
    assert again.result("command:b") == ""


def test_a_line_after_a_half_line_is_still_read(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    Journal(root, "/journal").begin("command:a")
    with open(tmp_path / "journal", "ab") as file:
        file.write(b'{"done": "comm')
    Journal(root, "/journal").complete("command:a", "interrupted")
    assert Journal(root, "/journal").result("command:a") == "interrupted"


def test_a_triggered_command_is_due_over_reboots(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    journal = Journal(root, "/journal")
    journal.begin("lines:/etc/locale.gen")  # cut before anything else happened
    again = Journal(root, "/journal")
    assert again.changed_since("command:locale-gen", ("lines:/etc/locale.gen",))
    again.begin("command:locale-gen")
    again.complete("command:locale-gen", "failed")
    assert again.changed_since("command:locale-gen", ("lines:/etc/locale.gen",))
    again.complete("command:locale-gen", "ok")
    assert not Journal(root, "/journal").changed_since("command:locale-gen", ("lines:/etc/locale.gen",))


def test_once_is_once_for_an_input(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    state = State(root)
    state.begin(SEED, RUN)
    assert not state.is_done(step("a", "x"))
    state.record_done(step("a", "x"), OK, 0)
    state.save()
    again = State(root)
    assert again.is_done(step("a", "x"))
    assert not again.is_done(step("a", "y"))
    assert not again.is_done(step("b", "x"))
    again.forget_everything()
    assert not again.is_done(step("a", "x"))


def test_settling_leaves_no_secret_and_no_journal(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    state = State(root)
    state.begin(SEED, RUN)
    seed = State(root).pending_seed()
    assert seed == SEED
    assert State(root).unfinished() == RUN
    state.record_done(step("a", "hunter2"), OK, 0)
    state.settle(RUN, "")
    again = State(root)
    assert again.settled == RUN
    assert again.unfinished() is None
    assert again.pending_seed() is None
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path
    names = sorted(path.name for path in (tmp_path / DIRECTORY[1:]).iterdir())
    assert names == ["key", "memory.json", "settled.json"]


def test_documents_may_have_names_that_no_file_can_have(tmp_path: Path) -> None:
    """A leaf of a metadata tree, or a file on CloudStack's drive in a longer path than one name may have bytes."""
    names = ("meta-data/" + "k" * 251, "meta-data/tags/instance/" + "\u00e9" * 250, "meta-data/a/b", "meta-data/a!b")
    seed = Seed(
        "ec2", "http://169.254.169.254 (eth0)", "", tuple(Document(name, name, name.encode()) for name in names)
    )
    State(Root(str(tmp_path))).begin(seed, RUN)
    assert State(Root(str(tmp_path))).pending_seed() == seed


def test_documents_of_two_runs_are_never_mixed(tmp_path: Path) -> None:
    """The power fails while the documents of another run are written over those of the first one."""

    class Cut(Root):
        def write(self, path: str, *rest: object, **named: object) -> None:
            if path.endswith("pending/1"):
                raise KeyboardInterrupt
            super().write(path, *rest, **named)  # type: ignore[arg-type]

    State(Root(str(tmp_path))).begin(SEED, RUN)
    other = SEED._replace(documents=(Document("meta-data", "m", b"instance-id: i-2"), *SEED.documents[:1]))
    with pytest.raises(KeyboardInterrupt):
        State(Cut(str(tmp_path))).begin(other, RUN)
    assert State(Root(str(tmp_path))).pending_seed() is None
    State(Root(str(tmp_path))).begin(other, RUN)
    assert State(Root(str(tmp_path))).pending_seed() == other


def test_modes(tmp_path: Path) -> None:
    state = State(Root(str(tmp_path)))
    state.begin(SEED, RUN)
    directory = tmp_path / DIRECTORY[1:]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "pending").stat().st_mode & 0o777 == 0o700
    for path in directory.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600, path


def test_an_offline_run_keeps_its_documents_for_the_first_boot(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    state = State(root)
    state.begin(SEED, RUN)
    state.settle(RUN._replace(offline=True), "")
    assert State(root).pending_seed() == SEED
    assert State(root).unfinished() is None


def test_a_new_machine_forgets_a_run_that_it_inherited(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    template = State(root)
    template.begin(SEED, RUN)
    template.journal.begin("command:a")
    clone = State(root)
    clone.forget_everything()
    clone.begin(SEED, Settled(Instance("id-2", "", "other"), NEW))
    assert not State(root).journal.interrupted("command:a")
    assert State(root).journal.run["instance_id"] == "id-2"


def test_damaged_memory_counts_as_nothing_done(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    State(root).begin(SEED, RUN)
    (tmp_path / DIRECTORY[1:] / "memory.json").write_bytes(b"{ not json")
    (tmp_path / DIRECTORY[1:] / "settled.json").write_text(json.dumps({"version": 99}))
    again = State(root)
    assert again.done == {}
    assert again.settled is None


def test_network_files_are_remembered_as_ours(tmp_path: Path) -> None:
    state = State(Root(str(tmp_path)))
    write = Step("file:/etc/a.network", "network", File("/etc/a.network", b""), Because())
    other = Step("file:/etc/b", "files", File("/etc/b", b""), Because())
    state.remember_written([Outcome(Change(write, "create"), OK), Outcome(Change(other, "create"), OK)])
    assert state.written == ["/etc/a.network"]
