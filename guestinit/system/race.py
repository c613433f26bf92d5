"""Asking in several ways side by side: the first answer wins."""

from __future__ import annotations

import os
import time
from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar

if TYPE_CHECKING:
    import socket

Answer = TypeVar("Answer")

_RACES: dict[int, Race[Any]] = {}  # by thread


def is_lost() -> bool:
    """Whether the thread that asks is a way of a race that another one has won: nobody waits for its answer."""
    race = _RACES.get(get_ident())
    return race is not None and race.answer is not None


class Race(Generic[Answer]):
    """Each way is a thread. Those that lose are left behind, and end when they look at `is_lost`."""

    def __init__(self) -> None:
        self.answer: Optional[Answer] = None
        self.running: set[str] = set()
        self._error: Optional[BaseException] = None
        self._ended, self._end = os.pipe()

    def enter(self, name: str, ask: Callable[[], Optional[Answer]]) -> None:
        """One more way. What it raises is raised by `wait`."""
        import threading

        self.running.add(name)
        threading.Thread(target=self._run, args=(name, ask), name=name, daemon=True).start()

    def _run(self, name: str, ask: Callable[[], Optional[Answer]]) -> None:
        _RACES[get_ident()] = self
        try:
            answer = ask()
            if answer is not None and self.answer is None:
                self.answer = answer
        except BaseException as error:
            self._error = error
        del _RACES[get_ident()]
        self.running.discard(name)
        os.write(self._end, b".")

    def wait(self, events: Optional[socket.socket], until: float) -> bool:
        """Until a way ends or there is an event, at most until this time.monotonic(). Whether there is an event."""
        import select

        listening: list[Any] = [self._ended] if events is None else [self._ended, events]
        readable, _, _ = select.select(listening, [], [], max(0.0, until - time.monotonic()))
        if self._ended in readable:
            os.read(self._ended, 1)
        if self._error is not None and self.answer is None:
            raise self._error
        return events is not None and events in readable
