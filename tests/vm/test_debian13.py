"""A Proxmox VE machine with Debian 13, NetworkManager, qemu-guest-agent and a separate /home.

Proxmox VE's own text and nothing else at first (Rock Ridge only, two network cards); then the same machine with a
hand-written seed on a vfat disk: many users, a locale, a command that fails.
"""

from __future__ import annotations

import subprocess

from tests.vm import seeds, seen
from tests.vm.guest import Boot, Guest, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

MAC = "bc:24:11:0a:13:00"
MAC1 = "bc:24:11:0a:13:01"
UUID = "6a8f2c1e-0b5d-4a3e-9f10-000000000013"
PASSWORD = "correct-horse-13"
BOB_PASSWORD = "clear-text-for-bob-13"
CAROL_PASSWORD = "listed-for-carol-13"
HOME_ON_ROOT = ["sh", "-c", "mkdir /run/bare && mount --bind / /run/bare && ls -A /run/bare/home"]

HAND_WRITTEN = """\
#cloud-config
hostname: {name}
fqdn: {name}.lab.test
users:
  - default
  - name: alice
    gecos: Alice Adams
    groups: [adm, operators]
    sudo: ALL=(ALL) NOPASSWD:ALL
    shell: /bin/sh
    uid: '1777'
    lock_passwd: false
    hashed_passwd: {alice}
    ssh_authorized_keys:
      - {key}
  - name: bob
    plain_text_passwd: {bob}
    lock_passwd: false
  - name: carol
    homedir: /home/carols
  - name: spool
    system: true
    no_create_home: true
groups:
  - operators
  - empty-group: [carol]
chpasswd:
  expire: false
  users:
    - {{name: carol, password: {carol}, type: text}}
ssh_pwauth: true
timezone: America/Sao_Paulo
locale: de_DE.UTF-8
hostnam: typo
runcmd:
  - [sh, -c, 'echo before >> /var/lib/vmtest-runs']
  - [sh, -c, 'echo failing >> /var/lib/vmtest-runs; exit 7']
  - [sh, -c, 'echo after >> /var/lib/vmtest-runs']
"""
NETWORK = f"""\
version: 1
config:
  - type: physical
    name: eth0
    mac_address: '{MAC}'
    subnets:
      - type: static
        address: 10.20.0.53/32
        gateway: 10.20.0.1
  - type: nameserver
    address: [10.20.0.3]
    search: [lab.test]
"""


def debian13(run: Run) -> None:
    lab = run.lab
    home = run.path("home.img")
    with open(home, "wb") as disk:
        disk.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-L", "home", home], check=True)
    password_hash = seeds.crypt_sha256(PASSWORD)
    machine = run.machine("trixie")
    seed = seeds.ProxmoxSeed(
        name="db01.example.test",
        nics=(seeds.Nic(MAC, "10.20.0.50/24", "10.20.0.1"), seeds.Nic(MAC1, "dhcp", None, "auto")),
        user="admin",
        password=password_hash,
        sshkeys=(lab.public_key,),
        nameservers=("10.20.0.3",),
        searchdomain="example.test",
    )
    hardware = Hardware(
        uuid=UUID,
        seed=seeds.write_iso(seed.files(), run.path("first.iso"), joliet=False),
        macs=(MAC, MAC1),
        address="10.20.0.50",
        repository=lab.repository,
        disks=(home,),
        kernel_args="systemd.mount-extra=LABEL=home:/home:ext4",
    )
    request = {
        "addresses": ["10.20.0.50", "10.21.0.", "2001:db8:21:"],
        "secrets": [PASSWORD, password_hash],
        "files": ["/var/lib/vmtest-runs"],
        "commands": [HOME_ON_ROOT],
    }

    def ask_agent_and_log_in(guest: Guest) -> None:
        guest.noted["ping"] = guest.agent_command("guest-ping")
        guest.noted["login"] = guest.ssh("admin", lab.key, "id -un; sudo -n id -un")
        guest.press_power_button()

    run.boot("first", machine, hardware, {**request, "verify": True}, while_up=ask_agent_and_log_in)
    run.boot("reboot", machine, hardware, request)

    alice = seeds.crypt_sha256("alice-13", salt="alicesalt")
    text = HAND_WRITTEN.format(name="db02", alice=alice, key=lab.public_key, bob=BOB_PASSWORD, carol=CAROL_PASSWORD)
    files = {
        "meta-data": b"instance-id: by-hand-1\n",
        "user-data": text.encode(),
        "network-config": NETWORK.encode(),
    }
    vfat = seeds.write_vfat(files, run.path("hand.img"))
    hardware = hardware._replace(seed=vfat, seed_bus="disk", address="10.20.0.53")
    secrets = [alice, BOB_PASSWORD, CAROL_PASSWORD]
    request = {**request, "addresses": ["10.20.0.53"], "secrets": secrets}
    run.boot("by_hand", machine, hardware, request)
    run.boot("by_hand_again", machine, hardware, request)


