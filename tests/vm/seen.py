"""Reads a facts document: what one boot looked like from inside the guest."""

from __future__ import annotations

import json
import subprocess
from typing import Any, NamedTuple, Optional

from tests.vm.guest import Boot

UNITS = ("guestinit-local.service", "guestinit-late.service", "guestinit-final.service")


class Account(NamedTuple):
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


def account(boot: Boot, name: str) -> Optional[Account]:
    """The passwd entry, which must be the only one of that name; None if there is none."""
    lines = boot.facts["accounts"]["passwd"].get(name, [])
    assert len(lines) <= 1, f"{name} is there {len(lines)} times"
    if not lines:
        return None
    _, _, uid, gid, gecos, home, shell = lines[0].split(":")
    return Account(int(uid), int(gid), gecos, home, shell)


def shadow(boot: Boot, name: str) -> str:
    """The password field."""
    lines = boot.facts["accounts"]["shadow"][name]
    assert len(lines) == 1
    return str(lines[0].split(":")[1])


def groups(boot: Boot, name: str) -> set[str]:
    """The supplementary groups."""
    found = set()
    for group, lines in boot.facts["accounts"]["group"].items():
        assert len(lines) == 1, f"group {group} is there {len(lines)} times"
        members = lines[0].split(":")[3].split(",")
        assert len(members) == len(set(members)), f"{lines[0]} has a member twice"
        if name in members:
            found.add(group)
    return found


def link(boot: Boot, mac: str) -> dict[str, Any]:
    """The network interface with this MAC address, as `ip -j address` shows it."""
    found = [each for each in boot.facts["addresses"] if each.get("address") == mac]
    assert len(found) == 1, f"{len(found)} interfaces have {mac}"
    return dict(found[0])


def addresses(boot: Boot, mac: str) -> set[str]:
    """The addresses of an interface in CIDR form, without link-local ones."""
    infos = link(boot, mac).get("addr_info", [])
    return {f"{info['local']}/{info['prefixlen']}" for info in infos if info.get("scope") != "link"}


def static_addresses(boot: Boot, mac: str) -> set[str]:
    """Those that neither a lease nor a router advertisement gave (where IPv6 is not configured, routers are heard)."""
    infos = link(boot, mac).get("addr_info", [])
    lasting = [info for info in infos if info.get("scope") != "link" and not info.get("dynamic")]
    return {f"{info['local']}/{info['prefixlen']}" for info in lasting}


def gateways(boot: Boot) -> set[tuple[str, str]]:
    """(gateway, MAC of the interface) of every IPv4 and static IPv6 default route."""
    names = {each["ifname"]: each.get("address", "") for each in boot.facts["addresses"]}
    routes = boot.facts["routes"] + boot.facts["routes6"]
    return {
        (route["gateway"], names[route["dev"]])
        for route in routes
        if route["dst"] == "default" and "gateway" in route and route.get("protocol") != "ra"
    }


def is_password(boot: Boot, name: str, clear: str) -> bool:
    """Whether the account's password is this one, by the system's own crypt()."""
    hashed = shadow(boot, name)
    script = "chomp(my $clear = <STDIN>); exit(crypt($clear, $ARGV[0]) eq $ARGV[0] ? 0 : 1)"
    return subprocess.run(["perl", "-e", script, hashed], input=clear, text=True).returncode == 0


def host_keys(boot: Boot) -> dict[str, str]:
    """Public host keys by file name."""
    return {name: facts["content"] for name, facts in boot.facts["host_keys"].items() if name.endswith(".pub")}


def content(boot: Boot, path: str) -> str:
    """The text of a file, which must have been looked at and must exist."""
    facts = boot.facts["files"][path]
    assert facts is not None, f"{path} does not exist"
    return str(facts["content"])


def mode(boot: Boot, path: str) -> str:
    return str(boot.facts["files"][path]["mode"])


def status(boot: Boot) -> dict[str, Any]:
    """/run/guestinit/status.json"""
    return dict(json.loads(content(boot, "/run/guestinit/status.json")))


def console_lines(boot: Boot) -> list[str]:
    """guestinit's own lines on the serial console."""
    return [line for line in boot.console.splitlines() if line.startswith("guestinit: ")]


def explain(boot: Boot) -> str:
    """What guestinit itself says, for messages of failed assertions."""
    if not boot.facts["files"].get("/run/guestinit/status.json"):
        return f"no status.json; journal ends:\n{boot.facts['journal'][-3000:]}"
    said = status(boot)
    unwell = [action for action in said["actions"] if action["result"] != "ok"]
    kept = {key: said[key] for key in ("state", "result", "stage", "identity", "refused", "problems")}
    return f"{json.dumps({**kept, 'actions': unwell})}\nits journal ends:\n{boot.facts['journal'][-1500:]}"


def assert_nothing_broke(boot: Boot) -> None:
    """What holds for every boot of every scenario that ends well."""
    facts = boot.facts
    assert facts["failed"] == [], explain(boot)
    assert facts["system_state"] == "running", explain(boot)
    assert facts["jobs"] == ""
    for unit in UNITS:
        shown = facts["units"][unit]
        assert shown["LoadState"] == "loaded"
        assert shown["Result"] == "success", explain(boot)
    assert facts["units"]["guestinit.target"]["ActiveState"] == "active", explain(boot)
    assert facts["sudo"]["code"] == 0, facts["sudo"]
    assert facts["sshd_config"]["code"] == 0, facts["sshd_config"]


def assert_settled(boot: Boot, identity: str, result: str = "done", datasource: str = "nocloud") -> None:
    """The run ended with this result, said so everywhere, and a second look finds nothing to do."""
    assert_nothing_broke(boot)
    codes = {"done": 0, "none": 0, "failed": 1, "degraded": 2}
    document = status(boot)
    assert document["state"] == result, explain(boot)
    assert document["identity"]["kind"] == identity, explain(boot)
    assert boot.facts["status"]["code"] == codes[result], boot.facts["status"]
    assert boot.facts["pending"] is False, boot.facts["trees"]["/var/lib/guestinit"]
    assert boot.facts["files"]["/run/guestinit/status.json"]["mode"] == "0644"
    assert boot.facts["trees"]["/var/lib/guestinit"]["."]["mode"] == "0700"
    log = boot.facts["files"]["/var/log/guestinit.log"]  # there once a command said something
    assert log is None or log["mode"] == "0640"
    lines = console_lines(boot)
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"guestinit: done result={result} datasource={datasource} identity={identity} "), lines


def assert_secrets_nowhere(boot: Boot, secrets: list[str]) -> None:
    """No journal, log, state, status or console has one of these. (`secrets` was also handed to facts.py.)

    Nor has any file of the disk, where the boot looked through it.
    """
    assert boot.facts["secrets"] == {}, boot.facts["secrets"]
    assert boot.noted.get("disk", {}) == {}, boot.noted["disk"]
    for secret in secrets:
        for place, said in (
            ("console", boot.console),
            ("agent", boot.agent.decode("utf-8", "replace")),
            ("private", boot.private),
        ):
            assert secret not in said, place
