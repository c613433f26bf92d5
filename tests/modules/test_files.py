"""write_files: what is written, with which mode and owner, and what is refused."""

from __future__ import annotations

import base64
import gzip
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model.action import FINAL, LOCAL, File, Step
from guestinit.model.mode import mode_of
from guestinit.model.packed import UNPACKED_LIMIT
from guestinit.model.problem import Position
from guestinit.model.secret import Secret
from guestinit.model.seed import InjectedFile, MetaData
from guestinit.model.value import SCALAR, Given, Value
from guestinit.modules import files
from tests.modules.sections import accounts, facts, messages, planned, section, steps

DAMAGED = gzip.compress(b"hello")[:-8] + b"\0" * 8  # another checksum


def one(text: str) -> File:
    """The only file of a document without mistakes."""
    (step,) = steps(files, text)
    assert isinstance(step.action, File)
    return step.action


def content(action: File) -> bytes:
    return action.content.reveal() if isinstance(action.content, Secret) else action.content


def packed(encoding: str, text: bytes) -> str:
    """An entry whose content is this base64."""
    return f"write_files:\n- path: /etc/a\n  encoding: {encoding}\n  content: {base64.b64encode(text).decode()}\n"


def test_a_file_as_people_write_it() -> None:
    text = """\
write_files:
- path: /etc/motd
  content: |
    hello
    world
  owner: root:adm
  permissions: '0640'
"""
    (step,) = steps(files, text, facts(groups=("root", "adm")))
    assert step == Step(
        id="file:/etc/motd",
        module="files",
        action=File("/etc/motd", Secret("hello\nworld\n"), 0o640, "root", "adm"),
        because=step.because,
        stage=LOCAL,
    )
    assert step.because.at == Position("user-data", 2, 3)


def test_defaults_are_public_and_roots() -> None:
    assert one("write_files: [{path: /etc/a, content: x}]") == File("/etc/a", b"x", 0o644, "root", "root")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("x", b"x"), ("'x'", b"x"), ("", b""), ("null", b""), ("0123", b"0123"), ("no", b"no"), ("1:30", b"1:30"),
     ("!!binary /wBh", b"\xff\x00a"), ("'ä'", "ä".encode())],
)  # fmt: skip
def test_content_stays_as_it_was_written(written: str, expected: bytes) -> None:
    assert content(one(f"write_files:\n- path: /etc/a\n  content: {written}\n")) == expected


def test_a_file_without_content_is_empty() -> None:
    assert content(one("write_files: [{path: /etc/a}]")) == b""


@pytest.mark.parametrize("encoding", ["b64", "base64", "B64"])
def test_base64(encoding: str) -> None:
    assert content(one(packed(encoding, b"\x00hello"))) == b"\x00hello"


@pytest.mark.parametrize("encoding", ["gz+b64", "gz+base64", "gzip+b64", "gzip+base64"])
def test_gzip_in_base64(encoding: str) -> None:
    twice = gzip.compress(b"hello ") + gzip.compress(b"world")
    assert content(one(packed(encoding, twice))) == b"hello world"


@pytest.mark.parametrize("encoding", ["gz", "gzip"])
def test_gzip_in_a_binary_scalar(encoding: str) -> None:
    data = base64.b64encode(gzip.compress(b"hello")).decode()
    assert content(one(f"write_files: [{{path: /a, encoding: {encoding}, content: !!binary {data}}}]")) == b"hello"


def test_base64_over_several_lines_and_without_padding() -> None:
    text = "write_files:\n- path: /etc/a\n  encoding: b64\n  content: |\n    aGVs\n    bG8\n"
    assert content(one(text)) == b"hello"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("encoding: b64, content: 'not base64!'", "this is not base64"),
        ("encoding: b64, content: abcde", "this is not base64"),
        ("encoding: gz+b64, content: aGVsbG8=", "this is not gzip; write encoding: gz+b64 if it is base64 of it"),
        ("encoding: gz, content: hello", "this is not gzip; write encoding: gz+b64 if it is base64 of it"),
        (
            f"encoding: gz+b64, content: {base64.b64encode(gzip.compress(b'hello')[:-9]).decode()}",
            "this gzip is cut off",
        ),
        (f"encoding: gz+b64, content: {base64.b64encode(DAMAGED).decode()}", "this gzip is damaged"),
        ("content: [a, b]", "expected text, got a list"),
        ("content: {a: b}", "expected text, got a mapping"),
    ],
)
def test_content_that_cannot_be_unpacked_leaves_the_file_out(entry: str, message: str) -> None:
    read, problems = section(files, f"write_files: [{{path: /etc/bad, {entry}}}, {{path: /etc/good}}]")
    assert [(problem.severity, problem.path, problem.message, problem.width) for problem in problems] == [
        ("error", "write_files.0.content", message, 0)
    ]
    assert [entry.path for entry in read.entries] == ["/etc/good"]


