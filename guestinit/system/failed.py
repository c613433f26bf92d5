"""What an action raises when it did not bring about what was asked."""

from __future__ import annotations

from typing import Optional


class Failed(Exception):
    """An action failed. The message is for people and never holds a secret.

    `code` is a program's exit status, where one decided. `usable` says that the thing stands all the same, though not
    wholly as asked (a user whose uid differs): what only needs it to exist can go on.
    """

    def __init__(self, message: str, code: Optional[int] = None, usable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.usable = usable
