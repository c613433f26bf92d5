"""bootcmd: on every boot, early, with the instance's id."""

from __future__ import annotations

from guestinit.model.action import EVERY_BOOT, LOCAL, Command
from guestinit.modules import bootcmd
from tests.modules.sections import facts, messages, steps


def test_every_boot_before_the_network() -> None:
    first, second = steps(bootcmd, "bootcmd:\n- modprobe br_netfilter\n- [sh, -c, 'echo $INSTANCE_ID']\n")
    assert (first.id, first.stage, first.frequency, first.basis, str(first.because)) == (
        "command:bootcmd.1", LOCAL, EVERY_BOOT, None, "user-data:2:3"
    )  # fmt: skip
    assert first.action == Command(
        ("/bin/sh", "-c", "modprobe br_netfilter"), "bootcmd item 1 of 2, 21 bytes",
        (("HOME", "/root"), ("INSTANCE_ID", "i-1")), may_repeat=True, hidden=True,
    )  # fmt: skip
    assert isinstance(second.action, Command)
    assert second.action.argv == ("sh", "-c", "echo $INSTANCE_ID")


def test_stop_makes_each_need_the_one_before() -> None:
    here = facts(options=(("commands.on_failure", "stop"),))
    assert [step.needs for step in steps(bootcmd, "bootcmd: [a, b]", here)] == [(), ("command:bootcmd.1",)]


def test_wrong_items_are_named() -> None:
    assert messages(bootcmd, "bootcmd: [{a: b}]") == [
        "error user-data:1:11: bootcmd.0: expected text or a list of text, got a mapping"
    ]
