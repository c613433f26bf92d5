"""The life of one Proxmox VE machine with Debian 12, systemd-networkd and no qemu-guest-agent.

First boot, reboot, IP edited, ISO gone, cloned, clone rebooted: one disk all the way.
"""

from __future__ import annotations

import json

from tests.vm import seeds, seen
from tests.vm.guest import Boot, Guest, Hardware
from tests.vm.lab import Lab, Run, boot_fixture

MAC = "bc:24:11:0a:1b:2c"
CLONE_MAC = "bc:24:11:0a:1b:99"
UUID = "6a8f2c1e-0b5d-4a3e-9f10-000000000012"
CLONE_UUID = "6a8f2c1e-0b5d-4a3e-9f10-0000000000c1"
PASSWORD = "correct-horse-12"
TYPED_PASSWORD = "typed-by-its-user-12"
SECOND_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0nWcFZl3c0Cgq1ZrTq6w2tWyb0kq3oJ7bq3b1f0N1x second key"
SCRIPT_SECRET = "token-in-a-command-12"

# What an administrator's snippet adds to Proxmox VE's own text.
SNIPPET = f"""\
timezone: Europe/Berlin
packages:
  - gi-probe
bootcmd:
  - echo boot >> /var/lib/vmtest-boots
write_files:
  - path: /srv/app/plain.conf
    content: |
      key = value
    permissions: '0640'
    owner: root:adm
  - path: /srv/app/encoded
    encoding: b64
    content: AAECAwQ=
  - path: /srv/app/owned-by-admin
    content: mine
    owner: admin:admin
    permissions: '0600'
    defer: true
  - path: /etc/motd
    content: |
      appended line
    append: true
runcmd:
  - [sh, -c, 'echo list >> /var/lib/vmtest-runs']
  - echo string {SCRIPT_SECRET} | cut -d ' ' -f 1 >> /var/lib/vmtest-runs
  - dpkg-query -W -f '${{Version}}' gi-probe > /var/lib/vmtest-package
"""
FILES = [
    "/srv/app/plain.conf", "/srv/app/encoded", "/srv/app/owned-by-admin", "/etc/motd", "/var/lib/vmtest-runs",
    "/var/lib/vmtest-boots", "/var/lib/vmtest-package", "/usr/share/gi-probe/version",
]  # fmt: skip


def debian12(run: Run) -> None:
    lab = run.lab
    password_hash = seeds.crypt_sha256(PASSWORD)
    secrets = [PASSWORD, password_hash, SCRIPT_SECRET]
    machine = run.machine("bookworm")
    seed = seeds.ProxmoxSeed(
        name="web01",
        nics=(seeds.Nic(MAC, "10.20.0.40/24", "10.20.0.1", "2001:db8:20::40/64", "2001:db8:20::1"),),
        user="admin",
        password=password_hash,
        sshkeys=(lab.public_key, SECOND_KEY),
        nameservers=("10.20.0.3",),
        searchdomain="example.test",
        extra=SNIPPET,
    )
    iso = seeds.write_iso(seed.files(), run.path("first.iso"))
    hardware = Hardware(uuid=UUID, seed=iso, macs=(MAC,), private_port=True, repository=lab.repository)
    request = {"files": FILES, "secrets": secrets, "addresses": ["10.20.0.40", "2001:db8:20::40"]}

    def log_in(guest: Guest) -> None:
        guest.noted["login"] = guest.ssh("admin", lab.key, "id -un; sudo -n id -un; hostname -f")
        guest.noted["offered"] = guest.offered_host_keys()
        # The user sets a password of their own: no later edit of the seed's address may undo it.
        guest.ssh("admin", lab.key, f"echo admin:{TYPED_PASSWORD} | sudo -n chpasswd")
        guest.noted["shadow"] = guest.ssh("admin", lab.key, "sudo -n grep ^admin: /etc/shadow").stdout
        guest.press_power_button()

    run.boot("first", machine, hardware, {**request, "verify": True}, while_up=log_in)
    run.boot("reboot", machine, hardware, request)

    edited = seed._replace(
        nics=(seeds.Nic(MAC, "10.20.0.41/24", "10.20.0.1", "2001:db8:20::41/64", "2001:db8:20::1"),),
        nameservers=("10.20.0.3", "10.20.0.4"),
    )
    hardware = hardware._replace(seed=seeds.write_iso(edited.files(), run.path("edited.iso")), address="10.20.0.41")
    request = {**request, "addresses": ["10.20.0.41", "2001:db8:20::41"]}
    run.boot("edited", machine, hardware, request)
    run.boot("gone", machine, hardware._replace(seed=None), request)

    clone = machine.clone(run.path("clone"))
    cloned = seed._replace(name="web02", nics=(seeds.Nic(CLONE_MAC, "10.20.0.42/24", "10.20.0.1"),))
    hardware = hardware._replace(
        seed=seeds.write_iso(cloned.files(), run.path("clone.iso")), uuid=CLONE_UUID, macs=(CLONE_MAC,)
    )
    request = {**request, "addresses": ["10.20.0.42"]}
    run.boot("clone", clone, hardware, request)
    run.boot("clone_reboot", clone, hardware, request)


