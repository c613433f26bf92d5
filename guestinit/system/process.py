"""Running other programs: argument lists, never a shell of ours."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    import subprocess

    from guestinit.model.secret import Secret

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The last one tells a guestinit that is started from here not to wait for us (system/lock.py).
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "GUESTINIT_RUNNING": "1"}
# What is kept of a program's output for messages; a log has all of it.
TAIL = 64 * 1024
GRACE = 5.0  # seconds between SIGTERM and SIGKILL, after a time limit
NOT_FOUND = 127  # the shell's exit codes for what could not be started
NOT_EXECUTABLE = 126


class Finished(NamedTuple):
    """How a program ended."""

    code: int  # exit status; -N: killed by signal N; 127: there is no such program
    output: str  # the end of standard output and error together, at most 64 KiB
    seconds: float
    timed_out: bool = False

    def reason(self, program: str) -> str:
        """Why it failed, in one line: what it said under its own name, else its last line, else its exit status."""
        lines = [line.strip() for line in self.output.split("\n") if line.strip()]
        name = program.rpartition("/")[2] + ": "
        named = [line[len(name) :] for line in lines if line.startswith(name)]
        said = "; ".join(named[-3:]) or (lines[-1] if lines else f"exit status {self.code}")
        return f"{name}{said[:200]}"


class Process:
    """Starts programs in a clean environment, with nothing on standard input unless it is given.

    `slow` is told, once a call, when a program without a time limit takes longer than `slow_after` seconds: package
    managers and the user's own commands are never killed, since that breaks the machine.
    """

    def __init__(self, slow: Optional[Callable[[str], None]] = None, slow_after: float = 120.0) -> None:
        self._slow = slow
        self._slow_after = slow_after

    def run(
        self,
        argv: Sequence[str],
        stdin: Optional[bytes] = None,
        environment: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
        output_to: Optional[int] = None,
        secrets: Sequence[Secret] = (),
        label: str = "",
        working_directory: str = "/",
        until: Optional[int] = None,
    ) -> Finished:
        """Run to the end. A program that cannot be started has code 126 or 127 and the reason as its output.

        `environment` is added to the clean one. With `output_to` (opened for reading and appending) the program writes
        there itself, so that what it leaves in the background keeps its output. `timeout` in seconds kills it together
        with its children; None never does. So does the descriptor `until`, once it is readable. `secrets` are masked in
        the output; `label` is for the slow notice.
        """
        import subprocess  # delayed: 8 ms, and an unchanged boot starts nothing

        start = time.monotonic()
        before = os.lseek(output_to, 0, os.SEEK_END) if output_to is not None else 0
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE if output_to is None else output_to,
                stderr=subprocess.STDOUT,
                cwd=working_directory,
                env={**ENVIRONMENT, **(environment or {})},
                start_new_session=True,  # a group of its own: a time limit takes the children too
                umask=0o022,
            )
        except (FileNotFoundError, NotADirectoryError):
            return Finished(NOT_FOUND, f"{argv[0]}: no such program", time.monotonic() - start)
        except OSError as error:
            return Finished(NOT_EXECUTABLE, f"{argv[0]}: {error.strerror}", time.monotonic() - start)
        except ValueError:  # a NUL, or a text that cannot be encoded
            return Finished(NOT_EXECUTABLE, "an argument that no program can be given", time.monotonic() - start)
        watch = _Watch(process, stdin or b"", start, timeout)
        watch.slow = self._slow
        watch.slow_after = self._slow_after
        watch.label = label or argv[0]
        if until is not None:
            watch.until(until)
        try:
            watch.until_exit()
        finally:
            watch.close()
        tail = bytes(watch.tail) if output_to is None else _tail_of(output_to, before)
        text = _mask(tail, secrets).decode("utf-8", "replace")
        return Finished(process.returncode, text, time.monotonic() - start, watch.timed_out)


class _Watch:
    """Feeds a program, keeps the end of its output, and ends with the program itself.

    The end of the output is no sign: a daemon that the program left behind may hold it open for ever.
    """

    slow: Optional[Callable[[str], None]] = None
    slow_after = 0.0
    label = ""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, start: float, timeout: Optional[float]) -> None:
        import select

        self.process = process
        self.tail = bytearray()
        self.timed_out = False
        self.start = start
        self.deadline = None if timeout is None else start + timeout
        self._stdin = memoryview(stdin)
        self._poll = select.poll()
        self._until = -1
        self._in = process.stdin.fileno() if process.stdin else -1
        self._out = process.stdout.fileno() if process.stdout else -1
        if self._in >= 0:
            os.set_blocking(self._in, False)
            self._poll.register(self._in, select.POLLOUT)
        if self._out >= 0:
            os.set_blocking(self._out, False)
            self._poll.register(self._out, select.POLLIN)
        try:
            self._exit = os.pidfd_open(process.pid)
            self._poll.register(self._exit, select.POLLIN)
        except (AttributeError, OSError):
            self._exit = -1  # an old kernel, or a seccomp filter: ask every now and then instead

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._exit >= 0:
            os.close(self._exit)

    def until(self, descriptor: int) -> None:
        """End it when this is readable."""
        self._until = descriptor
        self._poll.register(descriptor, 1)  # POLLIN

    def until_exit(self) -> None:
        try:
            while self.process.poll() is None:
                self._step()
        except KeyboardInterrupt:
            # The program has a session of its own, so the terminal's signal did not reach it.
            self._kill_group(2)
            raise
        while self._read():
            pass

    def _step(self) -> None:
        for descriptor, _ in self._poll.poll(self._patience()):
            if descriptor == self._in:
                self._write()
            elif descriptor == self._out:
                self._read()
            elif descriptor == self._until:
                self._poll.unregister(descriptor)
                self._end()
        now = time.monotonic()
        if self.deadline is not None and now >= self.deadline:
            self._end()
        elif self.deadline is None and self.slow is not None and now - self.start >= self.slow_after:
            self.slow(f"{self.label} has been running for {now - self.start:.0f} s; it is not stopped")
            self.slow = None

    def _patience(self) -> Optional[int]:
        """Milliseconds until something has to be looked at; None: until an event."""
        moments = [self.deadline] if self.deadline is not None else []
        if self.deadline is None and self.slow is not None:
            moments.append(self.start + self.slow_after)
        if self._exit < 0:
            moments.append(time.monotonic() + 0.05)
        if not moments:
            return None
        return max(0, int((min(moments) - time.monotonic()) * 1000) + 1)

    def _write(self) -> None:
        try:
            self._stdin = self._stdin[os.write(self._in, self._stdin) :] if self._stdin else self._stdin
        except BlockingIOError:
            return
        except OSError:
            self._stdin = memoryview(b"")  # it did not want to read
        if not self._stdin and self.process.stdin is not None:
            self._poll.unregister(self._in)
            self._in = -1
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def _read(self) -> bool:
        if self._out < 0:
            return False
        try:
            chunk = os.read(self._out, 1 << 16)
        except BlockingIOError:
            return False
        if not chunk:
            self._poll.unregister(self._out)
            self._out = -1
            return False
        self.tail += chunk
        del self.tail[:-TAIL]
        return True

    def _end(self) -> None:
        """The time is up: the whole group goes, politely first."""
        self.timed_out = True
        self.deadline = None
        self.slow = None
        self._kill_group(15)
        patience = time.monotonic() + GRACE
        while self.process.poll() is None and time.monotonic() < patience:
            time.sleep(0.02)
        self._kill_group(9)
        self.process.wait()

    def _kill_group(self, signal: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal)


def _tail_of(descriptor: int, before: int) -> bytes:
    """What was written to the file since it was `before` bytes long, the last part of it."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    os.lseek(descriptor, max(before, end - TAIL), os.SEEK_SET)
    chunks = []
    left = min(TAIL, end - before)
    while left > 0:
        chunk = os.read(descriptor, left)
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _mask(output: bytes, secrets: Sequence[Secret]) -> bytes:
    for secret in secrets:
        if len(secret):
            output = output.replace(secret.reveal(), b"***")
    return output
