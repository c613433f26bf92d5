"""A file that its own program has to take before it replaces the old one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from machine import FakeProcess, as_root, look, machine, snapshot, step

from guestinit.model import key_material, sudoers
from guestinit.model.action import TREE, Absence, Check, Command, File
from guestinit.model.plan import CREATE, FAILED, MODIFY, OK, SKIPPED, UNCHANGED
from guestinit.renderers import network_manager
from guestinit.system import checker, engine
from guestinit.system.process import Finished, Process
from guestinit.system.state import State

pytestmark = as_root

PATH = "/etc/net/eth0.conf"
# A judge in the manner of netplan: it names its own copy, and shows the line that it does not like.
JUDGE = """\
import os, sys
tree = sys.argv[1] if len(sys.argv) > 1 else ""
name = tree + "/etc/net/eth0.conf" if tree else "stdin"
text = open(name).read() if tree else sys.stdin.read()
for number, line in enumerate(text.splitlines(), 1):
    if line.startswith("bad"):
        print(f"{name}:{number}:1: Error: what is {line}", file=sys.stderr)
        sys.exit(78)
if tree:
    os.makedirs(tree + "/run/made")
    os.symlink("/etc", tree + "/run/made/link")
"""


def judge(*arguments: str, good: bytes = b"fine\n") -> Check:
    return Check((sys.executable, "-c", JUDGE, *arguments), good)


def refusal(content: bytes, check: Check) -> str:
    said = checker.refusal(PATH, content, check, Process())
    assert said == "" or said.startswith(f"{check.argv[0]}: ")
    return said[len(check.argv[0]) + 2 :]


def left_behind() -> list[str]:
    return [
        name for name in os.listdir(checker.RUNTIME if os.path.isdir(checker.RUNTIME) else "/tmp") if "check-" in name
    ]


@pytest.mark.parametrize("arguments", [(), (TREE,)], ids=["on standard input", "in a tree"])
def test_what_the_judge_says(arguments: tuple[str, ...]) -> None:
    before = left_behind()
    assert refusal(b"fine\n", judge(*arguments)) == ""
    assert refusal(b"fine\nbad line\n", judge(*arguments)) == "/etc/net/eth0.conf:2:1: Error: what is bad line"
    assert left_behind() == before


@pytest.mark.parametrize("check", [
    judge(good=b"bad as everything\n"), Check(("/no/such/program",), b""), Check(("false",), b""),
], ids=["refuses everything", "is not there", "always fails"])  # fmt: skip
def test_who_cannot_judge_is_not_listened_to(check: Check) -> None:
    assert refusal(b"bad line\n", check) == ""


def test_keys_are_not_told() -> None:
    for name in ("PrivateKey", "private-key", "psk", "wpa-psk", "WPA_PSK", "private", "password", "preshared-key"):
        said = refusal(f"{name}=topsecret1\nbad topsecret1\n".encode(), judge())
        assert said == f"{PATH}:2:1: Error: what is bad ***", name
        assert refusal(f'  {name}: "topsecret1"\nbad topsecret1\n'.encode(), judge()) == said


@pytest.mark.parametrize("text, holds", [
    ("[wifi-security]\nkey-mgmt=wpa-psk\npsk=abc def g\n", True),
    ("keys: {private: abcdefg=, shared: hijk}\n", True),
    ("access-points: {home: {password: open-sesame}}\n", True),
    ("iface wlan0 inet dhcp\n  wpa-psk 0123456789\n", True),
    ("[WireGuard]\nPrivateKey=abcdefg=\n", True),
    ("[WireGuard]\nPrivateKeyFile=/etc/key\n", True),  # of two wrong answers the harmless one
    ("[Match]\nName=eth0\n[Network]\nDHCP=yes\nIPv6PrivacyExtensions=yes\n", False),
    ("[connection]\nid=guestinit eth0\nstable-id=x\n[ipv6]\naddr-gen-mode=stable-privacy\n", False),
    ("network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n", False),
])  # fmt: skip
def test_where_keys_are(text: str, holds: bool) -> None:
    assert key_material.holds_any(text) is holds


def test_a_refused_file_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "etc/net").mkdir(parents=True)
    (tmp_path / "etc/net/eth0.conf").write_text("old and fine\n")
    (tmp_path / "etc/net/eth0.conf").chmod(0o640)
    before = snapshot(tmp_path)
    here = machine(tmp_path, Process(), writable=False)  # a preview asks as well
    seen = look(File(PATH, b"bad\n", check=judge()), here)
    assert (seen.change, seen.refused) == (MODIFY, f"{sys.executable}: {PATH}:1:1: Error: what is bad")
    assert seen.note.endswith(f"refused: {seen.refused}")
    assert snapshot(tmp_path) == before


def test_nobody_is_asked_without_a_need(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_bytes(b"bad\n")
    silent = FakeProcess({})  # blows up when a program is started
    assert look(File("/etc/file", b"bad\n", check=judge()), machine(tmp_path, silent)).change == UNCHANGED
    offline = look(File("/etc/new", b"bad\n", check=judge()), machine(tmp_path, silent, live=False))
    assert (offline.change, offline.refused) == (CREATE, "")


class Recorder(Process):
    """Takes down what would be run for the machine; a check is really run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    def run(self, argv: Sequence[str], *rest: Any, **named: Any) -> Finished:
        if argv[0] != "chroot":
            return super().run(argv, *rest, **named)
        self.ran.append(argv[-1])
        return Finished(0, "", 0.0)