CHAINS = [debian12]


first_boot = boot_fixture("debian12", "first")
reboot_boot = boot_fixture("debian12", "reboot")
edited_boot = boot_fixture("debian12", "edited")
gone_boot = boot_fixture("debian12", "gone")
clone_boot = boot_fixture("debian12", "clone")
clone_reboot_boot = boot_fixture("debian12", "clone_reboot")


# --- first boot ---


def test_first_boot_is_new_and_done(first: Boot) -> None:
    seen.assert_settled(first, "new")
    assert first.facts["kernel"].startswith("6.1.")


def test_second_look_finds_nothing_to_change(first: Boot) -> None:
    assert first.facts["dry_run"]["code"] == 0, first.facts["dry_run"]
    assert " 0 to change" in first.facts["dry_run"]["out"] or "nothing to change" in first.facts["dry_run"]["out"]


def test_units_verify(first: Boot) -> None:
    assert first.facts["verify"]["code"] == 0, first.facts["verify"]
    assert first.facts["verify"]["err"] == ""


def test_name(first: Boot) -> None:
    assert first.facts["hostname"] == "web01"
    assert seen.content(first, "/etc/hostname") == "web01\n"
    assert first.facts["fqdn"]["out"] == "web01.example.test\n"
    assert "web01.example.test web01" in " ".join(seen.content(first, "/etc/hosts").split())


def test_default_user_is_renamed(first: Boot) -> None:
    admin = seen.account(first, "admin")
    assert admin is not None
    assert (admin.home, admin.shell) == ("/home/admin", "/bin/bash")
    assert "sudo" in seen.groups(first, "admin")
    assert seen.account(first, "debian") is None
    sudoers = seen.content(first, "/etc/sudoers.d/90-guestinit")
    assert "admin ALL=(ALL) NOPASSWD:ALL" in sudoers
    assert seen.mode(first, "/etc/sudoers.d/90-guestinit") == "0440"


def test_password_hash_is_in_shadow_as_given(first: Boot) -> None:
    assert seen.shadow(first, "admin") == seeds.crypt_sha256(PASSWORD)
    assert seen.shadow(first, "root").startswith(("!", "*"))
    fields = first.facts["accounts"]["shadow"]["admin"][0].split(":")
    assert fields[2] not in ("", "0"), "expire: False, yet the password must be changed at once"


def test_authorized_keys(first: Boot, lab: Lab) -> None:
    ssh = first.facts["authorized_keys"]["admin"]
    admin = seen.account(first, "admin")
    assert admin is not None
    assert ssh["keys"]["content"].splitlines() == [lab.public_key, SECOND_KEY]
    for part, mode in (("ssh", "0700"), ("keys", "0600")):
        assert (ssh[part]["mode"], ssh[part]["uid"], ssh[part]["gid"]) == (mode, admin.uid, admin.gid)
    assert ssh["home"]["uid"] == admin.uid


def test_login_with_the_key_and_sudo(first: Boot) -> None:
    login = first.noted["login"]
    assert login.returncode == 0, login.stderr
    assert login.stdout.splitlines() == ["admin", "root", "web01.example.test"]


