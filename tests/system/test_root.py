from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from machine import as_root

from guestinit.system.labels import ATTRIBUTE, Labels
from guestinit.system.place import Unsafe
from guestinit.system.process import Finished, Process
from guestinit.system.root import TEMPORARY, Root, Untouchable


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("host\n")
    return tmp_path / "tree"


def test_reads_inside_the_root(tree: Path) -> None:
    (tree / "etc/hostname").write_bytes(b"web1\n")
    root = Root(str(tree))
    assert root.read("/etc/hostname") == b"web1\n"
    assert root.read("/etc/absent") is None
    assert root.read("/absent/absent") is None
    assert root.read("/etc/hostname/absent") is None
    assert root.listdir("/etc") == ["hostname"]
    assert root.listdir("/absent") == []
    assert root.listdir("/etc/hostname") == []
    assert root.exists("/etc") and not root.exists("/usr")


@pytest.mark.parametrize(
    "target", ["/outside/secret", "../../outside/secret", "../../../../../../outside/secret", "{tmp}/outside/secret"]
)
def test_no_link_leads_out(tree: Path, target: str) -> None:
    target = target.format(tmp=tree.parent)
    (tree / "etc/link").symlink_to(target)
    (tree / "etc/directory").symlink_to(os.path.dirname(target))
    root = Root(str(tree))
    assert root.read("/etc/link") is None
    assert root.read("/etc/directory/secret") is None
    assert root.read("/../outside/secret") is None
    root.write("/etc/link", b"ours\n")
    assert (tree.parent / "outside/secret").read_text() == "host\n"
    assert root.read("/etc/link") == b"ours\n"


def test_absolute_links_begin_at_the_root(tree: Path) -> None:
    (tree / "var").mkdir()
    (tree / "real").write_bytes(b"inside")
    (tree / "etc/link").symlink_to("/var/../etc/./second")
    (tree / "etc/second").symlink_to("../real")
    assert Root(str(tree)).read("/etc/link") == b"inside"
    assert Root(str(tree)).readlink("/etc/second") == "../real"
    assert Root(str(tree)).readlink("/real") is None


def test_a_loop_of_links_ends(tree: Path) -> None:
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    with pytest.raises(OSError) as caught:
        Root(str(tree)).read("/a")
    assert caught.value.errno == errno.ELOOP


def test_write_follows_a_link_of_root_and_keeps_it(tree: Path) -> None:
    """Debian 13: /etc/default/locale is a link to /etc/locale.conf."""
    (tree / "etc/default").mkdir()
    (tree / "etc/default/locale").symlink_to("../locale.conf")
    Root(str(tree)).write("/etc/default/locale", b"LANG=C\n")
    assert (tree / "etc/default/locale").is_symlink()
    assert (tree / "etc/locale.conf").read_bytes() == b"LANG=C\n"


def test_write_keeps_mode_and_makes_parents(tree: Path) -> None:
    root = Root(str(tree))
    root.write("/a/b/c", b"1", 0o600)
    assert stat.S_IMODE((tree / "a/b/c").stat().st_mode) == 0o600
    assert stat.S_IMODE((tree / "a/b").stat().st_mode) == 0o755
    root.write("/a/b/c", b"2")
    assert stat.S_IMODE((tree / "a/b/c").stat().st_mode) == 0o600
    root.write("/a/b/c", b"3", 0o4755)
    assert stat.S_IMODE((tree / "a/b/c").stat().st_mode) == 0o4755
    root.write("/a/new", b"")
    assert stat.S_IMODE((tree / "a/new").stat().st_mode) == 0o644


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tree: Path) -> None:
    (tree / "etc/file").write_bytes(b"old")
    root = Root(str(tree))

    def fail(old: bytes | None) -> bytes:
        raise ValueError(old)

    with pytest.raises(ValueError, match="old"):
        root.update("/etc/file", fail)
    with pytest.raises(IsADirectoryError):
        root.write("/etc", b"x")
    assert [path.name for path in (tree / "etc").iterdir()] == ["file"]
    assert (tree / "etc/file").read_bytes() == b"old"


