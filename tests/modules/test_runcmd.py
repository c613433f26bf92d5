"""runcmd: each item by itself, its text shown to nobody."""

from __future__ import annotations

import subprocess

import pytest

from guestinit.model.action import FINAL, ONCE, Command, File
from guestinit.model.secret import Secret
from guestinit.modules import runcmd
from tests.modules.sections import facts, messages, planned, section, steps

HOME = (("HOME", "/root"),)


def commands(text: str) -> list[Command]:
    return [step.action for step in steps(runcmd, text) if isinstance(step.action, Command)]


def test_texts_and_lists() -> None:
    first, second = steps(runcmd, "runcmd:\n- echo hello > /a\n- [systemctl, start, --no-block, nginx]\n")
    assert (first.id, first.stage, first.frequency, str(first.because)) == (
        "command:runcmd.1", FINAL, ONCE, "user-data:2:3"
    )  # fmt: skip
    assert first.action == Command(
        ("/bin/sh", "-c", "echo hello > /a"), "runcmd item 1 of 2, 15 bytes", HOME, hidden=True
    )
    assert second.action == Command(
        ("systemctl", "start", "--no-block", "nginx"), "runcmd item 2 of 2, 32 bytes", HOME, hidden=True
    )
    assert first.needs == second.needs == ()


def test_the_text_appears_in_no_label_and_no_id() -> None:
    (step,) = steps(runcmd, "runcmd: [mysql -phunter2]")
    assert isinstance(step.action, Command)
    assert "hunter2" not in f"{step.id} {step.action.label} {step.because} {step.basis}"
    assert step.action.hidden


def test_changing_one_item_runs_the_whole_section_again() -> None:
    before = steps(runcmd, "runcmd: [a, b]")
    after = steps(runcmd, "runcmd: [a, c]")
    assert before[0].action == after[0].action
    assert before[0].basis == before[1].basis != after[0].basis
    assert steps(runcmd, "{hostname: x, runcmd: [a, b]}")[0].basis == before[0].basis


def test_how_words_are_cut_counts_for_the_memory() -> None:
    assert steps(runcmd, "runcmd: [[a, b c]]")[0].basis != steps(runcmd, "runcmd: [[a b, c]]")[0].basis


def test_numbers_and_flags_stay_text() -> None:
    assert commands("runcmd: [[chmod, 0644, /a], 12:30, [echo, no, 1.10]]") == [
        Command(("chmod", "0644", "/a"), "runcmd item 1 of 3, 13 bytes", HOME, hidden=True),
        Command(("/bin/sh", "-c", "12:30"), "runcmd item 2 of 3, 5 bytes", HOME, hidden=True),
        Command(("echo", "no", "1.10"), "runcmd item 3 of 3, 12 bytes", HOME, hidden=True),
    ]


def test_empty_items_are_nothing_and_keep_their_number() -> None:
    found = steps(runcmd, "runcmd:\n- # a comment\n- ~\n- '  '\n- echo\n")
    assert [step.id for step in found] == ["command:runcmd.4"]


def test_wrong_items_are_named_and_the_others_run() -> None:
    text = "runcmd:\n- echo: this\n- [a, [b, c]]\n- []\n- [ls, ~, -l]\n- true\n- \"a\\0b\"\n- ['', x]\n"
    assert messages(runcmd, text) == [
        "error user-data:2:3: runcmd.0: expected text or a list of text, got a mapping",
        "error user-data:3:7: runcmd.1.1: expected text, got a list",
        "error user-data:4:3: runcmd.2: expected a program, got nothing",
        "warning user-data:5:8: runcmd.3.1: nothing is given here",
        "error user-data:7:3: runcmd.5: a command cannot hold a NUL character",
        "error user-data:8:3: runcmd.6: expected a program, got nothing",
    ]
    found = planned(runcmd, section(runcmd, text)[0])
    assert [step.action.argv for step in found if isinstance(step.action, Command)] == [
        ("ls", "-l"), ("/bin/sh", "-c", "true")
    ]  # fmt: skip
    assert [step.action.label for step in found if isinstance(step.action, Command)] == [
        "runcmd item 4 of 7, 5 bytes", "runcmd item 5 of 7, 4 bytes"
    ]  # fmt: skip