CHAINS = [debian13]

first_boot = boot_fixture("debian13", "first")
reboot_boot = boot_fixture("debian13", "reboot")
by_hand_boot = boot_fixture("debian13", "by_hand")
by_hand_again_boot = boot_fixture("debian13", "by_hand_again")


# --- Proxmox VE's own text ---


def test_first_boot_is_new_and_done(first: Boot) -> None:
    seen.assert_settled(first, "new")
    assert first.facts["kernel"].startswith("6.12.")
    assert first.facts["dry_run"]["code"] == 0, first.facts["dry_run"]


def test_units_verify(first: Boot) -> None:
    assert first.facts["verify"]["code"] == 0, first.facts["verify"]
    assert first.facts["verify"]["err"] == ""


def test_name(first: Boot) -> None:
    assert first.facts["hostname"] == "db01"
    assert seen.content(first, "/etc/hostname") == "db01\n"
    assert first.facts["fqdn"]["out"] == "db01.example.test\n"


def test_user_password_keys_and_login(first: Boot, lab: Lab) -> None:
    admin = seen.account(first, "admin")
    assert admin is not None
    assert (admin.home, admin.shell) == ("/home/admin", "/bin/bash")
    assert "sudo" in seen.groups(first, "admin")
    assert seen.shadow(first, "admin") == seeds.crypt_sha256(PASSWORD)
    ssh = first.facts["authorized_keys"]["admin"]
    assert ssh["keys"]["content"].splitlines() == [lab.public_key]
    assert (ssh["ssh"]["mode"], ssh["keys"]["mode"]) == ("0700", "0600")
    login = first.noted["login"]
    assert login.returncode == 0, login.stderr
    assert login.stdout.splitlines() == ["admin", "root"]


def test_home_is_made_on_the_separate_volume(first: Boot) -> None:
    assert " /home ext4 " in first.facts["mounts"]
    assert first.facts["authorized_keys"]["admin"]["home"] is not None
    shadowed = first.facts["commands"][0]
    assert shadowed["code"] == 0, shadowed
    assert shadowed["out"] == "", "a home was written below the mount point"


def test_network_manager_has_the_addresses(first: Boot) -> None:
    assert seen.static_addresses(first, MAC) == {"10.20.0.50/24"}
    second = seen.addresses(first, MAC1)
    assert any(address.startswith("10.21.0.") for address in second), second
    assert any(address.startswith("2001:db8:21:") for address in second), second
    assert ("10.20.0.1", MAC) in seen.gateways(first)
    resolv = seen.content(first, "/etc/resolv.conf")
    assert "nameserver 10.20.0.3" in resolv
    assert "example.test" in resolv
    assert [seen.link(first, mac)["ifname"] for mac in (MAC, MAC1)] == ["eth0", "eth1"]


def test_keyfiles_are_private_and_in_charge(first: Boot) -> None:
    top = "/etc/NetworkManager/system-connections/"
    keyfiles = [path for path in first.facts["files"] if path.startswith(top + "guestinit-")]
    assert len(keyfiles) == 2
    for path in keyfiles:
        assert path.endswith(".nmconnection")
        assert (seen.mode(first, path), first.facts["files"][path]["uid"]) == ("0600", 0)
    active = first.facts["nmcli"]["out"]
    assert "Wired connection" not in active, f"NetworkManager's own default profile is active:\n{active}"


def test_host_keys_and_root(first: Boot) -> None:
    names = {"ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub", "ssh_host_rsa_key.pub"}
    assert names <= set(seen.host_keys(first))
    disk = next(each for each in first.facts["lsblk"]["blockdevices"] if each["name"] == "vda")
    assert first.facts["root_bytes"] > 0.9 * int(disk["size"])


def test_guest_agent_has_its_channel_to_itself(first: Boot, reboot: Boot) -> None:
    assert first.noted["ping"] == {"return": {}}
    assert b"GUESTINIT_REPORT" not in first.agent + reboot.agent


