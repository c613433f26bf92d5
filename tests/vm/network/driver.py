"""Runs inside the guest: brings case after case into the kernel with a real network manager, and reports what came.

`python3 -m tests.vm.network.driver RENDERER CASE...` prints a line of JSON for each case.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from typing import Any

from guestinit.model.facts import Nic
from guestinit.model.network import HARDWARE, Network, Rendered
from guestinit.system.kinds.rename import give
from tests.network import documents
from tests.vm.network import cases, observe
from tests.vm.network.cases import Case
from tests.vm.network.lines import Item, differences
from tests.vm.network.managers import MANAGERS, is_done, remove_traces
from tests.vm.network.nics import MACS, Cards
from tests.vm.network.run import run
from tests.vm.network.world import World, prefixes

LIMIT = 120.0  # seconds; this machine may be an emulated one, thirty times slower than others
PATIENCE = 10.0  # what is not right this long after the manager was done will not become right


class Attempt:
    """One case with one renderer."""

    def __init__(self, case: Case, renderer: str, cards: Cards) -> None:
        self.renderer = renderer
        self.manager = MANAGERS[renderer]
        self.case = case
        self.cards = cards
        self.steps: list[str] = []
        self.seen = ""
        self._begun = time.monotonic()
        network, _ = documents.read(case.text)
        assert network is not None
        self.names = self._names(network)
        macs = {mac: real for (_, mac), real in zip(self.names, MACS) if mac}
        self.real_macs = {real: mac for mac, real in macs.items()}
        text = cases.with_macs(case.text, macs)
        read, self.problems = documents.read(text)
        assert read is not None
        nics = tuple(Nic(name, real, driver="virtio_net") for (name, _), real in zip(self.names, MACS))
        resolved, _ = documents.resolve(read, nics)
        self.new_names = resolved.names
        self.network = resolved.network
        self.files, _ = documents.render(renderer, resolved.network, resolved.nics)
        wanted = case.wanted_of(renderer)
        self.allowed = case.allowed_of(renderer)
        self.wanted = wanted if os.path.exists("/usr/bin/resolvectl") else observe.without_links(wanted)

    def _names(self, network: Network) -> list[tuple[str, str]]:
        """The machine's cards: name and MAC in the document."""
        if self.case.nics:
            return list(self.case.nics)
        return [(link.match.exact_name or link.name, link.match.mac) for link in network.links if link.kind in HARDWARE]

    def prove(self) -> list[str]:
        """What is different in the end; then everything is as before."""
        try:
            self.cards.plug([name for name, _ in self.names])
            self._note("cards")
            with World(self.network, self._documents_names(), self.case.wires):
                self._note("world")
                for each in self.files:
                    write(each)
                give(self.new_names, "/")
                for argv in self.manager.start:
                    run(*argv)
                self._note("started")
                return self._wait()
        finally:
            self._clean()
            self._note("cleaned")

    def _documents_names(self) -> list[str]:
        """What the document calls each card."""
        found = []
        for (name, _), real in zip(self.names, MACS):
            links = [link for link in self.network.links if link.kind in HARDWARE]
            exact = [link.name for link in links if link.match.mac == real or link.match.exact_name == name]
            found.append((exact or [name])[0])
        return found

    def _note(self, what: str) -> None:
        self.steps.append(f"{what} {time.monotonic() - self._begun:.1f}")

    def _wait(self) -> list[str]:
        deadline = time.monotonic() + LIMIT
        done_since = right_since = None
        while True:
            now = time.monotonic()
            done = is_done(self.renderer)  # before looking: what is seen is what is after that
            found = self._look()
            done_since = (done_since or now) if done else None
            right_since = (right_since or now) if not found else None
            if not found and (done or now - (right_since or now) > PATIENCE):
                self._note("right")
                return []
            if found and (now > deadline or (done_since and now - done_since > PATIENCE)):
                self._note("wrong")
                self.seen = run("ip", "address") + run("ip", "route", "show", "table", "all")
                return found
            time.sleep(0.2)

    def _look(self) -> list[str]:
        seen = observe.Seen(self.real_macs, prefixes(self.case.wires)).kernel()
        others: list[Item] = [item for item in self.wanted if item.kind not in ("dns", "search")]
        seen = [item for item in seen if not any(each.fits(item) for each in self.allowed)]
        found = differences(others, seen)
        if found and not is_done(self.renderer):
            return found
        wanted = [item for item in self.wanted if item not in others]
        resolver = observe.resolver()
        if not os.path.exists("/usr/bin/resolvectl"):
            wanted, resolver = observe.as_far_as_it_goes(wanted, observe.without_links(resolver))
        return found + differences(wanted, observe.with_known(wanted, resolver))

    def _clean(self) -> None:
        for argv in self.manager.stop:
            run(*argv, check=False)
        for link in json.loads(run("ip", "-j", "-d", "link")):
            made = link.get("linkinfo", {}).get("info_kind")
            if made and link["ifname"] not in observe.FALLBACKS:
                run("ip", "link", "delete", link["ifname"], check=False)  # a VLAN goes with what it is on
        self.cards.unplug()
        remove_traces(self.manager)
        run("ip", "address", "flush", "dev", "lo", "scope", "global")
        left = [str(item) for item in observe.Seen({}, ()).kernel()]
        for line in left:
            words = line.split()
            kind = "-6" if ":" in line else "-4"
            if words[0] == "rule":
                run("ip", kind, "rule", "delete", "priority", words[1], check=False)
            if words[0] == "route":
                head = words[words.index("type") + 1 :][:1] if "type" in words else []
                rest = [word for word in words[1:] if word not in ("type", *head)]
                run("ip", kind, "route", "delete", *head, *rest, check=False)
        left = [str(item) for item in observe.Seen({}, ()).kernel()]
        assert not left, f"the machine is not as it was: {left}"

    def log(self) -> str:
        """What the manager said and what is in the kernel, for who has to find out why."""
        units = [word for unit in self.manager.units for word in ("-u", unit)]
        since = f"-{int(time.monotonic() - self._begun) + 1}s"
        said = run("journalctl", "--no-pager", "-o", "cat", "--since", since, *units, check=False)
        return f"{said[-6000:]}\n{self.seen}"


