"""Drives of OpenStack, CloudStack and virt-install, built byte by byte as these build them.

Two Nova servers (an ISO in a CD-ROM drive, which an evacuation to another host makes vfat on a disk; vfat from the
start), a CloudStack machine whose password is reset, and a libvirt machine whose drive is there at its first boot only.
"""

from __future__ import annotations

import pytest

from tests.vm import drives, seen
from tests.vm.guest import Boot, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

NOVA_MAC = "fa:16:3e:00:11:22"
NOVA_UUID = "9f1c0d2a-7b3e-4c55-8a10-00000000a0e1"
ADMIN_PASS = "admin-pass-of-nova-4T"
CLOUDSTACK_MAC = "02:00:4c:9f:00:01"
CLOUDSTACK_UUID = "5f0f1f4c-1111-4222-8333-944455556666"
DEPLOYED_PASSWORD = " set at deployment 7k"  # blanks belong to it
RESET_PASSWORD = "set-by-a-reset-9m"
TYPED_PASSWORD = "typed-by-its-user-9x"
RESET_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0nWcFZl3c0Cgq1ZrTq6w2tWyb0kq3oJ7bq3b1f0N1x reset"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dG5vYm9keWtub3dzd2hvc2VrZXl0aGlzaXMwMDE other"
VIRT_MAC = "52:54:00:ab:cd:01"
VIRT_UUID = "6a8f2c1e-0b5d-4a3e-9f10-00000000f117"
ROOT_PASSWORD = "root-of-virt-install-3p"

NOVA_USER_DATA = """\
## template: jinja
#cloud-config
runcmd:
  - [sh, -c, 'echo {{ v1.local_hostname }} {{ ds.meta_data.meta.role }} >> /srv/from-user']
"""
VENDOR_DATA = {
    "cloud-init": "#cloud-config\ntimezone: Europe/Rome\nwrite_files:\n- {path: /srv/from-vendor, content: vendor}\n"
}
VENDOR_DATA2 = {"static": {"rack": 7}, "cloud-init": "#cloud-config\ntimezone: Europe/Prague\n"}
INJECTED = ("/srv/injected.conf", b"key = value\n")

VIRT_USER_DATA = f"""\
#cloud-config
chpasswd:
  list: |
    root:{ROOT_PASSWORD}
  expire: True
runcmd:
- echo "Disabled by virt-install" > /etc/cloud/cloud-init.disabled
"""

OPENSTACK = {"vendor": "OpenStack Foundation", "product": "OpenStack Nova"}
CLOUDSTACK = {"vendor": "Apache Software Foundation", "product": "CloudStack KVM Hypervisor"}


def nova_server(run: Run) -> drives.Server:
    return drives.Server(
        uuid=NOVA_UUID,
        name="app-1",
        key=run.lab.public_key,
        network_data=drives.static_network(NOVA_MAC, "10.20.0", "2001:db8:20:", 40),
        admin_pass=ADMIN_PASS,
        user_data=NOVA_USER_DATA,
        vendor_data=VENDOR_DATA,
        vendor_data2=VENDOR_DATA2,
        files=(INJECTED,),
    )


def nova_hardware(seed: str, bus: str) -> Hardware:
    return Hardware(
        uuid=NOVA_UUID, serial=NOVA_UUID, macs=(NOVA_MAC,), agent_port=False, seed=seed, seed_bus=bus, **OPENSTACK
    )


def nova12(run: Run) -> None:
    server = nova_server(run)
    machine = run.machine("bookworm")
    iso = drives.write_iso(server.tree(), run.path("configdrive.iso"), drives.NOVA_FLAGS)
    vfat = drives.write_vfat(server.tree(), run.path("configdrive.img"))
    secrets = [ADMIN_PASS, *server.random_seeds()]
    request = {
        "addresses": ["10.20.0.40", "2001:db8:20::40"],
        "files": ["/srv/from-user", "/srv/from-vendor", INJECTED[0]],
        "secrets": secrets,
    }
    run.boot("iso", machine, nova_hardware(iso, "ide"), request)
    run.boot("evacuated", machine, nova_hardware(vfat, "disk"), request, search=secrets)


def nova13(run: Run) -> None:
    server = nova_server(run)
    machine = run.machine("trixie")
    vfat = drives.write_vfat(server.tree(), run.path("configdrive.img"))
    secrets = [ADMIN_PASS, *server.random_seeds()]
    request = {
        "addresses": ["10.20.0.40", "2001:db8:20::40"],
        "files": ["/srv/from-user", "/srv/from-vendor", INJECTED[0]],
        "secrets": secrets,
    }
    run.boot("vfat", machine, nova_hardware(vfat, "disk"), request, search=secrets)


