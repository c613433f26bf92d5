"""host_keys: replaced on a new machine, and there again after every power cut."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from guestinit.model.action import LATE, LOCAL, ONCE, Absence, Command, File, Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields
from guestinit.model.identity import NEW, RESUMED, Identity, Instance, Settled
from guestinit.model.image import Image
from guestinit.model.plan import OK, UNCHANGED
from guestinit.model.problem import Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.modules import host_keys
from guestinit.system import engine
from guestinit.system import facts as gathering
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.modules.sections import NOBODY, facts, messages, section, steps
from tests.values import parse

KINDS = ("ed25519", "ecdsa", "rsa")
KEYGEN = frozenset({"/usr/bin/ssh-keygen", "/etc/ssh/sshd_config.d"})
CLONE = facts(paths=KEYGEN, host_keys=tuple(f"/etc/ssh/ssh_host_{kind}_key" for kind in KINDS))
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA{}\n-----END OPENSSH PRIVATE KEY-----\n"


def path(kind: str) -> str:
    return f"/etc/ssh/ssh_host_{kind}_key"


def summary(found: list[Step]) -> list[tuple[str, str]]:
    return [(step.id, step.stage) for step in found]


REMOVED = [(f"absence:{path(kind)}{end}", LOCAL) for kind in KINDS for end in ("", ".pub")]
MADE = [
    ("command:host-key.ed25519", LOCAL),
    ("command:host-key.ecdsa", LOCAL),
    ("command:host-key.rsa", LATE),
    ("command:host-keys.sync.local", LOCAL),
    ("command:host-keys.sync.late", LATE),
    ("command:host-keys.reload.late", LATE),
]


def test_a_clone_gets_its_own() -> None:
    found = steps(host_keys, "hostname: web01", CLONE)
    assert summary(found) == REMOVED + MADE
    for step in found[:6]:
        assert isinstance(step.action, Absence) and step.frequency == ONCE and step.vital
    made = {step.id: step for step in found[6:]}
    keygen = made["command:host-key.ed25519"]
    assert isinstance(keygen.action, Command)
    assert keygen.action.argv == (
        "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "root@web01", "-f", path("ed25519")
    )  # fmt: skip
    assert keygen.when_changed == (f"absence:{path('ed25519')}",) and keygen.action.may_repeat and keygen.vital
    # Shown as "would run" in a preview, in which the inherited key is still there.
    assert all(isinstance(step.action, Command) and not step.action.creates for step in found[6:9])
    reload = made["command:host-keys.reload.late"].action
    assert isinstance(reload, Command) and reload.unit_active == "ssh.service"


@pytest.mark.parametrize("kind", ["reconfigured", "resumed"])
def test_an_edit_keeps_them(kind: str) -> None:
    machine = CLONE._replace(identity=Identity(kind, "edited", of="" if kind == "reconfigured" else "reconfigured"))
    assert steps(host_keys, "{}", machine) == []
    assert steps(host_keys, "{}", machine._replace(host_keys=CLONE.host_keys[:1])) == []


def test_a_machine_without_any_gets_some_whatever_kind_of_boot_it_is() -> None:
    machine = CLONE._replace(identity=Identity("reconfigured", "edited"), host_keys=())
    assert [step.id for step in steps(host_keys, "{}", machine) if isinstance(step.action, Command)] == [
        name for name, _ in MADE
    ]


def test_without_ssh_keygen_nothing_is_touched() -> None:
    assert steps(host_keys, "{}", CLONE._replace(paths=frozenset())) == []


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("ssh_genkeytypes: [rsa]", [("command:host-key.rsa", LOCAL)]),
        ("ssh_genkeytypes: rsa, ed25519", [("command:host-key.ed25519", LOCAL), ("command:host-key.rsa", LATE)]),
        ("ssh_genkeytypes:", MADE[:3]),
    ],
)
def test_which_types(text: str, made: list[tuple[str, str]]) -> None:
    found = steps(host_keys, text, CLONE)
    assert [one for one in summary(found) if one[0].startswith("command:host-key.")] == made
    assert summary(found)[: len(REMOVED)] != [] and {step.id for step in found} >= {name for name, _ in REMOVED}


def test_inherited_ones_may_stay() -> None:
    assert steps(host_keys, "ssh_deletekeys: false", CLONE) == []
    some = CLONE._replace(host_keys=(path("rsa"),))
    found = steps(host_keys, "ssh_deletekeys: false", some)
    assert [name for name in summary(found) if "host-key." in name[0]] == MADE[:2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh_genkeytypes: [dsa, rsa]", "error user-data:1:19: ssh_genkeytypes: expected ed25519, ecdsa or rsa"),
        ("ssh_deletekeys: nope", "error user-data:1:17: ssh_deletekeys: expected true or false, got 'nope'"),
        ("ssh_keys: hunter2", "error user-data:1:11: ssh_keys: expected a mapping, got a text"),
        ("ssh_keys: {rsa_private: hunter2}",
         "error user-data:1:25: ssh_keys.rsa_private: expected a private key in PEM or OpenSSH form"),
        ("ssh_keys: {rsa_public: x}",
         "error user-data:1:24: ssh_keys.rsa_private: a host key without its private part"),
        ("ssh_keys: {dsa_private: hunter2}",
         "error user-data:1:25: ssh_keys.dsa_private: sshd knows no dsa keys any more"),
    ],
)  # fmt: skip
def test_mistakes(text: str, expected: str) -> None:
    assert messages(host_keys, text) == [expected]
    read, problems = section(host_keys, text)
    assert "hunter2" not in repr((read, problems))
    assert read.delete is True
    if "hunter2" in text:
        assert problems[0].width == 0


# keys that are given


GIVEN = """
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    secretsecret
    -----END OPENSSH PRIVATE KEY-----
  ed25519_public: ssh-ed25519 AAAA root@x
  rsa_private: "-----BEGIN RSA PRIVATE KEY-----\\r\\nsecret\\r\\n-----END RSA PRIVATE KEY-----"
  rsa_certificate: ssh-rsa-cert-v01@openssh.com AAAA
