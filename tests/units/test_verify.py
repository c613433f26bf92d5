"""The units as systemd reads them: nothing to complain about, no ordering circle in the boots of the distributions.

systemd-analyze loads units from a directory of this test and computes the boot transaction; nothing is started. The
other units are this machine's systemd and stand-ins that carry only the ordering of what a distribution adds to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "units"
OURS = sorted(path.name for path in UNITS.iterdir())
SYSTEMD = Path("/usr/lib/systemd/system")

# In CI it is there, or these tests fail.
pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and (shutil.which("systemd-analyze") is None or not SYSTEMD.is_dir()),
    reason="systemd-analyze and systemd's own units are needed",
)

SERVICE = "\n[Service]\nExecStart=/usr/bin/stand-in\n"

# Ordering of what the distributions add to systemd's own units.
SSHD = "[Unit]\nAfter=network.target nss-user-lookup.target\n" + SERVICE
SSH_SOCKET = "[Unit]\nBefore=sockets.target ssh.service\n[Socket]\nListenStream=22\n"
NETWORK_MANAGER = (
    "[Unit]\nWants=network.target\nAfter=network-pre.target dbus.service\nBefore=network.target\n" + SERVICE
)
NM_ONLINE = (
    "[Unit]\nRequires=NetworkManager.service\nAfter=NetworkManager.service\nBefore=network-online.target\n" + SERVICE
)
IFUPDOWN = (
    "[Unit]\nDefaultDependencies=no\nWants=network.target ifupdown-pre.service\n"
    "After=local-fs.target network-pre.target apparmor.service systemd-sysctl.service systemd-modules-load.service\n"
    "After=ifupdown-pre.service\n"
    "Before=network.target shutdown.target network-online.target\nConflicts=shutdown.target\n" + SERVICE
)
IFUPDOWN_PRE = (
    "[Unit]\nDefaultDependencies=no\nWants=systemd-udevd.service\nAfter=systemd-udev-trigger.service\n"
    "Before=network.target\n" + SERVICE
)
IFUP = (  # started by udev when it sees the interface, which may be before our file is there
    "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target network-pre.target\n"
    "Before=network.target network-online.target\n" + SERVICE
)
FIREWALL = (
    "[Unit]\nDefaultDependencies=no\nWants=network-pre.target\nAfter=local-fs.target\n"
    "Before=network-pre.target shutdown.target\nConflicts=shutdown.target\n" + SERVICE
)
RESOLVED = (  # since systemd 256 resolved comes before sysinit.target
    "[Unit]\nDefaultDependencies=no\nAfter=systemd-sysctl.service systemd-sysusers.service\n"
    "Before=sysinit.target network.target nss-lookup.target shutdown.target\nConflicts=shutdown.target\n" + SERVICE
)
KEYGEN = "[Unit]\nBefore=sshd-keygen.target\n" + SERVICE
FEDORA_SSHD = "[Unit]\nAfter=network.target sshd-keygen.target\nWants=sshd-keygen.target\n" + SERVICE
ISCSI = (
    "[Unit]\nDefaultDependencies=no\nWants=network-online.target remote-fs-pre.target\n"
    "After=network.target network-online.target\nBefore=remote-fs-pre.target\n" + SERVICE
)
NFS_HOME = (
    "[Unit]\nAfter=network-online.target\nWants=network-online.target\n"
    "[Mount]\nWhat=192.0.2.1:/home\nWhere=/home\nType=nfs\n"
)
WAITING_FOR_ALL = "[Unit]\nRequires=guestinit.target\nAfter=guestinit.target\n" + SERVICE

BOOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "debian12-networkd": {
        "multi-user": ("systemd-networkd.service", "systemd-resolved.service", "ssh.service", "nftables.service"),
        "network-online": ("systemd-networkd-wait-online.service",),
    },
    "debian12-ifupdown": {
        "multi-user": ("networking.service", "ifup@eth0.service", "ssh.service"),
        "remote-fs": ("home.mount", "iscsi.service"),
    },
    "debian13-networkmanager": {
        "multi-user": ("NetworkManager.service",),
        "sockets": ("ssh.socket",),
        "network-online": ("NetworkManager-wait-online.service",),
    },
    "fedora": {
        "multi-user": ("NetworkManager.service", "sshd.service"),
        "sysinit": ("systemd-resolved.service",),
        "sshd-keygen": ("sshd-keygen@ed25519.service",),
        "network-online": ("NetworkManager-wait-online.service",),
        "guestinit": ("waiting-for-all.service",),
    },
}
STAND_INS = {
    "ssh.service": SSHD,
    "ssh.socket": SSH_SOCKET,
    "sshd.service": FEDORA_SSHD,
    "sshd-keygen.target": "[Unit]\nDescription=Host keys\n",
    "sshd-keygen@.service": KEYGEN,
    "NetworkManager.service": NETWORK_MANAGER,
    "NetworkManager-wait-online.service": NM_ONLINE,
    "networking.service": IFUPDOWN,
    "ifupdown-pre.service": IFUPDOWN_PRE,
    "ifup@.service": IFUP,
    "nftables.service": FIREWALL,
    "systemd-resolved.service": RESOLVED,
    "iscsi.service": ISCSI,
    "home.mount": NFS_HOME,
    "waiting-for-all.service": WAITING_FOR_ALL,
}


def make_root(root: Path, wanted: Mapping[str, tuple[str, ...]]) -> Path:
    """A root with systemd's units, ours and the stand-ins; `wanted` says which targets want which units."""
    units = root / "usr/lib/systemd/system"
    shutil.copytree(SYSTEMD, units, symlinks=True)
    for name, text in STAND_INS.items():
        (units / name).unlink(missing_ok=True)
        (units / name).write_text(text)
    for path in UNITS.iterdir():
        shutil.copy(path, units)
    for target, names in {**wanted, "multi-user": (*wanted.get("multi-user", ()), "guestinit.target")}.items():
        wants = root / f"etc/systemd/system/{target}.target.wants"
        wants.mkdir(parents=True)
        for name in names:
            template = name.split("@")[0] + "@.service" if "@" in name else name
            (wants / name).symlink_to(f"/usr/lib/systemd/system/{template}")
    for directory in ("bin", "sbin", "lib"):
        (root / "usr" / directory).mkdir(exist_ok=True)
        (root / directory).symlink_to(f"usr/{directory}")
    for program in ("usr/bin/stand-in", "usr/lib/guestinit/guestinit"):
        (root / program).parent.mkdir(exist_ok=True)
        (root / program).write_text("#!/bin/sh\n")
        (root / program).chmod(0o755)
    return root


