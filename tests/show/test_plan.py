"""The dry run as people read it, word for word, and as programs do."""

from __future__ import annotations

import json

import pytest

from guestinit.model.action import (
    FINAL,
    Absence,
    Action,
    Because,
    Command,
    Directory,
    File,
    Group,
    Grow,
    Lines,
    Link,
    Live,
    Password,
    Step,
    User,
)
from guestinit.model.identity import Identity
from guestinit.model.plan import CREATE, LEFT, MODIFY, REMOVE, RUN, UNCHANGED, Change
from guestinit.model.problem import ERROR, NOTE, Position, Problem
from guestinit.model.report import Preview
from guestinit.model.secret import Secret
from guestinit.show import plan

HOSTNAME = Step(
    "file:/etc/hostname", "hostname", File("/etc/hostname", b"web1\n"), Because(Position("seed/user-data", 2, 11))
)
NETWORK_PATH = "/etc/systemd/network/10-guestinit-eth0.network"
NETWORK = Step(
    f"file:{NETWORK_PATH}",
    "network",
    File(NETWORK_PATH, b""),
    Because(Position("seed/network-config", 4, 5)),
    vital=True,
)
RELOAD = Step(
    "command:networkctl", "network", Command(("networkctl", "reload"), "networkctl reload"),
    Because(None, "network files change"),
)  # fmt: skip
RUNCMD = Step(
    "command:runcmd.1", "runcmd",
    Command(("/bin/sh", "-c", "echo hunter2\nid"), "runcmd item 1 of 1, 15 bytes", hidden=True),
    Because(Position("seed/user-data", 9, 3)), FINAL,
)  # fmt: skip
PROBLEM = Problem(
    ERROR, Position("seed/user-data", 12, 18), "users.0.lock_passwd", "expected true or false, got 'maybe'",
    "taken as true (locked); write true or false", 5,
)  # fmt: skip
SOURCES = {"seed/user-data": "#\n" * 11 + "    lock_passwd: maybe\n"}


def preview(*changes: Change, problems: tuple[Problem, ...] = (), reason: str = "", where: str = "./seed") -> Preview:
    identity = Identity("new", reason, "15a9919c9b3c5ab9a4dd4ad0b7c2b3c7d4e5f607")
    return Preview("nocloud", where, ("the label is cidata",), identity, 9, changes, problems, SOURCES)


def body(action: Action, change: str, before: str | None, after: str | None, note: str = "") -> str:
    """What stands between the head and the sum."""
    step = Step("x:y", "m", action, Because(None, "of this"))
    return "\n".join(plan.text(preview(Change(step, change, before, after, note))).split("\n")[1:-1])


def test_the_whole_of_it() -> None:
    seen = preview(
        Change(HOSTNAME, MODIFY, "localhost\n", "web1\n"),
        *[Change(HOSTNAME, UNCHANGED)] * 6,
        Change(NETWORK, CREATE, None, "[Match]\nPermanentMACAddress=52:54:00:12:34:56\n\n[Network]\nDHCP=ipv4\n"),
        Change(RELOAD, RUN),
        Change(RUNCMD, RUN, None, "echo hunter2\nid"),
        problems=(PROBLEM,),
    )
    assert (
        plan.text(seen)
        == """\
nocloud seed in ./seed, instance 15a9919c, new                                 9 sections, 1 problem
seed/user-data:12:18: users.0.lock_passwd: expected true or false, got 'maybe'
  12 |     lock_passwd: maybe
     |                  ^^^^^  taken as true (locked); write true or false
~ /etc/hostname                                   hostname  seed/user-data:2:11
    -localhost
    +web1
+ /etc/systemd/network/10-guestinit-eth0.network  network   seed/network-config:4:5
    +[Match]
    +PermanentMACAddress=52:54:00:12:34:56
    +
    +[Network]
    +DHCP=ipv4
> networkctl reload                               network   because network files change
> runcmd item 1 of 1, 15 bytes                    runcmd    seed/user-data:9:3
6 unchanged, 2 to change, 2 to run. Nothing was touched."""
    )


def test_the_head_names_the_reason_and_breaks_where_it_must() -> None:
    head = plan.text(preview(reason="nothing was settled here before")).split("\n")[:2]
    assert head == [
        "nocloud seed in ./seed, instance 15a9919c, new (nothing was settled here before)",
        "  9 sections, 0 problems",
    ]


