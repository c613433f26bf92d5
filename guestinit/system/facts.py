"""Gathering what planners may know, and the few other things that are asked of the machine before a plan."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from guestinit import distros
from guestinit.model.facts import ASKED, Distro, Facts, Ifupdown, Nic
from guestinit.model.identity import RESUMED, Identity
from guestinit.system import netplan_facts, network_facts
from guestinit.system.failed import Failed

if TYPE_CHECKING:
    from guestinit.model.image import Image
    from guestinit.model.network import Match
    from guestinit.system.system import System

# The network stacks by the unit that runs them, as systemd's enablement links name it.
_RENDERERS = (
    ("networkd", "systemd-networkd.service"),
    ("network-manager", "NetworkManager.service"),
    ("ifupdown", "networking.service"),
)
_INSTALLED = (
    ("networkd", "/usr/lib/systemd/systemd-networkd"),
    ("networkd", "/lib/systemd/systemd-networkd"),
    ("network-manager", "/usr/sbin/NetworkManager"),
    ("network-manager", "/usr/bin/NetworkManager"),
    ("ifupdown", "/usr/sbin/ifup"),
    ("ifupdown", "/sbin/ifup"),
)
_CLOUD_INIT_UNITS = (
    "cloud-init-local.service",
    "cloud-init.service",
    "cloud-init-main.service",  # from 24.3 on
    "cloud-init-network.service",
    "cloud-config.service",
    "cloud-final.service",
)
_IFF_UP = 1  # netdevice(7)
_ETHERNET = "1"  # ARPHRD_ETHER
# e_machine of elf(5) as uname(2) calls it.
_MACHINES = {3: "i686", 21: "ppc64le", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}


def gather(system: System, identity: Identity, image: Image) -> Facts:
    """All facts, looked at once. The image's default user replaces the distribution's."""
    distro = distros.of(system.root)
    renderer = find_renderer(system, image, distro)
    network_files = network_facts.find_network_files(system.root)
    wants_ifupdown = renderer == "ifupdown" or network_facts.has_stanzas(network_files)
    return Facts(
        distro=distro._replace(default_user=image.user(distro.default_user)),
        identity=identity,
        live=system.live,
        renderer=renderer,
        managers=enabled_managers(system),
        nics=find_nics(system),
        users=_first_fields(system, "/etc/passwd"),
        groups=_first_fields(system, "/etc/group"),
        host_keys=_find_host_keys(system, identity.kind == RESUMED),
        ssh_running=is_active(system, distro.ssh_unit),
        paths=frozenset(path for path in ASKED if system.root.exists(path)),
        written=tuple(system.state.written),
        machine_id_inherited=is_machine_id_inherited(system),
        hostname=_read_hostname(system),
        architecture=_find_architecture(system),
        options=image.options,
        resolver=network_facts.find_resolver(system.root),
        netplan_backend=netplan_facts.find_backend(system.root) if renderer == "netplan" else "",
        networkd_starts=_networkd_starts(system),
        network_files=network_files,
        ifupdown=network_facts.find_ifupdown(system.root) if wants_ifupdown else Ifupdown(),
    )


# the machine


def machine_uuid(system: System) -> str:
    """The SMBIOS uuid in lower case; "" where there is none, it may not be read, or another root is worked on.

    The kernel shows none that is all zeros or all ones.
    """
    return _text(system, "/sys/class/dmi/id/product_uuid").strip().lower() if system.live else ""


def command_line(system: System) -> str:
    """The kernel's command line; "" offline."""
    return _text(system, "/proc/cmdline").strip() if system.live else ""


