from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from machine import Memory, add_user, as_root, do, look, machine, make_accounts, snapshot, step

from guestinit.model.action import Absence, Directory, File, Lines, Link, Live
from guestinit.model.plan import CREATE, LEFT, MODIFY, REMOVE, UNCHANGED
from guestinit.model.secret import Secret
from guestinit.system import kinds
from guestinit.system.failed import Failed
from guestinit.system.kinds.lines import merge

pytestmark = as_root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    make_accounts(tmp_path)
    add_user(tmp_path, "alice", 1000)
    return tmp_path


# whole files


def test_a_new_file(tree: Path) -> None:
    action = File("/etc/hostname", b"web1\n")
    change = look(action, machine(tree))
    assert (change.change, change.before, change.after, change.note) == (CREATE, "", "web1\n", "")
    do(action, machine(tree))
    assert (tree / "etc/hostname").read_bytes() == b"web1\n"
    assert stat.S_IMODE((tree / "etc/hostname").stat().st_mode) == 0o644


def test_another_content_shows_both(tree: Path) -> None:
    (tree / "etc/hostname").write_text("old\n")
    change = look(File("/etc/hostname", b"web1\n"), machine(tree))
    assert (change.change, change.before, change.after) == (MODIFY, "old\n", "web1\n")


def test_mode_and_owner_alone(tree: Path) -> None:
    (tree / "etc/file").write_text("same")
    (tree / "etc/file").chmod(0o600)
    change = look(File("/etc/file", b"same", 0o644, "alice"), machine(tree))
    assert (change.change, change.before, change.after) == (MODIFY, None, None)
    assert change.note == "mode 0600 -> 0644, owner root -> alice, group root -> alice"
    do(File("/etc/file", b"same", 0o644, "alice"), machine(tree))
    assert (tree / "etc/file").stat().st_uid == 1000


def test_no_mode_keeps_the_one_that_is_there(tree: Path) -> None:
    (tree / "etc/file").write_text("old")
    (tree / "etc/file").chmod(0o640)
    do(File("/etc/file", b"new", None), machine(tree))
    assert stat.S_IMODE((tree / "etc/file").stat().st_mode) == 0o640
    do(File("/etc/other", b"new", None), machine(tree))
    assert stat.S_IMODE((tree / "etc/other").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("action", "size"),
    [
        (File("/etc/x", Secret("hunter2")), 7),
        (File("/etc/x", b"hunter2", 0o640), 7),
        (File("/etc/x", b"hunter2\0"), 8),
        (File("/etc/x", b"hunter2\xff"), 8),
        (File("/etc/x", b"hunter2" * 10_000), 70_000),
    ],
)
def test_what_must_not_be_shown_is_not(tree: Path, action: File, size: int) -> None:
    for _ in range(2):
        change = look(action, machine(tree))
        assert (change.before, change.after) == (None, None)
        assert f"{size} bytes, not shown" in change.note
        (tree / "etc/x").write_text("what was there before")
    assert "hunter2" not in repr(change._replace(step=change.step._replace(action=Absence("/"))))


def test_a_file_that_others_cannot_read_now_is_not_shown_either(tree: Path) -> None:
    (tree / "etc/x").write_text("old secret")
    (tree / "etc/x").chmod(0o600)
    change = look(File("/etc/x", b"new", 0o644), machine(tree))
    assert (change.before, change.after) == (None, None)
    assert change.note == "3 bytes, not shown, mode 0600 -> 0644"


def test_append_once(tree: Path) -> None:
    (tree / "etc/x").write_text("first\n")
    action = File("/etc/x", b"second\n", append=True)
    change = look(action, machine(tree))
    assert (change.before, change.after) == ("first\n", "first\nsecond\n")
    do(action, machine(tree))
    kinds.apply(change, machine(tree))  # a second time, as after a power cut
    assert (tree / "etc/x").read_text() == "first\nsecond\n"
    do(File("/etc/new", b"alone\n", append=True), machine(tree))
    assert (tree / "etc/new").read_text() == "alone\n"


def test_an_owner_who_is_only_made_later(tree: Path) -> None:
    action = File("/srv/x", b"x", owner="carol")
    assert look(action, machine(tree)).note == "owner carol, which is not there yet"
    with pytest.raises(Failed, match="there is no user carol"):
        kinds.apply(look(action, machine(tree)), machine(tree))
    assert not (tree / "srv").exists()
    add_user(tree, "carol", 1002)
    do(action, machine(tree))
    assert (tree / "srv/x").stat().st_uid == 1002


