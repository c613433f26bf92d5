"""Runs chains of boots two at a time, so that tests only look at what came out.

A chain is a function that powers machines on one after the other and gives each boot a name. All chains that the
selected tests ask for start at once on two workers; a test that wants a boot waits until it is there. When a chain
breaks, the boots it still owes fail with its error: a boot that did not happen is never a pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Optional

import pytest

from tests.vm import disk_search, image
from tests.vm.guest import SLOTS, Boot, Guest, Hardware, Machine
from tests.vm.repository import make_repository


class Run:
    """What a chain works with. Everything it makes lies below `directory`."""

    def __init__(self, lab: Lab, name: str, directory: str) -> None:
        self.lab = lab
        self.name = name
        self.directory = directory
        os.makedirs(directory)

    def machine(self, suite: str, name: str = "machine", bare: bool = False) -> Machine:
        """A new machine from the template of a suite; a bare one has no agent at all."""
        return Machine(image.build(suite, None if bare else self.lab.deb), self.path(name))

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def boot(
        self,
        name: str,
        machine: Machine,
        hardware: Hardware,
        request: Optional[dict[str, Any]] = None,
        while_up: Optional[Callable[[Guest], None]] = None,
        search: Sequence[str] = (),
        note: Optional[Callable[[], dict[str, Any]]] = None,
    ) -> Boot:
        """One power-on until it powers off. With `while_up` it is left on after the facts until that code ends it.

        `search`: texts to look for on the whole disk afterwards; noted["disk"] says in which files they are.
        `note`: what else the tests look at, from outside the guest. They may run as soon as this returns.
        """
        wanted = {**(request or {}), "stay": while_up is not None}
        self.lab.check_not_stopped()
        with machine.power_on(hardware, wanted) as guest:
            self.lab.running(guest)
            if while_up is not None:
                guest.wait_facts()
                while_up(guest)
            boot = guest.finish()
        if note is not None:
            boot.noted.update(note())
        if search:
            boot.noted["disk"] = disk_search.search(machine, search)
        self.lab.deliver(self.name, name, boot)
        return boot

    def cut(self, machine: Machine, hardware: Hardware, marker: str, seconds: float, at_latest: str = "") -> str:
        """Power on, wait for the marker on the console and this much longer, cut the power. Returns the console.

        `at_latest`: the console line at which the power goes in any case. The seconds come from another boot, which may
        have been slower because the machine had other things to do.
        """
        self.lab.check_not_stopped()
        with machine.power_on(hardware) as guest:
            self.lab.running(guest)
            assert guest.wait_console(marker), f"{marker!r} never came; console ends:\n{guest.console()[-3000:]}"
            if not at_latest:
                self.lab.stopped.wait(seconds)
            elif not self.lab.stopped.is_set():
                guest.wait_console(at_latest, seconds)
            assert guest.process.poll() is None, "the machine was off before its power was cut"
            guest.cut_power()
            return guest.console()


Chain = Callable[[Run], None]


class Lab:
    """All boots of one test run, by chain and name."""

    def __init__(self, deb: str, chains: Sequence[Chain]) -> None:
        self.deb = deb
        self.directory = tempfile.mkdtemp(prefix="guestinit-vm-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.stopped = threading.Event()
        self.key = self._make_key("id_ed25519")
        self.repository = make_repository(os.path.join(self.directory, "repository"), {"gi-probe": "1.0"})
        self._boots: dict[tuple[str, str], Boot] = {}
        self._ended: dict[str, Optional[BaseException]] = {}
        self._guests: list[Guest] = []
        self._changed = threading.Condition()
        self._waiting = list(chains)
        self._known = {chain.__name__ for chain in chains}
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(SLOTS)]
        for worker in self._workers:
            worker.start()

    def _make_key(self, name: str) -> str:
        path = os.path.join(self.directory, name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ops@bastion", "-f", path], check=True)
        return path

    @property
    def public_key(self) -> str:
        with open(self.key + ".pub") as source:
            return source.read().strip()

    # --- for tests ---

    def boot(self, chain: str, name: str) -> Boot:
        """The boot of this name, waited for."""
        assert chain in self._known, f"no chain {chain}"
        with self._changed:
            while (chain, name) not in self._boots and chain not in self._ended:
                self._changed.wait(1.0)
            if (chain, name) in self._boots:
                return self._boots[chain, name]
            error = self._ended[chain]
        why = "".join(traceback.format_exception(error)[-3:]) if error else "it has no such boot"
        raise AssertionError(f"chain {chain} ended without its boot {name}: {why}") from error

    # --- for chains ---

    def deliver(self, chain: str, name: str, boot: Boot) -> None:
        with self._changed:
            assert (chain, name) not in self._boots, f"two boots named {name}"
            self._boots[chain, name] = boot
            self._changed.notify_all()

    def running(self, guest: Guest) -> None:
        self._guests.append(guest)
        if self.stopped.is_set():
            guest.process.kill()

    def check_not_stopped(self) -> None:
        if self.stopped.is_set():
            raise AssertionError("the test run was stopped")

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting or self.stopped.is_set():
                    return
                chain = self._waiting.pop(0)
            error: Optional[BaseException] = None
            try:
                chain(Run(self, chain.__name__, os.path.join(self.directory, chain.__name__)))
            except BaseException as caught:
                error = caught
            with self._changed:
                self._ended[chain.__name__] = error
                self._changed.notify_all()

    def close(self, keep: bool) -> None:
        """End every guest and remove the disks; what the guests said is kept on request."""
        self.stopped.set()
        for guest in self._guests:
            if guest.process.poll() is None:
                guest.process.kill()
        for worker in self._workers:
            worker.join(60)
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        for directory, _, files in os.walk(self.directory):
            for name in files:
                if name.endswith((".qcow2", ".img", ".iso")):
                    os.unlink(os.path.join(directory, name))
        print(f"\nconsoles and facts of every boot: {self.directory}")


def boot_fixture(chain: str, name: str) -> Callable[[Lab], Boot]:
    """The fixture `name`: the boot of that name in that chain."""

    @pytest.fixture(name=name)
    def look(lab: Lab) -> Boot:
        return lab.boot(chain, name)

    return look
