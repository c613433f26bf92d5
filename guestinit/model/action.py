"""What guestinit can do to a machine: a closed set of plain records.

Names bind late: an action says `owner="alice"`, and the uid is looked up when it is applied, since an earlier action
may create alice. A path that begins with `~alice/` is below her home for the same reason.
Records of two kinds with equal fields compare equal as tuples: test the type first.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from guestinit.model.problem import Position
from guestinit.model.secret import Secret

# When a step is due.
CONVERGE = "converge"  # whenever the machine is new, reconfigured or resumed; what is right already stays
ONCE = "once"  # for each new value of its `basis`: commands, passwords
EVERY_BOOT = "every boot"

LOCAL = "local"
NETWORK = "network"
LATE = "late"
FINAL = "final"
STAGES = (LOCAL, NETWORK, LATE, FINAL)


TREE = "{tree}"  # in the arguments of a check: a directory that holds the content under the file's own path


class Check(NamedTuple):
    """A program that must take the new content of a file before it replaces the old: on this machine only.

    The content is on its standard input, or, where an argument holds `TREE`, in a file that nobody else may read.
    """

    argv: tuple[str, ...]
    good: bytes  # what it takes in any case: a program that refuses this too (too old, broken, absent) is no judge


class File(NamedTuple):
    """A whole file. With `append` its content is added at the end, unless the file holds it already."""

    path: str
    content: Union[bytes, Secret]
    mode: Optional[int] = 0o644  # None: what an existing file has, else 0644
    owner: str = "root"  # empty: what an existing file has, else root
    group: str = ""  # empty: the owner's primary group
    append: bool = False
    check: Optional[Check] = None


class Lines(NamedTuple):
    """Single lines in a file that others edit too.

    A line in `add` that is missing is appended. Where `replace` (a regular expression) matches lines, the first of
    these gives its place to the added lines and the others go. With `managed`, lines that an earlier run of ours added
    and that are no longer wanted are removed; nobody else's are.
    """

    path: str
    add: tuple[str, ...]
    replace: str = ""
    managed: bool = False
    mode: Optional[int] = 0o644
    owner: str = "root"
    group: str = ""
    directory_mode: Optional[int] = None  # the parent directory's, if it is ours to make (0700 for ~/.ssh)


class Directory(NamedTuple):
    """A directory."""

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = ""


class Link(NamedTuple):
    """A symbolic link."""

    path: str
    target: str
    must_exist: bool = False  # fails where the target does not exist, instead of leaving a link to nowhere


class Absence(NamedTuple):
    """A path that is not there (a file or a link, never a directory with content)."""

    path: str
    must_keep: bool = False  # fails where what is in it cannot be kept (Step.keep): it is somebody else's


class Group(NamedTuple):
    """A group with at least these members; others stay."""

    name: str
    gid: Optional[int] = None
    system: bool = False
    members: tuple[str, ...] = ()


class User(NamedTuple):
    """An account. None or empty means: not said, so an existing account keeps what it has."""

    name: str
    uid: Optional[int] = None
    gecos: Optional[str] = None
    primary_group: str = ""
    groups: tuple[str, ...] = ()  # at least these
    home: str = ""
    shell: str = ""
    system: bool = False
    create_home: bool = True
    user_group: bool = True  # a group of the same name, unless primary_group is given
    log_init: bool = True  # an entry in lastlog and faillog
    expires: str = ""  # YYYY-MM-DD; "never" clears it
    inactive: Optional[int] = None  # days after the password expired
    selinux_user: str = ""


class Password(NamedTuple):
    """What /etc/shadow says of an account. Applied again only when its step's `basis` changed."""

    user: str
    secret: Optional[Secret] = None  # None: the password stays as it is
    hashed: bool = False
    locked: Optional[bool] = None  # None: a given password unlocks, otherwise it stays
    expire: bool = False  # must be changed at the first login
    random: bool = False  # made here, shown once on the console
    only_if_unset: bool = False  # lock only an account that has no usable password of its own yet


