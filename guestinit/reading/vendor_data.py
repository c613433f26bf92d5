"""What the operator of a cloud adds: vendor-data, as text or in OpenStack's JSON (platforms.md 8.5).

vendor_data.json and vendor_data2.json are objects whose key `cloud-init` holds user-data, or a list of such texts; a
document that is itself a text or a list is used whole. What stands under other names is for other agents.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit.model.fields import describe
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document, Seed
from guestinit.model.value import LIST, MAP, SCALAR, Value
from guestinit.reading import decode, yaml_document

# In the order of their ranks: the later one goes before the earlier one, and user-data before both.
NAMES = ("vendor-data", "vendor-data2")
_KEY = "cloud-init"
# Platforms that pack what they hand over in JSON.
_IN_JSON = ("openstack", "cloudstack")
_STILL = "left out; everything else is still done"


def documents(seed: Seed, name: str, problems: Problems) -> tuple[Document, ...]:
    """The texts that this document holds, each to be read as user-data is; of any but the vendor's, itself."""
    document = seed.document(name)
    if document is None or name not in NAMES or seed.format not in _IN_JSON:
        return (document,) if document else ()
    content = decode.text(document, problems)
    if content is None or not content.strip():  # Proxmox VE writes no bytes at all
        return ()
    if content.lstrip()[0] not in '{["' and content.strip() != "null":
        problems.error(Position(document.label, 1, 1), "", "expected a JSON object, list or text", _STILL, 0)
        return ()
    since = len(problems.found)
    value = yaml_document.parse(content, document.label, problems)
    if value is None:
        from guestinit.reading import json_errors  # delayed: only for a mistake

        for index in range(since, len(problems.found)):
            problem = json_errors.explain(problems.found[index], content)
            problems.found[index] = problem._replace(hint=_STILL, width=0)
        return ()
    if value.kind != MAP:
        return tuple(_texts(value, document, "", problems))
    inner = value.get(_KEY)
    if inner is None:
        return ()
    if inner.kind == MAP:
        problems.error(inner.at, _KEY, "expected a text or a list of texts, got a mapping", _STILL, 0)
        return ()
    return tuple(_texts(inner, document, _KEY, problems))


def _texts(value: Value, document: Document, path: str, problems: Problems) -> Iterator[Document]:
    items = value.items if value.kind == LIST else (value,)
    for index, item in enumerate(items):
        where = ".".join(filter(None, (path, str(index) if value.kind == LIST else "")))
        if item.is_null:
            continue
        if item.kind != SCALAR:
            problems.error(item.at, where, f"expected a text, got {describe(item)}", _STILL, 0)
            continue
        label = f"{document.label}[{where}]" if where else document.label
        yield Document(document.name, label, item.text.encode("utf-8", "replace"))
