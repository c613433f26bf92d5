"""Metadata services at their real addresses: OpenStack over IPv4 and over IPv6 only, EC2, a CloudStack router.

And a NoCloud seed from a server whose name stands in the SMBIOS serial.
Each guest's NIC is in a network of its own with the servers that its platform has; see cloud.py.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.http import cloudstack_router, servers
from tests.vm import drives, seen
from tests.vm.cloud import TAP, Cloud
from tests.vm.guest import Boot, Hardware, Machine
from tests.vm.lab import Lab, Run, boot_fixture
from tests.vm.test_config_drives import CLOUDSTACK, OPENSTACK

IPV4_MAC = "fa:16:3e:00:44:01"
IPV4_UUID = "9f1c0d2a-7b3e-4c55-8a10-00000000a0e4"
IPV6_MAC = "fa:16:3e:00:66:01"
IPV6_UUID = "9f1c0d2a-7b3e-4c55-8a10-00000000a0e6"
EC2_MAC = "02:1a:2b:3c:4d:5e"
EC2_UUID = "ec2f0d2a-7b3e-4c55-8a10-00000000a0ec"
EC2_ID = "i-0a1b2c3d4e5f60718"
EC2_TOKEN = "AQAEAKx-first-token-of-the-service=="
ROUTER_MAC = "02:00:4c:9f:00:07"
ROUTER_UUID = "5f0f1f4c-1111-4222-8333-9444555566a7"
ROUTER = "10.1.1.1"
DEPLOYED_PASSWORD = "set at deployment 5r"
SEED_MAC = "52:54:00:5e:ed:01"
SEED_UUID = "9f1c0d2a-7b3e-4c55-8a10-00000000a05d"
SEED_SERVER = "seeds.example.test"
RESET_PASSWORD = "set-by-a-reset-6r"
TYPED_PASSWORD = "typed-by-its-user-6x"
NETWORKD, NETWORK_MANAGER = "systemd-networkd.service", "NetworkManager.service"
# What is there while a temporary lease is: the client, and its files.
LEFT = ["sh", "-c", "pgrep -a dhcpcd; find /run/dhcpcd /var/lib/dhcpcd -type f 2>/dev/null; ls /run/guestinit/*.todo"]

USER_DATA = """\
#cloud-config
runcmd:
  - [sh, -c, 'echo ran >> /srv/from-user']
"""
# Without a dry run, which would ask the servers too.
REQUEST = {"files": ["/srv/from-user"], "commands": [LEFT], "dry_run": False}


def openstack4(run: Run) -> None:
    """A network with a DHCP port, as most are, and Neutron's route to the service in the lease."""
    network = drives.static_network(IPV4_MAC, "10.30.0", "2001:db8:30:", 40)
    server = drives.Server(IPV4_UUID, "app-4", run.lab.public_key, network, user_data=USER_DATA)
    machine = run.machine("bookworm")
    secrets = server.random_seeds()
    wanted = {**REQUEST, "addresses": ["10.30.0.40"], "secrets": secrets, "units": [NETWORKD]}
    with Cloud(run.path("cloud"), ["10.30.0.2/24", "10.30.0.1/24", "169.254.169.254/32"]) as cloud:
        route = "option:classless-static-route,169.254.169.254/32,10.30.0.2,0.0.0.0/0,10.30.0.1"
        cloud.lease("10.30.0.100", "10.30.0.150", "option:router,10.30.0.1", route)
        log = serve_openstack(cloud, server, "169.254.169.254")
        hardware = Hardware(
            uuid=IPV4_UUID, serial=IPV4_UUID, macs=(IPV4_MAC,), agent_port=False, cloud=cloud, **OPENSTACK
        )
        run.boot("ipv4", machine, hardware, wanted, note=lambda: {**lines(log), "leases": cloud.log("dnsmasq")})
        run.boot("ipv4_again", machine, hardware, wanted, search=secrets)


