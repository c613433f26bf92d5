"""Saying how it went: the status file, the console line, the QEMU channels. Each is best effort but the first."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from guestinit.model.action import STAGES
from guestinit.model.report import RUNNING
from guestinit.system import boot, channel, console

if TYPE_CHECKING:
    from guestinit.model.secret import Secret
    from guestinit.system.system import System

QUEUE_LIMIT = 10.0  # seconds for systemctl to hand over a job
STATUS = "/run/guestinit/status.json"
_ONLINE = "/run/guestinit/online.todo"


def read_status(system: System) -> dict[str, Any]:
    """The status of this boot so far, or an empty dict."""
    text = system.root.read(STATUS)
    if text is None:
        return {}
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(document, dict) or document.get("boot_id") != boot.boot_id(system):
        return {}
    return document


def write_status(document: dict[str, Any], system: System) -> None:
    """Replace the status file."""
    system.root.write(STATUS, json.dumps(document, indent=1).encode() + b"\n", 0o644, 0, 0)


def request_stages(stages: tuple[str, ...], system: System) -> None:
    """Tell systemd, by the files that the units' conditions look at, which stages have something to do."""
    for stage in STAGES:
        path = f"/run/guestinit/{stage}.todo"
        if stage in stages:
            system.root.write(path, b"", 0o644, 0, 0)
        elif system.root.exists(path):
            system.root.remove(path)


def request_network(system: System) -> None:
    """The final stage has something to do, and packages and commands want the network: queue its target.

    The units are only ordered after network-online.target, so that a boot without such work does not wait for it. The
    request does not wait either: from inside a unit that would deadlock the boot.
    """
    _queue("network-online.target", system)


def request_renewal(service: str, system: System) -> None:
    """Have the final stage ask this metadata service for news, when the machine's own network is up."""
    from guestinit.system.announce_unchanged import RENEW  # delayed: one platform has news for settled machines

    system.root.write(RENEW, service.encode(), 0o644, 0, 0)
    request_network(system)


def take_renewal(system: System) -> str:
    """The metadata service that was to be asked in this stage, once; "" if none was."""
    from guestinit.system.announce_unchanged import RENEW  # delayed, as above

    service = (system.root.read(RENEW) or b"").decode()
    if service:
        system.root.remove(RENEW)
    return service


def request_online(system: System) -> None:
    """Nothing led to the metadata service before the network: it is asked again over the machine's own, when it is up.

    No boot wants that unit, since ssh and logins wait for it. It pulls in network-online.target.
    """
    system.root.write(_ONLINE, b"", 0o644, 0, 0)
    _queue("guestinit-online.service", system)


def _queue(unit: str, system: System) -> None:
    if system.live and system.root.exists("/run/systemd/system"):
        system.process.run(("systemctl", "--no-block", "start", unit), timeout=QUEUE_LIMIT)


def was_online_requested(system: System) -> bool:
    """Whether that has happened in this boot."""
    return system.root.exists(_ONLINE)


def console_line(document: dict[str, Any]) -> str:
    """The line that people and scripts look for in a serial log. Its words are stable."""
    words = [f"guestinit: {'done' if document['state'] != RUNNING else 'running'} result={document['result']}"]
    if document["datasource"]["name"]:
        words.append(f"datasource={document['datasource']['name']}")
    words.append(f"identity={document['identity']['kind'].replace(' ', '-')}")
    if document["instance_id"]:
        words.append(f"id={document['instance_id']}")
    if document["finished"]:
        words.append(f"{document['finished']}s")
    return " ".join(words)


def tell_consoles(document: dict[str, Any], system: System) -> None:
    """Write that line to every console."""
    if system.live:
        console.write_line(console_line(document))


def tell_host(document: dict[str, Any], agent: bool, system: System) -> tuple[str, ...]:
    """The report for the host at the end of a boot; the answers say why a port was not used."""
    if not system.live:
        return ()
    names = (
        "version",
        "boot_id",
        "state",
        "result",
        "instance_id",
        "datasource",
        "identity",
        "addresses",
        "ssh_host_keys",
    )
    data = {name: document[name] for name in names}
    data["datasource"] = document["datasource"]["name"]
    data["failed"] = [action["id"] for action in document["actions"] if action["result"] != "ok"][:20]
    private = channel.report_to_private_port(data)
    public = channel.report_to_agent_port(data, time.time()) if agent else "switched off"
    return (f"org.guestinit.0: {private or 'delivered'}", f"org.qemu.guest_agent.0: {public or 'delivered'}")


def show_fingerprints(document: dict[str, Any], system: System) -> None:
    """The host keys' fingerprints above the login prompt: what an administrator compares before the first ssh."""
    if not system.live or not document["ssh_host_keys"]:
        return
    lines = ["SSH host keys:", *("  " + line for line in document["ssh_host_keys"]), "", ""]
    system.root.write("/run/issue.d/guestinit.issue", "\n".join(lines).encode(), 0o644, 0, 0)


def reveal(revealed: tuple[tuple[str, Secret], ...]) -> None:
    """Passwords that were made here: on the console, once, and nowhere else."""
    for step_id, secret in revealed:
        console.write_line(f"guestinit: {step_id} is {secret.reveal().decode('ascii', 'replace')}")