def cloudstack_drive(run: Run) -> None:
    guest = drives.CloudStackMachine(CLOUDSTACK_UUID, "vm-web-1", run.lab.public_key, DEPLOYED_PASSWORD)

    def drive(name: str, now: drives.CloudStackMachine) -> str:
        return drives.write_iso(now.tree(), run.path(name), drives.CLOUDSTACK_FLAGS)

    machine = run.machine("trixie")
    hardware = Hardware(
        uuid=CLOUDSTACK_UUID, serial=CLOUDSTACK_UUID, macs=(CLOUDSTACK_MAC,), agent_port=False, empty_drive=True,
        seed=drive("deployed.iso", guest), **CLOUDSTACK,
    )  # fmt: skip
    secrets = [DEPLOYED_PASSWORD, RESET_PASSWORD]
    request = {"addresses": ["10.20.0."], "secrets": secrets}
    by_the_user = [
        ["sh", "-c", f"printf '{TYPED_PASSWORD}\\n{TYPED_PASSWORD}\\n' | passwd debian"],
        ["getent", "shadow", "debian"],
        ["sh", "-c", f"echo '{OTHER_KEY}' >> /home/debian/.ssh/authorized_keys"],
    ]
    run.boot("deployed", machine, hardware, {**request, "commands": by_the_user})
    run.boot("rebooted", machine, hardware, request)
    reset = guest._replace(password=RESET_PASSWORD, key=RESET_KEY)
    hardware = hardware._replace(seed=drive("reset.iso", reset))
    run.boot("reset", machine, hardware, request, search=secrets)


def virt_install(run: Run) -> None:
    machine = run.machine("trixie")
    files = {"meta-data": b"", "user-data": VIRT_USER_DATA.encode()}
    iso = drives.write_iso(files, run.path("cloudinit.iso"), (), label="cidata")
    hardware = Hardware(uuid=VIRT_UUID, macs=(VIRT_MAC,), agent_port=False)
    request = {"addresses": ["10.20.0."], "secrets": [ROOT_PASSWORD], "files": ["/etc/cloud/cloud-init.disabled"]}
    run.boot("installed", machine, hardware._replace(seed=iso, serial="ds=nocloud"), request)
    run.boot("afterwards", machine, hardware, request, search=[ROOT_PASSWORD])


CHAINS = [nova12, nova13, cloudstack_drive, virt_install]

iso_boot = boot_fixture("nova12", "iso")
evacuated_boot = boot_fixture("nova12", "evacuated")
vfat_boot = boot_fixture("nova13", "vfat")
deployed_boot = boot_fixture("cloudstack_drive", "deployed")
rebooted_boot = boot_fixture("cloudstack_drive", "rebooted")
reset_boot = boot_fixture("cloudstack_drive", "reset")
installed_boot = boot_fixture("virt_install", "installed")
afterwards_boot = boot_fixture("virt_install", "afterwards")


@pytest.fixture(params=["iso", "vfat"])
def nova(request: pytest.FixtureRequest) -> Boot:
    """The first boot with each of Nova's two formats."""
    found: Boot = request.getfixturevalue(request.param)
    return found


def assert_no_drive_mounted(boot: Boot) -> None:
    mounted = [line.split() for line in boot.facts["mounts"].splitlines()]
    assert [words for words in mounted if words[2] in ("iso9660", "vfat") or words[0] in ("/dev/sr0", "/dev/sr1")] == []


# --- Nova ---


def test_nova_drive_makes_a_new_machine(nova: Boot) -> None:
    """The drive wins over the metadata service that the DMI promises: nothing is left to ask the network for."""
    seen.assert_settled(nova, "new", datasource="config-drive")
    assert seen.status(nova)["instance_id"] == NOVA_UUID
    assert "/run/guestinit/network.todo" not in nova.facts["trees"]["/run/guestinit"]
    assert nova.facts["dry_run"]["code"] == 0, nova.facts["dry_run"]


def test_nova_name_and_key(nova: Boot, lab: Lab) -> None:
    assert nova.facts["hostname"] == "app-1"
    assert seen.content(nova, "/etc/hostname") == "app-1\n"
    assert nova.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"


def test_nova_network_data(nova: Boot) -> None:
    assert seen.static_addresses(nova, NOVA_MAC) == {"10.20.0.40/24", "2001:db8:20::40/64"}
    assert seen.gateways(nova) == {("10.20.0.1", NOVA_MAC), ("2001:db8:20::1", NOVA_MAC)}


def test_nova_documents(nova: Boot) -> None:
    assert seen.content(nova, "/srv/from-user") == "app-1 web\n"
    assert seen.content(nova, "/srv/from-vendor") == "vendor"
    assert nova.facts["localtime"] == "/usr/share/zoneinfo/Europe/Prague"  # vendor_data2 before vendor_data


def test_nova_injected_file(nova: Boot) -> None:
    injected = nova.facts["files"][INJECTED[0]]
    assert injected["content"] == INJECTED[1].decode()
    assert (injected["uid"], injected["gid"], injected["kind"]) == (0, 0, "file")


def test_nova_admin_pass_is_the_password_of_the_default_user(nova: Boot) -> None:
    assert seen.is_password(nova, "debian", ADMIN_PASS)
    assert not seen.is_password(nova, "debian", ADMIN_PASS + "x")


def test_nova_drive_is_not_left_mounted(nova: Boot, evacuated: Boot) -> None:
    for boot in (nova, evacuated):
        assert_no_drive_mounted(boot)


