"""`ssh_keys`, `ssh_deletekeys`, `ssh_genkeytypes`: the keys by which ssh clients know this machine.

Keys that a clone inherited are replaced, on a new machine only: editing an address must not alarm every client. ed25519
and ecdsa are made before sshd starts; rsa takes as long as the rest of the boot and must not delay it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guestinit.model.accounts import Accounts
from guestinit.model.action import LATE, LOCAL, ONCE, Absence, Because, Command, File, Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.identity import RESUMED
from guestinit.model.problem import Position, Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.model.value import Given

TYPES = ("ed25519", "ecdsa", "rsa")
PARTS = ("private", "public", "certificate")

KEYS = (
    Key("ssh_keys", "mapping", "Host keys to install instead of making some.", True),
    Key("ssh_deletekeys", "true or false", "Whether a new machine drops the host keys in its image; true by default."),
    Key("ssh_genkeytypes", "list of ed25519, ecdsa, rsa", "Which host keys are made; all three by default."),
    Key("ssh_quiet_keygen", "true or false", "What ssh-keygen says goes nowhere anyway.", ignored=True),
    Key("ssh_publish_hostkeys", "mapping", "Host keys are not sent to a metadata service.", ignored=True),
    Key("ssh", "mapping", "Host keys are not written to the console.", ignored=True),
)
GIVEN_KEYS = tuple(
    Key(
        f"{kind}_{part}",
        "text",
        "Not supported: sshd knows no dsa keys any more."
        if kind == "dsa"
        else f"The {part}{' key' if part != 'certificate' else ''} of type {kind}.",
        part == "private",
    )
    for kind in (*TYPES, "dsa")
    for part in PARTS
)

CERTIFICATES = "/etc/ssh/sshd_config.d/50-guestinit-certificates.conf"


class HostKey(NamedTuple):
    """A key that a document gives."""

    type: str
    at: Position
    private: Secret
    public: str = ""
    certificate: str = ""


class Section(NamedTuple):
    """Which keys the machine is to have."""

    given: tuple[HostKey, ...] = ()
    types: tuple[str, ...] = TYPES
    delete: bool = True
    name: str = ""  # for the comment in the keys


# reading


def read(fields: Fields, meta: MetaData) -> Section:
    """Types that OpenSSH still has, and keys that look like keys."""
    types = fields.texts("ssh_genkeytypes", ",")
    delete = fields.flag("ssh_deletekeys", safe=True)  # two machines with one host key can pretend to be each other
    given = fields.mapping("ssh_keys", GIVEN_KEYS)
    return Section(
        tuple(_read_given(given)) if given else (),
        TYPES if types is None else _read_types(types, fields.problems),
        delete.value if delete else True,
        _name(fields, meta),
    )


def _read_types(given: tuple[Given[str], ...], problems: Problems) -> tuple[str, ...]:
    found = []
    for kind in given:
        if kind.value in TYPES:
            found.append(kind.value)
        else:
            problems.error(
                kind.at, "ssh_genkeytypes", "expected ed25519, ecdsa or rsa", "left out", max(1, len(kind.value))
            )
    return tuple(kind for kind in TYPES if kind in found)


def _read_given(fields: Fields) -> Iterator[HostKey]:
    for kind in (*TYPES, "dsa"):
        private, public, certificate = (fields.text(f"{kind}_{part}") for part in PARTS)
        first = private or public or certificate
        if first is None:
            continue
        path = fields.path_of(f"{kind}_private")
        if kind == "dsa":
            fields.problems.error(first.at, path, "sshd knows no dsa keys any more", "left out", 0)
        elif private is None:
            fields.problems.error(first.at, path, "a host key without its private part", "left out", 0)
        elif "PRIVATE KEY-----" not in private.value:
            fields.problems.error(private.at, path, "expected a private key in PEM or OpenSSH form", "left out", 0)
        else:
            yield HostKey(kind, private.at, Secret(_whole_lines(private.value)), _line(public), _line(certificate))


def _whole_lines(text: str) -> str:
    # sshd refuses a key without a line break at its end, which `|-` and CRLF documents produce.
    return "\n".join(text.strip().splitlines()) + "\n"


def _line(given: Given[str] | None) -> str:
    return " ".join(given.value.split()) if given else ""


def _name(fields: Fields, meta: MetaData) -> str:
    """The first label of the host name, as far as it is plain; it is only a comment."""
    given = fields.value.get("hostname") or fields.value.get("fqdn")
    text = given.text if given else meta.hostname.value if meta.hostname else ""
    name = text.strip().partition(".")[0]
    return name if name.isascii() and name.replace("-", "").isalnum() and len(name) <= 63 else ""


# planning


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """What is inherited goes, what is given is written, what is missing is made."""
    replaces = facts.identity.is_new and section.delete
    # Without ssh-keygen nothing could take the place of what is removed.
    made = section.types if "/usr/bin/ssh-keygen" in facts.paths and not section.given else ()
    if replaces and (made or section.given):
        yield from _plan_removal(section, facts, made)
    yield from _plan_given(section.given, facts)
    if facts.identity.is_new or not facts.host_keys:
        yield from _plan_made(section, facts, made, replaces)


def _path(kind: str) -> str:
    return f"/etc/ssh/ssh_host_{kind}_key"


def _absence(path: str) -> str:
    return f"absence:{path}"


def _plan_removal(section: Section, facts: Facts, made: tuple[str, ...]) -> Iterator[Step]:
    """Once for each new machine, also of what is not there: a resumed run must not take what it made for inherited."""
    because = Because(None, f"a new machine does not keep the keys of its image ({facts.identity.reason})")
    replaced = {file for key in section.given for file, _, _ in _files(key)}
    for path in dict.fromkeys((*facts.host_keys, *map(_path, made), *(_path(key.type) for key in section.given))):
        for file in (path, f"{path}.pub"):
            if file not in replaced:
                yield Step(_absence(file), "host_keys", Absence(file), because, frequency=ONCE, vital=True)


def _files(key: HostKey) -> Iterator[tuple[str, Secret, int]]:
    path = _path(key.type)
    yield path, key.private, 0o600
    if key.public:
        yield f"{path}.pub", Secret(key.public + "\n"), 0o644
    if key.certificate:
        yield f"{path}-cert.pub", Secret(key.certificate + "\n"), 0o644


def _plan_given(keys: tuple[HostKey, ...], facts: Facts) -> Iterator[Step]:
    """Written once for each new value, so that a key which was changed by hand since is not put back."""
    written = []
    for key in keys:
        for path, content, mode in _files(key):
            data = content if mode == 0o600 else content.reveal()
            written.append(f"file:{path}")
            yield Step(
                written[-1],
                "host_keys",
                File(path, data, mode),
                Because(key.at),
                frequency=ONCE,
                basis=content,
                vital=True,
            )
    certified = [key for key in keys if key.certificate]
    if certified:
        lines = tuple(f"HostCertificate {_path(key.type)}-cert.pub" for key in certified)
        because = Because(certified[0].at)
        if "/etc/ssh/sshd_config.d" in facts.paths:
            written.append(f"file:{CERTIFICATES}")
            yield Step(written[-1], "host_keys", File(CERTIFICATES, ("\n".join(lines) + "\n").encode(), 0o600), because)
        else:
            # In the place of the first line that every sshd_config ships with: the end may be inside of a Match block.
            action = Lines("/etc/ssh/sshd_config", lines, r"^#?HostCertificate\s", mode=None)
            written.append("lines:/etc/ssh/sshd_config#HostCertificate")
            yield Step(written[-1], "host_keys", action, because)
    if written:
        yield _reload(facts, LOCAL, tuple(written))


def _plan_made(section: Section, facts: Facts, kinds: tuple[str, ...], replaces: bool) -> Iterator[Step]:
    """ssh-keygen for each key that is missing or replaced.

    It writes in place, never asks the disk to keep what it wrote, and refuses to overwrite. So a power cut can leave
    half a key: `facts.host_keys` does not count such a one, and in a resumed run it is removed before another is made.
    A whole one that was made just before the cut stays. `sync` comes last, or a machine that is settled could lose its
    keys.
    """
    resumed = facts.identity.kind == RESUMED
    made: dict[str, dict[str, str]] = {LOCAL: {}, LATE: {}}  # stage: ids of steps and paths
    for kind in kinds:
        path = _path(kind)
        is_whole = path in facts.host_keys
        if is_whole and not replaces:
            continue
        stage = LATE if kind == "rsa" and len(kinds) > 1 else LOCAL
        if not is_whole and (resumed or not replaces):
            half = Because(None, "what is there is half a key")
            yield Step(f"{_absence(path)} (half)", "host_keys", Absence(path), half, vital=True)
        action = Command(
            ("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{section.name or 'localhost'}", "-f", path),
            f"ssh-keygen {kind}",
            may_repeat=True,
            # Resumed: the key may be ours. Late: the distribution's own unit may have made one by then.
            creates=path if (resumed if is_whole else stage == LATE) else "",
            log_output=False,
        )
        because = Because(None, "the inherited one is replaced" if is_whole else "there is none")
        replaced = (_absence(path),) if is_whole else ()
        step = f"command:host-key.{kind}"
        made[stage][step] = path
        yield Step(step, "host_keys", action, because, stage, replaced, replaced, vital=stage == LOCAL)
    for stage, steps in made.items():
        if not steps:
            continue
        sync = Command(("sync", *steps.values()), "sync of the new host keys", may_repeat=True, log_output=False)
        because = Because(None, "they are to survive a power cut")
        ids = tuple(steps)
        yield Step(f"command:host-keys.sync.{stage}", "host_keys", sync, because, stage, when_changed=ids)
        if stage == LATE:
            yield _reload(facts, LATE, ids)


def _reload(facts: Facts, stage: str, changed: tuple[str, ...]) -> Step:
    unit = facts.distro.ssh_unit
    # Without waiting: at boot sshd may be ordered after the unit that we run in.
    action = Command(
        ("systemctl", "--no-block", "reload", unit),
        f"reload of {unit}",
        may_repeat=True,
        log_output=False,
        unit_active=unit,
    )
    because = Because(None, "a running sshd is to know the new host keys")
    return Step(f"command:host-keys.reload.{stage}", "host_keys", action, because, stage, when_changed=changed)
