from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from guestinit.system import passwd
from guestinit.system.root import Root

PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
alice:x:1000:1001:Al,,,:/home/alice:/bin/sh
+::::::
broken:x:1:1
:x:5:5::/:/bin/sh
minus:x:-1:0::/:/bin/sh
big:x:4294967295:0::/:/bin/sh
alice:x:1005:1005::/home/second:/bin/sh
1000:x:1007:1007::/home/number:/bin/sh
"""
GROUP = b"root:x:0:\nstaff:x:1001:\nsudo:x:27:alice,,bob\nadm:x:4:alice\nbad:x:y:\n"


def test_lines_without_the_format_are_skipped_and_the_first_of_a_name_counts() -> None:
    users = passwd.parse_passwd(PASSWD)
    assert list(users) == ["root", "alice", "1000"]
    assert users["alice"] == ("alice", "x", 1000, 1001, "Al,,,", "/home/alice", "/bin/sh")


def test_shadow() -> None:
    entries = passwd.parse_shadow(b"a:$6$x$y:0:0:99999:7:5:21915:\nb:!:::::::\nc:!\n")
    assert entries["a"] == ("a", "$6$x$y", 0, 5, 21915)
    assert entries["b"] == ("b", "!", None, None, None)
    assert "c" not in entries


def accounts(tmp_path: Path) -> passwd.Accounts:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_bytes(PASSWD)
    (tmp_path / "etc/group").write_bytes(GROUP)
    return passwd.read(Root(str(tmp_path)))


def test_names_numbers_and_groups(tmp_path: Path) -> None:
    found = accounts(tmp_path)
    assert found.shadow is None
    assert found.owner("alice") == (1000, 1001)
    assert found.owner("alice", "sudo") == (1000, 27)
    assert found.owner("alice", "50") == (1000, 50)
    assert found.owner("1000") == (1007, 1007)  # a name goes before a number, as in chown(1)
    assert found.owner("1002") == (1002, 0)
    assert found.owner("1005", "1005") == (1005, 1005)
    assert found.owner("nobody-here") is None
    assert found.owner("alice", "nobody-here") is None
    assert found.home("alice") == "/home/alice"
    assert found.home("bob") is None
    assert found.groups_of("alice") == ("adm", "staff", "sudo")
    assert found.user_name(1000) == "alice" and found.user_name(5) == "5"


def test_an_empty_root(tmp_path: Path) -> None:
    assert passwd.read(Root(str(tmp_path))) == passwd.Accounts({}, {}, None)


word = st.text(st.characters(blacklist_characters=":\n,", blacklist_categories=("Cs",)), max_size=12)
name = st.from_regex(r"[a-z_][a-z0-9_-]{0,10}", fullmatch=True)
ids = st.integers(0, passwd.HIGHEST_ID)


@given(st.lists(st.tuples(name, word, ids, ids, word, word, word), unique_by=lambda entry: entry[0]))
def test_passwd_is_read_as_it_was_written(entries: list[tuple[str, str, int, int, str, str, str]]) -> None:
    content = "".join(":".join(str(field) for field in entry) + "\n" for entry in entries)
    assert list(passwd.parse_passwd(content.encode()).values()) == entries


@given(st.lists(st.tuples(name, ids, st.lists(name, max_size=4)), unique_by=lambda entry: entry[0]))
def test_group_is_read_as_it_was_written(entries: list[tuple[str, int, list[str]]]) -> None:
    content = "".join(f"{group}:x:{gid}:{','.join(members)}\n" for group, gid, members in entries)
    expected = [(group, gid, tuple(members)) for group, gid, members in entries]
    assert list(passwd.parse_group(content.encode()).values()) == expected


@given(st.binary(max_size=400))
def test_any_bytes_are_read(content: bytes) -> None:
    for found in (passwd.parse_passwd(content), passwd.parse_shadow(content), passwd.parse_group(content)):
        for key, entry in found.items():
            assert entry.name == key and "\n" not in key and ":" not in key
