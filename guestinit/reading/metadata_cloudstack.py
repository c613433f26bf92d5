"""CloudStack's meta-data: a small file for each key, on its drive or from its virtual router (platforms.md 6.2, 7)."""

from __future__ import annotations

from guestinit.model import password
from guestinit.model.password import GivenPassword
from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import Given

LEAF = "meta-data/"
# What both transports say where there is no password, or where it was taken already.
NO_PASSWORD = ("", "saved_password")


def read(seed: Seed, problems: Problems) -> MetaData:
    """What the leaves say. Raises Unreadable if none of them names the machine."""
    leaves = {document.name[len(LEAF) :]: document for document in seed.documents if document.name.startswith(LEAF)}
    values = {name: _text(document) for name, document in leaves.items()}
    name = next((name for name in ("instance-id", "vm-id") if values.get(name)), "")
    if not name:
        missing = Problem(ERROR, Position(seed.where), "instance-id", "is not there, or empty", "nothing is done")
        raise Unreadable(missing)
    hostname = values.get("local-hostname")
    server = seed.document("password-server")
    return MetaData(
        instance_id=values[name],
        instance_id_given=True,
        hostname=Given(hostname, Position(leaves["local-hostname"].label, 1, 1)) if hostname else None,
        public_keys=_public_keys(leaves.get("public-keys")),
        document=values,
        at=Position(leaves[name].label),
        reset=read_password(seed, problems),
        password_server=_text(server) if server else "",
    )


def read_password(seed: Seed, problems: Problems) -> GivenPassword | None:
    """The password that the platform hands over; blanks around it are part of it."""
    document = seed.document("password")
    if document is None:
        return None
    text = document.content.decode("utf-8", "replace").strip("\r\n")
    if text.strip() in NO_PASSWORD:
        return None
    return password.read_text(Given(text, Position(document.label)), "password", problems)


def _text(document: Document) -> str:
    return document.content.decode("utf-8", "replace").replace("\0", "").strip()


def _public_keys(document: Document | None) -> tuple[Given[str], ...]:
    """A plain list of keys, one a line; older releases leave blank lines between them."""
    if document is None:
        return ()
    lines = enumerate(document.content.decode("utf-8", "replace").splitlines(), 1)
    return tuple(Given(line.strip(), Position(document.label, number, 1)) for number, line in lines if line.strip())