def write(each: Rendered) -> None:
    """A rendered file, as the agent writes it."""
    os.makedirs(os.path.dirname(each.path), exist_ok=True)
    with open(each.path, "wb") as file:
        file.write(each.content)
    if each.group:
        shutil.chown(each.path, group=each.group)
    os.chmod(each.path, each.mode)
    if each.group:
        shutil.chown(each.path, group=each.group)


def prove(name: str, renderer: str, cards: Cards) -> dict[str, Any]:
    """The outcome of one case."""
    begun = time.monotonic()
    result: dict[str, Any] = {"case": name, "renderer": renderer, "differences": [], "error": "", "log": ""}
    attempt = None
    try:
        attempt = Attempt(cases.load(name), renderer, cards)
        result["differences"] = attempt.prove()
        result["problems"] = [str(problem) for problem in attempt.problems]
    except Exception:
        result["error"] = traceback.format_exc()
    if attempt is not None:
        result["steps"] = attempt.steps
        if result["error"] or result["differences"]:
            result["log"] = attempt.log()
    result["seconds"] = round(time.monotonic() - begun, 1)
    return result


def main() -> int:
    renderer, *names = sys.argv[1:]
    cards = Cards()
    for name in names:
        result = prove(name, renderer, cards)
        if result["differences"] or result["error"]:
            # An emulated machine may stall for longer than a manager waits: only what is wrong twice is wrong. That it
            # was wrong once is told.
            first = result
            result = {**prove(name, renderer, cards), "first": [*first["differences"], first["error"]]}
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
