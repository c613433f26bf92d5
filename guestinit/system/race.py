"""Asking in several ways side by side: the first answer wins."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar

if TYPE_CHECKING:
    import socket

Answer = TypeVar("Answer")


class Race(Generic[Answer]):
    """Each way is a thread. Those that lose are left behind; they end with the process at the latest."""

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
        try:
            answer = ask()
            if answer is not None and self.answer is None:
                self.answer = answer
        except BaseException as error:
            self._error = error
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
