"""ifupdown: what its own files say about the same interfaces, and a change on a running system."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from guestinit.model.action import Absence, Command, File, Lines, Step
from guestinit.model.facts import Facts, Ifupdown, Nic
from guestinit.model.problem import ERROR
from tests.network import documents
from tests.network.test_network_module import LEASE, MAC, NEW, RECONFIGURED, STATIC, facts, ids, plan

FILE = "/etc/network/interfaces"
OURS = "/etc/network/interfaces.d/50-guestinit"
EARLIER = "/run/guestinit/interfaces"
LO = "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n"
DHCP = LO + "\nallow-hotplug ens18\niface ens18 inet dhcp\n"


def machine(*files: tuple[str, str], up: tuple[str, ...] = (), **fields: Any) -> Facts:
    here = Ifupdown(files, tuple((name, name) for name in up))
    return facts("ifupdown", ifupdown=here, **{"resolver": "resolvconf", **fields})


def content(step: Step) -> str:
    assert isinstance(step.action, File)
    return bytes(step.action.content).decode()  # type: ignore[arg-type]


def test_a_plain_image() -> None:
    steps, problems = plan(STATIC, machine((FILE, LO)))
    assert problems == []
    assert [step.id for step in steps] == [f"file:{OURS}"]
    assert content(steps[0]).splitlines()[2:] == [
        "auto ens18", "allow-hotplug ens18", "iface ens18 inet static", "    address 10.0.0.5/24",
        "    dns-nameservers 10.0.0.53", "    dns-search example.test", "    gateway 10.0.0.1",
    ]  # fmt: skip
    assert isinstance(steps[0].action, File)
    assert steps[0].action.mode == 0o644


# what the image says about the same interface


def test_the_image_keeps_its_file_and_loses_its_say() -> None:
    steps, problems = plan(STATIC, machine((FILE, DHCP)))
    assert problems == []
    assert [step.id for step in steps] == [f"file:{OURS}", f"file:{FILE}"]
    assert content(steps[1]) == (
        LO + "\n# disabled by guestinit: allow-hotplug ens18\n# disabled by guestinit: iface ens18 inet dhcp\n"
    )
    assert isinstance(steps[1].action, File)
    assert (steps[1].action.mode, steps[1].action.owner, steps[1].needs) == (None, "", (f"file:{OURS}",))
    assert str(steps[1].because) == f"network-config:3:3 ens18 is configured by {OURS}"
    # The next run finds what this one wrote, and has nothing to say.
    again = machine((FILE, content(steps[1])), (OURS, content(steps[0])), written=(OURS,), identity=RECONFIGURED)
    assert ids(STATIC, again) == [f"file:{OURS}"]


def test_lines_come_back_when_the_seed_no_longer_speaks_of_the_interface() -> None:
    disabled = content(plan(STATIC, machine((FILE, DHCP)))[0][1])
    other = STATIC.replace(MAC, "bc:24:11:00:00:99").replace("name: eth0", "name: eth7")
    nics = (Nic("ens18", MAC), Nic("ens19", "bc:24:11:00:00:99"))
    steps, _ = plan(other, machine((FILE, disabled), nics=nics, identity=RECONFIGURED, written=(OURS,)))
    assert [step.id for step in steps] == [f"file:{OURS}", f"file:{FILE}"]
    assert content(steps[1]) == DHCP
    # A clone whose seed says nothing, in an image that wants no fallback.
    here = machine((FILE, disabled), written=(OURS,), identity=NEW, options=(("network.fallback", "none"),))
    steps, _ = plan(None, here)
    assert [step.id for step in steps] == [f"absence:{OURS}", f"file:{FILE}"]
    assert content(steps[1]) == DHCP


def test_what_cloud_init_left_goes() -> None:
    path = "/etc/network/interfaces.d/50-cloud-init"
    steps, problems = plan(STATIC, machine((FILE, LO), (path, "auto ens18\niface ens18 inet dhcp\n")))
    assert problems == []
    assert [step.id for step in steps] == [f"file:{OURS}", f"absence:{path}"]
    assert steps[1].action == Absence(path)
    assert "left by cloud-init" in str(steps[1].because)
    assert ids(STATIC, machine((FILE, LO), (path, "auto eth9\niface eth9 inet dhcp\n"))) == [f"file:{OURS}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto lo\niface lo inet loopback", f"auto lo\niface lo inet loopback\nsource {OURS}\n"),
        ("source interfaces.d/*.cfg\n", f"source interfaces.d/*.cfg\nsource {OURS}\n"),
        (None, f"# interfaces(5) file used by ifup(8) and ifdown(8)\nsource {OURS}\n"),
    ],
)
def test_our_file_is_read(text: str | None, expected: str) -> None:
    steps, _ = plan(STATIC, machine(*([(FILE, text)] if text is not None else [])))
    assert [step.id for step in steps] == [f"file:{OURS}", f"file:{FILE}"]
    assert content(steps[1]) == expected


def test_bytes_that_are_no_text_stay() -> None:
    raw = DHCP.encode() + b"# caf\xe9\n"
    steps, _ = plan(STATIC, machine((FILE, raw.decode("utf-8", "surrogateescape"))))
    assert isinstance(steps[1].action, File)
    assert bytes(steps[1].action.content).endswith(b"dhcp\n# caf\xe9\n")  # type: ignore[arg-type]


def test_the_name_before_and_the_name_after_are_both_meant() -> None:
    text = f"version: 2\nethernets: {{lan: {{match: {{macaddress: '{MAC}'}}, set-name: lan0, dhcp4: true}}}}\n"
    image = DHCP + "iface lan0 inet manual\n"
    steps, _ = plan(text, machine((FILE, image)))
    written = next(step for step in steps if step.id == f"file:{FILE}")
    assert "\niface ens18" not in content(written)
    assert "\niface lan0" not in content(written)


def test_what_cannot_be_told_is_said() -> None:
    _, problems = plan(STATIC, machine((FILE, LO + "auto /en*=any\niface any inet dhcp\n")))
    assert [problem.message for problem in problems] == [
        f"{FILE} brings up whatever fits '/en*=any', one of the seed's interfaces perhaps"
    ]
    text = LO + "auto ens3 eth0\niface ens3 inet dhcp\niface eth0 inet dhcp\n"
    steps, problems = plan(STATIC, machine((FILE, text), nics=(), live=False))
    assert [problem.message for problem in problems] == [
        f"{FILE} configures ens3, which may be the interface with the MAC {MAC}"
    ]
    # What is called like our own stanzas would add to them.
    assert content(steps[0]).splitlines()[2:4] == [f"auto mac/{MAC}/1=eth0", "iface eth0 inet static"]
    assert content(steps[1]).endswith("iface ens3 inet dhcp\n# disabled by guestinit: iface eth0 inet dhcp\n")


# name servers


def test_name_servers_by_what_answers() -> None:
    steps, problems = plan(STATIC, machine((FILE, LO), resolver="file"))
    assert problems == []
    assert [step.id for step in steps] == [f"file:{OURS}", "file:/etc/resolv.conf"]
    assert content(steps[1]).splitlines()[1:] == ["nameserver 10.0.0.53", "search example.test"]
    steps, problems = plan(STATIC, machine((FILE, LO), resolver="resolved"))
    drop_in = "/etc/systemd/resolved.conf.d/50-guestinit.conf"
    assert [step.id for step in steps] == [f"file:{OURS}", f"file:{drop_in}", "command:restart systemd-resolved"]
    assert content(steps[1]).splitlines()[2:] == ["[Resolve]", "DNS=10.0.0.53", "Domains=example.test"]


def test_a_lease_does_not_replace_the_name_servers_of_the_seed() -> None:
    both = frozenset(("/etc/dhcp/dhclient-enter-hooks.d", "/etc/dhcpcd.conf"))
    text = LEASE + "- {type: nameserver, address: [10.0.0.53], search: [example.test]}\n"
    steps, problems = plan(text, machine((FILE, LO), resolver="file", paths=both))
    assert problems == []
    hook = "/etc/dhcp/dhclient-enter-hooks.d/50-guestinit"
    assert [step.id for step in steps] == [
        f"file:{OURS}", f"file:{hook}", "lines:/etc/resolv.conf.head", "lines:/etc/resolv.conf.tail",
        "file:/etc/resolv.conf",
    ]  # fmt: skip
    assert [step.action.add for step in steps if isinstance(step.action, Lines)] == [
        ("nameserver 10.0.0.53",), ("search example.test",),
    ]  # fmt: skip
    script = content(steps[1]) + 'echo "$new_domain_name_servers,$new_domain_search,$new_domain_name"'
    for lease, expected in (
        ({"new_domain_name_servers": "192.0.2.1", "new_domain_name": "lan"}, "10.0.0.53 192.0.2.1,example.test,"),
        ({"reason": "PREINIT"}, ",,"),
    ):
        done = subprocess.run(
            ["sh", "-eu", "-c", script], env={**_EMPTY, **lease}, capture_output=True, text=True, check=True
        )
        assert done.stdout == expected + "\n"
    # Without a lease, or without such clients, there is nothing to keep; what was written goes.
    here = machine((FILE, LO), resolver="file", paths=both, written=(OURS, hook), identity=RECONFIGURED)
    steps, _ = plan(STATIC, here)
    assert f"absence:{hook}" in [step.id for step in steps]
    assert [step.action.add for step in steps if isinstance(step.action, Lines)] == [(), ()]
    assert ids(text, machine((FILE, LO), resolver="file")) == [f"file:{OURS}", "file:/etc/resolv.conf"]


_EMPTY = dict.fromkeys(
    (
        "new_domain_name_servers",
        "new_domain_search",
        "new_domain_name",
        "new_dhcp6_name_servers",
        "new_dhcp6_domain_search",
    ),
    "",
)


# a running system


def ours(text: str) -> str:
    return content(plan(text, machine((FILE, LO)))[0][0])


def commands(text: str, here: Facts) -> list[tuple[str, ...]]:
    steps, _ = plan(text, here)
    changed = {step.id for step in steps if isinstance(step.action, (File, Absence))} - {f"file:{EARLIER}"}
    found = []
    for step in steps:
        if isinstance(step.action, Command):
            assert set(step.when_changed) <= changed
            assert step.action.timeout
            found.append(step.action.argv)
    return found


def test_a_first_boot_leaves_it_to_the_unit() -> None:
    assert commands(STATIC, machine((FILE, DHCP))) == []


def test_an_interface_goes_down_as_it_was_and_comes_up_as_it_is() -> None:
    here = machine((FILE, LO), (OURS, ours(LEASE)), up=("ens18",), identity=RECONFIGURED)
    steps, _ = plan(STATIC, here)
    assert [step.id for step in steps] == [
        f"file:{OURS}", f"file:{EARLIER}", "command:ifdown ens18", "command:ifup ens18",
    ]  # fmt: skip
    assert content(steps[1]) == LO + ours(LEASE)
    assert isinstance(steps[1].action, File)
    assert steps[1].action.mode == 0o600
    assert not steps[1].keep
    assert commands(STATIC, here) == [("ifdown", "-i", EARLIER, "ens18"), ("ifup", "ens18")]


def test_what_somebody_brought_up_by_hand_comes_up_again() -> None:
    text = "version: 2\nethernets: {ens18: {addresses: [10.0.0.5/24], activation-mode: manual}}\n"
    changed = text.replace("10.0.0.5", "10.0.0.6")
    here = machine((FILE, LO), (OURS, ours(text)), identity=RECONFIGURED)
    assert commands(changed, here) == []
    up = here._replace(ifupdown=here.ifupdown._replace(up=(("ens18", "ens18"),)))
    assert commands(changed, up) == [("ifdown", "-i", EARLIER, "ens18"), ("ifup", "ens18")]


def test_nothing_is_touched_where_nothing_changed() -> None:
    assert commands(STATIC, machine((FILE, LO), (OURS, ours(STATIC)), up=("ens18",))) == []


def test_the_images_own_lease_ends() -> None:
    assert commands(STATIC, machine((FILE, DHCP), up=("ens18",))) == [
        ("ifdown", "-i", EARLIER, "ens18"), ("ifup", "ens18"),
    ]  # fmt: skip


TWO = """\
version: 2
ethernets:
  ens18: {addresses: [10.0.0.5/24]}
  ens19: {addresses: [10.1.0.5/24]}
