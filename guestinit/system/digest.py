"""Keyed digests: what is stored tells nothing about a password, and equal digests mean equal input on this machine."""

from __future__ import annotations

# hashlib would cost 2.6 ms of the unchanged boot and add nothing: it is a wrapper of this.
from _blake2 import blake2b

TYPE_CHECKING = False  # as typing has it, whose import alone costs 4 ms
if TYPE_CHECKING:
    from collections.abc import Iterable


def keyed(key: bytes, parts: Iterable[bytes]) -> str:
    """A digest over several parts; each is preceded by its length, so that no two lists of parts read the same."""
    digest = blake2b(key=key, digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def of_documents(key: bytes, documents: dict[str, bytes]) -> str:
    """One digest over all documents of a seed: what "same content" means."""
    return keyed(key, (part for name in sorted(documents) for part in (name.encode(), documents[name])))
