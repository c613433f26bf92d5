"""The real ifupdown: it takes every case, and what it does to the kernel is what the document says.

The package is unpacked, never installed: its programs run in namespaces of their own. Bonds, VLANs and the other kinds
that a host may lack are for tests/vm.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guestinit.model.action import Command, File, Step
from guestinit.renderers.ifupdown import commands
from tests.network import documents
from tests.network.test_cases_of_network import CASES, names, slurp
from tests.network.test_ifupdown import FILE, LO, OURS, machine
from tests.network.test_network_module import RECONFIGURED, plan


@functools.cache
def program() -> str:
    """Debian's `ifup`, which is also `ifdown` and `ifquery`; empty where it cannot be had or run."""
    if os.geteuid() != 0 or not shutil.which("apt-get") or not shutil.which("unshare"):
        return ""
    if subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False).returncode != 0:
        return ""
    directory = f"/var/tmp/guestinit-tests-ifupdown-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory)
    try:
        argv = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "ifupdown"]
        subprocess.run(argv, cwd=directory, capture_output=True, check=False, timeout=120)
        for package in Path(directory).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), directory], check=True, timeout=60)
        for found in (*Path(directory).glob("sbin/ifup"), *Path(directory).glob("usr/sbin/ifup")):
            target = f"{directory}.ifup"
            shutil.copy(found, target)
            return target
    finally:
        shutil.rmtree(directory)
    return ""


@pytest.fixture(scope="module")
def ifup() -> Any:
    path = program()
    if not path:
        pytest.skip("needs root, namespaces and Debian's archive")
    yield path
    os.unlink(path)
    program.cache_clear()


PREPARE = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/network /run/bin /etc/network
mount -t tmpfs tmpfs /etc/network
mkdir -p /etc/network/if-up.d /etc/network/if-down.d /etc/network/if-pre-up.d /etc/network/if-post-down.d \
    /etc/network/interfaces.d
echo 'source /etc/network/interfaces.d/*' >/etc/network/interfaces
for name in ifup ifdown ifquery; do cp "$IFUP" /run/bin/$name; done
export PATH=/run/bin:$PATH
mount -t sysfs sysfs /sys
for nic in $NICS; do
    ip link add "${nic%%=*}" address "${nic#*=}" type veth peer name "p-${nic%%=*}"
    ip link set "p-${nic%%=*}" up
done
set +e
"""


def run(ifup: str, script: str, nics: str = "", timeout: int = 120) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "IFUP": ifup, "NICS": nics}
    argv = ["unshare", "-mn", "--kill-child", "-pf", "--mount-proc", "bash", "-c", PREPARE + script]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


def ours(text: str, nics: str = "") -> str:
    network = documents.configured(text)
    files, _ = documents.render("ifupdown", network, documents.nics(nics.replace(" ", "\n")))
    return next(file.content.decode() for file in files if file.path == OURS)


def test_every_case_is_understood(ifup: str) -> None:
    """Without acting: ifupdown says what it would run, and complains about nothing."""
    script = ""
    for case in names():
        text = slurp(case, "ifupdown", "50-guestinit")
        if text:
            logical = list(dict.fromkeys(re.findall(r"^iface (\S+)", text, re.MULTILINE)))
            path = os.path.join(CASES, case, "ifupdown", "50-guestinit")
            script += f"echo '=== {case}' >&2\n"
            script += f"ifquery --list -i {path} >/dev/null || echo 'no list' >&2\n"
            script += "".join(
                f"ifup --no-act --no-scripts -i {path} {name} || echo 'no {name}' >&2\n" for name in logical
            )
    done = run(ifup, script)
    assert done.returncode == 0
    parts = done.stderr.split("=== ")[1:]
    assert len(parts) == script.count("=== ")
    wrong = [
        f"{part.partition(chr(10))[0]}: {line}"
        for part in parts
        for line in part.splitlines()
        if re.match(r"(ifup|ifquery): |no ", line) and "already configured" not in line
    ]
    assert wrong == []


TWO_NICS = """\
version: 2
ethernets:
  uplink:
    match: {macaddress: 'bc:24:11:0a:1b:2c'}
    addresses: [203.0.113.7/32, 203.0.113.8/32: {label: 'ens18:web'}, '2001:db8::7/128']
    routes: [{to: default, via: 10.0.0.1, on-link: true}, {to: '::/0', via: 'fe80::1'}]
    mtu: 1400
    accept-ra: false
  lan:
    match: {macaddress: 'bc:24:11:0a:1b:2d'}
    addresses: [10.1.0.7/24, '2001:db8:1::7/64']
    routes:
    - {to: default, via: 10.1.0.1}
    - {to: 10.99.0.0/16, via: 10.1.0.2, metric: 7}
    - {to: 10.98.0.0/16, via: 10.1.0.3, table: 66, mtu: 1300, from: 10.1.0.7}
    - {to: 192.0.2.0/24, type: blackhole}
    routing-policy: [{from: 10.1.0.0/24, table: 66, priority: 99}]
    ipv6-address-generation: stable-privacy
