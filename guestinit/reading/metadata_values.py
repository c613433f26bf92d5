"""What meta-data says in much the same way on every platform: its document or its leaves, texts, SSH
keys, dsmode, an ENI text.
"""

from __future__ import annotations

from collections.abc import Iterable

from guestinit.model.fields import Fields
from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.seed import Document, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import LIST, MAP, Given, Value
from guestinit.reading import decode, yaml_document

LEAF = "meta-data/"
DSMODES = ("net", "local", "pass", "disabled")


def mapping(seed: Seed, example: str, problems: Problems, is_json: bool = False) -> Value:
    """The document "meta-data"; an empty mapping if it is absent or says nothing. Raises Unreadable if it is none.

    `example` is what messages show, `is_json` what a mistake is explained as.
    """
    document = seed.document("meta-data")
    label = document.label if document else "meta-data"
    nothing = Value(MAP, Position(label))
    if document is None:
        return nothing
    found = Problems()
    content = decode.text(document, found)
    value = yaml_document.parse(content, label, found) if content is not None else None
    if value is not None and not value.is_null and value.kind != MAP:
        message = f"expected a mapping such as {example}, got a {value.kind}"
        raise Unreadable(Problem(ERROR, value.at, "", message, "nothing is done"))
    if value is None:
        problem = next(problem for problem in found.found if problem.severity == ERROR)
        if is_json and content is not None:
            from guestinit.reading import json_errors  # delayed: only for a mistake

            problem = json_errors.explain(problem, content)
        raise Unreadable(problem)
    for problem in found.found:
        problems.add(problem)
    return value if value.kind == MAP else nothing


def leaves(seed: Seed) -> dict[str, Document]:
    """Meta-data that is a tree of small files (CloudStack, EC2), each by its path in the tree."""
    return {each.name[len(LEAF) :]: each for each in seed.documents if each.name.startswith(LEAF)}


def leaf_text(leaf: Document) -> str:
    """What one of them says."""
    return leaf.content.decode("utf-8", "replace").replace("\0", "").strip()


def derived_id(seed: Seed, hostname: str) -> str:
    """An id for a machine whose platform gives none (virt-install): the same as long as what it wrote is the same."""
    import hashlib  # delayed: 5 ms, and nearly every platform gives an id

    digest = hashlib.sha256()
    documents = [seed.document(name) for name in ("user-data", "network-config")]
    contents = [document.content if document else b"" for document in documents]
    for content in (*contents, hostname.encode("utf-8", "replace")):
        digest.update(b"%d:" % len(content) + content)
    return f"derived-{digest.hexdigest()[:32]}"


def text(fields: Fields, name: str) -> Given[str] | None:
    """A text without blanks around it; none if nothing is left."""
    given = fields.text(name)
    if given is None or not given.value.strip():
        return None
    return Given(given.value.strip(), given.at)


def public_keys(values: Iterable[Value | None], problems: Problems) -> tuple[Given[str], ...]:
    """SSH keys in all shapes, each once: text of several lines, a list of these, or a mapping of names to either."""
    found: list[Given[str]] = []
    certificates: dict[str, Value] = {}
    for value in values:
        if value is not None:
            _collect_keys(value, found, certificates)
    for certificate in certificates.values():
        problems.note(certificate.at, "public-keys", "a certificate is no SSH key", "left out", 0)
    unique: dict[str, Given[str]] = {}
    for key in found:
        unique.setdefault(key.value, key)
    return tuple(unique.values())


def _collect_keys(value: Value, found: list[Given[str]], certificates: dict[str, Value]) -> None:
    if value.kind == LIST:
        for item in value.items:
            _collect_keys(item, found, certificates)
    elif value.kind == MAP:
        # Also {"0": {"openssh-key": "..."}}, as services that imitate EC2 hand it on.
        for _, content in value.pairs:
            _collect_keys(content, found, certificates)
    elif "-----BEGIN" in value.text:
        certificates.setdefault(value.text, value)
    elif not value.is_null:
        lines = (line.strip() for line in value.text.replace("\0", "").splitlines())
        found += [Given(line, value.at) for line in lines if line and not line.startswith("#")]


def dsmode(fields: Fields) -> str:
    """One of `DSMODES`; "net" where nothing, or nothing usable, is said."""
    given = text(fields, "dsmode")
    if given is None:
        return "net"
    if given.value.lower() in DSMODES:
        return given.value.lower()
    value = fields.raw("dsmode")
    assert value is not None
    fields.wrong("dsmode", value, "net, local, pass or disabled", "taken as net")
    return "net"


def network_interfaces(fields: Fields) -> Document | None:
    """The text of interfaces(5) that stands in meta-data itself, as a document of its own."""
    given = text(fields, "network-interfaces")
    if given is None:
        return None
    # The text as it stands: its lines are what positions count.
    content = fields.text("network-interfaces")
    assert content is not None
    label = f"{given.at.file}[network-interfaces]"
    return Document("network-interfaces", label, content.value.encode("utf-8", "replace"))