"""


def test_given_keys_are_installed_and_none_is_made() -> None:
    found = {step.id: step for step in steps(host_keys, GIVEN, CLONE)}
    private = Secret("-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n-----END OPENSSH PRIVATE KEY-----\n")
    assert list(found) == [
        f"absence:{path('ecdsa')}",
        f"absence:{path('ecdsa')}.pub",
        f"absence:{path('rsa')}.pub",
        f"file:{path('ed25519')}",
        f"file:{path('ed25519')}.pub",
        f"file:{path('rsa')}",
        f"file:{path('rsa')}-cert.pub",
        "file:/etc/ssh/sshd_config.d/50-guestinit-certificates.conf",
        "command:host-keys.reload.local",
    ]
    first = found[f"file:{path('ed25519')}"]
    assert (first.action, first.frequency, first.basis) == (File(path("ed25519"), private, 0o600), ONCE, private)
    assert found[f"file:{path('ed25519')}.pub"].action == File(
        path("ed25519") + ".pub", b"ssh-ed25519 AAAA root@x\n", 0o644
    )
    rsa = found[f"file:{path('rsa')}"].action
    assert isinstance(rsa, File) and isinstance(rsa.content, Secret)
    assert rsa.content.reveal() == b"-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----\n"
    certificates = found["file:/etc/ssh/sshd_config.d/50-guestinit-certificates.conf"].action
    assert isinstance(certificates, File)
    assert certificates.content == f"HostCertificate {path('rsa')}-cert.pub\n".encode()
    assert "secret" not in repr(found)


def test_given_keys_on_a_machine_that_is_not_new() -> None:
    machine = CLONE._replace(identity=Identity("reconfigured", "edited"), paths=frozenset())
    found = steps(host_keys, GIVEN, machine)
    assert [type(step.action) for step in found] == [File] * 4 + [Lines, Command]


# what ssh-keygen does with this


@pytest.mark.parametrize("kind", KINDS)
def test_ssh_keygen_takes_the_arguments(tmp_path: Path, kind: str) -> None:
    problems = Problems()
    read = host_keys.read(Fields(parse("{}"), "", host_keys.KEYS, problems, check=False), MetaData("i-1", True))
    (step,) = [step for step in host_keys.plan(read, CLONE, NOBODY) if step.id == f"command:host-key.{kind}"]
    assert isinstance(step.action, Command)
    argv = [str(tmp_path / "key") if word == path(kind) else word for word in step.action.argv]
    subprocess.run(argv, check=True, env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL)
    made = (tmp_path / "key").read_text()
    assert made.rstrip().endswith("-----END OPENSSH PRIVATE KEY-----")
    assert (tmp_path / "key.pub").read_text().split()[2] == "root@localhost"
    again = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    assert again.returncode != 0 and (tmp_path / "key").read_text() == made  # why leftovers have to be removed


# power cuts, with the real engine, journal and memory


class PowerCut(BaseException):
    """The machine is gone at this moment."""


class Mains:
    """Counts what reaches the disk, and goes out at the given count, before or after it."""

    def __init__(self, at: int = -1) -> None:
        self.at = at
        self.count = 0
        self.stage = ""

    def tick(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise PowerCut


class CuttableRoot(Root):
    """A root whose writes may be the last thing that happens."""

    def __init__(self, directory: str, mains: Mains) -> None:
        super().__init__(directory)
        self.mains = mains

    def write(self, *args: Any, **kwargs: Any) -> None:
        self.mains.tick()
        super().write(*args, **kwargs)
        self.mains.tick()

    def append(self, *args: Any, **kwargs: Any) -> None:
        self.mains.tick()
        super().append(*args, **kwargs)
        self.mains.tick()

    def remove(self, *args: Any, **kwargs: Any) -> None:
        self.mains.tick()
        super().remove(*args, **kwargs)
        self.mains.tick()


class Keygen(Process):
    """ssh-keygen as it is: refuses what exists, writes in place and not at once."""

    def __init__(self, directory: Path, mains: Mains) -> None:
        super().__init__()
        self.directory = directory
        self.mains = mains
        self.made: list[str] = []

    def run(self, argv: Sequence[str], *_: Any, **__: Any) -> Finished:
        words = list(argv)[2:] if argv[0] == "chroot" else list(argv)
        if words[0] == "ssh-keygen":
            file = self.directory / words[-1].lstrip("/")
            if file.exists():
                return Finished(1, f"{file} already exists.", 0.0)
            text = PRIVATE.format(f"own{len(self.made)}")
            self.mains.tick()
            file.write_text(text[: len(text) // 2])
            self.mains.tick()
            file.write_text(text)
            self.mains.tick()
            Path(f"{file}.pub").write_text("ssh-x AAAA\n")
            self.made.append(file.name)
            self.mains.tick()
            return Finished(0, "", 0.0)
        assert words[0] in ("sync", "systemctl"), words
        return Finished(3 if words[0] == "systemctl" else 0, "", 0.0)


SEED = Seed("nocloud", "./seed", "named", (Document("user-data", "u", b"#cloud-config\n"),))
RUN = Settled(Instance("i-1", "", "digest"), NEW)


def boot(directory: Path, mains: Mains, keygen: Keygen) -> None:
    """One boot: the local stage, then the late one, each in a process of its own that looks at the machine again."""
    for stage in (LOCAL, LATE):
        mains.stage = stage
        root = CuttableRoot(str(directory), mains)
        unused: Any = None
        system = System(root, keygen, unused, State(root), True)
        unfinished = system.state.unfinished() is not None
        identity = Identity(RESUMED, "", of=NEW) if unfinished else Identity(NEW, "nothing is settled here")
        seen: Facts = gathering.gather(system, identity, Image())._replace(paths=KEYGEN)
        read = host_keys.Section(name="web01")
        plan = list(host_keys.plan(read, seen, NOBODY))
        if not unfinished:
            system.state.forget_everything()
            system.state.begin(SEED, RUN)
        applied = engine.apply([step for step in plan if step.stage == stage], system, lambda line: None)
        assert [outcome for outcome in applied.outcomes if outcome.result != OK] == []
        system.state.save()


def template(directory: Path, kinds: tuple[str, ...]) -> None:
    (directory / "etc/ssh").mkdir(parents=True)
    for kind in kinds:
        (directory / path(kind).lstrip("/")).write_text(PRIVATE.format("inherited"))
        (directory / f"{path(kind).lstrip('/')}.pub").write_text("inherited\n")


def keys(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted((directory / "etc/ssh").iterdir())}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, if there is such a file system: a campaign calls fsync(2) ten thousand times."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


@pytest.mark.parametrize("inherited", [(), KINDS, ("rsa",)])
def test_after_a_power_cut_at_any_moment_there_are_whole_keys_of_its_own(
    memory: Path, inherited: tuple[str, ...]
) -> None:
    undisturbed = Mains()
    (memory / "whole").mkdir()
    template(memory / "whole", inherited)
    boot(memory / "whole", undisturbed, Keygen(memory / "whole", undisturbed))
    assert undisturbed.count > 30
    for moment in range(1, undisturbed.count + 1):
        directory = memory / str(moment)
        directory.mkdir()
        template(directory, inherited)
        mains = Mains(moment)
        keygen = Keygen(directory, mains)
        with pytest.raises(PowerCut):
            boot(directory, mains, keygen)
        before = keys(directory)
        boot(directory, Mains(), keygen)
        after = keys(directory)
        assert {name for name in after if not name.endswith(".pub")} == {f"ssh_host_{kind}_key" for kind in KINDS}
        for kind in KINDS:
            text = after[f"ssh_host_{kind}_key"]
            assert text.startswith("-----BEGIN") and text.endswith("END OPENSSH PRIVATE KEY-----\n")
            assert "own" in text, (moment, kind)
            earlier = before.get(f"ssh_host_{kind}_key", "")
            if "own" in earlier and earlier.endswith("-----\n") and mains.stage == LATE:  # sshd was up by then
                assert text == earlier, (moment, "a key that sshd may have shown already was replaced")


def test_a_second_look_finds_nothing_to_do(tmp_path: Path) -> None:
    template(tmp_path, KINDS)
    mains = Mains()
    keygen = Keygen(tmp_path, mains)
    boot(tmp_path, mains, keygen)
    made = keys(tmp_path)
    boot(tmp_path, mains, keygen)  # resumed, for whatever else was not finished
    assert keys(tmp_path) == made
    root = Root(str(tmp_path))
    unused: Any = None
    system = System(root, keygen, unused, State(root), True)
    seen = gathering.gather(system, Identity(RESUMED, "", of=NEW), Image())._replace(paths=KEYGEN)
    found = engine.compare(host_keys.plan(host_keys.Section(), seen, NOBODY), system)
    assert found and all(change.change == UNCHANGED for change in found)