def test_an_unknown_encoding_leaves_the_file_out() -> None:
    text = "write_files: [{path: /etc/a, encoding: rot13, content: x}]"
    assert messages(files, text) == [
        "error user-data:1:40: write_files.0.encoding: expected text/plain, b64, gzip or gz+b64, got 'rot13'"
    ]
    assert planned(files, section(files, text)[0]) == []


def test_a_gzip_bomb_is_refused_within_its_limit() -> None:
    bomb = gzip.compress(b"\0" * (UNPACKED_LIMIT + 1))
    read, problems = section(files, packed("gz+b64", bomb))
    assert read.entries == ()
    assert problems[0].message == "this unpacks to more than the 32 MiB that all files may have"


def test_many_small_bombs_share_one_limit() -> None:
    half = base64.b64encode(gzip.compress(b"\0" * (UNPACKED_LIMIT // 2 + 1))).decode()
    entries = ", ".join(f"{{path: /a{n}, encoding: gz+b64, content: {half}}}" for n in range(3))
    read, problems = section(files, f"write_files: [{entries}]")
    assert [entry.path for entry in read.entries] == ["/a0"]
    assert [problem.path for problem in problems] == ["write_files.1.content", "write_files.2.content"]


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("'0644'", 0o644), ('"644"', 0o644), ("0o644", 0o644), ("0644", 0o644), ("644", 0o644), ("755", 0o755),
        ("0755", 0o755), ("'0o600'", 0o600), ("'04755'", 0o4755), ("1777", 0o1777), ("2755", 0o2755), ("0", 0),
        ("600", 0o600), ("400", 0o400), ("777", 0o777), ("'420'", 0o420), ("511", 0o511),
    ],
)  # fmt: skip
def test_permissions_are_octal(written: str, mode: int) -> None:
    assert one(f"write_files: [{{path: /etc/a, permissions: {written}}}]").mode == mode


@pytest.mark.parametrize(
    ("written", "mode"),
    [("420", 0o644), ("493", 0o755), ("384", 0o600), ("256", 0o400), ("416", 0o640), ("448", 0o700), ("488", 0o750),
     ("292", 0o444), ("436", 0o664), ("432", 0o660), ("1023", 0o1777)],
)  # fmt: skip
def test_decimal_numbers_of_generators_are_understood_and_said(written: str, mode: int) -> None:
    text = f"write_files: [{{path: /etc/a, permissions: {written}}}]"
    read, problems = section(files, text)
    assert read.entries[0].mode == mode
    assert [(problem.severity, problem.message) for problem in problems] == [
        ("note", f"read as the decimal number for '0{mode:o}'")
    ]


@pytest.mark.parametrize(
    "written", ["u=rw", "'493'", "-1", "0x1ff", "077777", "99999", "rw-r--r--", "[6, 4, 4]", "6.44"]
)
def test_permissions_that_are_no_mode_take_the_safe_side(written: str) -> None:
    read, problems = section(files, f"write_files: [{{path: /etc/a, content: s3cret, permissions: {written}}}]")
    assert [(problem.severity, problem.path, problem.hint) for problem in problems] == [
        ("error", "write_files.0.permissions", "taken as '0600'; write the mode in quotes")
    ]
    (step,) = planned(files, read)
    assert isinstance(step.action, File)
    assert step.action.mode == 0o600


@pytest.mark.parametrize("key", ["permission", "permisions", "mode", "chmod"])
def test_mistyped_permissions_do_not_publish_a_file(key: str) -> None:
    read, problems = section(files, f"write_files: [{{path: /etc/a, content: s3cret, {key}: '0600'}}]")
    assert read.entries[0].mode == 0o600
    assert all(problem.severity == "warning" for problem in problems)


@given(st.text(max_size=6), st.booleans())
def test_any_scalar_gives_a_mode_or_none(text: str, plain: bool) -> None:
    mode, _ = mode_of(Value(SCALAR, Position("user-data"), text, plain))
    assert mode is None or 0 <= mode <= 0o7777


def test_content_that_others_may_not_read_is_a_secret() -> None:
    text = "write_files: [{path: /a, content: s3cret, permissions: '0640'}, {path: /b, content: open}]"
    closed, public = steps(files, text)
    assert isinstance(closed.action, File) and isinstance(closed.action.content, Secret)
    assert "s3cret" not in repr((closed, section(files, text)))
    assert isinstance(public.action, File) and public.action.content == b"open"


@pytest.mark.parametrize(
    "path", ["etc/a", "../a", "/etc/../a", "/etc/..", "/", "/etc/", "'/etc/a\\nb'", "~/x", "[a]", "''"]
)
def test_a_path_must_be_absolute_and_lead_nowhere_else(path: str) -> None:
    quoted = path.replace("'", '"')
    read, problems = section(files, f"write_files: [{{path: {quoted}, content: x}}, {{path: /etc/good}}]")
    assert [(problem.severity, problem.path) for problem in problems] == [("error", "write_files.0.path")]
    assert [entry.path for entry in read.entries] == ["/etc/good"]


def test_a_path_is_made_plain() -> None:
    assert one("write_files: [{path: /etc//./a}]").path == "/etc/a"


def test_wrong_entries_are_named_and_the_others_come() -> None:
    text = "write_files:\n- just text\n- content: no path\n- [path]\n-\n- path: /etc/good\n"
    assert messages(files, text) == [
        "error user-data:2:3: write_files.0: expected a mapping with path and content, got a text",
        "error user-data:3:3: write_files.1.path: a file needs a path",
        "error user-data:4:3: write_files.2: expected a mapping with path and content, got a list",
    ]
    assert [step.id for step in planned(files, section(files, text)[0])] == ["file:/etc/good"]


def test_not_a_list() -> None:
    assert messages(files, "write_files: {path: /etc/a}") == [
        "error user-data:1:14: write_files: expected a list, got a mapping"
    ]


def test_a_source_is_not_fetched() -> None:
    text = "write_files:\n- {path: /a, source: {uri: 'http://a'}}\n- {path: /b, content: x, source: {uri: 'u'}}\n"
    assert messages(files, text) == [
        "error user-data:2:22: write_files.0.source: fetching files is not supported",
        "warning user-data:3:34: write_files.1.source: fetching files is not supported",
    ]
    assert [entry.path for entry in section(files, text)[0].entries] == ["/b"]


def test_scripts_of_cloud_init_are_written_but_said_not_to_run() -> None:
    text = "write_files: [{path: /var/lib/cloud/scripts/per-boot/00-a.sh, content: x}]"
    assert messages(files, text) == ["warning user-data:1:22: write_files.0.path: nothing runs what lies here"]


# owners


def test_an_owner_that_is_created_in_the_same_run() -> None:
    text = "write_files: [{path: /srv/a, content: x, owner: 'alice:alice'}]"
    (step,) = steps(files, text, declared=accounts("alice"))
    assert isinstance(step.action, File)
    assert (step.action.owner, step.action.group, step.stage, step.needs) == ("alice", "alice", LOCAL, ("user:alice",))


def test_an_owner_that_is_already_there_needs_nothing() -> None:
    (step,) = steps(files, "write_files: [{path: /srv/a, owner: 'www-data:www-data'}]")
    assert (step.stage, step.needs) == (LOCAL, ())


@pytest.mark.parametrize(
    ("owner", "words"),
    [("postgres", "user postgres"), ("root:docker", "group docker"), ("postgres:docker", "user postgres")],
)
def test_an_owner_that_only_a_package_brings_waits_for_it(owner: str, words: str) -> None:
    (step,) = steps(files, f"write_files: [{{path: /srv/a, owner: '{owner}'}}]")
    assert (step.stage, step.needs) == (FINAL, ())
    assert step.because.text == f"after packages: there is no {words} yet"


def test_numbers_are_ids() -> None:
    (step,) = steps(files, "write_files: [{path: /srv/a, owner: '1000:1000'}]")
    assert isinstance(step.action, File)
    assert (step.action.owner, step.action.group, step.stage) == ("1000", "1000", LOCAL)


@pytest.mark.parametrize("owner", ["-R", "a b", "a:b:c", "a/b", "':adm'", "[a]", "''"])
def test_an_owner_that_is_none_leaves_the_file_to_root(owner: str) -> None:
    read, problems = section(files, f"write_files: [{{path: /srv/a, content: x, owner: {owner}}}]")
    assert [(problem.severity, problem.path) for problem in problems] == [("error", "write_files.0.owner")]
    assert read.entries[0].owner in (None, "root")


# order


def test_deferred_files_come_after_packages() -> None:
    (step,) = steps(files, "write_files: [{path: /etc/a, content: x, defer: true}]")
    assert step.stage == FINAL


def test_two_entries_for_one_path_are_both_named_and_the_later_wins() -> None:
    text = "write_files:\n- {path: /etc/a, content: first}\n- {path: /etc/b}\n- {path: /etc//a, content: second}\n"
    assert messages(files, text) == [
        "warning user-data:4:3: write_files.2: /etc/a is already written by line 2 of user-data"
    ]
    found = planned(files, section(files, text)[0])
    assert [(step.id, content(step.action)) for step in found if isinstance(step.action, File)] == [
        ("file:/etc/b", b""), ("file:/etc/a", b"second")
    ]  # fmt: skip


def test_the_same_entry_twice_is_no_mistake() -> None:
    assert len(steps(files, "write_files: [{path: /a, content: x}, {path: /a, content: x}]")) == 1


def test_what_is_appended_to_a_file_of_the_same_document_becomes_part_of_it() -> None:
    text = (
        "write_files:\n- {path: /a, content: one, permissions: '0600'}\n- {path: /b}\n"
        "- {path: /a, content: two, append: true}\n- {path: /a, content: three, append: true}\n"
    )
    found = steps(files, text)
    assert [step.id for step in found] == ["file:/a", "file:/b"]
    assert found[0].action == File("/a", Secret("onetwothree"), 0o600, "root", "root")


def test_appending_to_a_file_of_the_image_keeps_its_mode_owner_and_order() -> None:
    text = "write_files: [{path: /a, content: one, append: true}, {path: /a, content: two, append: true}]"
    assert [(step.id, step.action) for step in steps(files, text)] == [
        ("file:/a", File("/a", Secret("one"), None, "", "", append=True)),
        ("file:/a#2", File("/a", Secret("two"), None, "", "", append=True)),
    ]


def test_a_line_that_holds_the_content_is_not_shown() -> None:
    for text in ("write_files: [{path: a, content: s3cret}]", "write_files: [{path: /a, content: s3cret, x: 1}]"):
        assert [problem.width for problem in section(files, text)[1]] == [0]


def test_ten_thousand_entries_take_no_square_of_time() -> None:
    entries = ", ".join(f"{{path: /a{number % 5000}, content: x, append: {number >= 5000}}}" for number in range(10000))
    started = time.process_time()
    assert len(steps(files, f"write_files: [{entries}]")) == 5000
    assert time.process_time() - started < 20


# files of the meta-data


def injected(text: str, *pairs: tuple[str, bytes]) -> tuple[list[tuple[str, bytes, int | None]], list[str]]:
    """Path, content and mode of what is planned, and what is said."""
    found = tuple(
        InjectedFile(Given(path, Position("meta-data", 1, number)), content)
        for number, (path, content) in enumerate(pairs, 1)
    )
    read, problems = section(files, text, MetaData("i-1", True, files=found))
    actions = [step.action for step in planned(files, read)]
    assert all(isinstance(action, File) and action.owner == "root" for action in actions)
    listed = [(action.path, content(action), action.mode) for action in actions if isinstance(action, File)]
    return listed, [f"{problem.severity} {problem}" for problem in problems]


def test_injected_file_is_roots_alone() -> None:
    found, said = injected("", ("/etc/motd", b"hello"), ("/opt//x/./y", b"\0\xff"))
    assert (found, said) == ([("/etc/motd", b"hello", 0o600), ("/opt/x/y", b"\0\xff", 0o600)], [])


@pytest.mark.parametrize("path", ["../../etc/shadow", "/a/../etc/shadow", "etc/motd", "/etc/", "/", "", "/a\0b", "~/x"])
def test_injected_file_with_a_path_that_is_none(path: str) -> None:
    """Quirk 20 of platforms.md: traversal, relative targets."""
    found, said = injected("", (path, b"bad"), ("/etc/motd", b"good"))
    assert found == [("/etc/motd", b"good", 0o600)]
    assert said == ["error meta-data:1:1: files.0.path: expected an absolute path of a file, without '..'"]


def test_write_files_goes_before_an_injected_file() -> None:
    text = "write_files: [{path: /etc/motd, content: mine}]"
    found, said = injected(text, ("/etc/motd", b"theirs"), ("/etc/issue", b"theirs"))
    assert found == [("/etc/issue", b"theirs", 0o600), ("/etc/motd", b"mine", 0o644)]
    assert said == ["note meta-data:1:1: files: write_files has /etc/motd too"]


def test_write_files_appends_to_an_injected_file() -> None:
    text = "write_files: [{path: /etc/motd, content: mine, append: true}]"
    assert injected(text, ("/etc/motd", b"theirs ")) == ([("/etc/motd", b"theirs mine", 0o600)], [])


def test_injected_twice() -> None:
    found, said = injected("", ("/etc/motd", b"a"), ("/etc//motd", b"b"))
    assert found == [("/etc/motd", b"b", 0o600)]
    assert said == ["warning meta-data:1:2: files.1.path: /etc/motd twice"]