def test_no_secret_is_said_anywhere(first: Boot) -> None:
    seen.assert_secrets_nowhere(first, [PASSWORD, seeds.crypt_sha256(PASSWORD)])


def test_reboot_is_the_same_machine(first: Boot, reboot: Boot) -> None:
    seen.assert_settled(reboot, "same")
    assert seen.host_keys(reboot) == seen.host_keys(first)
    assert reboot.facts["accounts"] == first.facts["accounts"]
    assert seen.addresses(reboot, MAC) == seen.addresses(first, MAC)
    for path, facts in first.facts["files"].items():
        if path.startswith("/etc/") and "guestinit" in path:
            assert reboot.facts["files"][path] == facts, f"{path} was written again"


# --- a hand-written seed for the same machine ---


def test_hand_written_seed_is_degraded_by_its_failing_command(by_hand: Boot) -> None:
    seen.assert_settled(by_hand, "reconfigured", "degraded")
    assert seen.content(by_hand, "/var/lib/vmtest-runs") == "before\nfailing\nafter\n"
    failed = [action for action in seen.status(by_hand)["actions"] if action["result"] == "failed"]
    assert [(action["module"], action["code"]) for action in failed] == [("runcmd", 7)]
    assert "runcmd" in by_hand.facts["status"]["out"]


def test_unknown_key_is_named_with_its_line_and_the_nearest_one(by_hand: Boot) -> None:
    line = HAND_WRITTEN.splitlines().index("hostnam: typo") + 1
    said = by_hand.facts["journal"] + str(seen.status(by_hand))
    assert f"user-data:{line}:1" in said, seen.explain(by_hand)
    assert "hostnam" in said and "hostname" in said


def test_users(by_hand: Boot, lab: Lab) -> None:
    alice, bob, carol, spool = (seen.account(by_hand, name) for name in ("alice", "bob", "carol", "spool"))
    assert alice is not None and bob is not None and carol is not None and spool is not None
    assert (alice.uid, alice.gecos, alice.shell) == (1777, "Alice Adams", "/bin/sh")
    assert {"adm", "operators"} <= seen.groups(by_hand, "alice")
    assert seen.shadow(by_hand, "alice") == seeds.crypt_sha256("alice-13", salt="alicesalt")
    assert by_hand.facts["authorized_keys"]["alice"]["keys"]["content"].strip() == lab.public_key
    assert seen.shadow(by_hand, "bob").startswith("$y$"), "not hashed by the distribution's own policy"
    assert carol.home == "/home/carols"
    assert seen.shadow(by_hand, "carol").startswith("$y$")
    assert spool.uid < 1000
    assert seen.groups(by_hand, "carol") >= {"empty-group"}
    assert "alice ALL=(ALL) NOPASSWD:ALL" in seen.content(by_hand, "/etc/sudoers.d/90-guestinit")


def test_locale_time_zone_and_sshd(by_hand: Boot) -> None:
    assert "LANG=de_DE.UTF-8" in (seen.content(by_hand, "/etc/default/locale")).replace('"', "")
    assert "de_DE.utf8" in by_hand.facts["locales"]
    assert by_hand.facts["localtime"] == "/usr/share/zoneinfo/America/Sao_Paulo"
    assert "passwordauthentication yes" in by_hand.facts["sshd_config"]["out"]


def test_off_link_gateway(by_hand: Boot) -> None:
    assert seen.static_addresses(by_hand, MAC) == {"10.20.0.53/32"}
    assert ("10.20.0.1", MAC) in seen.gateways(by_hand)
    assert "nameserver 10.20.0.3" in seen.content(by_hand, "/etc/resolv.conf")


def test_editing_never_touches_host_keys(first: Boot, by_hand: Boot, by_hand_again: Boot) -> None:
    assert seen.host_keys(by_hand) == seen.host_keys(first) == seen.host_keys(by_hand_again)


def test_no_secret_of_the_hand_written_seed_is_said(by_hand: Boot) -> None:
    alice = seeds.crypt_sha256("alice-13", salt="alicesalt")
    seen.assert_secrets_nowhere(by_hand, [alice, BOB_PASSWORD, CAROL_PASSWORD])


def test_failed_command_is_not_run_again(by_hand: Boot, by_hand_again: Boot) -> None:
    seen.assert_nothing_broke(by_hand_again)
    assert seen.status(by_hand_again)["identity"]["kind"] == "same"
    assert seen.content(by_hand_again, "/var/lib/vmtest-runs") == "before\nfailing\nafter\n"
    assert by_hand_again.facts["accounts"] == by_hand.facts["accounts"]
