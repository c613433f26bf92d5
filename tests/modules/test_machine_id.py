"""machine_id: a clone's own id, made by systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from guestinit.model.action import ONCE, Command, File, Link, Step
from guestinit.model.facts import Facts
from guestinit.model.identity import Identity
from guestinit.modules import machine_id
from tests.modules.sections import NOBODY, facts

CLONE = facts(machine_id_inherited=True, paths=frozenset({"/var/lib/dbus/machine-id"}))


def plan(machine: Facts) -> list[Step]:
    return list(machine_id.plan(machine_id.Section(), machine, NOBODY))


def test_a_clone_gets_its_own() -> None:
    link, empty, setup, journal = plan(CLONE)
    assert link.action == Link("/var/lib/dbus/machine-id", "/etc/machine-id")
    assert empty.action == File("/etc/machine-id", b"", 0o444)
    assert link.frequency == empty.frequency == ONCE
    assert isinstance(setup.action, Command) and setup.action.argv == ("systemd-machine-id-setup",)
    assert setup.when_changed == (empty.id,) and setup.action.may_repeat
    assert isinstance(journal.action, Command) and journal.action.unit_active == "systemd-journald.service"
    assert "--no-block" in journal.action.argv  # a unit that waits for another may wait for itself
    assert "effective after the next boot" in str(empty.because)


def test_nothing_for_dbus_where_it_has_no_id() -> None:
    assert [step.id for step in plan(CLONE._replace(paths=frozenset()))] == [
        "file:/etc/machine-id",
        "command:machine-id",
        "command:machine-id.journal",
    ]


@pytest.mark.parametrize(
    "machine",
    [
        CLONE._replace(machine_id_inherited=False),
        CLONE._replace(live=False),
        CLONE._replace(identity=Identity("reconfigured", "")),
        CLONE._replace(identity=Identity("same", "")),
        CLONE._replace(identity=Identity("resumed", "", of="reconfigured")),
    ],
)
def test_everybody_else_keeps_it(machine: Facts) -> None:
    assert plan(machine) == []


def test_a_resumed_first_run_goes_on() -> None:
    assert len(plan(CLONE._replace(identity=Identity("resumed", "", of="new")))) == 4


@pytest.mark.skipif(shutil.which("systemd-machine-id-setup") is None, reason="systemd is not installed")
def test_systemd_makes_another_id_out_of_what_is_planned(tmp_path: Path) -> None:
    inherited = "0123456789abcdef0123456789abcdef\n"
    paths = {name: tmp_path / name.lstrip("/") for name in ("/etc/machine-id", "/var/lib/dbus/machine-id")}
    for path in paths.values():
        path.parent.mkdir(parents=True)
        path.write_text(inherited)
    for step in plan(CLONE):
        if isinstance(step.action, Link):
            paths[step.action.path].unlink()
            paths[step.action.path].symlink_to(step.action.target)
        elif isinstance(step.action, File):
            assert isinstance(step.action.content, bytes)
            paths[step.action.path].write_bytes(step.action.content)
            paths[step.action.path].chmod(step.action.mode or 0)
        elif isinstance(step.action, Command) and not step.action.unit_active:
            subprocess.run([*step.action.argv, f"--root={tmp_path}"], check=True, capture_output=True)
    made = paths["/etc/machine-id"].read_text()
    assert len(made) == 33 and made != inherited
