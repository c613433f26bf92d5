"""Real shadow-utils on a root of the test's own, through --prefix and -R."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from machine import FakeProcess, add_user, as_root, do, field, look, machine, make_accounts, snapshot

from guestinit.model.action import Because, Group, Password, Step, User
from guestinit.model.plan import CREATE, LEFT, MODIFY, UNCHANGED
from guestinit.model.secret import Secret
from guestinit.system import kinds
from guestinit.system.failed import Failed
from guestinit.system.kinds import shadow
from guestinit.system.process import Finished, Process
from guestinit.system.system import System

pytestmark = [as_root, pytest.mark.skipif(shutil.which("useradd") is None, reason="needs shadow-utils")]

HASH = "$6$saltsalt$" + "a" * 86
OTHER = "$5$saltsalt$" + "b" * 43


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_accounts(tmp_path)


def tools(tree: Path) -> System:
    return machine(tree, Process(), live=False)


def host() -> dict[str, str]:
    return {name: Path("/etc", name).read_text() for name in ("passwd", "group", "shadow")}


# users


def test_a_new_user_with_everything(tree: Path) -> None:
    before = host()
    action = User(
        "alice", uid=1005, gecos="Al Ice", groups=("sudo", "adm"), shell="/bin/bash", expires="2031-01-02", inactive=5
    )
    change = look(action, tools(tree))
    assert (change.change, change.before) == (CREATE, "")
    assert change.after == (
        "user alice\nuid 1005\ncomment Al Ice\ngroups adm, sudo\nhome /home/alice\nshell /bin/bash\n"
        "expires 2031-01-02\ninactive after 5 days\n"
    )
    do(action, tools(tree))
    assert field(tree, "passwd", "alice")[2:] == ["1005", "1005", "Al Ice", "/home/alice", "/bin/bash"]
    assert field(tree, "group", "alice")[2] == "1005"
    assert field(tree, "group", "sudo")[3] == "alice" and field(tree, "group", "adm")[3] == "alice"
    assert field(tree, "shadow", "alice")[1] == "!"
    assert field(tree, "shadow", "alice")[6:8] == ["5", "22281"]
    home = tree / "home/alice"
    assert (stat.S_IMODE(home.stat().st_mode), home.stat().st_uid, home.stat().st_gid) == (0o750, 1005, 1005)
    assert (home / ".profile").read_text() == "# of this root\n"
    assert (home / ".config/empty").stat().st_uid == 1005
    assert host() == before


def test_a_system_user_without_home_or_group(tree: Path) -> None:
    (tree / "etc/group").open("a").write("users:x:100:\n")
    do(User("svc", system=True, create_home=False, user_group=False, home="/srv/svc", log_init=False), tools(tree))
    entry = field(tree, "passwd", "svc")
    assert int(entry[2]) < 1000
    assert entry[3] == "100"
    assert not (tree / "srv").exists()


def test_groups_that_nobody_made_are_made(tree: Path) -> None:
    do(User("alice", groups=("docker", "sudo"), primary_group="staff"), tools(tree))
    assert field(tree, "group", "docker")[3] == "alice"
    assert field(tree, "passwd", "alice")[3] == field(tree, "group", "staff")[2]


def test_a_group_of_the_same_name_is_taken(tree: Path) -> None:
    do(Group("alice", gid=2000), tools(tree))
    do(User("alice"), tools(tree))
    assert field(tree, "passwd", "alice")[3] == "2000"


def test_of_an_existing_user_only_what_differs_is_changed(tree: Path) -> None:
    add_user(tree, "alice", 1000, HASH)
    with (tree / "etc/group").open("a") as out:
        out.write("old:x:50:alice\n")
    action = User("alice", gecos="Al", groups=("sudo", "old"), shell="/bin/bash", expires="2031-01-02")
    change = look(action, tools(tree))
    assert change.change == MODIFY
    assert change.before == "groups alice, old\nshell /bin/sh\nexpires never\n"
    assert change.after == "comment Al\ngroups alice, old, sudo\nshell /bin/bash\nexpires 2031-01-02\n"
    do(action, tools(tree))
    assert field(tree, "passwd", "alice") == ["alice", "x", "1000", "1000", "Al", "/home/alice", "/bin/bash"]
    assert field(tree, "group", "old")[3] == "alice"
    assert field(tree, "shadow", "alice")[1] == HASH
    assert (tree / "home/alice/.profile").read_text() == "# hers\n"
    do(User("alice", expires="never"), tools(tree))
    assert field(tree, "shadow", "alice")[7] == ""
    assert look(User("alice"), tools(tree)).change == UNCHANGED


def test_commas_of_adduser_are_no_difference(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    passwd = tree / "etc/passwd"
    passwd.write_text(passwd.read_text().replace("alice:x:1000:1000::", "alice:x:1000:1000:Al,,,:"))
    assert look(User("alice", gecos="Al"), tools(tree)).change == UNCHANGED


def test_the_uid_of_an_existing_user_stays_and_the_rest_is_done(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    action = User("alice", uid=1234, shell="/bin/bash")
    change = look(action, tools(tree))
    assert change.note == "the uid of an existing account is not changed"
    with pytest.raises(Failed, match="alice has uid 1000") as caught:
        kinds.apply(change, tools(tree))
    assert caught.value.usable
    assert field(tree, "passwd", "alice")[2] == "1000"
    assert field(tree, "passwd", "alice")[6] == "/bin/bash"


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "-x", "a b", "a/b", "a,b", "a\0b"])
def test_what_cannot_be_a_name_reaches_no_program(tree: Path, name: str) -> None:
    before = snapshot(tree)
    for action in (User(name), Group(name), Password(name, Secret(HASH), hashed=True)):
        with pytest.raises(Failed, match="cannot be the name"):
            kinds.apply(look(action, machine(tree)), machine(tree))
    assert snapshot(tree) == before


def test_a_tool_that_refuses_says_why(tree: Path) -> None:
    with pytest.raises(Failed, match=r"useradd: .*UID 0 is not unique") as caught:
        kinds.apply(look(User("alice", uid=0), tools(tree)), tools(tree))
    assert caught.value.code == 4
    add_user(tree, "bob", 1001)
    assert "is no date" in look(User("bob", expires="soon"), tools(tree)).note
    with pytest.raises(Failed, match="is no date"):
        kinds.apply(look(User("alice", expires="2031-02-30"), tools(tree)), tools(tree))


# what a power cut leaves


def _cut(tree: Path, file: str, name: str) -> None:
    path = tree / "etc" / file
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith(name + ":")))


@pytest.mark.parametrize("lost", [("shadow",), ("group", "gshadow"), ("shadow", "group", "gshadow")])
@pytest.mark.parametrize("home", ["there", "absent", "mode 0", "root's", "partly"])
def test_a_half_made_user_is_completed(tree: Path, lost: tuple[str, ...], home: str) -> None:
    action = User("alice", gecos="Al", groups=("sudo",), shell="/bin/bash")
    do(action, tools(tree))
    whole = snapshot(tree)
    for file in lost:
        _cut(tree, file, "alice")
    if "group" in lost:
        for file in ("group", "gshadow"):
            path = tree / "etc" / file
            path.write_text(path.read_text().replace(":alice\n", ":\n"))
    place = tree / "home/alice"
    if home != "there":
        shutil.rmtree(place)
    if home in ("mode 0", "root's"):
        place.mkdir()
        place.chmod(0 if home == "mode 0" else 0o755)
    if home == "partly":
        place.mkdir(mode=0o750)
        (place / ".profile").touch()
        for path in (place, place / ".profile"):
            os.chown(path, 1000, 1000)
    assert look(action, tools(tree)).change == MODIFY
    do(action, tools(tree))
    after = snapshot(tree)
    for name in whole:
        if name.startswith("home/") or name in ("etc/passwd", "etc/group", "etc/skel/.profile"):
            assert after[name] == whole[name], name
    assert field(tree, "shadow", "alice")[1] in ("!", "x")  # no password fits either
    assert field(tree, "group", "sudo")[3] == "alice"


@pytest.mark.parametrize("content", [b"", b"\0", b"1\0", b"999999\n", b"4194399\0", b"half"])
def test_dead_locks_do_not_stop_the_tools(tree: Path, content: bytes) -> None:
    """Process 1 lives, but it is no tool that takes this lock: the number was given anew after the power cut."""
    for name in shadow.DATABASES:
        (tree / f"etc/{name}.lock").write_bytes(content)
    do(User("alice", groups=("sudo",)), tools(tree))
    assert not list((tree / "etc").glob("*.lock"))


def test_a_lock_that_is_held_stays(tree: Path) -> None:
    tool = tree / "vipw"
    tool.symlink_to("/bin/sleep")
    holder = subprocess.Popen([str(tool), "60"])
    try:
        while Path(f"/proc/{holder.pid}/comm").read_text() != "vipw\n":
            time.sleep(0.01)  # the kernel names it a little later than it closes what Popen waits for
        (tree / "etc/passwd.lock").write_text(str(holder.pid))
        shadow.prepare(tools(tree))
        assert (tree / "etc/passwd.lock").exists()
    finally:
        holder.kill()
        holder.wait()
    shadow.prepare(tools(tree))
    assert not (tree / "etc/passwd.lock").exists()


# homes that outlive their users


def test_a_home_on_a_volume_that_was_kept(tree: Path) -> None:
    home = tree / "home/alice"
    home.mkdir(mode=0o700)
    (home / "data").write_text("hers")
    for path in (home, home / "data"):
        os.chown(path, 1042, 1042)
    assert look(User("alice"), tools(tree)).note == "uid 1042, which its home has already"
    do(User("alice"), tools(tree))
    assert field(tree, "passwd", "alice")[2] == "1042"
    assert sorted(path.name for path in home.iterdir()) == ["data"]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_home_of_somebody_else_stays_theirs(tree: Path) -> None:
    add_user(tree, "bob", 1042)
    (tree / "home/alice").mkdir()
    os.chown(tree / "home/alice", 1042, 1042)
    done = do(User("alice"), tools(tree))
    assert done.message == "/home/alice belongs to uid 1042 and is left as it is"
    assert (tree / "home/alice").stat().st_uid == 1042
    assert list((tree / "home/alice").iterdir()) == []
    (tree / "srv/data").mkdir(parents=True)
    (tree / "srv/data/file").touch()
    done = do(User("carol", home="/srv/data"), tools(tree))
    assert done.message == "/srv/data belongs to uid 0 and is left as it is"


def test_a_fresh_file_system_mounted_as_home(tree: Path) -> None:
    (tree / "home/alice/lost+found").mkdir(parents=True)
    do(User("alice"), tools(tree))
    assert (tree / "home/alice").stat().st_uid == 1000
    assert (tree / "home/alice/lost+found").stat().st_uid == 0
    assert (tree / "home/alice/.profile").stat().st_uid == 1000


def test_accounts_of_the_image_keep_their_homes(tree: Path) -> None:
    """/nonexistent is not made, and a system user's home neither, unless it is asked for."""
    with (tree / "etc/passwd").open("a") as out:
        out.write("nobody:x:65534:27::/nonexistent:/usr/sbin/nologin\nwww:x:33:27::/var/www:/usr/sbin/nologin\n")
    with (tree / "etc/shadow").open("a") as out:
        out.write("nobody:*:19000::::::\nwww:*:19000::::::\n")
    assert look(User("nobody"), tools(tree)).change == UNCHANGED
    assert look(User("www"), tools(tree)).change == UNCHANGED