def test_a_numeric_owner(tree: Path) -> None:
    do(File("/srv/x", b"x", owner="1234", group="56"), machine(tree))
    assert ((tree / "srv/x").stat().st_uid, (tree / "srv/x").stat().st_gid) == (1234, 56)


def test_a_path_below_a_home(tree: Path) -> None:
    action = File("~alice/a/b", b"x", owner="alice")
    do(action, machine(tree))
    assert (tree / "home/alice/a").stat().st_uid == 1000
    assert look(File("~carol/a", b"x", owner="carol"), machine(tree)).change == CREATE
    with pytest.raises(Failed, match="there is no user carol"):
        kinds.apply(look(File("~carol/a", b"x", owner="carol"), machine(tree)), machine(tree))


def test_what_is_in_the_way_is_named(tree: Path) -> None:
    (tree / "etc/x").mkdir()
    change = look(File("/etc/x", b"x"), machine(tree))
    assert (change.change, change.note) == (MODIFY, "a directory is in the way")
    with pytest.raises(Failed, match="a directory is in the way"):
        kinds.apply(change, machine(tree))
    with pytest.raises(Failed, match="etc/passwd"):
        kinds.apply(look(File("/etc/passwd/x", b"x"), machine(tree)), machine(tree))


def test_text_that_no_disk_can_hold(tree: Path) -> None:
    for action in (
        Lines("/etc/x", ("a\ud800",)), Lines("/etc/hosts", ("a\ud800",)), File("/etc/\ud800", b"x"),
        File("/etc/a\0b", b"x"),
    ):  # fmt: skip
        (tree / "etc/hosts").write_text("x")
        change = look(action, machine(tree))
        with pytest.raises(Failed):
            kinds.apply(change, machine(tree))
    assert (tree / "etc/hosts").read_text() == "x"


def test_looking_touches_nothing(tree: Path) -> None:
    before = snapshot(tree)
    system = machine(tree, writable=False)
    for action in (
        File("/etc/x", b"x"), Lines("~alice/.ssh/authorized_keys", ("key",), owner="alice"), Directory("/srv/x"),
        Link("/etc/localtime", "x"), Absence("/etc/passwd"),
    ):  # fmt: skip
        assert look(action, system).change != UNCHANGED
        with pytest.raises(AssertionError, match="must not be written"):
            kinds.apply(look(action, system), system)
    assert snapshot(tree) == before


# lines

KEYS = "~alice/.ssh/authorized_keys"
ID = "lines:" + KEYS


def keys(*lines: str) -> Lines:
    return Lines(KEYS, lines, managed=True, mode=0o600, owner="alice", directory_mode=0o700)


def test_keys_of_a_new_user(tree: Path) -> None:
    system = machine(tree)
    change = look(keys("ssh-ed25519 A a", "ssh-ed25519 B b"), system, ID)
    assert (change.change, change.before) == (CREATE, "")
    assert change.after == "ssh-ed25519 A a\nssh-ed25519 B b\n"
    do(keys("ssh-ed25519 A a", "ssh-ed25519 B b"), system, ID)
    directory, file = tree / "home/alice/.ssh", tree / "home/alice/.ssh/authorized_keys"
    assert (stat.S_IMODE(directory.stat().st_mode), directory.stat().st_uid) == (0o700, 1000)
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_uid, file.stat().st_gid) == (0o600, 1000, 1000)
    assert file.read_text() == "ssh-ed25519 A a\nssh-ed25519 B b\n"


def test_only_lines_of_ours_are_ever_removed(tree: Path) -> None:
    system = machine(tree)
    (tree / "home/alice/.ssh").mkdir(mode=0o700)
    file = tree / "home/alice/.ssh/authorized_keys"
    file.write_text("image-key\nadmin-key")
    file.chmod(0o600)
    for path in (file.parent, file):
        os.chown(path, 1000, 1000)
    do(keys("image-key", "ours-1", "ours-2"), system, ID)
    assert file.read_text() == "image-key\nadmin-key\nours-1\nours-2\n"
    with file.open("a") as out:
        out.write("qemu-ga-key\n")
    change = look(keys("ours-2", "ours-3"), system, ID)
    assert (change.before, change.after) == ("ours-1\n", "ours-3\n")
    assert change.note == "only the lines that change are shown"
    do(keys("ours-2", "ours-3"), system, ID)
    assert file.read_text() == "image-key\nadmin-key\nours-2\nqemu-ga-key\nours-3\n"
    do(keys(), system, ID)
    assert file.read_text() == "image-key\nadmin-key\nqemu-ga-key\n"