def test_notes_are_no_problems_and_an_instance_id_that_is_no_hash_is_whole() -> None:
    note = Problem(NOTE, Position("user-data"), "", "a note")
    seen = preview(problems=(note,))._replace(identity=Identity("same", "", "i-0123456789-web"), sections=1)
    assert plan.text(seen, width=0).split("\n") == [
        "nocloud seed in ./seed, instance i-0123456789-web, same",
        "  1 section, 0 problems",
        "user-data: a note [note]",
        "0 unchanged, 0 to change, 0 to run. Nothing was touched.",
    ]


def test_drives_that_were_passed_over_are_named() -> None:
    seen = preview()._replace(reasons=("the label is cidata", "/dev/sr1: no meta-data"))
    assert plan.text(seen).split("\n")[1] == "  /dev/sr1: no meta-data"


def test_without_a_seed() -> None:
    identity = Identity("no seed", "no datasource has anything for this machine")
    seen = Preview("", "", ("nocloud: no volume with the label cidata",), identity, 0, (), (), {})
    assert (
        plan.text(seen)
        == """\
no seed: no datasource has anything for this machine
  nocloud: no volume with the label cidata
0 unchanged, 0 to change, 0 to run. Nothing was touched."""
    )


@pytest.mark.parametrize(
    ("action", "change", "line"),
    [
        (File("/etc/a", b""), MODIFY, "~ /etc/a"),
        (Lines("~alice/.ssh/authorized_keys", ("k",)), CREATE, "+ ~alice/.ssh/authorized_keys"),
        (Directory("/srv/a"), CREATE, "+ /srv/a/"),
        (Link("/etc/localtime", "/usr/share/zoneinfo/UTC"), MODIFY, "~ /etc/localtime"),
        (Absence("/etc/ssh/ssh_host_rsa_key"), REMOVE, "- /etc/ssh/ssh_host_rsa_key"),
        (Group("docker"), CREATE, "+ group docker"),
        (User("alice"), CREATE, "+ user alice"),
        (Password("alice"), MODIFY, "~ password of alice"),
        (Command(("a",), "apt-get update"), RUN, "> apt-get update"),
        (Live("hostname", "web1"), MODIFY, "~ running hostname"),
        (Grow("/"), LEFT, ". grow /"),
    ],
)
def test_one_line_for_each_kind(action: Action, change: str, line: str) -> None:
    assert body(action, change, None, None) == f"{line}  m  because of this"


def test_a_position_with_words() -> None:
    step = HOSTNAME._replace(because=Because(Position("user-data", 2, 3), "after packages"))
    assert plan.text(preview(Change(step, CREATE))).split("\n")[1] == (
        "+ /etc/hostname  hostname  user-data:2:3, after packages"
    )


def test_what_must_not_be_shown_has_a_note() -> None:
    secret = File("/etc/key", Secret("hunter2"), 0o600)
    assert (
        body(secret, CREATE, None, None, "7 bytes, not shown")
        == "+ /etc/key  m  because of this\n    7 bytes, not shown"
    )


def test_a_diff_in_the_middle_of_a_file_has_line_numbers() -> None:
    before = "".join(f"{number}\n" for number in range(1, 21))
    assert (
        body(File("/a", b""), MODIFY, before, before.replace("10\n", "ten\n"))
        == """\
~ /a  m  because of this
    @@ -7,7 +7,7 @@
     7
     8
     9
    -10
    +ten
     11
     12
     13"""
    )


def test_a_missing_last_newline_is_said() -> None:
    assert (
        body(File("/a", b""), MODIFY, "a\nb", "a\nb\n")
        == """\
~ /a  m  because of this
     a
    -b
    \\ No newline at end of file
    +b"""
    )


def test_accounts_are_lines_too() -> None:
    before, after = "shell: /bin/sh\ngroups: sudo", "shell: /bin/bash\ngroups: sudo"
    assert body(User("alice"), MODIFY, before, after).split("\n")[1:] == [
        "    -shell: /bin/sh",
        "    +shell: /bin/bash",
        "     groups: sudo",
    ]


def test_long_contents_are_cut() -> None:
    lines = body(File("/a", b""), CREATE, None, "x\n" * 1000).split("\n")
    assert (len(lines), lines[-1]) == (202, "    ... 800 more lines")
    assert body(File("/a", b""), MODIFY, "x\n" * 3000, "y\n") == (
        "~ /a  m  because of this\n    3000 lines -> 1 line, too many to show"
    )