def openstack6(run: Run) -> None:
    """No IPv4 at all: only the link-local address of the service, which needs no lease."""
    network = drives.static_network(IPV6_MAC, "10.30.0", "2001:db8:30:", 40)
    network["networks"] = [each for each in network["networks"] if each["type"] == "ipv6"]
    network["services"] = [{"type": "dns", "address": "2001:db8:30::3"}]
    server = drives.Server(IPV6_UUID, "app-6", run.lab.public_key, network, user_data=USER_DATA)
    machine = run.machine("trixie")
    wanted = {**REQUEST, "addresses": ["2001:db8:30::40"], "units": [NETWORK_MANAGER]}
    with Cloud(run.path("cloud"), ["fe80::a9fe:a9fe/64", "2001:db8:30::1/64"]) as cloud:
        log = serve_openstack(cloud, server, f"fe80::a9fe:a9fe%{TAP}")
        hardware = Hardware(
            uuid=IPV6_UUID, serial=IPV6_UUID, macs=(IPV6_MAC,), agent_port=False, cloud=cloud, **OPENSTACK
        )
        run.boot("ipv6", machine, hardware, wanted, note=lambda: lines(log))


def ec2(run: Run) -> None:
    """An instance whose service wants a token, with a lease that is also its final configuration."""
    files = servers.ec2_files()
    files["meta-data/instance-id"] = EC2_ID.encode()
    files["meta-data/local-hostname"] = files["meta-data/hostname"] = b"ip-10-30-0-100.eu-central-1.compute.internal"
    files["meta-data/public-keys/0/openssh-key"] = f"{run.lab.public_key}\n".encode()
    files["user-data"] = USER_DATA.encode()
    nic = f"meta-data/network/interfaces/macs/{EC2_MAC}"
    leaves = {"device-number": "0", "local-ipv4s": "10.30.0.100", "subnet-ipv4-cidr-block": "10.30.0.0/24"}
    files.update({f"{nic}/{name}": text.encode() for name, text in leaves.items()})
    machine = run.machine("bookworm")
    wanted = {**REQUEST, "addresses": ["10.30.0.100"], "secrets": [EC2_TOKEN], "units": [NETWORKD]}
    with Cloud(run.path("cloud"), ["10.30.0.1/24", "169.254.169.254/32"]) as cloud:
        cloud.lease("10.30.0.100", "10.30.0.100", "option:router,10.30.0.1")
        log = Path(run.path("asked"))
        tree = drives.write_tree(files, run.path("tree"))
        arguments = ["ec2", "--bind", "169.254.169.254", "--files", tree, "--tokens", "required", "--log", str(log)]
        cloud.serve("tests.http.servers", arguments, 80)
        hardware = Hardware(
            uuid=EC2_UUID, macs=(EC2_MAC,), agent_port=False, cloud=cloud, vendor="Amazon EC2", product="t3.micro",
        )  # fmt: skip
        run.boot("instance", machine, hardware, wanted, search=[EC2_TOKEN], note=lambda: lines(log))


def cloudstack_vr(run: Run) -> None:
    """A router with metadata and passwords, and a template without a lease client of its own."""
    state = cloudstack_router.fill(
        Path(run.path("state")), instance_id=ROUTER_UUID, vm_id=ROUTER_UUID, public_keys=run.lab.public_key
    )
    (state / "user-data").write_text(USER_DATA)
    (state / "password").write_text(DEPLOYED_PASSWORD)
    machine = run.machine("trixie")
    secrets = [DEPLOYED_PASSWORD, RESET_PASSWORD]
    wanted = {**REQUEST, "addresses": ["10.1.1.23"], "secrets": secrets}
    typed = ["sh", "-c", f"printf '{TYPED_PASSWORD}\\n{TYPED_PASSWORD}\\n' | passwd debian"]
    with Cloud(run.path("cloud"), [f"{ROUTER}/24"]) as cloud:
        cloud.lease("10.1.1.23", "10.1.1.23", f"option:router,{ROUTER}", "option:domain-name,cs1.example.test")
        cloud.serve("tests.http.cloudstack_router", ["--bind", ROUTER, "--state", str(state)], 80, 8080)
        hardware = Hardware(
            uuid=ROUTER_UUID, serial=ROUTER_UUID, macs=(ROUTER_MAC,), agent_port=False, cloud=cloud, **CLOUDSTACK
        )
        run.boot("routed", machine, hardware, {**wanted, "commands": [LEFT, typed]}, note=lambda: take_log(state))
        (state / "password").write_text(RESET_PASSWORD)
        run.boot("routed_reset", machine, hardware, wanted, search=secrets, note=lambda: take_log(state))