def test_devices_and_pipes_are_neither_read_nor_replaced(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    root = Root(str(tree))
    with pytest.raises(OSError, match="not an ordinary file"):
        root.read("/pipe")
    with pytest.raises(OSError, match="not an ordinary file"):
        root.write("/pipe", b"x")
    with pytest.raises(OSError, match="not an ordinary file"):
        root.link("/pipe", "x")
    assert stat.S_ISFIFO((tree / "pipe").lstat().st_mode)


def test_leftovers_of_a_power_cut_go_with_the_next_write(tree: Path) -> None:
    (tree / f"etc/{TEMPORARY}hostname").write_bytes(b"half")
    (tree / f"etc/{TEMPORARY}other").write_bytes(b"half")
    (tree / f"etc/{TEMPORARY}link").symlink_to("/nowhere")
    (tree / "etc/.guestinit-mine").write_bytes(b"not a leftover")
    Root(str(tree)).write("/etc/hostname", b"web1\n")
    assert sorted(path.name for path in (tree / "etc").iterdir()) == [".guestinit-mine", "hostname"]


def test_long_names_fit(tree: Path) -> None:
    name = "ä" * 127
    Root(str(tree)).write(f"/etc/{name}", b"x")
    assert (tree / "etc" / name).read_bytes() == b"x"


def test_order_of_the_calls_that_make_a_write_safe(tree: Path) -> None:
    """fsync before rename, and the directory after it: asked of the kernel, not of our own code."""
    strace = subprocess.run(["sh", "-c", "command -v strace"], capture_output=True, check=False).returncode == 0
    program = f"from guestinit.system.root import Root; Root({str(tree)!r}).write('/etc/hostname', b'web1')"
    if strace:
        command = ["strace", "-f", "-e", "trace=fsync,rename,renameat,renameat2", sys.executable, "-c", program]
        seen = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        order = [line.split("(")[0] for line in seen.splitlines() if line.startswith(("fsync", "rename"))]
        order = ["rename" if name.startswith("rename") else name for name in order]
    else:
        order = _audited(program)
    assert order == ["fsync", "rename", "fsync"]


def _audited(program: str) -> list[str]:
    """Without strace: os.rename has an audit event, os.fsync is seen by a profile hook for built-in functions."""
    watch = (
        "import os, sys\nfrom guestinit.system import root\nseen = []\n"
        "def profile(frame, event, arg):\n"
        "    if event == 'c_call' and arg.__name__ in ('fsync', 'rename'): seen.append(arg.__name__)\n"
        f"sys.setprofile(profile)\n{program}\nsys.setprofile(None)\nprint(' '.join(seen))"
    )
    return subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True).stdout.split()


def test_append_is_a_journal(tree: Path) -> None:
    root = Root(str(tree))
    root.append("/var/lib/x/journal", b"one\n", 0o600)
    root.append("/var/lib/x/journal", b"two\n", 0o644)
    assert (tree / "var/lib/x/journal").read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE((tree / "var/lib/x/journal").stat().st_mode) == 0o600


def test_link_replaces_in_one_step(tree: Path) -> None:
    root = Root(str(tree))
    (tree / "etc/localtime").write_bytes(b"a copy")
    root.link("/etc/localtime", "../usr/share/zoneinfo/UTC")
    root.link("/etc/localtime", "../usr/share/zoneinfo/Europe/Berlin")
    assert os.readlink(tree / "etc/localtime") == "../usr/share/zoneinfo/Europe/Berlin"
    assert len(list((tree / "etc").iterdir())) == 1
    with pytest.raises(IsADirectoryError):
        root.link("/etc", "x")


def test_removing(tree: Path) -> None:
    root = Root(str(tree))
    (tree / "etc/file").write_text("x")
    (tree / "etc/link").symlink_to("file")
    (tree / "etc/full/deep").mkdir(parents=True)
    (tree / "etc/full/away").symlink_to(tree.parent / "outside")
    root.remove("/etc/link")
    root.remove("/etc/link")
    root.remove("/absent/absent")
    assert (tree / "etc/file").exists()
    root.remove("/etc/file")
    with pytest.raises(OSError):
        root.remove_directory("/etc/full")
    root.remove_tree("/etc/full")
    assert list((tree / "etc").iterdir()) == []
    assert (tree.parent / "outside/secret").exists()


def test_a_root_that_must_not_be_written_is_loud(tree: Path) -> None:
    root = Root(str(tree), writable=False)
    for write in (
        lambda: root.write("/x", b""), lambda: root.update("/x", lambda _: b""), lambda: root.append("/x", b""),
        lambda: root.open_log("/x"), lambda: root.make_directory("/x"), lambda: root.link("/x", "y"),
        lambda: root.remove("/x"), lambda: root.remove_tree("/x"), lambda: root.remove_directory("/x"),
        lambda: root.set_value("/x", b""), lambda: root.sync("/etc"), root.sync_all,
    ):  # fmt: skip
        with pytest.raises(Untouchable):
            write()
    assert [path.name for path in tree.iterdir()] == ["etc"]


