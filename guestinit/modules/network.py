"""The network: files of the network manager that the image uses, for the interfaces that the seed describes.

What the seed says was read with the rest of the platform's own description (`meta.network`); no key of cloud-config
takes part. Where a seed says nothing about the network, renderers/fallback.py decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

from guestinit import rooms
from guestinit.model.accounts import Accounts
from guestinit.model.action import CONVERGE, EVERY_BOOT, Absence, Because, File, Lines, Link, Rename, Step
from guestinit.model.facts import Facts, Nic
from guestinit.model.fields import Fields, Key
from guestinit.model.network import DISABLED, EMPTY, HARDWARE, NETPLAN_FILE, RENDERERS, Network, Rendered
from guestinit.model.problem import Problem, Problems
from guestinit.model.seed import MetaData
from guestinit.model.value import Given

KEYS: tuple[Key, ...] = ()

_IFUPDOWN = "ifupdown"
_MODULE = "network"
_RESOLV_CONF = "/etc/resolv.conf"
_MOST_SERVERS = 3  # MAXNS of resolv.conf(5)
_TAKE_ALL = ("networkd", "network-manager")
_STAYS = "an interface that it made stays until the next boot"
# Names that only files of ours have: nothing else is ever removed as "no longer wanted".
_OURS = ("10-guestinit-", "11-guestinit-", "guestinit-", "50-guestinit")


class Section(NamedTuple):
    """What the seed asks for; None: it says nothing about the network."""

    network: Optional[Network] = None


def read(fields: Fields, meta: MetaData) -> Section:
    """The network that was read with the platform's own description."""
    return Section(meta.network)


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Union[Step, Problem]]:
    """Files for the renderer in use, nothing left of an earlier configuration, and a reload where a manager runs.

    What a file held before is kept, so that an admin can go back.
    """
    for each in _plan(section, facts):
        if isinstance(each, Step) and isinstance(each.action, (File, Lines, Link, Absence)):
            each = each._replace(keep=not each.action.path.startswith("/run/"))
        yield each


def _plan(section: Section, facts: Facts) -> Iterator[Union[Step, Problem]]:
    network = section.network
    if facts.option("network.config") == "disabled" or (network is not None and network.state == DISABLED):
        return
    if network is None:
        choice = rooms.one("renderers", "fallback").choose(facts)
        if choice is not None:
            yield choice.said
            network = choice.network
    if network is None:
        if facts.identity.is_new:  # a clone of a machine that had a network-config: its addresses are not ours
            because = Because(text="this machine's seed says nothing about the network")
            gone = list(_remove_stale((), facts, because))
            if facts.renderer == _IFUPDOWN:
                back = rooms.one("renderers", facts.renderer).settle(None, (), facts.nics, facts, because)
                gone += [each for each in back if isinstance(each, Step)]
            yield from gone
            yield from _reload((), gone, facts)
        return
    if facts.renderer not in RENDERERS:
        message = f"this image uses {facts.renderer}, for which no files are written"
        yield _error(network, message, "the network stays as the image has it; set network.renderer to choose another")
        return
    problems = Problems()
    before = facts.nics
    network, nics, names = rooms.one("renderers", "naming").resolve(network, facts.nics, problems)
    facts = facts._replace(nics=nics)
    if facts.renderer == "netplan" and facts.network_files:
        precedence = rooms.one("renderers.netplan", "precedence")
        network = precedence.ensure(network, nics, facts.network_files, problems)
    files = rooms.one("renderers", facts.renderer).render(network, nics, problems)
    if facts.netplan_backend == "network-manager" and len(files) > 1:
        beside = ", ".join(each.path.rpartition("/")[2] for each in files[1:])
        message = f"netplan's files are for NetworkManager here, and {beside} for systemd-networkd"
        problems.warning(network.at, "", message, "what stands there has no effect", 0)
    if network.state == EMPTY and facts.resolver == "file":
        files = ()  # the servers go into resolv.conf instead
    elif facts.renderer == _IFUPDOWN and facts.resolver in ("file", "resolved"):
        files += rooms.one("renderers", _IFUPDOWN).for_resolver(_with_all_servers(network), facts)
    if _has_bystanders(facts):
        files += rooms.one("renderers", "bystanders").files(facts.renderer, facts.managers, network)
    yield from problems.found
    yield from _say_absent(network, facts)
    # What stands in the way goes last, and only if its successor was taken: a refused file changes nothing.
    changes = list(_write(files))
    for each in _settle_rivals(network, files, before, facts):
        if isinstance(each, Step):
            changes.append(each)
        else:
            yield each
    changes += _remove_stale(files, facts, Because(network.at, "no longer configured"))
    yield from changes
    yield from _resolv_conf(network, facts)
    yield from _rename(names, network, facts)
    yield from _reload(files, changes, facts)