class Gentler(NamedTuple):
    """A way to the same end that disturbs less, for a running system of which a program says that it fits."""

    argv: tuple[str, ...]
    question: tuple[str, ...]
    answer: str  # the whole output, without white space around it


class Command(NamedTuple):
    """A program to run. What it does cannot be compared: it is shown as "would run" with the reason."""

    argv: tuple[str, ...]
    label: str  # what plans, logs and status call it; never the text of a user's command
    environment: tuple[tuple[str, str], ...] = ()
    timeout: Optional[float] = None  # seconds; None: never killed, only reported as slow
    may_repeat: bool = False  # may be run again after it failed or was interrupted
    creates: str = ""  # nothing to do if this path exists
    log_output: bool = True  # to /var/log/guestinit.log
    codes: tuple[int, ...] = (0,)  # the exit codes that mean success
    needs_live: bool = True  # cannot be run for another root: left for the first boot
    hidden: bool = False  # a user's own command: its text is shown to root only
    unit_active: str = ""  # only if this unit is running already (a reload of a manager)
    gentler: Optional[Gentler] = None  # tried first
    locks: tuple[str, ...] = ()  # files that another program may hold an fcntl(2) lock on: waited for, with a cap
    rewrites: str = ""  # a directory whose files it writes anew: those with the same content stay what they were


class Live(NamedTuple):
    """A value of the running kernel: `hostname`, or a sysctl by its dotted name."""

    name: str
    value: str


class Entropy(NamedTuple):
    """Bytes that the kernel's random pool is stirred with: they are not counted as random, so they can only help."""

    secret: Secret


class Rename(NamedTuple):
    """What the kernel calls network interfaces, by their MACs: one action, because two may exchange their names.

    An interface that is up keeps its name, and one that is absent is none of its business: udev's .link file serves it.
    """

    names: tuple[tuple[str, str], ...]  # MAC and name


class Request(NamedTuple):
    """A server is told something over HTTP, after everything that was done before is on the disk.

    That it heard is known by the last line of its answer, where `answer` says what that is; such a server need not
    speak proper HTTP. Nothing in here may be secret.
    """

    url: str
    label: str  # what plans and logs call it
    headers: tuple[tuple[str, str], ...] = ()
    answer: str = ""


class Grow(NamedTuple):
    """The partition under a mount point and its file system, to the end of the disk."""

    mount: str
    partition: bool = True
    file_system: bool = True


Action = Union[
    File, Lines, Directory, Link, Absence, Group, User, Password, Command, Live, Entropy, Rename, Request, Grow
]

KINDS: dict[type, str] = {
    File: "file", Lines: "lines", Directory: "directory", Link: "link", Absence: "absence", Group: "group",
    User: "user", Password: "password", Command: "command", Live: "live", Entropy: "entropy",
    Rename: "rename", Request: "request", Grow: "grow",
}  # fmt: skip


class Because(NamedTuple):
    """Why a step is planned: a place in a document, or a sentence, or both."""

    at: Optional[Position] = None
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.at) if self.at else "", self.text) if part)


class Step(NamedTuple):
    """One action in a plan, with everything that decides when it is due."""

    id: str  # unique in a plan and the same on every boot: "file:/etc/hostname", "command:runcmd.2"
    module: str
    action: Action
    because: Because
    stage: str = LOCAL
    needs: tuple[str, ...] = ()  # ids of steps; skipped if one of them failed
    when_changed: tuple[str, ...] = ()  # ids; due only if one of these changed something in this run
    frequency: str = CONVERGE
    basis: Optional[Secret] = None  # ONCE: what was done is remembered by a keyed digest of this
    vital: bool = False  # network, accounts, keys: if it fails, the whole run counts as failed
    keep: bool = False  # what a path holds now is kept before it changes (system/earlier.py)
    told: str = ""  # one line said with the result, if this changed something