def is_machine_id_inherited(system: System) -> bool:
    """Whether /etc/machine-id was made before this boot, so that a clone shares it with its template.

    Where the file is empty or says "uninitialized", systemd makes an id for this boot and mounts it over the file until
    it can be written (machine-id(5)): such an id is this machine's own.
    """
    path = "/etc/machine-id"
    info = system.root.stat(path)
    if not system.live or info is None or _text(system, path).strip() in ("", "uninitialized"):
        return False
    if any(line.split(" ")[4:5] == [path] for line in _text(system, "/proc/self/mountinfo").splitlines()):
        return False
    for line in _text(system, "/proc/stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "btime":
            return info.st_mtime < int(value)
    return False


def _find_architecture(system: System) -> str:
    """As uname(2) says it; of another root, what its programs are made for."""
    if system.live:
        return os.uname().machine
    for path in ("/usr/bin/env", "/bin/sh"):
        head = system.root.read(path) or b""
        if head[:4] == b"\x7fELF":
            return _MACHINES.get(int.from_bytes(head[18:20], "big" if head[5] == 2 else "little"), "")
    return ""


# the network


def await_nics(system: System, matches: Iterable[Match]) -> None:
    """Wait for the interfaces that these name or give the MAC of until udev has nothing left to do."""
    wanted = {match.mac or match.exact_name for match in matches} - {""}
    here = {text for nic in find_nics(system) for text in (nic.mac, nic.name)}
    if not wanted <= here:
        settle_udev(system)


def await_a_card(system: System) -> None:
    """The same for any network card at all."""
    if not any(nic.is_ordinary for nic in find_nics(system)):
        settle_udev(system)


def await_names(system: System) -> None:
    """Wait until udev has named the network cards: it cannot rename one that is up."""
    if not system.root.exists("/run/udev/control"):
        return
    cards = [nic.name for nic in find_nics(system) if nic.is_ordinary]
    indexes = [_text(system, f"/sys/class/net/{name}/ifindex").strip() for name in cards]
    # Written at the end of a device's event (sd-device: "n" and the index).
    if not cards or not all(system.root.exists(f"/run/udev/data/n{index}") for index in indexes):
        settle_udev(system)


def settle_udev(system: System) -> None:
    """Wait until udev has nothing left to do, as long as for a drive."""
    if system.root.exists("/run/udev/control"):
        from guestinit.system import udev  # delayed: what is there already is not waited for

        system.process.run(("udevadm", "settle", f"--timeout={udev.LIMIT:.0f}"), timeout=udev.LIMIT + 5)


def find_nics(system: System) -> tuple[Nic, ...]:
    """The interfaces of the running machine, eth2 before eth10; none offline."""
    if not system.live:
        return ()
    names = sorted(system.root.listdir("/sys/class/net"), key=lambda name: (len(name), name))
    return tuple(_describe_nic(system, name) for name in names if system.root.exists(f"/sys/class/net/{name}/address"))


def _describe_nic(system: System, name: str) -> Nic:
    path = f"/sys/class/net/{name}"
    flags, kind = _text(system, f"{path}/flags").strip(), _text(system, f"{path}/type").strip()
    # A bond gives all its members one address; the member's own is kept beside it.
    permanent = _text(system, f"{path}/bonding_slave/perm_hwaddr").strip()
    return Nic(
        name=name,
        mac=(permanent or _text(system, f"{path}/address").strip()).lower(),
        driver=os.path.basename(system.root.readlink(f"{path}/device/driver") or ""),
        carrier=has_carrier(system, name),
        physical=system.root.exists(f"{path}/device"),
        up=bool(int(flags, 16) & _IFF_UP) if flags else False,
        bus=_bus(system.root.readlink(path) or ""),
        ethernet=kind in ("", _ETHERNET) and not system.root.exists(f"{path}/phy80211"),
        port=system.root.exists(f"{path}/master"),
    )


def has_carrier(system: System, name: str) -> bool:
    """Whether a cable is in it, so to say; nobody knows while the interface is down."""
    return _text(system, f"/sys/class/net/{name}/carrier").strip() == "1"


def _bus(link: str) -> str:
    """Where a device sits, from the link in /sys/class/net: the last PCI address on the way, else its own name."""
    parts = link.partition("/devices/")[2].split("/")
    if "net" not in parts or parts[0] == "virtual":
        return ""
    way = parts[: parts.index("net")]
    addresses = [part for part in way if part.count(":") == 2 and part[-2:-1] == "."]
    return (addresses or way)[-1]


def find_renderer(system: System, image: Image, distro: Distro) -> str:
    """Which network stack gets its files: the configured one, else the enabled one, else an installed one.

    Two are enabled here and there (Debian keeps ifupdown beside NetworkManager): then the distribution's usual one,
    then the order above. netplan has no unit: its generator runs at each boot, and it is in charge where it has a file
    to read, or where nothing else is set up. If its files are for NetworkManager, that is whom guestinit writes for.
    """
    configured = image.option("network.renderer", "auto")
    if configured != "auto":
        return configured
    enabled = list(enabled_managers(system))
    if netplan_facts.is_installed(system.root):
        if netplan_facts.paths(system.root):
            behind = netplan_facts.find_backend(system.root)
            return "netplan" if behind == "networkd" else behind
        if set(enabled) <= {"networkd"} and not network_facts.has_networkd_files(system.root):
            return "netplan"
    installed = [name for name, path in _INSTALLED if system.root.exists(path)]
    for candidates in (enabled, installed):
        if distro.default_renderer in candidates:
            return distro.default_renderer
        if candidates:
            return candidates[0]
    return distro.default_renderer


def _networkd_starts(system: System) -> bool:
    """Whether systemd-networkd is enabled, or netplan's generator has it started in this boot."""
    return is_enabled(system, "systemd-networkd.service") or netplan_facts.has_networkd_started(system.root)


def enabled_managers(system: System) -> tuple[str, ...]:
    """The network stacks that a boot starts."""
    return tuple(name for name, unit in _RENDERERS if is_enabled(system, unit))


def is_enabled(system: System, unit: str) -> bool:
    """Whether something wants this unit, by the links that `systemctl enable` makes; works offline too.

    A masked unit is not enabled, nor one whose package is gone and has left its links behind.
    """
    for directory in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"):
        if system.root.readlink(f"{directory}/{unit}") == "/dev/null":
            return False
        for name in system.root.listdir(directory):
            if name.endswith((".wants", ".requires")) and system.root.exists(f"{directory}/{name}/{unit}"):
                return True
    return False


# who else is in charge


def disabled(system: System) -> str:
    """The off switch that is set, as a sentence; "" if none is. cloud-init's count too: people and tools set them."""
    for path in ("/etc/guestinit/disabled", "/etc/cloud/cloud-init.disabled"):
        if system.root.exists(path):
            return f"switched off by {path}"
    words = command_line(system).split()
    for word in ("guestinit=disabled", "cloud-init=disabled"):
        if word in words:
            return f"switched off by {word} on the kernel command line"
    return ""


def cloud_init_enabled(system: System) -> bool:
    """Whether cloud-init would act in this boot: installed, and at least one of its units wanted."""
    if not any(system.root.exists(path) for path in ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init")):
        return False
    # Its generator looks at the target only, so masking that is how people switch it off as a whole.
    if system.root.readlink("/etc/systemd/system/cloud-init.target") == "/dev/null":
        return False
    return not disabled(system) and any(is_enabled(system, unit) for unit in _CLOUD_INIT_UNITS)


# files


def _text(system: System, path: str) -> str:
    """A file of the kernel's; "" where it is absent or cannot be read (carrier of an interface that is down)."""
    try:
        return (system.root.read(path) or b"").decode("utf-8", "replace")
    except OSError:
        return ""


def _first_fields(system: System, path: str) -> tuple[str, ...]:
    names = (line.partition(":")[0] for line in _text(system, path).splitlines())
    return tuple(name for name in names if name and not name.startswith(("#", "+", "-")))


def _find_host_keys(system: System, both: bool) -> tuple[str, ...]:
    """Private keys that are whole. `both`: only those with their public part, which ssh-keygen writes last."""
    names = system.root.listdir("/etc/ssh")
    paths = (f"/etc/ssh/{name}" for name in sorted(names) if name.startswith("ssh_host_") and name.endswith("_key"))
    whole = (path for path in paths if _is_whole_key(system, path))
    return tuple(path for path in whole if not both or system.root.read(f"{path}.pub"))


def _is_whole_key(system: System, path: str) -> bool:
    """Whether the last line is there; ssh-keygen writes in place, and a power cut leaves half a key."""
    try:
        lines = (system.root.read(path) or b"").splitlines()
    except OSError:
        return True  # a dry run that is not root's
    return bool(lines) and lines[-1].startswith(b"-----END ")


def _read_hostname(system: System) -> str:
    """hostname(5): the first line that is neither empty nor a comment."""
    for line in _text(system, "/etc/hostname").splitlines():
        if line.strip() and not line.strip().startswith("#"):
            return line.strip()
    return ""


def is_active(system: System, unit: str) -> bool:
    """Whether systemd says so; nothing is where it does not run."""
    if not system.live or not system.root.exists("/run/systemd/system"):  # sd_booted(3)
        return False
    try:
        return system.process.run(("systemctl", "is-active", "--quiet", unit), timeout=10).code == 0
    except (Failed, OSError):
        return False