def test_one_refused_file_keeps_the_others_and_stops_what_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "etc/net").mkdir(parents=True)
    (tmp_path / "etc/net/eth0.conf").write_text("old\n")
    process = Recorder()
    here = machine(tmp_path, process)
    here = here._replace(state=State(here.root))
    steps = [
        step(File(PATH, b"bad\n", check=judge()), "bad"),
        step(File("/etc/net/eth1.conf", b"fine\n", check=judge()), "good"),
        step(Command(("reload",), "reload", log_output=False), "reload")._replace(when_changed=("bad", "good")),
        step(Command(("up",), "up", log_output=False), "up")._replace(when_changed=("bad",)),
        step(Absence("/etc/net/eth0.conf"), "rival")._replace(needs=("bad",)),
    ]
    outcomes = engine.apply(steps, here, lambda line: None).outcomes
    assert [outcome.result for outcome in outcomes] == [FAILED, OK, OK, OK, SKIPPED]
    assert "what was there stays" in outcomes[0].message and "Error: what is bad" in outcomes[0].message
    assert process.ran == ["reload"]
    assert (tmp_path / "etc/net/eth0.conf").read_text() == "old\n"
    assert (tmp_path / "etc/net/eth1.conf").read_text() == "fine\n"
    again = engine.apply(steps[:1] + steps[3:4], here, lambda line: None).outcomes  # the next boot tries it once more
    assert [outcome.result for outcome in again] == [FAILED, OK]
    assert process.ran == ["reload"]


# the programs themselves


@pytest.mark.skipif(shutil.which("visudo") is None, reason="no visudo")
def test_visudo() -> None:
    check = sudoers.check(["ALL=(ALL) NOPASSWD: ALL", "ALL=(ALL) NOPASSWD: /bin/ls"])
    assert check is not None
    assert checker.refusal("/etc/sudoers.d/90-guestinit", b"alice ALL=(ALL) /bin/ls\n", check, Process()) == ""
    said = checker.refusal("/etc/sudoers.d/90-guestinit", b"alice ALL=(ALL /bin/ls\n", check, Process())
    assert said == "visudo: /etc/sudoers.d/90-guestinit:1:23: syntax error"


def test_visudo_is_not_asked_about_what_everybody_writes() -> None:
    assert sudoers.check(["ALL=(ALL) NOPASSWD: ALL", "ALL=(ALL) NOPASSWD:ALL"]) is None


@pytest.mark.skipif(shutil.which("nmcli") is None, reason="no nmcli")
def test_nmcli() -> None:
    profile = b"[connection]\nid=a\ntype=vlan\ninterface-name=v1\n[vlan]\nid=5\n"
    said = checker.refusal("/etc/NetworkManager/x.nmconnection", profile, network_manager.CHECK, Process())
    assert said.startswith("nmcli: ") and "vlan.parent" in said
    profile += b"parent=eth0\n"
    assert checker.refusal("/etc/NetworkManager/x.nmconnection", profile, network_manager.CHECK, Process()) == ""