def seed_server(run: Run) -> None:
    """A seed from a server that has a name: it is asked when the machine's own network is up. Then it is gone."""
    files = {
        "web1/meta-data": b"instance-id: iid-web-1\nlocal-hostname: web-1\n",
        "web1/user-data": f"{USER_DATA}ssh_authorized_keys: ['{run.lab.public_key}']\n".encode(),
    }
    machine = run.machine("trixie")
    tree = drives.write_tree(files, run.path("tree"))
    _boot_served(run, machine, "served", tree)
    _boot_served(run, machine, "served_again", "")


def _boot_served(run: Run, machine: Machine, name: str, tree: str) -> None:
    """With the server of this tree; without one where there is none."""
    with Cloud(run.path(name), ["10.30.0.1/24"]) as cloud:
        names = [f"{SEED_SERVER}/10.30.0.1"]
        cloud.lease("10.30.0.100", "10.30.0.100", "option:router,10.30.0.1", names=names)
        if tree:
            cloud.serve("http.server", ["80", "--bind", "10.30.0.1", "--directory", tree], 80)
        serial = f"ds=nocloud;s=http://{SEED_SERVER}/web1"
        hardware = Hardware(uuid=SEED_UUID, serial=serial, macs=(SEED_MAC,), agent_port=False, cloud=cloud)
        wanted = {**REQUEST, "addresses": ["10.30.0.100"], "commands": [["nmcli", "general", "hostname"]]}
        note = (lambda: {"asked": cloud.log("http.server")}) if tree else None
        run.boot(name, machine, hardware, wanted, note=note)


def serve_openstack(cloud: Cloud, server: drives.Server, *addresses: str) -> Path:
    """The service of one server; returns the log of its requests, a line each."""
    tree = drives.write_tree(server.files_of("2020-10-14"), os.path.join(cloud.directory, "tree"))
    log = Path(cloud.directory, "asked")
    binds = [word for address in addresses for word in ("--bind", address)]
    cloud.serve("tests.http.servers", ["openstack", *binds, "--files", tree, "--log", str(log)], 80)
    return log


def lines(log: Path) -> dict[str, Any]:
    """What a service was asked, a line each."""
    return {"asked": log.read_text().splitlines()}


def take_log(state: Path) -> dict[str, Any]:
    """What the router was asked since the last look, without the client's address, and whether it has a password."""
    log = state / "log"
    asked = [line.rpartition(" ")[0] for line in log.read_text().splitlines()]
    log.unlink()
    return {"asked": asked, "still there": (state / "password").exists()}


CHAINS = [openstack4, openstack6, cloudstack_vr, ec2, seed_server]

ipv4_boot = boot_fixture("openstack4", "ipv4")
ipv4_again_boot = boot_fixture("openstack4", "ipv4_again")
ipv6_boot = boot_fixture("openstack6", "ipv6")
instance_boot = boot_fixture("ec2", "instance")
routed_boot = boot_fixture("cloudstack_vr", "routed")
routed_reset_boot = boot_fixture("cloudstack_vr", "routed_reset")
served_boot = boot_fixture("seed_server", "served")
served_again_boot = boot_fixture("seed_server", "served_again")


def when(boot: Boot, unit: str, edge: str) -> int:
    """Microseconds since power-on at which a unit's program started ("Start") or ended ("Exit"); 0: it never did."""
    return int(boot.facts["units"][unit][f"ExecMain{edge}TimestampMonotonic"])