vlans:
  ens18.7: {id: 7, link: ens18, addresses: [10.7.0.5/24]}
  storage: {id: 8, link: ens19, addresses: [10.8.0.5/24]}
"""


@pytest.mark.parametrize(
    ("old", "new", "down", "up"),
    [
        ("10.1.0.5", "10.1.0.6", ("storage", "ens19"), ("ens19", "storage")),
        ("10.0.0.5", "10.0.0.6", ("ens18.7", "ens18"), ("ens18", "ens18.7")),
        ("10.8.0.5", "10.8.0.6", ("storage",), ("storage",)),
        ("  ens18.7: {id: 7, link: ens18, addresses: [10.7.0.5/24]}\n", "", ("ens18.7",), ()),
    ],
)
def test_what_is_made_of_an_interface_goes_and_comes_with_it(
    old: str, new: str, down: tuple[str, ...], up: tuple[str, ...]
) -> None:
    before = ours(TWO)
    here = machine((FILE, LO), (OURS, before), up=("ens18", "ens19", "ens18.7", "storage"), identity=RECONFIGURED)
    expected = [("ifdown", "-i", EARLIER, *down)] + ([("ifup", *up)] if up else [])
    assert commands(TWO.replace(old, new), here) == expected


def test_the_kernel_name_of_what_a_pattern_found() -> None:
    text = f"version: 2\nethernets: {{lan: {{match: {{macaddress: '{MAC}'}}, set-name: lan0, dhcp4: true}}}}\n"
    here = machine((FILE, LO), (OURS, ours(text)), identity=RECONFIGURED)
    here = here._replace(ifupdown=here.ifupdown._replace(up=(("ens18", "lan0"),)))
    changed = text.replace("dhcp4: true", "addresses: [10.0.0.9/24]")
    assert commands(changed, here) == [
        ("ifdown", "-i", EARLIER, "ens18"), ("ifup", f"mac/{MAC}/1=lan0"),
    ]  # fmt: skip


# rendering, where cases do not tell


def test_the_order_in_which_interfaces_come_up() -> None:
    """What others are made with comes first; who waits for a lease, last."""
    text = """\
