"""The mode of a file, as people write it. modules/files.py tells, in the reference too, what counts as octal."""

from __future__ import annotations

from guestinit.model.value import SCALAR, Value


def mode_of(value: Value) -> tuple[int | None, bool]:
    """The mode that a scalar means, or None; and whether it was read as decimal."""
    if value.kind != SCALAR:
        return None, False
    text = value.text.strip()
    octal = _number(text[2:] if text[:2] in ("0o", "0O") else text, 8)
    if not value.plain or text.startswith("0"):
        return octal, False
    decimal = _number(text, 10)
    if octal is not None and (_sensible(octal) or decimal is None or not _sensible(decimal)):
        return octal, False
    return decimal, decimal is not None


def _number(text: str, base: int) -> int | None:
    digits = "01234567" if base == 8 else "0123456789"
    if not text or len(text) > 8 or not set(text) <= set(digits):
        return None
    number = int(text, base)
    return number if number <= 0o7777 else None


def _sensible(mode: int) -> bool:
    owner, group, others = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    return bool(owner & 4) and group & ~owner == 0 and others & ~group == 0