def test_descriptors_are_closed(tree: Path) -> None:
    root = Root(str(tree))
    (tree / "etc/file").write_text("x")

    def use() -> None:
        root.read("/etc/file")
        root.read("/etc/absent/x")
        root.write("/etc/a/b", b"x")
        root.update("/etc/a/b", lambda old: old or b"")
        root.link("/etc/l", "a")
        root.listdir("/etc/l")
        root.remove("/etc/l")
        with pytest.raises(IsADirectoryError):
            root.write("/etc/a", b"")

    use()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        use()
    assert len(os.listdir("/proc/self/fd")) == before


# users' directories


@pytest.fixture
def home(tree: Path) -> Path:
    (tree / "home/alice").mkdir(parents=True)
    os.chown(tree / "home/alice", 1000, 1000)
    (tree / "home/bob").mkdir()
    os.chown(tree / "home/bob", 1001, 1001)
    return tree / "home/alice"


def _link(path: Path, target: str, uid: int = 1000) -> None:
    path.symlink_to(target)
    os.chown(path, uid, uid, follow_symlinks=False)


@as_root
@pytest.mark.parametrize("target", ["/root/.ssh", "/home/bob", "../bob", "/etc", "/home"])
def test_a_users_link_to_anothers_directory_is_refused(tree: Path, home: Path, target: str) -> None:
    (tree / "root/.ssh").mkdir(parents=True)
    _link(home / ".ssh", target)
    there = tree / os.path.normpath(f"home/alice/{target}" if target.startswith(".") else target[1:])
    (there / "there").write_text("x")
    before = sorted(str(path) for path in tree.rglob("*"))
    root = Root(str(tree))
    for write in (
        lambda: root.write("/home/alice/.ssh/authorized_keys", b"key\n", 0o600, 1000, 1000),
        lambda: root.update("/home/alice/.ssh/authorized_keys", lambda old: b"key\n", 0o600, 1000, 1000),
        lambda: root.append("/home/alice/.ssh/authorized_keys", b"key\n"),
        lambda: root.make_directory("/home/alice/.ssh/deep", 0o700, 1000, 1000),
        lambda: root.make_directory("/home/alice/.ssh/deep/er", 0o700, 1000, 1000),
        lambda: root.make_directory("/home/alice/.ssh", 0o700, 1000, 1000),
        lambda: root.open_log("/home/alice/.ssh/authorized_keys"),
        lambda: root.link("/home/alice/.ssh/authorized_keys", "x"),
        lambda: root.remove("/home/alice/.ssh/there"),
        lambda: root.remove_tree("/home/alice/.ssh/there"),
    ):
        with pytest.raises(Unsafe):
            write()
    assert sorted(str(path) for path in tree.rglob("*")) == before


@as_root
def test_a_users_link_to_a_file_of_root_is_refused(tree: Path, home: Path) -> None:
    (tree / "etc/shadow").write_text("root:hash\n")
    (home / ".ssh").mkdir()
    os.chown(home / ".ssh", 1000, 1000)
    _link(home / ".ssh/authorized_keys", "/etc/shadow")
    root = Root(str(tree))
    with pytest.raises(Unsafe):
        root.write("/home/alice/.ssh/authorized_keys", b"key\n", 0o600, 1000, 1000)
    with pytest.raises(Unsafe):
        root.check_change("/home/alice/.ssh/authorized_keys")
    assert (tree / "etc/shadow").read_text() == "root:hash\n"
    assert (tree / "etc/shadow").stat().st_uid == 0


@as_root
def test_a_users_link_within_what_is_theirs_is_followed(tree: Path, home: Path) -> None:
    (home / "dotfiles").mkdir()
    os.chown(home / "dotfiles", 1000, 1000)
    _link(home / ".ssh", "/home/alice/dotfiles")
    Root(str(tree)).write("/home/alice/.ssh/authorized_keys", b"key\n", 0o600, 1000, 1000)
    assert (home / "dotfiles/authorized_keys").read_bytes() == b"key\n"


@as_root
def test_a_link_in_a_sticky_directory_belongs_to_its_maker(tree: Path, home: Path) -> None:
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    _link(tree / "tmp/work", "/etc")
    with pytest.raises(Unsafe):
        Root(str(tree)).write("/tmp/work/hostname", b"x")
    assert not (tree / "etc/hostname").exists()


@as_root
def test_anothers_secret_is_not_copied_into_a_users_file(tree: Path, home: Path) -> None:
    """A hard link to a file that alice may not read, where keys are about to be appended."""
    (tree / "etc/secret").write_text("secret\n")
    (tree / "etc/secret").chmod(0o600)
    os.link(tree / "etc/secret", home / "notes")
    (tree / "etc/public").write_text("public\n")
    os.link(tree / "etc/public", home / "public")
    (home / "editor").write_text("# made by root\n")
    root = Root(str(tree))
    for name in ("notes", "public"):
        with pytest.raises(PermissionError):
            root.update(f"/home/alice/{name}", lambda old: (old or b"") + b"more\n", 0o600, 1000, 1000)
        with pytest.raises(PermissionError):
            root.append(f"/home/alice/{name}", b"more\n")
    root.update("/home/alice/editor", lambda old: (old or b"") + b"more\n", 0o600, 1000, 1000)
    assert (home / "editor").read_text() == "# made by root\nmore\n"
    assert (tree / "etc/secret").read_text() == "secret\n"
    assert (tree / "etc/public").read_text() == "public\n"


