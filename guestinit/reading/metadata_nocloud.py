"""NoCloud's meta-data: which machine this is, by a mapping in YAML or JSON (platforms.md 10.1)."""

from __future__ import annotations

from guestinit.model.fields import Fields, Key
from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.seed import MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import LIST, MAP, Given, Value, data
from guestinit.reading import decode, yaml_document

KEYS = (
    Key("instance-id", "text", "Names this machine; another one means a new machine.", aliases=("instance_id",)),
    Key("local-hostname", "text", "The host name, short or full.", aliases=("local_hostname", "hostname")),
    Key("public-keys", "list of text", "SSH keys of the default user: text, list, or mapping.",
        aliases=("public_keys",)),
    Key("dsmode", "net, local or disabled", "Whether user-data waits for the network; only checked.",
        aliases=("ds-mode", "ds_mode")),
    Key("network-interfaces", "text", "A network in the format of ifupdown; write a network-config instead."),
)  # fmt: skip

DSMODES = ("net", "local", "pass", "disabled")


def read(seed: Seed, problems: Problems) -> MetaData:
    """What meta-data says; an empty or absent document says nothing. Raises Unreadable if it is no mapping."""
    value = _document(seed, problems)
    # No check of names: whatever else a platform says there is for templates.
    fields = Fields(value, "", KEYS, problems, check=False)
    hostname = _text(fields, "local-hostname")
    given = _text(fields, "instance-id")
    if fields.raw("network-interfaces") is not None:
        problems.warning(
            fields.key_at("network-interfaces"), "network-interfaces", "not supported by this version",
            "write a network-config", 0,
        )  # fmt: skip
    return MetaData(
        instance_id=given.value if given else derived_id(seed, hostname.value if hostname else ""),
        instance_id_given=given is not None,
        hostname=hostname,
        public_keys=public_keys(fields),
        dsmode=_dsmode(fields),
        document=data(value),
        at=value.at,
    )


def derived_id(seed: Seed, hostname: str) -> str:
    """An id for a machine whose platform gives none (virt-install): the same as long as what it wrote is the same."""
    import hashlib  # delayed: 5 ms, and nearly every platform gives an id

    digest = hashlib.sha256()
    documents = [seed.document(name) for name in ("user-data", "network-config")]
    for content in (*(document.content if document else b"" for document in documents), hostname.encode()):
        digest.update(b"%d:" % len(content) + content)
    return f"derived-{digest.hexdigest()[:32]}"


def public_keys(fields: Fields) -> tuple[Given[str], ...]:
    """SSH keys in all shapes: text of several lines, a list of these, or a mapping of names to either."""
    value = fields.raw("public-keys")
    found: list[Given[str]] = []
    if value is not None:
        _collect_keys(value, fields, found)
    seen: set[str] = set()
    unique = []
    for key in found:
        if key.value not in seen:
            seen.add(key.value)
            unique.append(key)
    return tuple(unique)


def _collect_keys(value: Value, fields: Fields, found: list[Given[str]]) -> None:
    if value.kind == LIST:
        for item in value.items:
            _collect_keys(item, fields, found)
    elif value.kind == MAP:
        # Also {"0": {"openssh-key": "..."}}, as services that imitate EC2 hand it on.
        for _, content in value.pairs:
            _collect_keys(content, fields, found)
    elif "-----BEGIN" in value.text:
        fields.problems.note(value.at, "public-keys", "a certificate is no SSH key", "left out", 0)
    elif not value.is_null:
        lines = (line.strip() for line in value.text.replace("\0", "").splitlines())
        found += [Given(line, value.at) for line in lines if line and not line.startswith("#")]


def _document(seed: Seed, problems: Problems) -> Value:
    document = seed.document("meta-data")
    label = document.label if document else "meta-data"
    nothing = Value(MAP, Position(label))
    if document is None:
        return nothing
    found = Problems()
    text = decode.text(document, found)
    value = yaml_document.parse(text, label, found) if text is not None else None
    if value is not None and not value.is_null and value.kind != MAP:
        message = f"expected a mapping such as 'instance-id: web1', got a {value.kind}"
        raise Unreadable(Problem(ERROR, value.at, "", message, "nothing is done"))
    if value is None:
        raise Unreadable(next(problem for problem in found.found if problem.severity == ERROR))
    for problem in found.found:
        problems.add(problem)
    return value if value.kind == MAP else nothing


def _text(fields: Fields, name: str) -> Given[str] | None:
    """A text without blanks around it; none if nothing is left."""
    given = fields.text(name)
    if given is None or not given.value.strip():
        return None
    return Given(given.value.strip(), given.at)


def _dsmode(fields: Fields) -> str:
    given = _text(fields, "dsmode")
    if given is None:
        return "net"
    if given.value.lower() in DSMODES:
        return given.value.lower()
    value = fields.raw("dsmode")
    assert value is not None
    fields.wrong("dsmode", value, "net, local or disabled", "taken as net")
    return "net"
