"""EC2's metadata tree: which machine this is, and its network (platforms.md 9)."""

from __future__ import annotations

from typing import Any

from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.seed import Document, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import SCALAR, Given, Value
from guestinit.reading import metadata_values as values
from guestinit.reading import network_ec2


def read(seed: Seed, problems: Problems) -> MetaData:
    """What the leaves say. Raises Unreadable if the instance has no id."""
    leaves = values.leaves(seed)
    given = _line(leaves.get("instance-id"))
    if given is None:
        at = Position(f"{seed.datasource}:{values.LEAF}instance-id")
        raise Unreadable(Problem(ERROR, at, "", "the service gives no instance-id", "nothing is done"))
    return MetaData(
        instance_id=given.value,
        instance_id_given=True,
        hostname=_line(leaves.get("local-hostname")),
        public_keys=_public_keys(leaves, problems),
        document=_document(leaves),
        at=given.at,
        network=network_ec2.read(leaves, problems),
    )


def _line(leaf: Document | None) -> Given[str] | None:
    """The first word of a leaf: with several domains in its DHCP options AWS gives as many names."""
    words = values.leaf_text(leaf).split() if leaf else []
    return Given(words[0], Position(leaf.label, 1, 1)) if leaf and words else None


def _public_keys(leaves: dict[str, Document], problems: Problems) -> tuple[Given[str], ...]:
    """The keys in the order of their numbers, each line once."""
    numbered = []
    for path, leaf in leaves.items():
        folder, _, rest = path.partition("/")
        number, _, kind = rest.partition("/")
        if folder == "public-keys" and kind == "openssh-key":
            is_number = number.isascii() and number.isdigit() and len(number) < 6
            numbered.append((int(number) if is_number else 1 << 20, path, leaf))
    in_order = [leaf for _, _, leaf in sorted(numbered, key=lambda each: each[:2])]
    return values.public_keys(
        [Value(SCALAR, Position(leaf.label, 1, 1), values.leaf_text(leaf)) for leaf in in_order], problems
    )


def _document(leaves: dict[str, Document]) -> dict[str, Any]:
    """The tree as nested mappings, for templates: a leaf of several lines is a list of them."""
    top: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *folders, name = path.split("/")
        inside = top
        for folder in folders:
            deeper = inside.setdefault(folder, {})
            inside = deeper if isinstance(deeper, dict) else {}  # a name is a leaf and a directory: the first stays
        lines = values.leaf_text(leaf).splitlines()
        inside.setdefault(name, lines[0] if len(lines) == 1 else lines or "")
    return top