def test_a_file_cannot_speak_to_the_terminal() -> None:
    shown = body(File("/a\x1b[2J", b""), CREATE, None, "\x1b]0;evil\x07\r\n\tkept ä\n", "\x9b")
    assert shown == "+ /a\\x1b[2J  m  because of this\n    +\\x1b]0;evil\\x07\\r\n    +\tkept ä\n    \\x9b"


def test_the_text_of_a_users_command_only_on_request() -> None:
    seen = preview(Change(RUNCMD, RUN, None, "echo hunter2"))
    assert "hunter2" not in plan.text(seen)
    assert "hunter2" not in plan.json(seen)
    assert plan.text(seen, reveal=True).split("\n")[2:4] == ["    echo hunter2", "    id"]
    listed = RUNCMD._replace(action=Command(("echo", "a b"), "runcmd item 1 of 1, 8 bytes", hidden=True))
    assert plan.text(preview(Change(listed, RUN)), reveal=True).split("\n")[2] == "    echo 'a b'"


def test_the_whole_line_of_a_command_of_ours() -> None:
    update = Command(("apt-get", "-q", "update"), "apt-get update")
    assert body(update, RUN, "", "apt-get -q update\n") == "> apt-get update  m  because of this\n    apt-get -q update"
    reload = Command(("networkctl", "reload"), "networkctl reload")
    assert body(reload, RUN, "", "networkctl reload\n") == "> networkctl reload  m  because of this"
    hidden = Command(("id",), "runcmd item 1 of 1, 2 bytes", hidden=True)
    assert body(hidden, RUN, None, None, hidden.label) == "> runcmd item 1 of 1, 2 bytes  m  because of this"


def test_what_waits_for_the_first_boot_is_counted() -> None:
    grow = Step("grow:/", "grow", Grow("/"), Because(None, "of this"))
    assert plan.text(preview(Change(grow, LEFT, note="it needs the running system"))).split("\n")[1:] == [
        ". grow /  grow  because of this",
        "0 unchanged, 0 to change, 0 to run, 1 left for the first boot. Nothing was touched.",
    ]


def test_colours() -> None:
    lines = plan.text(preview(Change(HOSTNAME, MODIFY, "a\n", "b\n")), colour=True).split("\n")
    assert lines[1:4] == [
        "\033[33m~ /etc/hostname\033[0m  hostname  seed/user-data:2:11",
        "    \033[31m-a\033[0m",
        "    \033[32m+b\033[0m",
    ]


def test_json() -> None:
    seen = preview(
        Change(HOSTNAME, MODIFY, "localhost\n", "web1\n", "mode 0600 -> 0644"),
        Change(RELOAD, UNCHANGED),
        problems=(PROBLEM,),
        reason="nothing settled",
    )
    assert json.loads(plan.json(seen)) == {
        "version": 1,
        "datasource": {"name": "nocloud", "where": "./seed", "reasons": ["the label is cidata"]},
        "instance_id": "15a9919c9b3c5ab9a4dd4ad0b7c2b3c7d4e5f607",
        "identity": {"kind": "new", "reason": "nothing settled"},
        "problems": [
            {
                "severity": "error", "file": "seed/user-data", "line": 12, "column": 18, "path": "users.0.lock_passwd",
                "message": "expected true or false, got 'maybe'",
                "hint": "taken as true (locked); write true or false",
            }
        ],
        "actions": [
            {
                "id": "file:/etc/hostname", "module": "hostname", "stage": "local", "kind": "file",
                "title": "/etc/hostname", "change": "modify", "before": "localhost\n", "after": "web1\n",
                "note": "mode 0600 -> 0644",
                "because": {"file": "seed/user-data", "line": 2, "column": 11, "text": ""},
            },
            {
                "id": "command:networkctl", "module": "network", "stage": "local", "kind": "command",
                "title": "networkctl reload", "change": "unchanged", "before": None, "after": None, "note": "",
                "because": {"file": None, "line": None, "column": None, "text": "network files change"},
            },
        ],
        "summary": {"unchanged": 1, "change": 1, "run": 0, "left": 0},
    }  # fmt: skip


def test_json_takes_any_text() -> None:
    seen = preview(Change(HOSTNAME, MODIFY, "\udcff\x1b", "ä"))
    assert json.loads(plan.json(seen))["actions"][0]["before"] == "\udcff\x1b"
    assert plan.json(seen).isascii()