"""
NICS = "ens18=bc:24:11:0a:1b:2c ens19=bc:24:11:0a:1b:2d"
SHOW = r"""
show() {
    ip -j address >$OUT/addresses; (ip route show table all; ip -6 route) | grep -v 'table local' >$OUT/routes
    ip rule >$OUT/rules
    (ifquery --state; cat /proc/sys/net/ipv6/conf/ens1[89]/accept_ra) >$OUT/state
}
"""


def test_an_mtu_that_the_hardware_refuses_takes_nothing_down(ifup: str) -> None:
    text = ours("version: 2\nethernets: {ens18: {mtu: 70000, addresses: [10.0.0.7/24]}}\n", NICS)
    script = f"cat >{OURS} <<'EOF'\n{text}EOF\nifup -a; ip -o -4 address; ip -o link show dev ens18 up"
    done = run(ifup, script, NICS)
    assert re.search(r"ens18\s+inet 10.0.0.7/24 .*\n.* ens18@.* mtu 1500 ", done.stdout), done.stdout + done.stderr


@pytest.mark.parametrize("known", [True, False], ids=["by-name", "by-pattern"])
def test_the_kernel_has_what_the_document_says(ifup: str, tmp_path: Path, known: bool) -> None:
    text = ours(TWO_NICS, NICS if known else "")
    assert ("auto ens18\n" in text) is known
    (tmp_path / "file").write_text(text)
    script = (
        f"OUT={tmp_path}\ncp $OUT/file {OURS}\n"
        + SHOW
        + r"""
    ifup -a || exit 11
    show
    ifup -a || exit 12  # nothing is done twice
    ifdown -a --exclude=lo || exit 13
    ip -4 address show dev ens19 | grep -q inet && exit 14
    ip rule | grep -q 'lookup 66' && exit 15
    ip route | grep -q . && exit 16
    ifup -a || exit 17
    ip -4 address show dev ens19 | grep -q 10.1.0.7/24 || exit 18
    exit 0
    """
    )
    done = run(ifup, script, NICS)
    assert done.returncode == 0, done.stderr
    links = {link["ifname"]: link for link in json.loads((tmp_path / "addresses").read_text())}
    found = {
        name: {(each["local"], each["prefixlen"]) for each in links[name]["addr_info"] if each["scope"] == "global"}
        for name in ("ens18", "ens19")
    }
    assert found == {
        "ens18": {("203.0.113.7", 32), ("203.0.113.8", 32), ("2001:db8::7", 128)},
        "ens19": {("10.1.0.7", 24), ("2001:db8:1::7", 64)},
    }
    assert {each.get("label") for each in links["ens18"]["addr_info"]} >= (
        {"ens18", "ens18:web"} if known else {"ens18"}
    )
    assert (links["ens18"]["mtu"], links["ens19"]["mtu"]) == (1400, 1500)
    routes = {" ".join(line.split()) for line in (tmp_path / "routes").read_text().splitlines()}
    assert {
        "default via 10.0.0.1 dev ens18 metric 100 onlink",
        "default via 10.1.0.1 dev ens19 metric 200 onlink",
        "default via fe80::1 dev ens18 metric 100 onlink pref medium",
        "10.99.0.0/16 via 10.1.0.2 dev ens19 metric 7",
        "10.98.0.0/16 via 10.1.0.3 dev ens19 table 66 src 10.1.0.7 mtu 1300",
        "blackhole 192.0.2.0/24",
    } <= routes
    assert "99: from 10.1.0.0/24 lookup 66" in (tmp_path / "rules").read_text().replace("\t", " ")
    state = (tmp_path / "state").read_text().split()
    assert {each.partition("=")[0] for each in state if "=" in each} == {"lo", "ens18", "ens19"}
    assert state[-2:] == ["0", "1"]


def test_a_bridge_without_hook_packages(ifup: str) -> None:
    text = ours(
        """\