def test_a_power_cut_between_memory_and_file_loses_no_claim(tree: Path) -> None:
    """What is about to be written is remembered before; what is gone is forgotten after."""
    memory = Memory()
    memory.lines[ID] = ("old",)
    (tree / "home/alice/.ssh").mkdir(mode=0o700)
    (tree / "home/alice/.ssh/authorized_keys").write_text("old\n")
    do(keys("new"), machine(tree, memory=memory), ID)
    assert memory.history == [("old", "new"), ("new",)]


def test_a_link_in_place_of_the_keys_is_named_and_refused(tree: Path) -> None:
    system = machine(tree)
    (tree / "root").mkdir()
    (tree / "home/alice/.ssh").symlink_to("/root")
    os.chown(tree / "home/alice/.ssh", 1000, 1000, follow_symlinks=False)
    change = look(keys("key"), system, ID)
    assert change.change == CREATE
    with pytest.raises(Failed, match="a link of uid 1000"):
        kinds.apply(change, system)
    (tree / "root/authorized_keys").write_text("root's key\n")
    change = look(keys("key"), system, ID)
    assert change.change == MODIFY
    assert "a link of uid 1000" in change.note
    assert (change.before, change.after) == (None, None)
    with pytest.raises(Failed, match="a link of uid 1000"):
        kinds.apply(change, system)
    assert (tree / "root/authorized_keys").read_text() == "root's key\n"


def test_a_home_that_was_never_made_is_not_made_roots(tree: Path) -> None:
    add_user(tree, "dora", 1009, home=False)
    do(Lines("~dora/.ssh/authorized_keys", ("key",), mode=0o600, owner="dora", directory_mode=0o700), machine(tree))
    info = (tree / "home/dora").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o750, 1009, 1009)


HOSTS = "127.0.0.1 localhost\n127.0.1.1 old.example old\n::1 localhost\n127.0.1.1 second\n"


def test_replaced_lines_keep_their_place(tree: Path) -> None:
    (tree / "etc/hosts").write_text(HOSTS)
    action = Lines("/etc/hosts", ("127.0.1.1 web1.example web1",), replace=r"^127\.0\.1\.1\s")
    change = look(action, machine(tree))
    assert (change.before, change.after) == (HOSTS, "127.0.0.1 localhost\n127.0.1.1 web1.example web1\n::1 localhost\n")
    do(action, machine(tree))


def test_merging() -> None:
    def merged(old: str, add: tuple[str, ...], replace: str = "", managed: tuple[str, ...] = ()) -> str:
        action = Lines("/x", add, replace, managed=bool(managed))
        once = merge(old.encode(), action, managed)
        assert merge(once, action, managed) == once
        return once.decode()

    assert merged("", ("a",)) == "a\n"
    assert merged("a", ("a",)) == "a"  # nothing to do: not even the missing end of the line
    assert merged("a", ("b",)) == "a\nb\n"
    assert merged("a\n\n# c\n", ("b", "b", "a")) == "a\n\n# c\nb\n"
    assert merged("a\nb\n", ("x",), "^nothing") == "a\nb\nx\n"
    assert merged("#en UTF-8\nb\n", ("en UTF-8",), r"^\s*#?\s*en UTF-8$") == "en UTF-8\nb\n"
    assert merged("b\nx\na\n", ("a", "b"), "^[ab]$") == "a\nb\nx\n"
    assert merged("a\nb\nc\n", ("c",), managed=("a", "c")) == "b\nc\n"
    assert merged("a\n", ("b\nc",)) == "a\nb\nc\n"


def test_bytes_that_are_no_text_survive(tree: Path) -> None:
    (tree / "etc/hosts").write_bytes(b"# caf\xe9\n1 a\n")
    do(Lines("/etc/hosts", ("2 b",)), machine(tree))
    assert (tree / "etc/hosts").read_bytes() == b"# caf\xe9\n1 a\n2 b\n"


