"""Text on a terminal: what may be printed at all, and how many cells it takes.

Seeds come from outside: an escape sequence in a file name or a key must not reach a terminal.
"""

from __future__ import annotations

TAB = 4


def printable(text: str) -> str:
    """One line with everything that a terminal would act on written out: ``\\x1b``, ``\\r``, ``\\u202e``. Tabs stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def width(char: str) -> int:
    """Cells of one printable character: 2 for wide ones, 0 for marks that combine with the one before."""
    if char < "\u0300":
        return 1
    import unicodedata  # delayed: hardly any text needs it

    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def length(text: str) -> int:
    """Cells of a text without tabs."""
    return len(text) if text.isascii() else sum(map(width, text))


def pad(text: str, cells: int) -> str:
    """The text, filled up with blanks to so many cells."""
    return text + " " * (cells - length(text))


def shown(line: str) -> list[tuple[str, int]]:
    """A line, character by character, as (what is shown, its cells): tabs are blanks, the unprintable a dot."""
    found = []
    column = 0
    for char in line:
        if char == "\t":
            blanks = TAB - column % TAB
            text, cells = " " * blanks, blanks
        elif char.isprintable():
            text, cells = char, width(char)
        else:
            text, cells = "·", 1
        found.append((text, cells))
        column += cells
    return found