def assert_configured_once(boot: Boot, manager: str) -> None:
    """The network stage ended before the network manager started, and left nothing of its way to the service."""
    assert 0 < when(boot, "guestinit-network.service", "Exit") < when(boot, manager, "Start")
    left = set(boot.facts["commands"][0]["out"].split())
    assert left <= {"/run/guestinit/late.todo", "/run/guestinit/final.todo"}, left


# --- OpenStack ---


def test_openstack_over_ipv4(ipv4: Boot, lab: Lab) -> None:
    seen.assert_settled(ipv4, "new", datasource="openstack")
    assert seen.status(ipv4)["instance_id"] == IPV4_UUID
    assert ipv4.facts["hostname"] == "app-4"
    assert ipv4.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"
    assert seen.content(ipv4, "/srv/from-user") == "ran\n"


def test_openstack_over_ipv4_before_the_network_manager(ipv4: Boot) -> None:
    assert_configured_once(ipv4, NETWORKD)
    assert seen.addresses(ipv4, IPV4_MAC) == {"10.30.0.40/24", "2001:db8:30::40/64"}
    assert seen.gateways(ipv4) == {("10.30.0.1", IPV4_MAC), ("2001:db8:30::1", IPV4_MAC)}
    assert [route for route in ipv4.facts["routes"] if route["dst"] == "169.254.169.254"] == []


def test_openstack_temporary_lease_is_given_back(ipv4: Boot) -> None:
    said = [line.split(": ", 1)[1] for line in ipv4.noted["leases"].splitlines() if ": " in line]
    assert any("DHCPACK" in line for line in said), said
    assert any("DHCPRELEASE" in line for line in said), said
    after = said[_last(said, "DHCPRELEASE") + 1 :]
    assert not any("DHCP" in line for line in after), "somebody asked for a lease again"


def test_openstack_is_asked_for_each_document_once(ipv4: Boot) -> None:
    asked = ipv4.noted["asked"]
    documents = ["meta_data.json", "user_data", "network_data.json", "vendor_data.json", "vendor_data2.json"]
    assert asked[0] == "GET /openstack 200"
    assert sorted(asked[1:]) == sorted(f"GET /openstack/2020-10-14/{name} 200" for name in documents)


def test_openstack_again_is_the_same_machine(ipv4: Boot, ipv4_again: Boot) -> None:
    seen.assert_settled(ipv4_again, "same", datasource="openstack")
    assert seen.addresses(ipv4_again, IPV4_MAC) == seen.addresses(ipv4, IPV4_MAC)
    assert seen.host_keys(ipv4_again) == seen.host_keys(ipv4)
    assert ipv4_again.facts["accounts"] == ipv4.facts["accounts"]
    assert seen.content(ipv4_again, "/srv/from-user") == "ran\n"


def test_openstack_random_seed_is_nowhere(ipv4_again: Boot) -> None:
    seen.assert_secrets_nowhere(ipv4_again, [])


def test_openstack_over_ipv6_only(ipv6: Boot, lab: Lab) -> None:
    seen.assert_settled(ipv6, "new", datasource="openstack")
    assert ipv6.facts["hostname"] == "app-6"
    assert ipv6.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"
    assert seen.content(ipv6, "/srv/from-user") == "ran\n"
    assert "fe80::a9fe:a9fe" in json.dumps(seen.status(ipv6)), seen.explain(ipv6)


def test_openstack_over_ipv6_before_the_network_manager(ipv6: Boot) -> None:
    assert_configured_once(ipv6, NETWORK_MANAGER)
    assert seen.static_addresses(ipv6, IPV6_MAC) == {"2001:db8:30::40/64"}
    assert seen.gateways(ipv6) == {("2001:db8:30::1", IPV6_MAC)}


# --- EC2 ---


