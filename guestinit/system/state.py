"""What guestinit remembers between boots, below /var/lib/guestinit (0700).

    key            32 random bytes: every digest is keyed with it, so that a stored digest of a password tells nothing
    settled.json   the instance that was settled here
    memory.json    what has been done once, which lines and files are ours
    journal        the run that has not finished: intent before, completion after (system/journal.py)
    earlier/       the network's files before the last change (system/earlier.py)
    pending/       the seed's documents, while a later stage or a resume needs them: the only place where secrets rest
    fast           what an unchanged boot compares, as plain lines (fastpath.py)

All of it is data with a version, never objects: the code may change between two boots.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from guestinit.model.action import Absence, File, Step
from guestinit.model.identity import NEW, Instance, Settled
from guestinit.model.plan import OK, Outcome
from guestinit.model.seed import Document, Seed
from guestinit.system import digest
from guestinit.system.journal import Journal

if TYPE_CHECKING:
    from guestinit.system.earlier import Earlier
    from guestinit.system.root import Root

DIRECTORY = "/var/lib/guestinit"
EARLIER = DIRECTORY + "/earlier"
VERSION = 1


class State:
    """The memory of one root, read when it is first asked for: `guestinit status` and `check` may not look into it."""

    root: Root
    done: dict[str, dict[str, Any]]
    lines: dict[str, list[str]]
    written: list[str]
    settled: Optional[Settled]
    journal: Journal
    earlier: Earlier

    def __init__(self, root: Root) -> None:
        self.root = root
        self._key = b""
        self._begun: dict[str, Any] = {}  # the run that this process has begun, or goes on with

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not there yet: the first access to a part of the memory.
        if name == "earlier":
            from guestinit.system.earlier import Earlier  # delayed: only where the network changes

            self.earlier = Earlier(self.root, self._begun)
            return self.earlier
        if name not in ("done", "lines", "written", "settled", "journal"):
            raise AttributeError(name)
        memory = self._load("memory.json")
        self.done = memory.get("done", {})
        self.lines = memory.get("lines", {})
        self.written = memory.get("written", [])
        self.settled = _settled(self._load("settled.json"))
        self.journal = Journal(self.root, DIRECTORY + "/journal")
        return getattr(self, name)

    # digests

    def digest(self, *parts: bytes) -> str:
        """A keyed digest; equal only for equal parts on this machine."""
        return digest.keyed(self._read_key(), parts)

    def _read_key(self) -> bytes:
        if not self._key:
            self._key = self.root.read(DIRECTORY + "/key") or b""
        if len(self._key) != 32:
            import os

            # Kept in memory until something is saved: a dry run must not write.
            self._key = os.urandom(32)
        return self._key

    def content_digest(self, seed: Seed) -> str:
        """One digest over all documents: what "same content" means."""
        lasting = {document.name: document.content for document in seed.documents if not document.fleeting}
        return digest.of_documents(self._read_key(), lasting)

    def files_digest(self, files: Mapping[str, bytes]) -> str:
        """One digest over files and their names, as an unchanged boot makes it of what it reads."""
        return digest.of_documents(self._read_key(), files)

    # what was done

    def is_done(self, step: Step) -> bool:
        """Whether a step that is due once was done with this very input."""
        record = self.done.get(step.id)
        return record is not None and record["input"] == self._input(step)

    def result_before(self, step: Step) -> str:
        """How a step that was done with this very input ended; empty if it was not."""
        return str(self.done[step.id]["result"]) if self.is_done(step) else ""

    def record_done(self, step: Step, result: str, code: Optional[int]) -> None:
        """Remember a step that is due once. Written to disk by `save`."""
        self.done[step.id] = {"input": self._input(step), "result": result, "code": code}

    def _input(self, step: Step) -> str:
        return self.digest(step.id.encode(), step.basis.reveal() if step.basis else b"")

    def managed_lines(self, step_id: str) -> tuple[str, ...]:
        """The lines that earlier runs added under this step."""
        return tuple(self.lines.get(step_id, ()))

    def remember_lines(self, step_id: str, lines: tuple[str, ...]) -> None:
        """Keep which lines are ours, at once: after a power cut they must still be known as ours."""
        if tuple(self.lines.get(step_id, ())) != lines:
            self.lines[step_id] = list(lines)
            self.save()

    def forget_everything(self) -> None:
        """A new machine: what was done elsewhere does not count. Which lines and files are ours stays known."""
        self.done = {}
        self.journal.forget()

    def forget(self, steps: tuple[str, ...]) -> None:
        """These steps are to be done again."""
        self.done = {name: entry for name, entry in self.done.items() if name not in steps}

    def remember_written(self, outcomes: Iterable[Outcome]) -> None:
        """Which network files are ours: the next plan removes those that it no longer has."""
        for outcome in outcomes:
            action = outcome.change.step.action
            if outcome.change.step.module != "network" or outcome.result != OK:
                continue
            if isinstance(action, File) and action.path not in self.written:
                self.written.append(action.path)
            elif isinstance(action, Absence) and action.path in self.written:
                self.written.remove(action.path)

    # saving

    def save(self) -> None:
        """Write the memory to disk."""
        memory = {"version": VERSION, "done": self.done, "lines": self.lines, "written": self.written}
        self._store("memory.json", json.dumps(memory, sort_keys=True).encode())

    def prepare(self) -> None:
        """Before anything is changed: where it is remembered, and that a later boot has to look at everything."""
        self.root.make_directory(DIRECTORY, 0o700)
        self.root.remove(DIRECTORY + "/fast")
        if self.root.read(DIRECTORY + "/key") is None:
            self._store("key", self._read_key())
        self.save()

    def begin(self, seed: Seed, run: Settled) -> None:
        """A run begins: keep its input for later stages and for a resume, then say so in the journal."""
        self.prepare()
        self.root.make_directory(DIRECTORY + "/pending", 0o700)
        if run.kind == NEW and {**self.journal.run, "boot": run.boot} != _record(run):  # and not one that is resumed
            self.root.remove_tree(EARLIER)  # a clone: nothing of its template's to go back to
        header = {
            "version": VERSION, "datasource": seed.datasource, "where": seed.where, "reason": seed.reason,
            "format": seed.format,
            "documents": [[document.name, document.label, document.fleeting] for document in seed.documents],
        }  # fmt: skip
        described = json.dumps(header).encode()
        if self.root.read(DIRECTORY + "/pending/seed.json") != described:
            self.root.remove(DIRECTORY + "/pending/seed.json")  # never one run's list with another one's documents
        for number, document in enumerate(seed.documents):  # platforms give names that no file can have
            self._store(f"pending/{number}", document.content)
        self._store("pending/seed.json", described)
        self.journal.begin_run(_record(run))
        self._begun = _record(run)

    def pending_seed(self) -> Seed | None:
        """The input of the run that has not finished."""
        header = self._load("pending/seed.json")
        if not header:
            return None
        documents = []
        for number, (name, label, *fleeting) in enumerate(header["documents"]):
            content = self.root.read(f"{DIRECTORY}/pending/{number}")
            if content is None:
                return None
            documents.append(Document(name, label, content, *fleeting))
        written_as = header.get("format", "nocloud")
        return Seed(header["datasource"], header["where"], header["reason"], tuple(documents), written_as)

    def unfinished(self) -> Settled | None:
        """The run that has begun and not finished, if there is one."""
        return _settled(self.journal.run)

    def remember_line(self, line: str) -> None:
        """This machine is the settled one, and is told so in other words (Instance.line): asked for once, not again."""
        assert self.settled is not None
        self.settled = self.settled._replace(instance=self.settled.instance._replace(line=line))
        self._store_settled()

    def _store_settled(self) -> None:
        assert self.settled is not None
        record = {"version": VERSION, **_record(self.settled)}
        self._store("settled.json", json.dumps(record, indent=1).encode())

    def settle(self, run: Settled, fast: str) -> None:
        """The run is complete: this is now the machine that is settled here. The order is safe at every power cut.

        `fast` is what an unchanged boot compares, "" where it has to plan.
        """
        self.save()
        self.settled = run
        self._store_settled()
        self.journal.end_run()
        if fast:
            self._store("fast", fast.encode())
        else:
            self.root.remove(DIRECTORY + "/fast")
        if run.offline:
            return  # the first boot needs the documents for what had to wait
        self.root.remove_tree(DIRECTORY + "/scripts")  # of user-data; they have run
        # The list of documents goes last: as long as it is there, a next boot finds and removes what it names.
        for name in sorted(self.root.listdir(DIRECTORY + "/pending"), key=lambda name: name == "seed.json"):
            self.root.remove(f"{DIRECTORY}/pending/{name}")
        self.root.remove_directory(DIRECTORY + "/pending")

    def _store(self, name: str, content: bytes) -> None:
        path = f"{DIRECTORY}/{name}"
        if self.root.read(path) != content:
            self.root.write(path, content, 0o600, 0, 0)

    def _load(self, name: str) -> dict[str, Any]:
        text = self.root.read(f"{DIRECTORY}/{name}")
        if text is None:
            return {}
        try:
            data = json.loads(text)
        except ValueError:
            # Written by rename, so never half: somebody's edit or a broken disk. What is not known counts as not done.
            return {}
        return data if isinstance(data, dict) and data.get("version") == VERSION else {}


def _record(run: Settled) -> dict[str, Any]:
    return {
        "instance_id": run.instance.instance_id, "uuid": run.instance.uuid, "content": run.instance.content,
        "from_image": run.instance.from_image, "line": run.instance.line, "kind": run.kind, "offline": run.offline,
        "boot": run.boot,
    }  # fmt: skip


def _settled(record: dict[str, Any]) -> Settled | None:
    if not record:
        return None
    instance = Instance(
        record["instance_id"], record["uuid"], record["content"], record["from_image"], record.get("line", "")
    )
    return Settled(instance, record["kind"], record["offline"], record.get("boot", ""))
