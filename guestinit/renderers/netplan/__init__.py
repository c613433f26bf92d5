"""netplan: all links in one file, and what its grammar lacks in files of systemd-networkd beside it.

Format: netplan's YAML reference. One unknown key makes netplan refuse the whole file, so only keys are written that
0.106 (Debian 12) knows as well as 1.1 (Debian 13): docs/explanation/network.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from guestinit import rooms
from guestinit.model import netplan, yaml_text
from guestinit.model.action import TREE, Because, Check, Command, Step
from guestinit.model.facts import Facts, Nic
from guestinit.model.network import (
    BOND,
    BRIDGE,
    CONFIGURED,
    EMPTY,
    HARDWARE,
    LOOPBACK,
    NETPLAN_FILE,
    TUNNEL,
    VLAN,
    VRF,
    Link,
    Network,
    Port,
    Rendered,
    masters,
    ports,
)
from guestinit.model.problem import Problems
from guestinit.model.yaml_text import Tree
from guestinit.renderers import HEADER, MODULE, is_waited_for, resolved_file, restart_resolved, tell
from guestinit.renderers.netplan import addressing, beside, device

GENERATOR = "/usr/libexec/netplan/generate"
OTHER_GENERATORS = ("/usr/lib/netplan/generate", "/lib/netplan/generate")  # of earlier releases
CHECK = Check((GENERATOR, "--root-dir", TREE), b"network:\n  version: 2\n")
_TIMEOUT = 60.0  # seconds

# A dummy stands among the ethernets: its own section is new in 1.0, and beside.py has it made.
_SECTIONS = {BOND: "bonds", BRIDGE: "bridges", VLAN: "vlans", VRF: "vrfs", TUNNEL: "tunnels"}


def render(network: Network, nics: tuple[Nic, ...], problems: Problems) -> tuple[Rendered, ...]:
    """The file of netplan, and those of systemd-networkd; for name servers without an interface, systemd-resolved's."""
    if network.state == EMPTY:
        return resolved_file(network)
    if network.state != CONFIGURED:
        return ()
    network = _without_refused(network, problems)
    ids, owners, bridged = netplan.ids(network), masters(network), ports(network)
    sections: dict[str, dict[str, Tree]] = {}
    files: list[Rendered] = []
    for link in network.links:
        if link.kind == LOOPBACK and not link.addresses:
            continue
        link_id, owner = ids[link.name], owners.get(link.name)
        definition = device.describe(link, ids, is_waited_for(link, owner), problems)
        if link.kind == TUNNEL:
            definition = {**_tunnels().describe(link, ids, problems), **definition}
        if link.kind == VRF:
            addressing.say_lost(link, problems)
        elif owner is None or owner.kind == VRF:
            definition.update(addressing.of(link, problems))
        sections.setdefault(_SECTIONS.get(link.kind, "ethernets"), {})[link_id] = definition
        files += beside.files(link, link_id, owner, bridged.get(link.name, Port()))
    tree: dict[str, Tree] = {"network": {"version": 2, **sections}}
    content = (HEADER + yaml_text.document(tree)).encode()
    return (Rendered(NETPLAN_FILE, content, 0o600, network.at, check=CHECK), *files)


def reload(files: tuple[Rendered, ...], changed: tuple[str, ...], facts: Facts) -> Iterator[Step]:
    """netplan writes the files of the manager behind it anew, and that manager reads them.

    Its generator ran at the begin of this boot, when there was nothing of ours to read: networkd may not be about to
    start then. Nothing here waits for it.
    """
    generator = next((path for path in (GENERATOR, *OTHER_GENERATORS) if path in facts.paths), "")
    argv = (generator,) if generator else ("netplan", "generate")
    # It writes all of its files anew, and links whose files did not change are to be left alone.
    yield _command("netplan generate", argv, changed, "/run/systemd/network")
    if facts.netplan_backend == "network-manager":
        # There is no smaller way to have NetworkManager bring up what changed.
        yield tell("netplan apply", ("netplan", "apply"), changed, "NetworkManager.service")
        return
    yield tell("networkctl reload", ("networkctl", "reload"), changed, "systemd-networkd.service")
    if not facts.networkd_starts:
        # This runs the generator once more, which now has networkd started and the network awaited: for the next boot
        # and for whatever asks for network-online.target in this one.
        yield _command("systemctl daemon-reload", ("systemctl", "daemon-reload"), changed)
        start = ("systemctl", "--no-block", "start", "systemd-networkd.service")
        yield _command("start systemd-networkd", start, changed)
    yield from restart_resolved(changed)


def _tunnels() -> ModuleType:
    return rooms.one("renderers.netplan", "tunnel")


def _command(label: str, argv: tuple[str, ...], changed: tuple[str, ...], rewrites: str = "") -> Step:
    action = Command(argv, label, timeout=_TIMEOUT, may_repeat=True, rewrites=rewrites)
    because = Because(text="a network file changed")
    return Step(f"command:{label}", MODULE, action, because, when_changed=changed, vital=True)


# names


def _without_refused(network: Network, problems: Problems) -> Network:
    """Without the links that netplan would refuse, and those on top of them: one of them would cost all links."""
    links, gone = [], set()
    for link in network.links:
        reason = _invalid(link)
        if reason:
            gone.add(link.name)
            problems.error(link.at, link.path, f"netplan takes no {reason}", "this interface is left out")
        else:
            links.append(link)
    while any(link.parent in gone for link in links):
        for link in links:
            if link.parent in gone:
                gone.add(link.name)
                problems.error(link.at, link.path, f"its link '{link.parent}' is left out", "so is this interface")
        links = [link for link in links if link.name not in gone]
    if not gone:
        return network
    kept = [
        link._replace(members=tuple(member for member in link.members if member.value not in gone)) for link in links
    ]
    return network._replace(links=tuple(kept))


def _invalid(link: Link) -> str:
    if link.kind in HARDWARE:
        odd = [pattern for pattern in (*link.match.names, *link.match.drivers) if not _is_graphic(pattern)]
        return f"pattern {odd[0]!r}" if odd else ""
    if link.kind == TUNNEL and _tunnels().refusal(link):
        return str(_tunnels().refusal(link))
    if link.name in netplan.NOT_AN_ID or not _is_graphic(link.name) or any(sign in link.name for sign in "*?[]"):
        return f"interface of the name {link.name!r}"
    return f"table {link.table}" if link.table is not None and link.table > addressing.MOST else ""


def _is_graphic(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