@as_root
def test_what_is_made_in_a_users_directory_is_theirs(tree: Path, home: Path) -> None:
    root = Root(str(tree))
    root.write("/home/alice/.ssh/authorized_keys", b"key\n", 0o600, 1000, 1000)
    root.write("/home/alice/a/b", b"x")
    assert (home / ".ssh").stat().st_uid == 1000
    assert stat.S_IMODE((home / ".ssh").stat().st_mode) == 0o700
    assert ((home / "a").stat().st_uid, (home / "a").stat().st_gid) == (1000, 1000)
    assert stat.S_IMODE((home / "a").stat().st_mode) == 0o755
    assert (home / "a/b").stat().st_uid == 1000


@as_root
def test_a_user_who_exchanges_the_directory_gains_nothing(tree: Path, home: Path) -> None:
    """While the new content is being made, alice puts a link to /etc into the place of her .ssh."""
    (home / ".ssh").mkdir()
    os.chown(home / ".ssh", 1000, 1000)

    def exchange(old: bytes | None) -> bytes:
        (home / ".ssh").rename(home / "moved")
        _link(home / ".ssh", "/etc")
        return b"key\n"

    Root(str(tree)).update("/home/alice/.ssh/passwd", exchange, 0o600, 1000, 1000)
    assert list((tree / "etc").iterdir()) == []
    assert (home / "moved/passwd").read_bytes() == b"key\n"


@as_root
def test_owner_and_mode(tree: Path) -> None:
    root = Root(str(tree))
    root.write("/etc/a", b"x", 0o4750, 1000, 1001)
    info = (tree / "etc/a").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o4750, 1000, 1001)
    root.write("/etc/a", b"y")
    info = (tree / "etc/a").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o4750, 1000, 1001)
    root.make_directory("/etc/d", 0o700, 1000, 1000)
    root.make_directory("/etc/d", 0o750, 1001, 1001)
    info = (tree / "etc/d").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o750, 1001, 1001)


# SELinux labels


class Policy(Process):
    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def run(self, argv, **_):  # type: ignore[no-untyped-def]
        self.asked.append(tuple(argv))
        if argv[0] == "matchpathcon" and argv[-1] in self.answers:
            return Finished(0, self.answers[argv[-1]] + "\n", 0.0)
        return Finished(0 if argv[0] == "restorecon" else 127, "", 0.0)


def _label(path: Path) -> bytes | None:
    try:
        return os.getxattr(path, ATTRIBUTE, follow_symlinks=False)
    except OSError:
        return None


def _can_label(path: Path) -> bool:
    try:
        os.setxattr(path, ATTRIBUTE, b"system_u:object_r:etc_t:s0\0")
    except OSError:
        return False
    return True


@as_root
def test_labels(tree: Path) -> None:
    if not _can_label(tree / "etc"):
        pytest.skip("this file system takes no security labels")
    (tree / "etc/hostname").write_text("old")
    os.setxattr(tree / "etc/hostname", ATTRIBUTE, b"hostname_etc_t\0")
    offline = Root(str(tree))
    offline.write("/etc/hostname", b"new")
    assert _label(tree / "etc/hostname") == b"hostname_etc_t\0"
    offline.write("/etc/new", b"new")
    assert _label(tree / "etc/new") == b"system_u:object_r:etc_t:s0\0"
    policy = Policy({"/home/a/.ssh": "ssh_home_t", "/home/a/.ssh/keys": "ssh_home_t", "/home": "home_root_t"})
    live = Root(str(tree), labels=Labels(policy, enabled=True))
    live.write("/home/a/.ssh/keys", b"new")
    assert _label(tree / "home/a/.ssh") == b"ssh_home_t"
    assert _label(tree / "home/a/.ssh/keys") == b"ssh_home_t"
    # The policy of this test does not know /home/a: it is asked again when the name is there.
    assert [argv for argv in policy.asked if argv[0] == "restorecon"] == [("restorecon", "/home/a")]


def test_without_selinux_no_program_is_asked(tree: Path) -> None:
    policy = Policy({})
    Root(str(tree), labels=Labels(policy, enabled=False)).write("/etc/new", b"new")
    assert policy.asked == []
