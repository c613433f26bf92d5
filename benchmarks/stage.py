"""A throw-away machine for the benchmark: an overlay over this one, with a drive, in namespaces of its own.

This kernel need not know iso9660: mount(8) and umount(8) inside are stand-ins that copy the seed's files, and apt-get
does nothing. They are children, and children are not what is measured; everything that guestinit's own process does is
real.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEED = os.path.join(REPOSITORY, "examples", "proxmox")
ERRORS = "/run/errors"
BARE = ("-I", "-S", "-c", "pass")
LAUNCHER = os.path.join(REPOSITORY, "packaging", "launcher")
INSTALLED = "/usr/lib/python3/dist-packages"  # where the launcher looks
NICS = {"eth0": "bc:24:11:0a:1b:2c", "eth1": "bc:24:11:0a:1b:2d"}  # those of the seed
# What the machine of the benchmark is, whatever the one below it is.
FILES = {
    "/etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "",  # which is what "enabled" means
    "/sys/class/dmi/id/product_uuid": "5a0c0f4b-8c2f-4d7b-9e3c-9a6d4f2e1b0a\n",
    **{f"/sys/class/net/{name}/{file}": text for name, mac in NICS.items()
       for file, text in (("address", mac + "\n"), ("carrier", "1\n"), ("device/modalias", ""))},
}  # fmt: skip
NOT_THERE = (
    "/var/lib/guestinit", "/var/lib/cloud", "/etc/guestinit", "/etc/cloud", "/usr/bin/cloud-init",
    "/etc/systemd/network", "/etc/NetworkManager", "/etc/network", "/etc/resolv.conf",
)  # fmt: skip
MASKED = ("NetworkManager.service", "networking.service")  # the machine below may have them
# Stand-ins are children: mount(8) copies the seed's files, and no package is fetched from anywhere.
STAND_INS = {
    "mount": f'for point; do :; done\ncp {SEED}/* "$point"',
    "umount": 'rm -f "$1"/*',
    "apt-get": "exit 0",
    "dpkg": "exit 0",
    "systemctl": "exit 3",  # nothing is running yet
}


class Cost(NamedTuple):
    """One run: milliseconds of the process itself, and how many children it started."""

    cpu: float
    wall: float
    processes: int


def run(case: str, directory: str, python: str) -> Cost:
    """One run of a case, in a machine made for it."""
    return Cost(*json.loads(_inside(case, directory, python, ())))


def imports(case: str, directory: str, python: str) -> list[str]:
    """The modules that a case imports, as `-X importtime` lists them."""
    found: list[str] = json.loads(_inside(case, directory, python, ("-X", "importtime")))
    return found


def install(directory: str, python: str) -> None:
    """Put guestinit and its launcher below this directory, compiled to byte code as a package does it."""
    target = directory + "/installed"
    shutil.copytree(REPOSITORY + "/guestinit", target + "/guestinit", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([python, "-m", "compileall", "-q", target], check=True)
    with open(LAUNCHER, encoding="utf-8") as file:
        text = file.read()
    # PyYAML and the others lie in the same directory on a real machine.
    paths = f'sys.path.extend(["{target}", "{_site_packages(python)}"])'
    assert text.count(f'sys.path.append("{INSTALLED}")') == 1
    with open(directory + "/launcher", "w", encoding="utf-8") as file:
        file.write(text.replace(f'sys.path.append("{INSTALLED}")', paths))
    os.mkdir(directory + "/machine")


def _inside(case: str, directory: str, python: str, flags: tuple[str, ...]) -> str:
    command = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child",
               sys.executable, os.path.abspath(__file__), case, directory, python, *flags]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"benchmarks: the case '{case}' could not be run")
    return done.stdout


# inside the namespaces


def main(case: str, directory: str, python: str, flags: list[str]) -> None:
    """Make the machine, run the case in it, print what it cost."""
    machine = make_machine(directory + "/machine", with_drive=case in ("same", "first boot"))
    os.chroot(machine)
    os.chdir("/")
    launcher = [python, "-I", "-S", *flags, directory + "/launcher", "run", "--stage"]
    words = [python, *BARE] if case == "bare" else [*launcher, "local"]
    if case == "same":
        settle(launcher)
    cost = measure(words)
    if flags:
        with open(ERRORS, encoding="utf-8", errors="replace") as file:
            lines = [line.rsplit("|", 1)[1].strip() for line in file if line.startswith("import time:")]
        print(json.dumps(sorted(set(lines[1:]))))
    else:
        print(json.dumps(cost))


def make_machine(directory: str, with_drive: bool) -> str:
    """An overlay whose changes live in memory, with a /sys and a /dev that show one optical drive, or none."""

    def mount(*words: str) -> None:
        subprocess.run(["mount", *words], check=True)

    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "none", directory)
    machine = directory + "/root"
    upper, work = directory + "/upper", directory + "/work"
    for path in (upper, work, machine):
        os.mkdir(path)
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", machine)
    for path in (os.path.dirname(directory), REPOSITORY):
        if os.stat(path).st_dev != os.stat("/").st_dev:  # on another file system, which the overlay does not show
            os.makedirs(machine + path, exist_ok=True)
            mount("--bind", path, machine + path)
    mount("-t", "proc", "proc", machine + "/proc")
    for name in ("/sys", "/dev", "/run"):
        mount("-t", "tmpfs", "none", machine + name)
    for device, minor in (("null", 3), ("zero", 5), ("urandom", 9), ("random", 8)):
        os.mknod(f"{machine}/dev/{device}", 0o20666, os.makedev(1, minor))
    for path in NOT_THERE:
        _remove(machine + path)
    for path, text in FILES.items():
        _write(machine + path, text)
    with open(REPOSITORY + "/packaging/guestinit.yaml", encoding="utf-8") as file:
        _write(machine + "/etc/guestinit/guestinit.yaml", file.read())
    os.symlink("/run/systemd/resolve/stub-resolv.conf", machine + "/etc/resolv.conf")
    for name in MASKED:
        _remove(f"{machine}/etc/systemd/system/{name}")
        os.symlink("/dev/null", f"{machine}/etc/systemd/system/{name}")
    if with_drive:
        iso, blocks = machine + "/dev/sr0", machine + "/sys/class/block/sr0/size"
        options = ("-quiet", "-iso-level", "3", "-J", "-R", "-V", "cidata")
        subprocess.run(["genisoimage", *options, "-o", iso, SEED], check=True)
        _write(blocks, f"{os.path.getsize(iso) // 512}\n")
    for name, text in STAND_INS.items():
        _write(f"{machine}/usr/bin/{name}", f"#!/bin/sh\n{text}\n")
        os.chmod(f"{machine}/usr/bin/{name}", 0o755)
    return machine


def _write(path: str, text: str) -> None:
    _remove(path)  # in the place of a link, not through it
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _remove(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        shutil.rmtree(path)


def settle(launcher: list[str]) -> None:
    """Everything that a first boot does, so that the next one finds nothing changed."""
    for stage in ("local", "late", "final"):
        measure([*launcher, stage])
    if not os.path.exists("/var/lib/guestinit/fast"):
        with open(ERRORS, encoding="utf-8", errors="replace") as file:
            sys.exit(f"the first boot did not settle:\n{file.read()}")


def measure(words: list[str]) -> Cost:
    """Run it and read the scheduler's own account of the process while it is a zombie: its children are not in it."""
    errors = os.open(ERRORS, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
    started = _processes_started()
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, errors, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
    pid = os.posix_spawn(words[0], words, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, file_actions=actions)
    os.close(errors)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - start
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        cpu = int(file.read().split()[0])
    _, status = os.waitpid(pid, 0)
    if status:
        with open(ERRORS, encoding="utf-8", errors="replace") as file:
            sys.exit(f"{words} ended with {status}:\n{file.read()}")
    return Cost(cpu / 1e6, wall * 1000, _processes_started() - started)


def _processes_started() -> int:
    """How many processes this pid namespace has started: the last pid that was given."""
    with open("/proc/sys/kernel/ns_last_pid", encoding="ascii") as file:
        return int(file.read())


def _site_packages(python: str) -> str:
    """Where this interpreter finds PyYAML."""
    words = [python, "-c", "import yaml; print(yaml.__file__)"]
    file = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return os.path.dirname(os.path.dirname(file))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