version: 2
ethernets: {a: {dhcp4: true}, b: {}, c: {}, d: {}, z: {addresses: [10.9.0.1/24]}}
vlans: {v: {id: 5, link: y}}
bridges: {y: {interfaces: [x]}}
bonds: {x: {interfaces: [b, c]}}
vrfs: {red: {table: 7, interfaces: [d]}}
"""
    [file], _ = documents.render("ifupdown", documents.configured(text))
    order = [line.split()[1] for line in file.content.decode().splitlines() if line.startswith("auto ")]
    assert order.index("a") == len(order) - 1
    for first, then in (("b", "x"), ("c", "x"), ("x", "y"), ("y", "v"), ("red", "d")):
        assert order.index(first) < order.index(then)


def test_a_lease_in_a_vrf() -> None:
    """The subnet of the lease gets its route; that its ways out do not is said, unless the document wants none."""
    text = """\
version: 2
ethernets: {a: {dhcp4: true, dhcp6: true}, b: {dhcp4: true, dhcp4-overrides: {use-routes: false}}, c: {dhcp4: true}}
vrfs: {red: {table: 7, interfaces: [a, b]}}
"""
    [file], problems = documents.render("ifupdown", documents.configured(text))
    ups = {stanza.split()[0]: stanza for stanza in file.content.decode().split("iface ")}
    assert [name for name, stanza in ups.items() if "ip route replace" in stanza and "table 7 " in stanza] == ["a", "b"]
    errors = [(problem.path, problem.hint) for problem in problems if problem.severity == ERROR]
    hint = "the ways out that come with the lease are not in table 7"
    assert errors == [("ethernets.a.dhcp4", hint), ("ethernets.a.dhcp6", hint)]


@pytest.mark.parametrize(
    ("name", "parent", "number", "made"),
    [
        ("ens18.7", "ens18", 7, []),
        ("ens18.007", "ens18", 7, []),
        ("eth0.7", "ens18", 7, ["delete", "add"]),
        ("ens18.8", "ens18", 7, ["delete", "add"]),
        ("vlan7", "ens18", 7, ["add"]),
    ],
)
def test_the_name_of_a_vlan_means_something_to_ifupdown(name: str, parent: str, number: int, made: list[str]) -> None:
    text = f"version: 2\nethernets: {{{parent}: {{}}}}\nvlans: {{'{name}': {{id: {number}, link: {parent}}}}}\n"
    [file], _ = documents.render("ifupdown", documents.configured(text))
    words = [line.split("ip link ")[1].split()[0] for line in file.content.decode().splitlines() if "pre-up" in line]
    assert words == made


def test_a_name_that_a_shell_would_take_apart_is_refused() -> None:
    network, _ = documents.read("version: 2\nbridges: {'br$(id)': {addresses: [10.0.0.1/24]}}\nethernets: {eth0: {}}\n")
    assert network is not None
    [file], problems = documents.render("ifupdown", network)
    assert "br$" not in file.content.decode()
    assert [problem.message for problem in problems] == ["ifupdown takes no interface named 'br$(id)'"]


def test_a_driver_is_looked_up_on_the_machine() -> None:
    network = documents.configured("version: 2\nethernets: {all: {match: {driver: virtio*}, dhcp4: true}}\n")
    nics = documents.nics("ens3=02:00:00:00:00:03 driver=virtio_net\nens4=02:00:00:00:00:04 driver=e1000\n")
    [file], problems = documents.render("ifupdown", network, nics)
    assert problems == []
    assert "auto ens3\n" in file.content.decode()
    assert "ens4" not in file.content.decode()
