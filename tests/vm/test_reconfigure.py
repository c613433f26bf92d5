"""A running machine whose network is changed under somebody's ssh session, and changed back.

One boot for each network manager. The session goes through the first NIC all the time; everything else is asked through
connections of its own.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from typing import Any, Optional

import pytest

from tests.vm import seeds
from tests.vm.guest import Boot, Guest, Hardware
from tests.vm.lab import Lab, Run

MAC = "bc:24:11:0a:2c:00"
MAC1 = "bc:24:11:0a:2c:01"
LIMIT = 180.0
# `ip monitor` runs beside the command: what happens to an address for a moment only is seen too.
WATCHED = (
    "ip -o monitor address > /tmp/events & sleep 1; {command}; code=$?; sleep 3; kill $!; "
    "cat /tmp/events >&2; exit $code"
)


class Session:
    """An ssh session that stays, and says back what it is told."""

    def __init__(self, guest: Guest, user: str, key: str) -> None:
        argv = [
            "ssh",
            "-F",
            "none",
            "-i",
            key,
            "-p",
            str(guest.ssh_port),
            "-o",
            "BatchMode=yes",
            "-o",
            "LogLevel=ERROR",
        ]
        argv += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", f"{user}@127.0.0.1", "cat"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def answers(self, line: str) -> bool:
        """Whether it is still the same connection; waits for the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
        except OSError:
            return False
        timer = subprocess.Popen(["sh", "-c", f"sleep {LIMIT:.0f}; kill {self._process.pid}"], start_new_session=True)
        try:
            return self._process.stdout.readline() == line + "\n"
        finally:
            os.killpg(timer.pid, 15)
            timer.wait()


class Admin:
    """Commands by ssh, as root."""

    def __init__(self, guest: Guest, key: str, seed: seeds.ProxmoxSeed) -> None:
        self._guest, self._key, self._seed = guest, key, seed

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return self._guest.ssh("admin", self._key, f"sudo -n sh -c {_quote(command)}", limit=LIMIT)

    def apply(self, **changes: Any) -> dict[str, Any]:
        """Apply the seed with these changes; what it said, what happened to addresses, what the log got."""
        self._seed = self._seed._replace(**changes)
        for name, content in self._seed.files().items():
            text = base64.b64encode(content).decode()
            put = self.run(f"mkdir -p /root/seed && echo {text} | base64 -d > /root/seed/{name}")
            assert put.returncode == 0, put.stderr
        before = self.log()
        done = self.run(WATCHED.format(command="guestinit apply --seed /root/seed --format json 2>/tmp/said"))
        assert done.returncode == 0, (done.stdout, done.stderr, self.run("cat /tmp/said").stdout)
        return {"status": json.loads(done.stdout), "events": done.stderr, "log": self.log()[len(before) :]}

    def log(self) -> str:
        """The output of commands so far."""
        return self.run("cat /var/log/guestinit.log 2>/dev/null").stdout

    def addresses(self, mac: str, until: Optional[str] = None) -> set[str]:
        """The IPv4 addresses of an interface; waits until one is there."""
        deadline = time.monotonic() + LIMIT
        while True:
            links = json.loads(self.run("ip -j -4 address show; true").stdout or "[]")
            known = json.loads(self.run("ip -j link show").stdout)
            names = {link["ifname"] for link in known if link.get("address") == mac}
            found = {
                f"{info['local']}/{info['prefixlen']}"
                for link in links
                if link.get("ifname") in names
                for info in link.get("addr_info", ())
            }
            if until is None or until in found or time.monotonic() > deadline:
                return found
            time.sleep(1)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def reconfigure(run: Run, suite: str) -> None:
    lab = run.lab
    machine = run.machine(suite)
    nics = (seeds.Nic(MAC, "10.20.0.40/24", "10.20.0.1"), seeds.Nic(MAC1, "10.21.0.40/24"))
    seed = seeds.ProxmoxSeed(
        name="web01", nics=nics, user="admin", sshkeys=(lab.public_key,), nameservers=("10.20.0.3",), upgrade=False
    )
    iso = seeds.write_iso(seed.files(), run.path("seed.iso"))
    hardware = Hardware(seed=iso, macs=(MAC, MAC1), repository=lab.repository)

    def change(guest: Guest) -> None:
        noted = guest.noted
        admin = Admin(guest, lab.key, seed)
        with Session(guest, "admin", lab.key) as session:
            noted["at first"] = session.answers("hello")
            noted["other NIC"] = admin.apply(nics=(nics[0], nics[1]._replace(ip="10.21.0.41/24")))
            noted["other NIC"]["addresses"] = admin.addresses(MAC1, "10.21.0.41/24")
            noted["other NIC"]["session"] = session.answers("after the other NIC")

            noted["nothing"] = admin.apply(extra="write_files:\n- {path: /etc/new, content: x}\n")
            noted["nothing"]["file"] = admin.run("cat /etc/new").stdout

            noted["own NIC"] = admin.apply(nameservers=("10.20.0.3", "10.20.0.4"))
            noted["own NIC"]["addresses"] = admin.addresses(MAC)
            noted["own NIC"]["session"] = session.answers("after the own NIC")

            admin.apply(nics=(nics[0], nics[1]._replace(ip="10.21.0.42/24")))
            noted["changed"] = admin.addresses(MAC1, "10.21.0.42/24")
            undone = admin.run("guestinit net undo")
            noted["undo"] = (undone.returncode, undone.stdout, undone.stderr)
            for line in undone.stdout.splitlines():
                if line.startswith("  "):
                    told = admin.run(line)
                    assert told.returncode == 0, (line, told.stdout, told.stderr)
            noted["undone"] = admin.addresses(MAC1, "10.21.0.41/24")
            noted["session after undo"] = session.answers("after the undo")
        guest.press_power_button()

    run.boot("changed", machine, hardware, {"addresses": ["10.20.0.40", "10.21.0.40"]}, while_up=change)


