"""The machine of the power-cut tests, and what must be equal after an undisturbed first boot and after a cut one."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from typing import Any

from tests.vm import seeds, seen
from tests.vm.guest import Boot, Hardware

MAC = "bc:24:11:0a:cc:00"
SNIPPET = """\
timezone: Europe/Berlin
groups:
  - deployers
write_files:
  - path: /srv/app/one.conf
    content: one
    permissions: '0640'
    owner: root:adm
  - path: /srv/app/admins
    content: two
    owner: admin:admin
    defer: true
  - path: /etc/motd
    content: |
      appended line
    append: true
runcmd:
  - [sh, -c, 'echo one >> /var/lib/vmtest-runs']
"""
SLOW = """\
  - [sh, -c, 'sync; echo vmtest-slow-command > /dev/ttyS0; sleep 5; echo slow >> /var/lib/vmtest-runs']
  - [sh, -c, 'echo three >> /var/lib/vmtest-runs']
"""
REQUEST = {
    "addresses": ["10.20.0.40"],
    "files": ["/srv/app/one.conf", "/srv/app/admins", "/etc/motd", "/var/lib/vmtest-runs"],
}

# Differs between any two machines, or tells how a run went rather than what it left.
PASSING = (
    "/etc/machine-id",
    "/etc/resolv.conf",
    "/run/guestinit/status.json",
    "/var/log/guestinit.log",
)
ENDURING = ("mode", "uid", "gid", "link", "kind", "content")


def hardware_for(directory: str, public_key: str, snippet: str) -> Hardware:
    """A Proxmox VE machine with this snippet; its seed is written into the directory."""
    seed = seeds.ProxmoxSeed(
        name="cut01",
        nics=(seeds.Nic(MAC, "10.20.0.40/24", "10.20.0.1"),),
        user="admin",
        password=seeds.crypt_sha256("power-cut"),
        sshkeys=(public_key,),
        nameservers=("10.20.0.3",),
        searchdomain="example.test",
        upgrade=False,
        extra=snippet,
    )
    iso = seeds.write_iso(seed.files(), os.path.join(directory, "seed.iso"))
    return Hardware(macs=(MAC,), seed=iso, agent_port=False)


def final_state(boot: Boot, mac: str) -> dict[str, Any]:
    """The machine as its users see it. No times, no keys that are random; every line of every database."""
    facts = boot.facts
    state: dict[str, Any] = {
        "hostname": facts["hostname"],
        "accounts": facts["accounts"],
        "addresses": sorted(seen.static_addresses(boot, mac)),
        "gateways": sorted(seen.gateways(boot)),
        "localtime": facts["localtime"],
        "root_bytes": facts["root_bytes"],
        "host key files": {name: _enduring(each, text=False) for name, each in facts["host_keys"].items()},
        "dry run": facts["dry_run"]["code"],
    }
    for path, each in facts["files"].items():
        if path not in PASSING:
            state[path] = None if each is None else _enduring(each)
    for name, parts in facts["authorized_keys"].items():
        for part, each in parts.items():
            state[f"{name}'s {part}"] = None if each is None else _enduring(each)
    return state


def _enduring(facts: dict[str, Any], text: bool = True) -> dict[str, Any]:
    return {key: facts[key] for key in ENDURING if key in facts and (text or key != "content")}


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """One line for each value or line of text that differs, with its path in the state."""
    before, after = dict(_leaves("", expected)), dict(_leaves("", actual))
    found = []
    for key in sorted({*before, *after}):
        one, other = before.get(key), after.get(key)
        if one == other:
            continue
        if isinstance(one, str) and isinstance(other, str) and "\n" in one + other:
            lines = difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=0)
            changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
            found.append(f"{key}: {changed}")
        else:
            found.append(f"{key}: expected {one!r}, got {other!r}")
    return found


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}: {key}" if path else str(key), inner)
    else:
        # A tuple is a list once it has been through JSON.
        yield path, json.loads(json.dumps(value))