def verify(root: Path, *units: str) -> list[str]:
    """What systemd-analyze says about our units and the order of the boot; complaints about others are not ours."""
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", *units],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    lines = result.stdout.splitlines()
    said = [line for line in lines if "guestinit" in line or "ordering cycle" in line]
    assert result.returncode == 0 or lines, "systemd-analyze failed without a word"
    return said


@pytest.mark.parametrize("boot", BOOTS)
def test_no_circle_in_the_boot_of(boot: str, tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", BOOTS[boot])
    assert verify(root, "multi-user.target") == []


@pytest.mark.parametrize("boot", BOOTS)
def test_no_circle_where_the_machine_waits_for_its_own_network_in_the_boot_of(boot: str, tmp_path: Path) -> None:
    """guestinit-online.service, which the network stage queues into the boot that is on its way."""
    wanted = BOOTS[boot]
    late = {**wanted, "multi-user": (*wanted.get("multi-user", ()), "guestinit-online.service")}
    root = make_root(tmp_path / "root", late)
    assert verify(root, "multi-user.target") == []


def test_every_unit_is_clean(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {})
    named = [name.replace("@.", "@guestinit-local.service.") for name in OURS]
    assert verify(root, *named) == []


def test_a_circle_and_a_typo_would_be_seen(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", BOOTS["debian12-networkd"])
    drop_in = root / "etc/systemd/system/guestinit-local.service.d/wrong.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Unit]\nAfter=network.target\nAftre=x\n")
    said = "\n".join(verify(root, "multi-user.target"))
    assert "Found ordering cycle" in said
    assert "Unknown key" in said


def settings(unit: str) -> dict[str, list[str]]:
    """All values of a unit file by key, in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / unit).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("unit", [name for name in OURS if name.endswith(".service")])
def test_every_service_ends_some_day(unit: str) -> None:
    service = settings(unit)
    assert service["Type"] == ["oneshot"]
    assert len(service["TimeoutStartSec"]) == 1 and service["TimeoutStartSec"] != ["infinity"]
    assert "Restart" not in service


def test_nothing_restarts_a_running_stage() -> None:
    for stage in ("local", "network", "online", "late", "final"):
        unit = settings(f"guestinit-{stage}.service")
        assert unit["RefuseManualStop"] == ["yes"]
        assert unit["KillMode"] == ["process"]  # what a user's command started goes on


def words(unit: str, key: str) -> set[str]:
    return {word for value in settings(unit).get(key, []) for word in value.split()}


def test_the_local_stage_is_where_the_design_puts_it() -> None:
    local = "guestinit-local.service"
    assert settings(local)["DefaultDependencies"] == ["no"]
    udev = {"systemd-udevd.service", "systemd-udev-trigger.service"}
    assert words(local, "After") == {
        "local-fs.target",
        "systemd-sysusers.service",
        "systemd-tmpfiles-setup.service",
        *udev,
    }
    before = words(local, "Before")
    assert {"network-pre.target", "systemd-user-sessions.service", "shutdown.target"} <= before
    assert {"ssh.service", "sshd.service", "ssh.socket", "sshd.socket", "sshd-keygen.target"} <= before
    assert "sysinit.target" not in before
    assert {"shutdown.target"} == words(local, "Conflicts")


def test_the_network_stage_is_the_local_one_later() -> None:
    """With a metadata source too, everything is written before a network manager or a login."""
    local, network = "guestinit-local.service", "guestinit-network.service"
    assert settings(network)["DefaultDependencies"] == ["no"]
    assert words(network, "After") == {local}
    assert words(network, "Before") == words(local, "Before")
    assert {"shutdown.target"} == words(network, "Conflicts")
    assert settings(network)["ConditionPathExists"] == ["/run/guestinit/network.todo"]
    for unit in ("guestinit-late.service", "guestinit-final.service", "guestinit.target"):
        assert {local, network} <= words(unit, "After")


def test_only_the_network_stage_starts_the_one_that_waits_for_the_network() -> None:
    online = "guestinit-online.service"
    assert settings(online)["ConditionPathExists"] == ["/run/guestinit/online.todo"]
    assert {"network-online.target", "guestinit-network.service"} == words(online, "After")
    assert "[Install]" not in (UNITS / online).read_text()
    for unit in OURS:
        assert online not in words(unit, "Wants") | words(unit, "Requires")
    for unit in ("guestinit-late.service", "guestinit-final.service"):
        assert online in words(unit, "After")
    # The network manager comes after basic.target, and that after all sockets.
    assert not any(word.endswith(".socket") for word in words(online, "Before"))


def test_off_switches_and_idle_stages_cost_no_process() -> None:
    switches = ["!/etc/guestinit/disabled", "!/etc/cloud/cloud-init.disabled"]
    assert settings("guestinit-local.service")["ConditionPathExists"] == switches
    assert settings("guestinit-late.service")["ConditionPathExists"] == ["/run/guestinit/late.todo"]
    # "|": one of these is enough, beside the others that must all hold.
    asked = ["|/run/guestinit/final.todo", "|/dev/virtio-ports/org.guestinit.0"]
    assert settings("guestinit-final.service")["ConditionPathExists"] == [*asked, *switches]
    for stage in ("local", "final"):
        words_of_the_kernel = settings(f"guestinit-{stage}.service")["ConditionKernelCommandLine"]
        assert words_of_the_kernel == ["!guestinit=disabled", "!cloud-init=disabled"]


def test_the_target_is_not_reached_when_a_stage_failed() -> None:
    target = settings("guestinit.target")
    first = {"guestinit-local.service", "guestinit-network.service"}
    assert {*first, "guestinit-final.service"} == words("guestinit.target", "Requires")
    assert {*first, "guestinit-late.service", "guestinit-final.service"} <= words("guestinit.target", "After")
    assert target["WantedBy"] == ["multi-user.target"]


def test_no_boot_waits_for_the_network_without_need() -> None:
    for unit in OURS:
        if unit != "guestinit-online.service":  # which no boot wants
            pulled = words(unit, "Wants") | words(unit, "Requires")
            assert "network-online.target" not in pulled, unit