def reconfigure_networkd(run: Run) -> None:
    reconfigure(run, "bookworm")


def reconfigure_network_manager(run: Run) -> None:
    reconfigure(run, "trixie")


CHAINS = [reconfigure_networkd, reconfigure_network_manager]
NETWORKD = "reconfigure_networkd"


@pytest.fixture(params=[chain.__name__ for chain in CHAINS])
def manager(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def changed(lab: Lab, manager: str) -> Boot:
    return lab.boot(manager, "changed")


def test_another_nic_is_changed_under_a_session(changed: Boot) -> None:
    seen = changed.noted["other NIC"]
    assert changed.noted["at first"] and seen["session"]
    assert seen["addresses"] == {"10.21.0.41/24"}
    assert "10.20.0.40" not in seen["events"], seen["events"]
    assert seen["status"]["earlier_network_files"] == "/var/lib/guestinit/earlier"


def test_what_does_not_concern_the_network_reloads_nothing(changed: Boot) -> None:
    seen = changed.noted["nothing"]
    assert seen["status"]["identity"]["kind"] == "reconfigured"
    assert seen["file"] == "x"
    assert seen["log"] == ""
    assert seen["events"] == ""
    assert seen["status"]["earlier_network_files"] == ""


def test_the_nic_of_the_session_gets_another_name_server(changed: Boot, manager: str) -> None:
    seen = changed.noted["own NIC"]
    assert seen["session"]
    assert "10.20.0.40/24" in seen["addresses"]
    if manager == NETWORKD:
        assert "networkctl reload" in seen["log"]
    else:
        # Reapplied: the address is never off the interface.
        assert "nmcli device reapply" in seen["log"] and "connection up" not in seen["log"], seen["log"]
        assert "Deleted" not in "".join(line for line in seen["events"].splitlines() if "10.20.0.40" in line)


def test_undo_in_two_commands(changed: Boot, manager: str) -> None:
    assert changed.noted["changed"] == {"10.21.0.42/24"}
    code, said, errors = changed.noted["undo"]
    assert (code, errors) == (0, "")
    name = "10-guestinit-eth1.network" if manager == NETWORKD else "guestinit-eth1.nmconnection"
    assert said.splitlines()[0].startswith("put back ") and said.splitlines()[0].endswith(name)
    assert ("  networkctl reload" if manager == NETWORKD else "  nmcli connection reload") in said.splitlines()
    assert changed.noted["undone"] == {"10.21.0.41/24"}
    assert changed.noted["session after undo"]