# groups


def test_groups(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    change = look(Group("web", gid=2000, members=("alice",)), tools(tree))
    assert (change.change, change.after) == (CREATE, "group web, gid 2000\nmembers alice\n")
    do(Group("web", gid=2000, members=("alice",)), tools(tree))
    assert field(tree, "group", "web")[2:] == ["2000", "alice"]
    add_user(tree, "bob", 1001)
    change = look(Group("web", members=("alice", "bob")), tools(tree))
    assert (change.before, change.after) == ("members alice\n", "members alice, bob\n")
    do(Group("web", members=("bob",)), tools(tree))
    assert field(tree, "group", "web")[3] == "alice,bob"
    do(Group("sys", system=True), tools(tree))
    assert int(field(tree, "group", "sys")[2]) < 1000


def test_a_group_with_strangers_and_another_gid(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    with pytest.raises(Failed, match="there is no user carol"):
        kinds.apply(look(Group("web", members=("carol", "alice")), tools(tree)), tools(tree))
    assert field(tree, "group", "web")[3] == "alice"
    with pytest.raises(Failed, match="the gid of an existing group is not changed"):
        kinds.apply(look(Group("sudo", gid=99), tools(tree)), tools(tree))
    assert field(tree, "group", "sudo")[2] == "27"


# passwords


def test_a_hash(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    action = Password("alice", Secret(HASH), hashed=True)
    change = look(action, tools(tree))
    assert (change.change, change.before, change.after) == (MODIFY, "password locked\n", "password set\n")
    do(action, tools(tree))
    assert field(tree, "shadow", "alice")[1] == HASH
    change = look(Password("alice", Secret(OTHER), hashed=True), tools(tree))
    assert (change.before, change.after) == ("password set\n", "password set anew\n")


def test_locking_and_unlocking(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    do(Password("alice", Secret(HASH), hashed=True, locked=True), tools(tree))
    assert field(tree, "shadow", "alice")[1] == "!" + HASH
    do(Password("alice", locked=False), tools(tree))
    assert field(tree, "shadow", "alice")[1] == HASH
    do(Password("alice", locked=True), tools(tree))
    do(Password("alice", locked=True), tools(tree))
    assert field(tree, "shadow", "alice")[1] == "!" + HASH
    do(Password("alice", Secret(HASH), hashed=True, locked=False), tools(tree))
    assert field(tree, "shadow", "alice")[1] == HASH


def test_without_a_password_nothing_is_unlocked(tree: Path) -> None:
    add_user(tree, "alice", 1000, "!")
    change = look(Password("alice", locked=False), tools(tree))
    assert (change.change, change.note) == (UNCHANGED, "there is no password to unlock")
    done = kinds.apply(change, tools(tree))
    assert done.message == "there is no password to unlock; it stays locked"
    assert field(tree, "shadow", "alice")[1] == "!"


@pytest.mark.parametrize(("now", "after"), [("!", "!"), ("*", "*"), ("", "!"), (HASH, HASH), ("!" + HASH, "!" + HASH)])
def test_only_an_account_without_a_password_is_locked(tree: Path, now: str, after: str) -> None:
    add_user(tree, "alice", 1000, now)
    do(Password("alice", locked=True, only_if_unset=True), tools(tree))
    assert field(tree, "shadow", "alice")[1] == after


def test_expiring(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    action = Password("alice", Secret(HASH), hashed=True, expire=True)
    assert look(action, tools(tree)).after == "password set, to be changed at the next login\n"
    do(action, tools(tree))
    assert field(tree, "shadow", "alice")[1:3] == [HASH, "0"]


@pytest.mark.parametrize(
    "text", ["plain", "$6$", "$6$salt$", HASH + "\nroot:" + HASH, HASH + ":0", "", "$6$s$x y", "!!!", "root"]
)
def test_what_is_no_hash_is_refused(tree: Path, text: str) -> None:
    add_user(tree, "alice", 1000)
    before = snapshot(tree)
    with pytest.raises(Failed) as caught:
        kinds.apply(look(Password("alice", Secret(text), hashed=True), machine(tree)), machine(tree))
    assert not text or text not in caught.value.message
    assert snapshot(tree) == before


@pytest.mark.parametrize("text", ["*", "!", "$y$j9T$abc./$def", "$2b$12$" + "a" * 53, "ab" + "c" * 11, "!" + HASH])
def test_what_is_a_hash_or_locks(tree: Path, text: str) -> None:
    add_user(tree, "alice", 1000, OTHER)
    do(Password("alice", Secret(text), hashed=True), tools(tree))
    assert field(tree, "shadow", "alice")[1] == text


def test_an_unknown_user(tree: Path) -> None:
    action = Password("carol", Secret(HASH), hashed=True)
    assert look(action, tools(tree)).change == MODIFY
    with pytest.raises(Failed, match="there is no user carol"):
        kinds.apply(look(action, tools(tree)), tools(tree))
    with pytest.raises(Failed, match="there is no user carol"):
        kinds.apply(look(Password("carol", locked=True), tools(tree)), tools(tree))


def test_a_clear_text_waits_for_the_first_boot(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    for action in (Password("alice", Secret("hunter2")), Password("alice", random=True)):
        change = look(action, tools(tree))
        assert change.change == LEFT
        assert "hunter2" not in repr(change)


class Chpasswd(Process):
    """chpasswd as a running system has it, on the test's tree: without PAM, the hash is made up."""

    def __init__(self, tree: Path) -> None:
        super().__init__()
        self.tree = tree
        self.lines: list[bytes] = []

    def run(self, argv, stdin=None, **more):  # type: ignore[no-untyped-def]
        if tuple(argv) == ("chpasswd",):
            self.lines.append(stdin)
            user = stdin.partition(b":")[0]
            stdin, argv = user + b":" + OTHER.encode() + b"\n", ("chpasswd", "-e", "-R", str(self.tree))
        return super().run(argv, stdin=stdin, **more)


def test_a_clear_text_goes_over_standard_input_alone(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    process = Chpasswd(tree)
    system = machine(tree, process)
    change = look(Password("alice", Secret("hunter2")), system)
    assert (change.change, change.before, change.after) == (MODIFY, "password locked\n", "password set\n")
    done = kinds.apply(change, system)
    assert process.lines == [b"alice:hunter2\n"]
    assert done.reveal is None
    for bad in ("", "a\nroot:b", "a\0b", "a\r"):
        with pytest.raises(Failed, match="cannot be empty or hold a line break"):
            kinds.apply(look(Password("alice", Secret(bad)), system), system)
    assert len(process.lines) == 1


def test_a_random_password_is_handed_back_once_and_never_said(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    process = Chpasswd(tree)
    system = machine(tree, process)
    done = kinds.apply(look(Password("alice", random=True), system), system)
    assert done.reveal is not None
    made = done.reveal.reveal()
    assert process.lines == [b"alice:" + made + b"\n"]
    assert len(made) == 20
    assert made.decode() not in repr(done)


def test_a_tool_that_only_says_done_is_not_believed(tree: Path) -> None:
    add_user(tree, "alice", 1000)
    silent = FakeProcess({("chpasswd",): Finished(0, "", 0.0)})
    with pytest.raises(Failed, match="/etc/shadow has not changed"):
        kinds.apply(look(Password("alice", Secret("hunter2")), machine(tree, silent)), machine(tree, silent))


def test_a_refusal_never_repeats_the_password(tree: Path) -> None:
    add_user(tree, "alice", 1000)

    class Loud(Process):
        def run(self, argv, **more):  # type: ignore[no-untyped-def]
            return super().run(("sh", "-c", 'read line; echo "bad password $line"; exit 1'), **more)

    with pytest.raises(Failed) as caught:
        kinds.apply(look(Password("alice", Secret("hunter2")), machine(tree, Loud())), machine(tree, Loud()))
    assert caught.value.message == "chpasswd: bad password alice:***"


# a tree that wants to lead the tools astray


@pytest.mark.parametrize("name", ["passwd", "shadow", "group", "gshadow", "subuid"])
def test_a_link_in_the_tree_does_not_lead_the_tools_to_the_host(tree: Path, tmp_path_factory, name: str) -> None:  # type: ignore[no-untyped-def]
    aim = tmp_path_factory.mktemp("host") / name
    aim.write_text((tree / "etc" / name).read_text())
    (tree / "etc" / name).unlink()
    (tree / "etc" / name).symlink_to(aim)
    with pytest.raises(Failed, match="not an ordinary file of this root"):
        kinds.apply(look(User("alice"), machine(tree)), machine(tree))


def test_a_home_behind_an_absolute_link_is_made_inside(tree: Path) -> None:
    """Some distributions link /home to /var/home."""
    (tree / "home").rmdir()
    (tree / "var/home").mkdir(parents=True)
    (tree / "home").symlink_to("/var/home")
    do(User("alice"), tools(tree))
    assert (tree / "var/home/alice/.profile").stat().st_uid == 1000
    assert not Path("/var/home/alice").exists()
    assert not Path("/home/alice/.config/empty").exists()


def test_an_ordinary_user_can_still_look(tree: Path) -> None:
    """A dry run without root: what may not be read is said, and nothing fails."""
    add_user(tree, "alice", 1000, HASH)
    for path in (tree, *tree.rglob("*")):
        if path.name not in ("shadow", "gshadow"):
            path.chmod(path.stat().st_mode | 0o055)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.chdir(tree)  # its parents are closed to others
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            user = look(User("alice", shell="/bin/zsh"), machine(Path(".")))
            password = look(Password("alice", Secret(HASH), hashed=True), machine(Path(".")))
            if user.after == "shell /bin/zsh\n" and password.note.startswith("cannot be compared"):
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@as_root
def test_a_group_that_was_cut_in_half_is_completed(tree: Path) -> None:
    with open(tree / "etc/group", "a", encoding="ascii") as file:
        file.write("staff:x:50:\n")  # the power went before groupadd wrote gshadow
    assert look(Group("staff"), tools(tree)).change == MODIFY
    do(Group("staff"), tools(tree))
    assert look(Group("staff"), tools(tree)).change == UNCHANGED
    assert "\nstaff:" in (tree / "etc/gshadow").read_text()


@as_root
def test_a_user_that_was_cut_before_its_subordinate_ids_gets_them(tree: Path) -> None:
    do(User("alice"), tools(tree))
    whole = {name: (tree / "etc" / name).read_text() for name in ("subuid", "subgid")}
    assert all("alice:" in text for text in whole.values())
    for name in whole:
        (tree / "etc" / name).write_text("other:100000:65536\n")
    for _ in range(2):  # a second time changes nothing
        kinds.mend(Step("user:alice", "accounts", User("alice"), Because()), tools(tree))
        for name in whole:
            assert (tree / "etc" / name).read_text() == "other:100000:65536\nalice:165536:65536\n"


@as_root
def test_nobody_else_gets_subordinate_ids(tree: Path) -> None:
    add_user(tree, "svc", 200)
    for action in (User("svc"), User("svc", system=True), User("nobody-here")):
        kinds.mend(Step("user:svc", "accounts", action, Because()), tools(tree))
    assert (tree / "etc/subuid").read_text() == ""