def test_host_keys_are_the_machines_own(first: Boot) -> None:
    keys = seen.host_keys(first)
    assert {"ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub", "ssh_host_rsa_key.pub"} <= set(keys)
    for name, facts in first.facts["host_keys"].items():
        assert facts["mode"] == ("0644" if name.endswith(".pub") else "0600")
    assert first.noted["offered"] == {tuple(key.split()[:2]) for key in keys.values()}, (
        "sshd offers other keys than those on disk"
    )


def test_address_routes_and_dns_in_the_kernel(first: Boot) -> None:
    assert seen.static_addresses(first, MAC) == {"10.20.0.40/24", "2001:db8:20::40/64"}
    assert seen.link(first, MAC)["ifname"] == "eth0"
    assert {("10.20.0.1", MAC), ("2001:db8:20::1", MAC)} <= seen.gateways(first)
    assert "10.20.0.3" in first.facts["resolvectl"]["out"]
    assert "example.test" in first.facts["resolvectl"]["out"]
    networks = [path for path in first.facts["files"] if path.startswith("/etc/systemd/network/10-guestinit-")]
    assert len(networks) == 1
    assert "10.20.0.100" not in str(seen.addresses(first, MAC)), "the template's lease is still asked for"


def test_files(first: Boot) -> None:
    facts = first.facts["files"]
    assert facts["/srv/app/plain.conf"]["content"] == "key = value\n"
    assert facts["/srv/app/plain.conf"]["mode"] == "0640"
    assert facts["/srv/app/plain.conf"]["gid"] == 4  # adm
    assert facts["/srv/app/encoded"]["content"] == "\x00\x01\x02\x03\x04"
    admin = seen.account(first, "admin")
    assert admin is not None
    assert facts["/srv/app/owned-by-admin"]["content"] == "mine"
    assert (facts["/srv/app/owned-by-admin"]["uid"], facts["/srv/app/owned-by-admin"]["gid"]) == (admin.uid, admin.gid)
    assert facts["/srv/app/owned-by-admin"]["mode"] == "0600"
    assert facts["/etc/motd"]["content"].endswith("appended line\n")
    assert facts["/etc/motd"]["content"].count("appended line") == 1


def test_commands_ran_once_in_order(first: Boot) -> None:
    assert seen.content(first, "/var/lib/vmtest-runs") == "list\nstring\n"
    assert seen.content(first, "/var/lib/vmtest-boots") == "boot\n"


def test_package_came_before_the_commands(first: Boot) -> None:
    assert seen.content(first, "/usr/share/gi-probe/version") == "1.0\n"
    assert seen.content(first, "/var/lib/vmtest-package") == "1.0"


def test_time_zone(first: Boot) -> None:
    assert first.facts["localtime"] == "/usr/share/zoneinfo/Europe/Berlin"


def test_root_has_grown(first: Boot) -> None:
    disk = next(each for each in first.facts["lsblk"]["blockdevices"] if each["name"] == "vda")
    assert int(disk["children"][0]["size"]) > 0.98 * int(disk["size"])
    assert first.facts["root_bytes"] > 0.9 * int(disk["size"])


def test_event_line_on_the_agent_channel(first: Boot) -> None:
    lines = first.agent.split(b"\n")
    assert len(lines) == 2 and lines[1] == b"", first.agent
    assert len(lines[0]) <= 4096
    assert first.agent.isascii()
    event = json.loads(lines[0])
    assert set(event) == {"event", "data", "timestamp"}
    assert event["event"] == "GUESTINIT_REPORT"
    assert set(event["timestamp"]) == {"seconds", "microseconds"}
    assert event["data"]["result"] == "done"


def test_private_port_has_json_lines_up_to_the_end_mark(first: Boot) -> None:
    lines = [json.loads(line) for line in first.private.splitlines()]
    assert lines[-1] == {}
    assert any(line.get("result") == "done" for line in lines)


def test_no_secret_is_said_anywhere(first: Boot) -> None:
    seen.assert_secrets_nowhere(first, [PASSWORD, seeds.crypt_sha256(PASSWORD), SCRIPT_SECRET])


# --- reboot ---