# what is said


def _error(network: Network, message: str, hint: str) -> Problem:
    problems = Problems()
    problems.error(network.at, "", message, hint, 0)
    return problems.found[0]


def _say_absent(network: Network, facts: Facts) -> Iterator[Problem]:
    """Hardware that the seed describes and the machine does not have. It may appear later, so its file is written."""
    if not facts.live:
        return
    macs, names = {nic.mac for nic in facts.nics}, {nic.name for nic in facts.nics}
    here = ", ".join(f"{nic.name} {nic.mac}" for nic in facts.nics if nic.name != "lo") or "none"
    problems = Problems()
    for link in network.links:
        if link.kind not in HARDWARE:
            continue
        if link.match.mac and link.match.mac not in macs:
            what = f"with the MAC {link.match.mac}"
        elif link.match.exact_name and not {link.match.exact_name, link.set_name} & names:
            what = f"named {link.match.exact_name}"
        else:
            continue
        message = f"this machine has no interface {what}"
        problems.error(link.at, link.path, message, f"its configuration is written all the same; interfaces: {here}")
    yield from problems.found


def _settle_rivals(
    network: Network, files: tuple[Rendered, ...], before: tuple[Nic, ...], facts: Facts
) -> Iterator[Union[Step, Problem]]:
    """The image's own configuration of the same interfaces: what cloud-init left goes, anything else is reported.

    `before`: the interfaces, as they are called now.
    """
    if facts.renderer == _IFUPDOWN:
        because = Because(network.at)
        yield from rooms.one("renderers", facts.renderer).settle(network, files, before, facts, because)
    problems = Problems()
    there = [file for file in facts.network_files if facts.renderer != _IFUPDOWN or file[0].endswith(".link")]
    if not there:
        return
    for rival in rooms.one("renderers", "rivals").find(facts.renderer, network, facts.nics, tuple(there)):
        if rival.remove:
            is_left = "cloud-init" in rival.path
            whose = "left by cloud-init, and" if is_left else "the image's own, which"
            because = Because(rival.link.at, f"{whose} {rival.reason}")
            needs = tuple(f"file:{each.path}" for each in files if each.link == rival.link.name)
            action = Absence(rival.path, must_keep=not is_left)
            yield Step(f"absence:{rival.path}", _MODULE, action, because, needs=needs, vital=True)
        elif rival.path in dict(facts.ifupdown.files):
            text = rooms.one("renderers", "rivals").without(network, (*before, *facts.nics), rival.path, facts.ifupdown)
            content = text.encode("utf-8", "surrogateescape")
            because = Because(rival.link.at, f"the image's own, which {rival.reason}")
            needs = tuple(f"file:{each.path}" for each in files)
            rest = File(rival.path, content, mode=None, owner="", group="")
            yield Step(f"file:{rival.path}", _MODULE, rest, because, needs=needs, vital=True)
        else:
            hint = "guestinit's configuration may have no effect; remove the other one from the image"
            problems.error(rival.link.at, rival.link.path, f"{rival.path} {rival.reason}", hint)
    yield from problems.found


# what is done


def _write(files: tuple[Rendered, ...]) -> Iterator[Step]:
    for each in files:
        action = File(each.path, each.content, each.mode, group=each.group, check=each.check)
        yield Step(f"file:{each.path}", _MODULE, action, Because(each.because), vital=True, told=each.told)


def _remove_stale(files: tuple[Rendered, ...], facts: Facts, because: Because) -> Iterator[Step]:
    wanted = {each.path: f"file:{each.path}" for each in files}
    needs = tuple(wanted.values())
    for path in facts.written:
        is_ours = path == NETPLAN_FILE or path.rpartition("/")[2].startswith(_OURS)
        if path not in wanted and is_ours:
            told = _STAYS if path.endswith(".netdev") and facts.nics else ""
            yield Step(f"absence:{path}", _MODULE, Absence(path), because, needs=needs, vital=True, told=told)


