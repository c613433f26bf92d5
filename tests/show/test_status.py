"""The status as people read it, word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guestinit.show import status

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "boot_id": "0a1b2c3d-0000-4000-8000-000000000000",
    "state": "degraded",
    "result": "degraded",
    "stage": "final",
    "instance_id": "15a9919c",
    "datasource": {
        "name": "nocloud", "where": "/dev/sr0 (cidata, iso9660)", "reasons": ["/dev/sr0: the label is cidata"],
    },
    "identity": {"kind": "new", "reason": "nothing was settled here before"},
    "refused": "",
    "modules": [
        {"name": "hostname", "stage": "local", "result": "ok", "changed": 2, "ms": 3.1, "reason": ""},
        {
            "name": "runcmd", "stage": "final", "result": "failed", "changed": 1, "ms": 1200.0,
            "reason": "command:runcmd.2: exit status 3",
        },
    ],
    "actions": [
        {
            "id": "command:runcmd.1", "module": "runcmd", "stage": "final", "kind": "command", "result": "ok",
            "code": 0, "message": "", "because": "user-data:8:3",
        },
        {
            "id": "command:runcmd.2", "module": "runcmd", "stage": "final", "kind": "command", "result": "failed",
            "code": 3, "message": "exit status 3", "because": "user-data:9:3",
        },
    ],
    "problems": [
        {
            "severity": "error", "file": "user-data", "line": 12, "column": 18, "path": "users.0.lock_passwd",
            "message": "expected true or false, got 'maybe'",
        },
        {
            "severity": "warning", "file": "user-data", "line": 1, "column": 1, "path": "hostnam",
            "message": "unknown key",
        },
        {"severity": "warning", "file": "vendor-data", "line": 0, "column": 0, "path": "", "message": "empty"},
    ],
    "addresses": ["192.0.2.10", "2001:db8::10"],
    "ssh_host_keys": ["ED25519 SHA256:x"],
    "started": 4.25,
    "finished": 31.5,
}  # fmt: skip


def test_short() -> None:
    assert (
        status.text(DOCUMENT)
        == """\
degraded: nocloud in /dev/sr0 (cidata, iso9660), instance 15a9919c, new (nothing was settled here before)
  runcmd: command:runcmd.2: exit status 3
  1 error and 2 warnings in the input; guestinit status --long names them"""
    )


def test_long() -> None:
    assert (
        status.text(DOCUMENT, long=True)
        == """\
degraded: nocloud in /dev/sr0 (cidata, iso9660), instance 15a9919c, new (nothing was settled here before)
  /dev/sr0: the label is cidata
  started 4.2 s after the kernel, finished at 31.5 s
addresses:
  192.0.2.10
  2001:db8::10
ssh host keys:
  ED25519 SHA256:x
modules:
  hostname  local  ok      2 changed  3.1 ms
  runcmd    final  failed  1 changed  1200.0 ms  command:runcmd.2: exit status 3
commands, failures and remarks:
  command:runcmd.1  ok      exit status 0  user-data:8:3
  command:runcmd.2  failed  exit status 3  user-data:9:3
problems in the input:
  user-data:12:18: users.0.lock_passwd: expected true or false, got 'maybe'
  user-data:1:1: hostnam: unknown key [warning]
  vendor-data: empty [warning]"""
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"version": 1, "state": "not started"}, "not started"),
        ({"version": 1, "state": "disabled", "refused": "a file exists"}, "disabled: a file exists"),
        (
            {"version": 1, "state": "disabled", "identity": {"kind": "none", "reason": "a file exists"}},
            "disabled: a file exists",
        ),
        ({"version": 1, "state": "running", "stage": "network"}, "running: stage network"),
        (
            {"state": "none", "datasource": {"name": ""}, "identity": {"kind": "no seed", "reason": "it is gone"}},
            "none: no seed (it is gone)",
        ),
        ({}, "not started"),
        (
            {"state": "failed", "refused": "it is silent", "identity": {"kind": "no seed", "reason": "it is silent"}},
            "failed: it is silent",
        ),
    ],
)  # fmt: skip
def test_states_without_much_to_say(document: dict[str, Any], expected: str) -> None:
    assert status.text(document) == expected
    assert status.text(document, long=True) == expected


def test_reason_without_a_place_does_not_go_on_with_the_message() -> None:
    action = {
        "id": "command:x",
        "result": "skipped",
        "message": "it needs the running system",
        "because": "there is none",
    }
    assert status.text({"state": "done", "actions": [action]}, long=True).endswith(
        "  command:x  skipped  it needs the running system  because there is none"
    )


def test_one_problem_is_one() -> None:
    document = {"state": "degraded", "problems": [{"severity": "error"}, {"severity": "note"}]}
    assert status.text(document).split("\n")[1:] == ["  1 error in the input; guestinit status --long names them"]


def test_still_running_has_no_end() -> None:
    document = {"state": "running", "stage": "late", "started": 4, "finished": None}
    assert status.text(document, long=True) == "running: stage late\n  started 4.0 s after the kernel, not finished"


def test_colours_and_no_control_characters() -> None:
    document = {"state": "failed", "refused": "\x1b[2J"}
    assert status.text(document, colour=True) == "\033[31mfailed\033[0m: \\x1b[2J"


def test_json_is_the_document() -> None:
    assert json.loads(status.json(DOCUMENT)) == DOCUMENT
