"""What is wrong with an input, and where."""

from __future__ import annotations

from typing import NamedTuple

ERROR = "error"  # something asked for is not done: the result is degraded
WARNING = "warning"  # probably not meant (an unknown key): shown, refused by --strict, never a bad exit code
NOTE = "note"  # a deprecation, an ignored key: shown only


class Position(NamedTuple):
    """A place in a document. Lines and columns count from 1; line 0 means the document as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(NamedTuple):
    """One thing that is wrong.

    `message` names the place and what was expected, and never holds a secret value. `hint` says what was done about it
    and what to write. `width` is the number of characters to underline; 0 means that the line must not be shown,
    because a secret may stand in it.
    """

    severity: str
    position: Position
    path: str
    message: str
    hint: str = ""
    width: int = 1

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.position}: {where}{self.message}"


# Of each severity: a document with a hundred thousand unknown keys must not fill the log, nor hide its one error.
MOST = 200


class Problems:
    """Collects problems; readers append and go on, so that one boot shows all ten typos."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self._counts: dict[str, int] = {}

    def add(self, problem: Problem) -> None:
        """Keep this one, unless there are too many of its severity already."""
        count = self._counts[problem.severity] = self._counts.get(problem.severity, 0) + 1
        if count <= MOST:
            self.found.append(problem)
        elif count == MOST + 1:
            more = "more of this kind follow"
            self.found.append(Problem(problem.severity, problem.position, "", more, "not shown", 0))

    def error(self, at: Position, path: str, message: str, hint: str = "", width: int = 1) -> None:
        """Something asked for will not be done."""
        self.add(Problem(ERROR, at, path, message, hint, width))

    def warning(self, at: Position, path: str, message: str, hint: str = "", width: int = 1) -> None:
        """Probably not what was meant."""
        self.add(Problem(WARNING, at, path, message, hint, width))

    def note(self, at: Position, path: str, message: str, hint: str = "", width: int = 1) -> None:
        """Worth knowing, nothing to mend."""
        self.add(Problem(NOTE, at, path, message, hint, width))

    def in_order(self) -> tuple[Problem, ...]:
        """All of them as somebody reads the documents: file by file, from top to bottom."""
        files = list(dict.fromkeys(problem.position.file for problem in self.found))
        return tuple(sorted(self.found, key=lambda each: (files.index(each.position.file), *each.position[1:])))