def test_reboot_is_the_same_machine_and_nothing_runs(first: Boot, reboot: Boot) -> None:
    seen.assert_settled(reboot, "same")
    assert seen.host_keys(reboot) == seen.host_keys(first)
    assert seen.content(reboot, "/var/lib/vmtest-runs") == "list\nstring\n"
    assert seen.content(reboot, "/var/lib/vmtest-boots") == "boot\nboot\n"  # bootcmd is for every boot
    assert seen.content(reboot, "/etc/machine-id") == seen.content(first, "/etc/machine-id")
    assert seen.addresses(reboot, MAC) >= {"10.20.0.40/24"}
    untouched = ["/etc/hostname", "/etc/passwd", "/etc/group", "/srv/app/plain.conf", "/etc/motd", "/etc/hosts"]
    untouched += [path for path in first.facts["files"] if "guestinit" in path and path.startswith("/etc/")]
    for path in untouched:
        assert reboot.facts["files"][path] == first.facts["files"][path], f"{path} was written again"


def test_typed_password_survives_every_boot_of_this_machine(
    first: Boot, reboot: Boot, edited: Boot, gone: Boot
) -> None:
    typed = first.noted["shadow"].split(":")[1]
    assert typed and typed != seeds.crypt_sha256(PASSWORD)
    assert [seen.shadow(boot, "admin") for boot in (reboot, edited, gone)] == [typed] * 3


# --- address edited: to Proxmox VE's instance-id a new instance ---


def test_edited_address_reconfigures(first: Boot, edited: Boot) -> None:
    seen.assert_settled(edited, "reconfigured")
    assert seen.static_addresses(edited, MAC) == {"10.20.0.41/24", "2001:db8:20::41/64"}
    assert "10.20.0.4" in edited.facts["resolvectl"]["out"].split()
    assert seen.host_keys(edited) == seen.host_keys(first)
    assert seen.content(edited, "/etc/machine-id") == seen.content(first, "/etc/machine-id")
    assert seen.content(edited, "/var/lib/vmtest-runs") == "list\nstring\n"
    assert seen.content(edited, "/etc/motd").count("appended line") == 1
    assert (
        edited.facts["authorized_keys"]["admin"]["keys"]["content"]
        == (first.facts["authorized_keys"]["admin"]["keys"]["content"])
    )


# --- ISO gone ---


def test_gone_seed_changes_nothing(edited: Boot, gone: Boot) -> None:
    seen.assert_nothing_broke(gone)
    assert seen.status(gone)["identity"]["kind"] == "no seed"
    assert gone.facts["status"]["code"] == 0
    assert seen.addresses(gone, MAC) == seen.addresses(edited, MAC)
    assert seen.host_keys(gone) == seen.host_keys(edited)
    assert gone.facts["accounts"] == edited.facts["accounts"]
    assert seen.content(gone, "/var/lib/vmtest-runs") == "list\nstring\n"


# --- cloned ---


def test_clone_is_a_new_machine(gone: Boot, clone: Boot) -> None:
    seen.assert_settled(clone, "new")
    assert clone.facts["hostname"] == "web02"
    assert seen.static_addresses(clone, CLONE_MAC) == {"10.20.0.42/24"}
    old, new = seen.host_keys(gone), seen.host_keys(clone)
    assert set(new) == set(old)
    assert not set(new.values()) & set(old.values()), "an inherited host key was kept"
    assert seen.content(clone, "/etc/machine-id") != seen.content(gone, "/etc/machine-id")
    assert seen.content(clone, "/var/lib/vmtest-runs") == "list\nstring\n" * 2
    assert seen.shadow(clone, "admin") == seeds.crypt_sha256(PASSWORD)
    stale = [path for path, facts in clone.facts["files"].items() if facts and MAC in (facts.get("content") or "")]
    assert stale == [], "the network card of the template is still configured"


def test_clone_rebooted_is_the_same(clone: Boot, clone_reboot: Boot) -> None:
    seen.assert_settled(clone_reboot, "same")
    assert seen.content(clone_reboot, "/etc/machine-id") == seen.content(clone, "/etc/machine-id")
    assert seen.host_keys(clone_reboot) == seen.host_keys(clone)
    assert seen.content(clone_reboot, "/var/lib/vmtest-runs") == "list\nstring\n" * 2
