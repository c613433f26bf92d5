"""Words in the language of sh(1)."""

from __future__ import annotations


def is_plain(word: str) -> bool:
    """Whether a word means itself in a shell, as it stands."""
    return bool(word) and word.isascii() and all(each.isalnum() or each in "._-+:@%/=," for each in word)


def quoted(word: str) -> str:
    """A word so that it means itself."""
    return word if is_plain(word) else "'" + word.replace("'", "'\\''") + "'"
