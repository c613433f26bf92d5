"""Keyed digests: what is stored tells nothing about a password, and equal digests mean equal input on this machine."""

from __future__ import annotations

# hashlib would cost 2.6 ms of the unchanged boot and add nothing: it is a wrapper of this.
from _blake2 import blake2b

TYPE_CHECKING = False  # as typing has it, whose import alone costs 4 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WITH_SEED = ("meta-data", "/meta_data.json")  # the document, the file
_SEED = b'"random_seed"'


def keyed(key: bytes, parts: Iterable[bytes]) -> str:
    """A digest over several parts; each is preceded by its length, so that no two lists of parts read the same."""
    digest = blake2b(key=key, digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def of_documents(key: bytes, documents: Mapping[str, bytes]) -> str:
    """One digest over all documents of a seed, or over its files: what "same content" means."""
    parts = []
    for name in sorted(documents):
        content = documents[name]
        # A drive may name its files in any bytes: as os.fsencode does it.
        parts.append(name.encode("utf-8", "surrogateescape"))
        parts.append(without_random_seed(content) if name.endswith(_WITH_SEED) else content)
    return keyed(key, parts)


def without_random_seed(content: bytes) -> bytes:
    """OpenStack's meta_data.json without the value of `random_seed`, which differs each time it is written."""
    kept: list[bytes] = []
    start = 0
    while True:
        mark = content.find(_SEED, start)
        if mark < 0:
            return b"".join((*kept, content[start:]))
        after = mark + len(_SEED)
        kept.append(content[start:after])
        quote, start = content.find(b'"', after), after
        # It is base64: no quote stands in it. The user may have given the platform something else of this name.
        if quote >= 0 and content[after:quote].strip() == b":":
            end = content.find(b'"', quote + 1)
            start = len(content) if end < 0 else end + 1
