"""`hostname`, `fqdn` and `manage_etc_hosts`: what the machine is called, and that it finds itself by that name.

Where NetworkManager runs already when the name is set (a seed that came over the network, a run by hand),
systemd-hostnamed is restarted: NetworkManager then learns the new name, and does not set the old one again or tell it
to DHCP servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

from guestinit.model.accounts import Accounts
from guestinit.model.action import EVERY_BOOT, Because, Command, File, Lines, Live, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import FALSE, TRUE, Fields, Key
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import MetaData
from guestinit.model.value import SCALAR, Given

KEYS = (
    Key("hostname", "host name", "The name of the machine; without it, local-hostname of the meta-data."),
    Key("fqdn", "domain name", "The full name; its first label is the host name if that is not given."),
    Key("prefer_fqdn_over_hostname", "true or false",
        "Whether the machine calls itself by its full name; by default where the distribution's images do."),
    Key("preserve_hostname", "true or false", "Whether the name stays as the image has it."),
    Key("create_hostname_file", "true or false", "Whether /etc/hostname is made where there is none; true by default."),
    Key("manage_etc_hosts", "true, localhost or false",
        "Whether /etc/hosts has a line 127.0.1.1 with these names, at every boot. The line is all that is written, "
        "also where cloud-init would write the whole file from a template."),
)  # fmt: skip

# systemd and Linux allow `_`, RFC 1123 does not.
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_LONGEST = 64  # HOST_NAME_MAX of Linux


class Section(NamedTuple):
    """The names. Without any, nothing is touched."""

    short: str = ""
    full: str = ""  # "": there is no domain
    at: Optional[Position] = None
    prefer_full: Optional[bool] = None
    preserve: bool = False
    create: bool = True
    hosts: Optional[Position] = None  # where /etc/hosts was asked for


def read(fields: Fields, meta: MetaData) -> Section:
    """The names that a machine can have; what cannot be one is reported, and the next source is asked."""
    full = _name(fields.text("fqdn"), "fqdn", fields.problems)
    given = _name(fields.text("hostname"), "hostname", fields.problems) or full
    given = given or _name(meta.hostname, "local-hostname", fields.problems)
    prefer, preserve = fields.flag("prefer_fqdn_over_hostname"), fields.flag("preserve_hostname")
    create = fields.flag("create_hostname_file")
    if given is None:
        return Section()
    # A full name in the place of the short one serves as both.
    name = full.value if full else given.value
    return Section(
        given.value.partition(".")[0],
        name if "." in name else given.value if "." in given.value else "",
        given.at,
        prefer.value if prefer else None,
        preserve is not None and preserve.value,
        create is None or create.value,
        _hosts(fields),
    )


def _name(given: Given[str] | None, path: str, problems: Problems) -> Given[str] | None:
    words = given.value.split() if given else []
    if given is None or not words:
        return None
    if len(words) > 1:  # Proxmox VE appends all search domains
        problems.warning(given.at, path, "several names", f"the first one is taken: {words[0]}", len(given.value))
    name = words[0].rstrip(".")
    if _IPV4.match(name):
        problems.note(given.at, path, "an address is not a name", f"taken as ip-{name.replace('.', '-')}", len(name))
        name = "ip-" + name.replace(".", "-")
    if len(name) > 253 or not all(_LABEL.match(label) for label in name.split(".")):
        problems.error(
            given.at, path, "this is not a host name",
            "left out; write letters, digits and '-', at most 63 between dots", len(given.value.split("\n")[0]) or 1,
        )  # fmt: skip
        return None
    return Given(name, given.at)


def _hosts(fields: Fields) -> Position | None:
    value = fields.raw("manage_etc_hosts")
    if value is None:
        return None
    word = value.text.lower() if value.kind == SCALAR else ""
    if word in TRUE or word in ("localhost", "template"):
        return value.at
    if word not in FALSE:
        fields.wrong("manage_etc_hosts", value, "true, localhost or false")
    return None


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Step]:
    """The file for the next boots, the running name for this one, and the line in /etc/hosts."""
    if not section.short:
        return
    because = Because(section.at)
    prefer = facts.distro.prefer_fqdn if section.prefer_full is None else section.prefer_full
    name = section.full if prefer and section.full and len(section.full) <= _LONGEST else section.short
    if not section.preserve:
        if section.create or facts.hostname:
            yield Step("file:/etc/hostname", "hostname", File("/etc/hostname", f"{name}\n".encode()), because)
        yield Step("live:hostname", "hostname", Live("hostname", name), because)
        if "network-manager" in facts.managers:
            yield _tell_network_manager()
    if section.hosts is not None:
        lines = [" ".join(filter(None, ("127.0.1.1", section.full, section.short)))]
        if "/etc/hosts" not in facts.paths:
            lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", *lines]
        action = Lines("/etc/hosts", tuple(lines), replace=r"^127\.0\.1\.1\s")
        yield Step("lines:/etc/hosts", "hostname", action, Because(section.hosts), frequency=EVERY_BOOT)


def _tell_network_manager() -> Step:
    """It has the name from hostnamed, and asks for it anew when that starts."""
    argv = ("systemctl", "--no-block", "restart", "systemd-hostnamed.service")
    action = Command(argv, "restart systemd-hostnamed", may_repeat=True, unit_active="NetworkManager.service")
    because = Because(None, "NetworkManager is to know the new name")
    return Step("command:hostname.tell", "hostname", action, because, when_changed=("live:hostname",))
