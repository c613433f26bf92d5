"""CloudStack's meta-data: a small file for each key, on its drive or from its virtual router (platforms.md 6.2, 7)."""

from __future__ import annotations

import re

from guestinit.model.cloudstack import SAVED
from guestinit.model.password import GivenPassword, read_text
from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import Given
from guestinit.reading import metadata_values

_DOMAIN = re.compile(r"[0-9A-Za-z](?:[-.0-9A-Za-z]{0,250}[0-9A-Za-z])?\Z")
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\Z")


def read(seed: Seed, problems: Problems) -> MetaData:
    """What the leaves say. Raises Unreadable if the one that names the machine is empty: a router that starts anew.

    On a drive nothing is written for what has no value, so there it may also be missing.
    """
    leaves = metadata_values.leaves(seed)
    values = _values(leaves, problems)
    name = next((name for name in ("instance-id", "vm-id") if name in values), "")
    if not name and (seed.datasource == "cloudstack" or "instance-id" in leaves):
        at = Position(leaves["instance-id"].label if "instance-id" in leaves else seed.where)
        raise Unreadable(Problem(ERROR, at, "instance-id", "is not there, or empty", "nothing is done"))
    hostname = _with_domain(values.get("local-hostname", ""), seed)
    server = seed.document("password-server")
    return MetaData(
        instance_id=values[name] if name else metadata_values.derived_id(seed, hostname),
        instance_id_given=bool(name),
        hostname=Given(hostname, Position(leaves["local-hostname"].label, 1, 1)) if hostname else None,
        public_keys=_public_keys(values.get("public-keys", ""), leaves.get("public-keys")),
        document=values,
        at=Position(leaves[name].label if name else seed.where),
        reset=read_password(seed, problems),
        password_server=_text(server) if server else "",
    )


def complete(found: MetaData, seed: Seed, problems: Problems) -> MetaData:
    """What OpenStack's meta-data says, with what only CloudStack's own tree on the same drive has."""
    own = read(seed, problems)
    is_named = found.instance_id_given or not own.instance_id_given
    return found._replace(
        instance_id=found.instance_id if is_named else own.instance_id,
        instance_id_given=found.instance_id_given or own.instance_id_given,
        hostname=found.hostname or own.hostname,
        public_keys=found.public_keys or own.public_keys,
        document={**own.document, **found.document},
        reset=own.reset,
    )


def has_leaves(seed: Seed) -> bool:
    """Whether any document is CloudStack's own."""
    return bool(metadata_values.leaves(seed)) or seed.document("password") is not None


def _values(leaves: dict[str, Document], problems: Problems) -> dict[str, str]:
    """What each leaf says; an empty one says nothing."""
    values = {name: text for name, document in leaves.items() if (text := _text(document))}
    if _MAC.match(values.get("local-ipv4", "")):
        # Drives that were written anew for a migration.
        at = Position(leaves["local-ipv4"].label, 1, 1)
        problems.note(at, "local-ipv4", "a MAC address stands in the place of the IPv4 address", "ignored")
        del values["local-ipv4"]
    return values


def _text(document: Document) -> str:
    text = metadata_values.leaf_text(document)
    return _unescape(text) if "\\u" in text else text


def _unescape(text: str) -> str:
    """Characters that Java wrote as \\u and four digits; what lies beyond the first 65536 is two of these."""
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _public_keys(text: str, document: Document | None) -> tuple[Given[str], ...]:
    """One key a line; older releases leave blank lines between them."""
    if document is None:
        return ()
    found: dict[str, Given[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key = line.strip()
        if key and not key.startswith("#"):
            found.setdefault(key, Given(key, Position(document.label, number, 1)))
    return tuple(found.values())


def _with_domain(hostname: str, seed: Seed) -> str:
    """The full name: the router says the short one, and the domain is in the lease. Forks say the full one at once."""
    document = seed.document("domain")
    domain = _text(document) if document else ""
    return f"{hostname}.{domain}" if hostname and "." not in hostname and _DOMAIN.match(domain) else hostname


def read_password(seed: Seed, problems: Problems) -> GivenPassword | None:
    """The password that the platform hands over; blanks around it are part of it."""
    document = seed.document("password")
    if document is None:
        return None
    text = document.content.decode("utf-8", "surrogateescape").strip("\r\n")
    if text.strip() in ("", SAVED):
        return None
    return read_text(Given(text, Position(document.label)), "password", problems)