# directories, links, absence, live values


def test_directory(tree: Path) -> None:
    assert look(Directory("/srv/x", 0o750, "alice"), machine(tree)).change == CREATE
    do(Directory("/srv/x", 0o750, "alice"), machine(tree))
    assert look(Directory("/srv/x", 0o755), machine(tree)).note == (
        "mode 0750 -> 0755, owner alice -> root, group alice -> root"
    )
    do(Directory("/srv/x", 0o755), machine(tree))
    change = look(Directory("/etc/passwd"), machine(tree))
    assert change.note == "something that is no directory is in the way"
    with pytest.raises(Failed):
        kinds.apply(change, machine(tree))


def test_link(tree: Path) -> None:
    action = Link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin")
    assert look(action, machine(tree)).change == CREATE
    do(action, machine(tree))
    change = look(Link("/etc/localtime", "UTC"), machine(tree))
    assert (change.before, change.after) == ("-> /usr/share/zoneinfo/Europe/Berlin\n", "-> UTC\n")
    do(Link("/etc/localtime", "UTC"), machine(tree))
    do(Link("/etc/passwd", "UTC"), machine(tree))
    assert os.readlink(tree / "etc/passwd") == "UTC"
    with pytest.raises(Failed, match="a directory is in the way"):
        kinds.apply(look(Link("/etc/skel", "UTC"), machine(tree)), machine(tree))


def test_absence(tree: Path) -> None:
    assert look(Absence("/etc/nothing"), machine(tree)).change == UNCHANGED
    (tree / "etc/link").symlink_to("passwd")
    change = look(Absence("/etc/link"), machine(tree))
    assert (change.change, change.before, change.after) == (REMOVE, "-> passwd\n", "")
    do(Absence("/etc/link"), machine(tree))
    do(Absence("/etc/subuid"), machine(tree))
    do(Absence("/etc/skel/.config/empty"), machine(tree))
    do(Absence("/etc/skel/.config"), machine(tree))
    with pytest.raises(Failed, match="is a directory with content"):
        kinds.apply(look(Absence("/etc"), machine(tree)), machine(tree))
    assert (tree / "etc/passwd").exists()


def test_live_values(tree: Path) -> None:
    (tree / "proc/sys/kernel").mkdir(parents=True)
    (tree / "proc/sys/kernel/hostname").write_text("localhost\n")
    (tree / "proc/sys/net/ipv4/conf/eth0.5").mkdir(parents=True)
    (tree / "proc/sys/net/ipv4/conf/eth0.5/forwarding").write_text("0\n")
    inode = (tree / "proc/sys/kernel/hostname").stat().st_ino
    change = look(Live("hostname", "web1"), machine(tree))
    assert (change.change, change.before, change.after) == (MODIFY, "localhost\n", "web1\n")
    do(Live("hostname", "web1"), machine(tree))
    assert (tree / "proc/sys/kernel/hostname").stat().st_ino == inode  # written, never replaced
    do(Live("net.ipv4.conf.eth0/5.forwarding", "1"), machine(tree))
    assert look(Live("hostname", "x"), machine(tree, live=False)).change == LEFT
    with pytest.raises(Failed, match=r"has no net\.nothing"):
        kinds.apply(look(Live("net.nothing", "1"), machine(tree)), machine(tree))


def test_the_real_host_name_in_a_namespace_of_its_own() -> None:
    import subprocess
    import sys

    program = (
        "import socket, sys; sys.path.insert(0, 'tests/system')\n"
        "from machine import do, machine\nfrom pathlib import Path\nfrom guestinit.model.action import Live\n"
        "do(Live('hostname', 'web1'), machine(Path('/')))\nprint(socket.gethostname())"
    )
    command = ["unshare", "--uts", sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in ran.stderr.split(":")[0]:
        pytest.skip(ran.stderr.strip())
    assert ran.stdout == "web1\n", ran.stderr


def test_ids_and_kinds_fit_together() -> None:
    from guestinit.model.action import KINDS

    for kind in KINDS.values():
        module = kinds.rooms.one("system.kinds", kind)
        assert callable(module.observe) and callable(module.apply), kind
    assert step(File("/x", b"")).id == "file:test"