@pytest.mark.parametrize(("written", "got"), [("echo", "a text"), ("{a: b}", "a mapping")])
def test_not_a_list(written: str, got: str) -> None:
    assert messages(runcmd, f"runcmd: {written}") == [f"error user-data:1:9: runcmd: expected a list, got {got}"]


@pytest.mark.parametrize(
    ("item", "word"),
    [
        ("cd /tmp", "cd"),
        ("[cd, /tmp]", "cd"),
        ("export A=b", "export"),
        ("set -e", "set"),
        (". /etc/profile", "."),
        ("A=b", "A="),
    ],
)
def test_what_only_changes_its_own_shell_is_said(item: str, word: str) -> None:
    assert messages(runcmd, f"runcmd:\n- {item}\n") == [
        f"warning user-data:2:3: runcmd.0: '{word}' has no effect on the commands after it: each runs by itself"
    ]


@pytest.mark.parametrize("item", ["cd /tmp && make", "A=b make", "set -e; make", "cdrecord x", "export A=b\n  make"])
def test_what_does_more_is_not(item: str) -> None:
    assert messages(runcmd, f"runcmd:\n- |\n  {item}\n") == []


def test_a_list_that_begins_with_a_word_of_the_shell_runs() -> None:
    (command,) = commands("runcmd: [[eval, 'echo $((1 + 2))'], ]")
    assert subprocess.run(command.argv, capture_output=True, check=True).stdout == b"3\n"


def test_stop_makes_each_need_the_one_before() -> None:
    here = facts(options=(("commands.on_failure", "stop"),))
    assert [step.needs for step in steps(runcmd, "runcmd: [a, b, c]", here)] == [
        (), ("command:runcmd.1",), ("command:runcmd.2",)
    ]  # fmt: skip


def test_commands_are_repeated_only_where_the_image_says_so() -> None:
    (never,) = steps(runcmd, "runcmd: [a]")
    (again,) = steps(runcmd, "runcmd: [a]", facts(options=(("commands.repeat_failed", "true"),)))
    assert isinstance(never.action, Command) and isinstance(again.action, Command)
    assert (never.action.may_repeat, again.action.may_repeat) == (False, True)


def test_nothing_is_ever_killed() -> None:
    assert commands("runcmd: [a]")[0].timeout is None


def test_a_text_that_is_too_long_for_an_argument_goes_through_a_file() -> None:
    long = "echo " + "x" * 131072
    file, command = steps(runcmd, f"runcmd: [{long}]")
    assert file.action == File("/var/lib/guestinit/scripts/runcmd-1", Secret(long), 0o700)
    assert isinstance(command.action, Command)
    assert command.action.argv == ("/bin/sh", "/var/lib/guestinit/scripts/runcmd-1")
    assert command.needs == (file.id,)


def test_scripts_of_user_data() -> None:
    scripts = [("user-data", b"#!/bin/sh\nid\n"), ("user-data:part-2", b"#!/usr/bin/python3\n")]
    found = list(runcmd.script_steps(scripts))
    assert [step.id for step in found] == [
        "file:/var/lib/guestinit/scripts/part-001", "command:script.1",
        "file:/var/lib/guestinit/scripts/part-002", "command:script.2",
    ]  # fmt: skip
    assert found[0].action == File("/var/lib/guestinit/scripts/part-001", Secret("#!/bin/sh\nid\n"), 0o700)
    assert found[1].action == Command(
        ("/var/lib/guestinit/scripts/part-001",), "script user-data, 13 bytes", HOME, hidden=True
    )
    assert (found[1].needs, found[1].stage, found[1].frequency, found[1].basis) == (
        (found[0].id,), FINAL, ONCE, Secret("#!/bin/sh\nid\n")
    )  # fmt: skip
    stop = list(runcmd.script_steps([("a", b"#!a"), ("b", b"#!b")], facts(options=(("commands.on_failure", "stop"),))))
    assert stop[3].needs == (stop[2].id, "command:script.1")
