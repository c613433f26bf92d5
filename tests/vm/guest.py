"""One guest under QEMU: a machine is an overlay on an image, a `Guest` is one power-on of it.

Emulation only (TCG): a second here is no second of a real machine, so nothing may be concluded from times, and every
limit is generous. Every QEMU dies with the process that started it, and at most two run at once on this machine.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from tests.vm.cloud import Cloud
from tests.vm.image import CACHE, Image

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORK = "10.20.0"  # the first NIC's user network: .1 gateway, .3 resolver, .80 package repository
DISK_SIZE = "3G"  # larger than any image: the root has room to grow
SLOTS = 2
BOOT_LIMIT = 900.0  # seconds of wall clock for one boot, facts and power-off included


class Hardware(NamedTuple):
    """What the hypervisor attaches on one power-on."""

    uuid: str = "6a8f2c1e-0b5d-4a3e-9f10-000000000001"
    seed: Optional[str] = None
    seed_bus: str = "ide"  # ide, scsi (virtio-scsi CD-ROM) or disk (virtio disk)
    program: str = os.path.join(HERE, "facts.py")  # what runs inside
    macs: tuple[str, ...] = ("bc:24:11:0a:1b:2c",)
    unplugged: tuple[int, ...] = ()  # cards without a cable
    cables: tuple[tuple[str, str], ...] = ()  # MACs of two more NICs of this machine that are joined to each other
    address: str = f"{NETWORK}.40"  # where ssh to the first NIC is forwarded to
    agent_port: bool = True
    private_port: bool = False
    job_port: bool = False  # org.guestinit.jobs, job.sock in the guest's directory
    repository: Optional[str] = None  # a directory of packages, served at image.REPOSITORY
    disks: tuple[str, ...] = ()  # further raw disks
    slim_initrd: bool = False
    kernel_args: str = ""
    serial: str = ""  # SMBIOS system serial
    vendor: str = "QEMU"  # SMBIOS system manufacturer
    product: str = ""  # SMBIOS system product; without one it is the machine type, "Standard PC (i440FX + PIIX, 1996)"
    empty_drive: bool = False  # a first CD-ROM drive without a disc: the one that the seed is in is the second
    cloud: Optional[Cloud] = None  # the network that the first NIC is in, instead of QEMU's own
    write_log: Optional[str] = None  # where every write to the disk is recorded; see write_log.py


class Boot(NamedTuple):
    """What one power-on left behind."""

    facts: dict[str, Any]
    console: str
    agent: bytes  # everything the guest wrote to org.qemu.guest_agent.0
    private: str  # the same for org.guestinit.0
    seconds: float
    noted: dict[str, Any]  # what the test's own code saw while the guest was up


class Machine:
    """The disk of one virtual machine: it outlives power-ons, can be cloned, and is deleted with its directory.

    A directory that holds a disk already is that machine again.
    """

    def __init__(self, image: Image, directory: str, size: str = DISK_SIZE) -> None:
        self.image = image
        self.directory = directory = os.path.abspath(directory)
        self.disk = os.path.join(directory, "disk.qcow2")
        os.makedirs(directory, exist_ok=True)
        self.boots = sum(name.startswith("boot") for name in os.listdir(directory))
        if not os.path.exists(self.disk):
            backing = ["-b", image.disk, "-F", "raw"]
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, self.disk, size], check=True)

    def clone(self, directory: str) -> Machine:
        """A full clone, as `qm clone` makes it of a stopped machine."""
        other = Machine(self.image, directory)
        shutil.copyfile(self.disk, other.disk)
        return other

    def power_on(self, hardware: Hardware, request: Optional[dict[str, Any]] = None) -> Guest:
        """Start it; `request` is what facts.py shall look at."""
        self.boots += 1
        return Guest(self, hardware, request or {}, os.path.join(self.directory, f"boot{self.boots}"))


class Guest:
    """A running QEMU. Use it as a context manager, so that it is gone afterwards."""

    def __init__(self, machine: Machine, hardware: Hardware, request: dict[str, Any], directory: str) -> None:
        os.makedirs(directory)
        self.directory = directory
        self.hardware = hardware
        self.ssh_port = _free_port()
        self.console_path = os.path.join(directory, "console")
        self.facts_path = os.path.join(directory, "facts")
        self.private_path = os.path.join(directory, "private")
        self.noted: dict[str, Any] = {}
        self._agent_bytes = b""
        self._agent_link: Optional[socket.socket] = None
        request_path = os.path.join(directory, "request")
        with open(request_path, "w") as out:
            json.dump(request, out)
        self._cleanup = contextlib.ExitStack()
        self._cleanup.enter_context(_slot())
        argv = self._command(machine, request_path)
        with open(os.path.join(directory, "qemu.argv"), "w") as out:
            out.write("\n".join(argv) + "\n")
        log = os.open(os.path.join(directory, "qemu.log"), os.O_WRONLY | os.O_CREAT, 0o644)
        self.started = time.monotonic()
        # setpriv: should this process be killed, the kernel ends QEMU too.
        guard = ["setpriv", "--pdeathsig", "KILL", "--"]
        inherited = [hardware.cloud.tap] if hardware.cloud is not None else []
        self.process = subprocess.Popen(
            [*guard, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, pass_fds=inherited
        )
        os.close(log)
        for card in hardware.unplugged:
            self.unplug(card)
        if hardware.agent_port:
            threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()

    def _command(self, machine: Machine, request_path: str) -> list[str]:
        hardware, image = self.hardware, machine.image
        append = f"root=/dev/vda1 rw console=ttyS0 net.ifnames=0 panic=1 {hardware.kernel_args}".strip()
        smbios = f"type=1,manufacturer={hardware.vendor},uuid={hardware.uuid}"
        if hardware.product:
            smbios += f",product={hardware.product}"
        if hardware.serial:
            smbios += f",serial={hardware.serial}"
        argv = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "qemu64"]
        argv += ["-smp", "2", "-m", "1024", "-display", "none", "-no-reboot", "-nodefaults", "-smbios", smbios]
        argv += ["-serial", f"file:{self.console_path}", "-serial", f"file:{self.facts_path}"]
        argv += ["-kernel", image.kernel, "-initrd", image.slim_initrd if hardware.slim_initrd else image.initrd]
        argv += ["-append", append, "-qmp", "unix:qmp.sock,server=on,wait=off"]
        argv += ["-fw_cfg", f"name=opt/vmtest.facts,file={hardware.program}"]
        argv += ["-fw_cfg", f"name=opt/vmtest.request,file={request_path}"]
        argv += self._disk(machine)
        argv += self._seed()
        for index, disk in enumerate(hardware.disks):
            argv += ["-drive", f"file={disk},if=none,id=more{index},format=raw"]
            argv += ["-device", f"virtio-blk-pci,drive=more{index}"]
        argv += self._network()
        argv += ["-device", "virtio-serial-pci,id=vs0"]
        if hardware.agent_port:
            argv += ["-chardev", "socket,path=agent.sock,server=on,wait=off,id=qga0"]
            argv += ["-device", "virtserialport,bus=vs0.0,chardev=qga0,id=qga,name=org.qemu.guest_agent.0"]
        if hardware.private_port:
            argv += ["-chardev", f"file,path={self.private_path},id=gi0"]
            argv += ["-device", "virtserialport,bus=vs0.0,chardev=gi0,id=gi-port,name=org.guestinit.0"]
        if hardware.job_port:
            argv += ["-chardev", "socket,path=job.sock,server=on,wait=off,id=job0"]
            argv += ["-device", "virtserialport,bus=vs0.0,chardev=job0,id=job-port,name=org.guestinit.jobs"]
        return argv

    def _disk(self, machine: Machine) -> list[str]:
        log = self.hardware.write_log
        if log is not None:
            with open(log, "wb"):
                pass
            return [
                "-blockdev", f"driver=file,node-name=hdf,filename={machine.disk},cache.no-flush=on",
                "-blockdev", "driver=qcow2,node-name=hdq,file=hdf",
                "-blockdev", f"driver=file,node-name=logf,filename={log},cache.no-flush=on",
                "-blockdev", "driver=blklogwrites,node-name=hd0,file=hdq,log=logf,log-super-update-interval=1",
                "-device", "virtio-blk-pci,drive=hd0",
            ]  # fmt: skip
        # Flushes of the guest are not waited for: a killed QEMU loses nothing that the host's kernel has.
        return [
            "-drive", f"file={machine.disk},if=none,id=hd0,format=qcow2,cache=unsafe",
            "-device", "virtio-blk-pci,drive=hd0",
        ]  # fmt: skip

    def _seed(self) -> list[str]:
        hardware = self.hardware
        if hardware.seed is None:
            return []
        drive = f"file={hardware.seed},if=none,id=cd0,format=raw,readonly=on"
        if hardware.seed_bus == "disk":
            return ["-drive", drive, "-device", "virtio-blk-pci,drive=cd0"]
        if hardware.seed_bus == "scsi":
            return ["-drive", drive, "-device", "virtio-scsi-pci,id=scsi0", "-device", "scsi-cd,drive=cd0,bus=scsi0.0"]
        if hardware.empty_drive:
            first, second = "ide-cd,bus=ide.0,unit=0", "ide-cd,drive=cd0,bus=ide.1,unit=1"
            return ["-device", first, "-drive", drive, "-device", second]
        return ["-drive", drive, "-device", "ide-cd,drive=cd0"]

    def _network(self) -> list[str]:
        argv = []
        for index, mac in enumerate(self.hardware.macs):
            if index == 0 and self.hardware.cloud is not None:
                argv += ["-netdev", f"tap,id=n0,fd={self.hardware.cloud.tap}"]
                argv += ["-device", f"virtio-net-pci,netdev=n0,mac={mac},romfile="]
                continue
            net = f"10.{20 + index}.0"
            prefix = f"2001:db8:{20 + index}:"
            options = f"user,id=n{index},restrict=on,net={net}.0/24,host={net}.1,dns={net}.3,dhcpstart={net}.100"
            options += f",ipv6-prefix={prefix}:,ipv6-prefixlen=64,ipv6-host={prefix}:1,ipv6-dns={prefix}:3"
            if index == 0:
                options += f",hostfwd=tcp:127.0.0.1:{self.ssh_port}-{self.hardware.address}:22"
                if self.hardware.repository is not None:
                    # One short-lived server per connection of the guest, and no port on this machine.
                    server = f"{sys.executable} {HERE}/repository.py {self.hardware.repository}"
                    options += f",guestfwd=tcp:{net}.80:80-cmd:{server}"
            argv += ["-netdev", options, "-device", f"virtio-net-pci,netdev=n{index},mac={mac},romfile="]
        for index, cable in enumerate(self.hardware.cables):
            for end, mac in zip("ab", cable):
                argv += ["-netdev", f"hubport,id=c{index}{end},hubid={index}"]
                # Without speed and duplex a bond would not take part in LACP.
                card = f"virtio-net-pci,netdev=c{index}{end},mac={mac},romfile=,speed=10000,duplex=full"
                argv += ["-device", card]
        return argv

    # --- what the host does ---

    def cut_power(self) -> None:
        """End it as a power failure does (also the last step of every boot)."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._agent_link is not None:
            self._agent_link.close()
        self._cleanup.close()

    def console(self) -> str:
        """What the serial console has shown so far."""
        try:
            with open(self.console_path, "rb") as shown:
                return shown.read().decode("utf-8", "replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def wait_console(self, pattern: str, limit: float = BOOT_LIMIT) -> bool:
        """Whether this appears on the console before the machine is off."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            off = self.process.poll() is not None
            if re.search(pattern, self.console()):
                return True
            if off:
                return False
            time.sleep(0.02)
        return False

    def wait_facts(self, limit: float = BOOT_LIMIT) -> dict[str, Any]:
        """The facts document, once it is whole. A boot that brings none is an error that shows the console's end."""
        deadline = self.started + limit
        while True:
            off = self.process.poll() is not None
            facts = read_facts(self.facts_path)
            if facts is not None:
                break
            if off or time.monotonic() > deadline:
                what = f"was off after {time.monotonic() - self.started:.0f} s" if off else f"took over {limit:.0f} s"
                tail = self.console()[-4000:]
                raise AssertionError(f"the guest {what} without facts; {self.directory}, console ends:\n{tail}")
            time.sleep(0.1)
        if "error" in facts:
            raise AssertionError(f"facts.py failed inside the guest: {facts['error']}")
        return facts

    def finish(self, limit: float = BOOT_LIMIT) -> Boot:
        """Wait for the facts and for the power-off that follows them."""
        facts = self.wait_facts(limit)
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the guest did not power off; console ends:\n{self.console()[-4000:]}") from None
        seconds = time.monotonic() - self.started
        time.sleep(0.05)  # lets the agent's listener read what is left in the socket
        private = ""
        if self.hardware.private_port:
            with open(self.private_path, errors="replace") as said:
                private = said.read()
        return Boot(facts, self.console(), self._agent_bytes, private, seconds, self.noted)

    def ssh(self, user: str, key: str, *command: str, limit: float = 60) -> subprocess.CompletedProcess[str]:
        """Log in through the forwarded port with this private key, and nothing but it."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"]
        options += ["IdentitiesOnly=yes", "PasswordAuthentication=no", f"ConnectTimeout={int(limit)}"]
        argv = ["ssh", "-F", "none", "-i", key, "-p", str(self.ssh_port)]
        for option in options:
            argv += ["-o", option]
        argv += [f"{user}@127.0.0.1", *command]
        try:
            return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(argv, 255, "", "no answer")  # a fact for the test, no end of the chain

    def offered_host_keys(self) -> set[tuple[str, str]]:
        """(type, key) of every host key that sshd shows to a client."""
        found: set[tuple[str, str]] = set()
        # One connection after the other: of several at once, QEMU's user network sometimes drops one for good.
        for kind in ("ed25519", "ecdsa", "rsa"):
            scan = ["ssh-keyscan", "-T", "20", "-t", kind, "-p", str(self.ssh_port), "127.0.0.1"]
            for _ in range(3):
                said = subprocess.run(scan, capture_output=True, text=True).stdout
                lines = [line.split() for line in said.splitlines() if not line.startswith("#")]
                if lines:
                    found.update((words[1], words[2]) for words in lines)
                    break
        return found

    def press_power_button(self) -> None:
        """Ask the guest to shut down, as `qm shutdown` does without an agent."""
        self._command_monitor("system_powerdown")

    def unplug(self, card: int) -> None:
        """Pull the cable out of a network card, which stays where it is. Also for a QEMU that has only just begun."""
        while True:
            try:
                return self._command_monitor("set_link", name=f"n{card}", up=False)
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.process.poll() is None, "QEMU did not start"
                time.sleep(0.02)

    def _command_monitor(self, command: str, **arguments: object) -> None:
        with self._connect("qmp.sock") as monitor, monitor.makefile("rw") as lines:
            lines.readline()  # the greeting
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                answer: dict[str, object] = {}
                while "return" not in answer:  # events come in between
                    answer = json.loads(lines.readline())
                    assert "error" not in answer, answer

    def _connect(self, name: str) -> socket.socket:
        """A socket in this guest's directory, whose path may be longer than the 107 bytes of sun_path."""
        link = socket.socket(socket.AF_UNIX)
        directory = os.open(self.directory, os.O_PATH)
        try:
            link.connect(f"/proc/self/fd/{directory}/{name}")
        except OSError:
            link.close()
            raise
        finally:
            os.close(directory)
        return link

    def agent_command(self, command: str, limit: float = 30.0) -> dict[str, Any]:
        """One request to qemu-ga, as Proxmox VE makes it: resynchronise, then take the line after the mark."""
        assert self._agent_link is not None, "no agent port"
        seen = len(self._agent_bytes)
        sync = b'\xff{"execute":"guest-sync-delimited","arguments":{"id":4711}}\n'
        self._agent_link.sendall(sync + json.dumps({"execute": command}).encode() + b"\n")
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            _, mark, answer = self._agent_bytes[seen:].partition(b"\xff")
            lines = answer.split(b"\n")
            if mark and len(lines) > 2:
                return dict(json.loads(lines[1]))
            time.sleep(0.05)
        raise AssertionError(f"qemu-ga gave no answer to {command}: {self._agent_bytes[seen:]!r}")

    def _listen(self) -> None:
        """A host that stays attached to the agent's channel, as libvirt does."""
        while True:
            try:
                self._agent_link = link = self._connect("agent.sock")
                break
            except OSError:
                if self.process.poll() is not None:
                    return
                time.sleep(0.05)
        with contextlib.suppress(OSError):
            while data := link.recv(4096):
                self._agent_bytes += data


def read_facts(path: str) -> Optional[dict[str, Any]]:
    """The document of facts.py, or None while it is not whole."""
    try:
        with open(path, "rb") as source:
            data = source.read()
    except FileNotFoundError:
        return None
    match = re.search(rb"VMTEST (\d+) ([0-9a-f]{64})\r?\n", data)
    if match is None:
        return None
    body = data[match.end() : match.end() + int(match.group(1))]
    if hashlib.sha256(body).hexdigest() != match.group(2).decode():
        return None
    return dict(json.loads(base64.b64decode(body)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _slot() -> Iterator[None]:
    """One of the machine's places for a guest, also beside another test run; the kernel frees it with the process."""
    os.makedirs(CACHE, exist_ok=True)
    told = False
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(open(os.path.join(CACHE, f".slot{index}"), "w")) for index in range(SLOTS)]
        while True:
            for place in places:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    yield
                    return
            if not told:
                print("waiting until one of the running guests ends", file=sys.stderr)
                told = True
            time.sleep(0.5)