version: 2
ethernets: {a: {match: {macaddress: 'bc:24:11:0a:1b:2c'}}, b: {match: {macaddress: 'bc:24:11:0a:1b:2d'}}}
bridges:
  br0: {interfaces: [a, b], addresses: [10.0.0.5/24], macaddress: '02:00:00:00:00:77', parameters: {stp: true,
        forward-delay: 4, priority: 4096, path-cost: {a: 50}}}
""",
        NICS,
    )
    script = (
        f"cat >{OURS} <<'END'\n{text}END\n"
        + r"""
    ifup -a || exit 11
    ip -j -d link show br0; ip -j -d link show ens18; ip -j -d link show ens19; ip -j address show br0
    ip -6 address show dev ens18 | grep -q inet6 && exit 12
    ifdown br0 || exit 13
    ip link show br0 2>/dev/null && exit 14
    ifup br0 || exit 15
    ip -j link show ens18 | grep -q '"master":"br0"' || exit 16
    """
    )
    done = run(ifup, script, NICS)
    assert done.returncode == 0, done.stderr
    bridge, a, b, addresses = (json.loads(line)[0] for line in done.stdout.splitlines()[:4])
    info = bridge["linkinfo"]["info_data"]
    assert (info["forward_delay"], info["priority"], info["stp_state"]) == (400, 4096, 1)
    assert bridge["address"] == "02:00:00:00:00:77"
    assert (a["master"], b["master"]) == ("br0", "br0")
    assert a["linkinfo"]["info_slave_data"]["cost"] == 50
    assert [each["local"] for each in addresses["addr_info"] if each["family"] == "inet"] == ["10.0.0.5"]


def test_one_that_is_broken_does_not_keep_the_others_down(ifup: str) -> None:
    """No such card, also as a port, and a route that the kernel refuses: its source is the address of that card."""
    text = ours(
        """\
version: 2
ethernets:
  ens18: {addresses: [10.0.0.5/24], routes: [{to: 10.9.0.0/16, via: 10.0.0.1, from: 10.2.0.5},
                                            {to: 10.8.0.0/16, via: 10.0.0.1}]}
  ens19: {addresses: [10.1.0.5/24]}
  gone: {addresses: [10.2.0.5/24]}
  port: {}
bridges:
  br0: {interfaces: [port], addresses: [10.3.0.5/24]}
  br1: {addresses: [10.4.0.5/24], parameters: {hello-time: 9}}