def test_ec2_with_a_token(instance: Boot, lab: Lab) -> None:
    seen.assert_settled(instance, "new", datasource="ec2")
    assert seen.status(instance)["instance_id"] == EC2_ID
    assert instance.facts["hostname"] == "ip-10-30-0-100"
    assert instance.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"
    assert seen.content(instance, "/srv/from-user") == "ran\n"
    assert instance.noted["asked"][0] == "PUT /latest/api/token 200"
    assert_configured_once(instance, NETWORKD)
    assert seen.addresses(instance, EC2_MAC) == {"10.30.0.100/24"}
    assert ("10.30.0.1", EC2_MAC) in seen.gateways(instance)


def test_ec2_token_is_nowhere(instance: Boot) -> None:
    seen.assert_secrets_nowhere(instance, [EC2_TOKEN])


# --- CloudStack's virtual router ---


def test_router_gives_metadata_and_a_password(routed: Boot, lab: Lab) -> None:
    """Quirk 41: the password is acknowledged after everything else was fetched."""
    seen.assert_settled(routed, "new", datasource="cloudstack")
    assert seen.status(routed)["instance_id"] == ROUTER_UUID
    assert routed.facts["hostname"] == "vm-web-1"
    assert routed.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"
    assert seen.content(routed, "/srv/from-user") == "ran\n"
    assert seen.is_password(routed, "debian", DEPLOYED_PASSWORD)
    asked = [line for line in routed.noted["asked"] if not line.startswith("GET")]
    assert asked == ["send_my_password", "saved_password"]
    assert routed.noted["asked"][-1] == "saved_password"


def test_router_password_reset_across_a_reboot(routed: Boot, routed_reset: Boot) -> None:
    """Quirk 44: the same instance-id; the typed password gives way to a new one only."""
    assert routed.facts["commands"][1]["code"] == 0, routed.facts["commands"]
    seen.assert_nothing_broke(routed_reset)
    assert seen.status(routed_reset)["instance_id"] == ROUTER_UUID
    assert seen.is_password(routed_reset, "debian", RESET_PASSWORD)
    assert routed_reset.noted["asked"][-1] == "saved_password"
    assert routed_reset.noted["still there"] is False
    assert seen.host_keys(routed_reset) == seen.host_keys(routed)
    assert seen.content(routed_reset, "/srv/from-user") == "ran\n"


def test_router_passwords_are_nowhere(routed: Boot, routed_reset: Boot) -> None:
    for boot in (routed, routed_reset):
        seen.assert_secrets_nowhere(boot, [DEPLOYED_PASSWORD, RESET_PASSWORD])


# --- NoCloud's seedfrom ---


def test_seed_from_a_server_with_a_name(served: Boot, lab: Lab) -> None:
    """Quirk 42: the missing slash, and the two documents that may be absent."""
    seen.assert_settled(served, "new")
    assert seen.status(served)["instance_id"] == "iid-web-1"
    assert served.facts["hostname"] == "web-1"
    assert served.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"
    assert seen.content(served, "/srv/from-user") == "ran\n"
    # NetworkManager ran before the machine had its name: it would call it by the old one, and tell DHCP servers so.
    assert served.facts["commands"][0]["out"] == "web-1\n"
    requests = [line.split('"')[1] for line in served.noted["asked"].splitlines() if '"GET' in line]
    assert sorted(requests) == [
        f"GET /web1/{name} HTTP/1.1" for name in ("meta-data", "network-config", "user-data", "vendor-data")
    ]


def test_settled_machine_does_not_miss_the_server(served: Boot, served_again: Boot) -> None:
    seen.assert_settled(served_again, "same")
    assert seen.status(served_again)["instance_id"] == "iid-web-1"
    assert seen.content(served_again, "/srv/from-user") == "ran\n"
    assert seen.addresses(served_again, SEED_MAC) == seen.addresses(served, SEED_MAC) == {"10.30.0.100/24"}


def _last(lines: list[str], word: str) -> int:
    return max(index for index, line in enumerate(lines) if word in line)
