"""The files of every case in the eyes of the programs that they are for, where this machine has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.network import documents
from tests.network.test_cases_of_network import CASES, names

NETWORKD = "/lib/systemd/systemd-networkd"

Settings = dict[str, dict[str, str]]


# What nmcli leaves out of its own, and what renderers say all the same.
DEFAULTS = {("[bridge]", "stp"): "true"}


def files(renderer: str, suffix: str) -> list[str]:
    found = []
    for case in names():
        directory = os.path.join(CASES, case, renderer)
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            if name.endswith(suffix):
                found.append(os.path.join(directory, name))
    return found


def settings(text: str) -> Settings:
    found: Settings = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(section, {})[key] = ",".join(sorted(value.split(","))) if "_options" in key else value
    return found


@pytest.mark.skipif(shutil.which("nmcli") is None, reason="no nmcli")
@pytest.mark.parametrize("path", files("network-manager", ".nmconnection"), ids=lambda path: path[len(CASES) + 1 :])
def test_networkmanager_takes_every_profile_and_every_setting_in_it(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    argv = ["nmcli", "--offline", "connection", "modify", "connection.zone", ""]
    ended = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), text
    kept = settings(ended.stdout)
    names_of = {"0": "eui64", "1": "stable-privacy"}
    for section, pairs in settings(text).items():
        for key, value in pairs.items():
            seen = kept.get(section, {}).get(key, DEFAULTS.get((section, key)))
            assert seen == (names_of[value] if key == "addr-gen-mode" else value), f"{section} {key}"


def can_make_namespaces() -> bool:
    if os.geteuid() != 0 or not os.path.exists(NETWORKD) or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False).returncode == 0


SCRIPT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/systemd/system
chown -R systemd-network: /run/systemd/netif
mkdir -p /etc/systemd/network
mount -t tmpfs tmpfs /etc/systemd/network
cp "$FILES"/* /etc/systemd/network/
mount -t sysfs -o ro sysfs /sys  # read-only: networkd takes this for a container, where no udev announces links
ip link set lo up
for nic in $NICS; do
    ip link add "${nic%%=*}" address "${nic#*=}" type veth peer name "p-${nic%%=*}"
    ip link set "p-${nic%%=*}" up
done
export SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=info
timeout --signal=TERM "$SECONDS_TO_RUN" "$NETWORKD" 2>"$FILES.log" &
for round in $(seq 50); do
    sleep 0.2
    if eval "$UNTIL"; then break; fi
done
ip -j address >"$FILES.addresses"
(ip route; ip -6 route) >"$FILES.routes"
kill %1 2>/dev/null || true
wait || true
"""


def run_networkd(directory: str, nics: str, until: str, seconds: int = 15) -> tuple[str, str, str]:
    environment = {
        **os.environ, "FILES": directory, "NICS": nics, "UNTIL": until, "NETWORKD": NETWORKD,
        "SECONDS_TO_RUN": str(seconds),
    }  # fmt: skip
    argv = ["unshare", "-mn", "--kill-child", "-pf", "--mount-proc", "bash", "-c", SCRIPT]
    subprocess.run(argv, env=environment, check=True, timeout=60)
    texts = []
    for name in ("log", "addresses", "routes"):
        with open(f"{directory}.{name}", encoding="utf-8") as file:
            texts.append(file.read())
    return texts[0], texts[1], texts[2]


@pytest.mark.skipif(not can_make_namespaces(), reason="needs root, namespaces and systemd-networkd")
def test_networkd_understands_every_line(tmp_path: object) -> None:
    directory = os.path.join(str(tmp_path), "files")
    os.mkdir(directory)
    for path in files("networkd", ".network") + files("networkd", ".netdev"):
        case = os.path.basename(os.path.dirname(os.path.dirname(path)))
        shutil.copy(path, os.path.join(directory, f"{case}-{os.path.basename(path)}"))
    log, _, _ = run_networkd(directory, "", until="grep -q 'Enumeration completed' \"$FILES.log\"")
    assert "Enumeration completed" in log
    said = re.compile(r"/etc/systemd/network/.*(\.network|\.netdev)(:\d+)?:")
    wrong = [line for line in log.splitlines() if said.match(line)]
    # A gateway inside the subnet of a lease: networkd cannot know, and does what is right.
    assert [line for line in wrong if "Enabling GatewayOnLink" not in line] == []


@pytest.mark.skipif(not can_make_namespaces(), reason="needs root, namespaces and systemd-networkd")
def test_networkd_brings_the_kernel_there(tmp_path: object) -> None:
    """Two NICs: a host address with its gateway elsewhere, and a subnet with a second default route."""
    network = documents.configured("""\
version: 1
config:
- {type: physical, name: eth7, mac_address: 'BC-24-11-0A-1B-2C', subnets: [
   {type: static, address: 203.0.113.7, netmask: 255.255.255.255, gateway: 10.0.0.1},
   {type: static6, address: '2001:db8::7/128', gateway: 'fe80::1'}]}
- {type: physical, name: eth8, mac_address: 'bc:24:11:0a:1b:2d', subnets: [
   {type: static, address: 10.1.0.7/24, gateway: 10.1.0.1,
    routes: [{network: 10.99.0.0, netmask: 255.255.0.0, gateway: 10.1.0.2, metric: 7}]}]}
""")
    directory = os.path.join(str(tmp_path), "files")
    os.mkdir(directory)
    rendered, problems = documents.render("networkd", network)
    assert problems == []
    for each in rendered:
        with open(os.path.join(directory, os.path.basename(each.path)), "wb") as file:
            file.write(each.content)
    until = "ip -6 route | grep -q '^default' && [ $(ip route | grep -c '^default') = 2 ]"
    _, addresses, routes = run_networkd(directory, "ens18=bc:24:11:0a:1b:2c ens19=bc:24:11:0a:1b:2d", until)
    assert '"local":"203.0.113.7","prefixlen":32' in addresses
    assert '"local":"10.1.0.7","prefixlen":24' in addresses
    lines = {" ".join(line.split()) for line in routes.splitlines()}
    assert {
        "default via 10.0.0.1 dev ens18 proto static metric 100 onlink",
        "default via 10.1.0.1 dev ens19 proto static metric 200",
        "10.99.0.0/16 via 10.1.0.2 dev ens19 proto static metric 7",
        "default via fe80::1 dev ens18 proto static metric 100 pref medium",
    } <= lines