def test_nova_other_format_with_the_same_content_is_the_same_machine(iso: Boot, evacuated: Boot) -> None:
    seen.assert_settled(evacuated, "same", datasource="config-drive")
    assert seen.host_keys(evacuated) == seen.host_keys(iso)
    assert evacuated.facts["accounts"] == iso.facts["accounts"]
    assert seen.content(evacuated, "/srv/from-user") == "app-1 web\n"  # ran once
    assert seen.addresses(evacuated, NOVA_MAC) == seen.addresses(iso, NOVA_MAC)


def test_nova_secrets_are_nowhere(nova: Boot, evacuated: Boot) -> None:
    """The random_seed among them: it went to the kernel, and no file of the disk has a piece of it."""
    for boot in (nova, evacuated):
        seen.assert_secrets_nowhere(boot, [ADMIN_PASS])


# --- CloudStack ---


def test_cloudstack_drive_in_the_second_cdrom(deployed: Boot, lab: Lab) -> None:
    seen.assert_settled(deployed, "new", datasource="config-drive")
    assert seen.status(deployed)["instance_id"] == CLOUDSTACK_UUID
    assert deployed.facts["hostname"] == "vm-web-1"
    assert deployed.facts["authorized_keys"]["debian"]["keys"]["content"] == lab.public_key + "\n"
    assert seen.is_password(deployed, "debian", DEPLOYED_PASSWORD)
    assert_no_drive_mounted(deployed)


def test_cloudstack_network_data_that_says_nothing_means_a_lease(deployed: Boot) -> None:
    assert any(address.startswith("10.20.0.1") for address in seen.addresses(deployed, CLOUDSTACK_MAC))


def test_cloudstack_unchanged_file_leaves_the_typed_password(deployed: Boot, rebooted: Boot) -> None:
    """Quirk 44: the same file again is no reset."""
    assert [said["code"] for said in deployed.facts["commands"]] == [0, 0, 0], deployed.facts["commands"]
    shadow = deployed.facts["commands"][1]
    seen.assert_settled(rebooted, "same", datasource="config-drive")
    assert rebooted.facts["accounts"]["shadow"]["debian"] == shadow["out"].splitlines()
    assert seen.is_password(rebooted, "debian", TYPED_PASSWORD)


def test_cloudstack_reset_password_and_key_are_applied_to_the_same_machine(rebooted: Boot, reset: Boot) -> None:
    """Quirk 44: the instance-id never changes. A key that somebody else added stays."""
    seen.assert_settled(reset, "reconfigured", datasource="config-drive")
    assert seen.status(reset)["instance_id"] == CLOUDSTACK_UUID
    assert seen.is_password(reset, "debian", RESET_PASSWORD)
    keys = reset.facts["authorized_keys"]["debian"]["keys"]["content"].splitlines()
    assert sorted(keys) == sorted([OTHER_KEY, RESET_KEY])
    assert seen.host_keys(reset) == seen.host_keys(rebooted)
    assert seen.content(reset, "/etc/machine-id") == seen.content(rebooted, "/etc/machine-id")
    assert_no_drive_mounted(reset)


def test_cloudstack_passwords_are_nowhere(deployed: Boot, rebooted: Boot, reset: Boot) -> None:
    for boot in (deployed, rebooted, reset):
        seen.assert_secrets_nowhere(boot, [DEPLOYED_PASSWORD, RESET_PASSWORD])


# --- virt-install ---


def test_virt_install_with_empty_meta_data(installed: Boot) -> None:
    """Quirk 12: an instance-id is derived, which no other machine of this template has."""
    seen.assert_settled(installed, "new")
    assert seen.status(installed)["instance_id"] not in ("", "nocloud")
    assert seen.is_password(installed, "root", ROOT_PASSWORD)
    last_change = installed.facts["accounts"]["shadow"]["root"][0].split(":")[2]
    assert last_change == "0"  # to be changed at the next login
    assert seen.content(installed, "/etc/cloud/cloud-init.disabled") == "Disabled by virt-install\n"


def test_virt_install_stands_aside_afterwards(installed: Boot, afterwards: Boot) -> None:
    """The drive and the serial are gone, and the machine said so itself: not one process is started."""
    seen.assert_nothing_broke(afterwards)
    for unit in seen.UNITS:
        assert afterwards.facts["units"][unit]["ExecMainStartTimestampMonotonic"] == "0", unit
    assert afterwards.facts["status"]["code"] == 0
    assert afterwards.facts["journal"] == "-- No entries --\n"
    assert afterwards.facts["accounts"] == installed.facts["accounts"]
    assert seen.host_keys(afterwards) == seen.host_keys(installed)
    for path in ("/etc/machine-id", "/etc/hostname", "/etc/hosts"):
        assert seen.content(afterwards, path) == seen.content(installed, path)


def test_virt_install_password_is_nowhere(installed: Boot, afterwards: Boot) -> None:
    for boot in (installed, afterwards):
        seen.assert_secrets_nowhere(boot, [ROOT_PASSWORD])