def _resolv_conf(network: Network, facts: Facts) -> Iterator[Union[Step, Problem]]:
    """networkd hands name servers to systemd-resolved only; without that, programs look in resolv.conf. ifupdown hands
    them to nobody, but to the hooks of resolvconf and of systemd-resolved.
    """
    is_networkd = facts.renderer == "networkd" or facts.netplan_backend == "networkd"
    if not (is_networkd or facts.renderer == _IFUPDOWN) or facts.resolver != "file":
        return
    servers, domains = _asked(network)
    if facts.renderer == _IFUPDOWN:
        yield from rooms.one("renderers", _IFUPDOWN).keep_servers(_with_all_servers(network), facts)
    if not servers and not domains:
        return
    searched = " ".join(given.value for given in domains)
    if not servers:  # who answers is for the image to say
        line = f"search {searched}"
        action = Lines(_RESOLV_CONF, (line,), replace=r"^(search|domain)\s")
        because = Because(domains[0].at, "no systemd-resolved")
        yield Step(f"lines:{_RESOLV_CONF}", _MODULE, action, because, vital=True)
        return
    at = servers[0].at
    if len(servers) > _MOST_SERVERS:
        problems = Problems()
        message = f"{len(servers)} name servers; programs that read {_RESOLV_CONF} ask the first {_MOST_SERVERS}"
        problems.note(at, "", message, "all are written")
        yield from problems.found
    lines = ["# Written by guestinit, which replaces this file when the machine is configured anew."]
    lines += [f"nameserver {server.value}" for server in servers]
    if domains:
        lines.append(f"search {searched}")
    content = ("\n".join(lines) + "\n").encode()
    because = Because(at, "no systemd-resolved")
    yield Step(f"file:{_RESOLV_CONF}", _MODULE, File(_RESOLV_CONF, content), because, vital=True)


def _asked(network: Network) -> tuple[tuple[Given[str], ...], tuple[Given[str], ...]]:
    """All name servers and all domains, each once."""
    servers: dict[str, Given[str]] = {}
    domains: dict[str, Given[str]] = {}
    for given in (*network.dns, *(each for link in network.links for each in link.dns)):
        servers.setdefault(given.value, given)
    for given in (*network.search, *(each for link in network.links for each in link.search)):
        domains.setdefault(given.value, given)
    return tuple(servers.values()), tuple(domains.values())


def _with_all_servers(network: Network) -> Network:
    servers, domains = _asked(network)
    return network._replace(dns=servers, search=domains)


def _rename(names: tuple[tuple[str, str], ...], network: Network, facts: Facts) -> Iterator[Step]:
    """The names that interfaces shall have, in this boot too."""
    if not names or not facts.live:
        return
    link = next(link for link in network.links if link.set_name)
    # Among several, a name may be another one's when udev would give it (the kernel's own eth0, eth1): then udev leaves
    # the names as they are, at every boot.
    several = sum(link.kind in HARDWARE for link in network.links) > 1 or sum(nic.is_ordinary for nic in facts.nics) > 1
    frequency = EVERY_BOOT if several else CONVERGE
    because = Because(link.at, "before the network starts")
    yield Step("rename:interfaces", _MODULE, Rename(names), because, frequency=frequency, vital=True)


def _has_bystanders(facts: Facts) -> bool:
    """Whether a network manager that takes whatever it finds is started beside the one that configures."""
    return any(name != facts.renderer and name in _TAKE_ALL for name in facts.managers)


def _reload(files: tuple[Rendered, ...], changes: list[Step], facts: Facts) -> Iterator[Step]:
    """Tell a manager that runs already. On a first boot none does: it starts after the local stage and reads the files.

    Every manager leaves links alone whose configuration did not change.
    """
    ids = tuple(step.id for step in changes)
    if not ids:
        return
    if _has_bystanders(facts):  # these first: they let go before the other one takes over
        yield from rooms.one("renderers", "bystanders").reload(facts.renderer, facts.managers, ids)
    if facts.renderer in RENDERERS:
        yield from rooms.one("renderers", facts.renderer).reload(files, ids, facts)