"""
    )
    script = f"cat >{OURS} <<'END'\n{text}END\n" + "ifup -a; echo rc=$?; ip -o -4 address; ip route"
    done = run(ifup, script, NICS)
    assert "rc=1\n" in done.stdout
    for address in ("10.0.0.5/24", "10.1.0.5/24", "10.3.0.5/24", "10.4.0.5/24"):
        assert address in done.stdout
    assert "10.8.0.0/16 via 10.0.0.1" in done.stdout
    assert "10.9.0.0/16" not in done.stdout


def test_without_a_carrier_all_is_there_when_it_comes(ifup: str) -> None:
    text = ours(
        "version: 2\nethernets: {ens18: {addresses: ['2001:db8::5/64', '2001:db8::6/64'], gateway6: 'fe80::1'}}\n"
    )
    script = (
        f"cat >{OURS} <<'END'\n{text}END\n"
        + r"""
    ip link set p-ens18 down
    ifup -a || exit 11
    ip link set p-ens18 up
    sleep 1
    ip -6 -o address show dev ens18; ip -6 route
    """
    )
    done = run(ifup, script, NICS)
    assert done.returncode == 0, done.stderr
    assert "2001:db8::5/64" in done.stdout
    assert "2001:db8::6/64" in done.stdout
    assert "default via fe80::1 dev ens18" in done.stdout


@pytest.mark.parametrize("leased", ["10.21.0.15/24", "10.77.5.130/23", "172.31.255.254/12", "10.5.6.7/31", "9.8.7.6/1"])
def test_a_lease_without_a_route_to_its_subnet_gets_one(ifup: str, leased: str) -> None:
    """As dhcpcd leaves an address in a VRF, here after it has let ifupdown go on. The route goes with the address."""
    lines = [f"(sleep 1; ip address add {leased} dev $IFACE noprefixroute) &", *commands.subnet_of_lease(77)]
    text = "iface ens18 inet manual\n" + "".join(f"    up {line}\n" for line in lines)
    script = (
        f"cat >{OURS} <<'END'\n{text}END\n"
        + f"""
    ip link set ens18 up
    ifup ens18 || exit 11
    ip route show table 77; ip address delete {leased} dev ens18; echo then; ip route show table 77
    """
    )
    done = run(ifup, script, NICS)
    assert done.returncode == 0, done.stderr
    with_address, _, without = done.stdout.partition("then")
    address = ipaddress.ip_interface(leased)
    assert with_address.split() == f"{address.network} dev ens18 proto kernel scope link src {address.ip}".split()
    assert without.split() == []


def test_a_lease_whose_subnet_the_kernel_knows_is_left_as_it_is(ifup: str) -> None:
    """As dhclient makes it; the address that has no lease does not count."""
    lines = ["ip address add 10.21.0.15/24 dev $IFACE valid_lft 99 preferred_lft 99", *commands.subnet_of_lease(77)]
    text = "iface ens18 inet static\n    address 10.9.0.5/24\n" + "".join(f"    up {line}\n" for line in lines)
    done = run(
        ifup, f"cat >{OURS} <<'END'\n{text}END\nifup ens18 || exit 11\nip route show table all type unicast", NICS
    )
    assert done.returncode == 0, done.stderr
    routes = [line.split()[0] for line in done.stdout.splitlines() if ":" not in line]
    assert sorted(routes) == ["10.21.0.0/24", "10.9.0.0/24"]
    assert "table 77" not in done.stdout


# a running system


def steps_of_a_change(old: str, new: str) -> list[Step]:
    here = machine((FILE, LO), (OURS, old), up=("ens18", "ens19"), identity=RECONFIGURED)
    return plan(new, here)[0]


def test_a_change_takes_down_what_changed_and_nothing_else(ifup: str, tmp_path: Path) -> None:
    document = "version: 2\nethernets:\n  ens18: {addresses: [10.0.0.5/24]}\n  ens19: {addresses: [10.1.0.5/24]}\n"
    old = ours(document)
    steps = steps_of_a_change(old, document.replace("10.1.0.5/24", "10.1.0.6/24"))
    script = (
        f"printf '{LO}' >{FILE}\ncat >{OURS} <<'END'\n{old}END\nmkdir /run/guestinit\n"
        + r"""
    ifup -a || exit 11
    sleep 2.5  # until addresses of ens18 are no longer tentative, and its carrier is known
    ip monitor link address label >$OUT/events & sleep 0.3
    """
    )
    for step in steps:
        if isinstance(step.action, File):
            content = bytes(step.action.content).decode()  # type: ignore[arg-type]
            script += f"cat >{step.action.path} <<'END'\n{content}END\n"
        elif isinstance(step.action, Command):
            script += " ".join(step.action.argv) + " || exit 12\n"
    script += "sleep 0.3; ip -o -4 address; ifquery --state"
    done = run(ifup, f"OUT={tmp_path}\n{script}", NICS)
    assert done.returncode == 0, done.stderr
    assert "10.1.0.6/24" in done.stdout
    assert "10.1.0.5/24" not in done.stdout
    assert "10.0.0.5/24" in done.stdout
    events = (tmp_path / "events").read_text()
    assert "ens19" in events
    assert "ens18" not in events


def test_a_lease_of_the_image_is_taken_over(ifup: str) -> None:
    """The image brought the interface up by itself; its own stanza ends that, and ours follows."""
    image = LO + "auto ens18\niface ens18 inet static\n  address 10.9.9.9/24\n"
    here = machine((FILE, image), up=("ens18",))
    steps, _ = plan("version: 2\nethernets: {ens18: {addresses: [10.0.0.5/24]}}\n", here)
    script = f"cat >{FILE} <<'END'\n{image}END\nmkdir /run/guestinit\nifup -a || exit 11\n"
    for step in steps:
        if isinstance(step.action, File):
            content = bytes(step.action.content).decode()  # type: ignore[arg-type]
            script += f"cat >{step.action.path} <<'END'\n{content}END\n"
        elif isinstance(step.action, Command):
            script += " ".join(step.action.argv) + " || exit 12\n"
    done = run(ifup, script + "ip -o -4 address show dev ens18", NICS)
    assert done.returncode == 0, done.stderr
    assert "10.0.0.5/24" in done.stdout
    assert "10.9.9.9" not in done.stdout
