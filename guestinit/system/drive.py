"""Volumes and what is on them: plain functions and tuples, because an unchanged boot imports this file too.

The nodes themselves are looked at: in the local stage udev has not made its links yet, and where two volumes carry
one label its link names only one of them. blkid(8) reads the label, mount(8) the files. Both run under a time limit,
so that a drive which does not answer costs some seconds and not the boot.
"""

from __future__ import annotations

import os
import select
import time

from guestinit.system import tree

TYPE_CHECKING = False  # as typing has it, whose import alone costs half of a bare interpreter's start
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestinit.system.tree import Files, Names

# A file system on a drive: node, type, labels (of the file system first, then of a vfat boot sector), bytes.
Volume = tuple[str, str, tuple[str, ...], int]

FILE_SYSTEMS = ("iso9660", "vfat")
MOUNT_POINTS = "/run/guestinit"
ALL_LIMIT = 5.0  # seconds for one look at all drives
ONE_LIMIT = 2.0  # seconds for one drive, once all of them together took too long
MOUNT_LIMIT = 15.0  # a kernel gives a drive's medium some retries of its own

# Never a seed: memory, files, and floppy drives, which answer after seconds and mostly with nothing. Device mapper is
# looked at where udev says that it carries a label.
_SKIPPED = ("loop", "ram", "zram", "fd", "dm-", "mtdblock")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


# which volumes there are


def matching(labels: Iterable[str], wanted: str) -> str:
    """The label that is the wanted one in any case (vfat writes upper case), or an empty text."""
    for label in labels:
        if label.strip().lower() == wanted.lower():
            return label
    return ""


def volumes(root: str = "", limit: float = ALL_LIMIT) -> tuple[list[Volume], list[str]]:
    """All iso9660 and vfat volumes in the order of `rank`, and why a drive could not be looked at, a line each."""
    devices = sorted(_candidates(root), key=rank)
    if not devices:
        return [], []
    nodes = [f"{root}/dev/{name}" for name, _ in devices]
    reasons: list[str] = []
    found = _probe(nodes, limit)
    if found is None:
        # One of them hangs, and which one is not known: each by itself.
        found = {}
        for node in nodes:
            one = _probe([node], ONE_LIMIT)
            if one is None:
                reasons.append(f"{os.path.basename(node)}: no answer within {ONE_LIMIT:.0f} s")
            else:
                found.update(one)
    volumes = []
    for (_, size), node in zip(devices, nodes):
        file_system, labels = found.get(node, ("", ()))
        if file_system in FILE_SYSTEMS:
            volumes.append((node, file_system, labels, size))
    return volumes, reasons


def rank(device: tuple[str, int]) -> tuple[int, int, tuple[int, ...]]:
    """The order in which volumes of one label are tried.

    What a platform attaches comes before what an image may contain: optical drives, whole disks, partitions. Among
    these the last name first (sr1 before sr0), as cloud-init does: a machine that changes agents keeps its seed.
    """
    name = device[0]
    kind = 0 if name.startswith("sr") else 2 if name.startswith(("dm-", "md")) or _is_partition(name) else 1
    return kind, -len(name), tuple(-ord(letter) for letter in name)  # a longer name has the higher number


def _is_partition(name: str) -> bool:
    # vda1, but also nvme0n1p1 and mmcblk0p1, whose disks end in a digit themselves.
    stem = name.rstrip("0123456789")
    if stem == name:
        return False
    return not name.startswith(("nvme", "mmcblk", "nbd")) or stem.endswith("p")


def _candidates(root: str) -> list[tuple[str, int]]:
    """Names below /dev and sizes in bytes. An empty drive has size 0, or fails when it is read."""
    names = [name for name in listing(f"{root}/sys/class/block") if not name.startswith(_SKIPPED)]
    links = f"{root}/dev/disk/by-label"
    for link in listing(links):
        name = os.path.basename(os.path.realpath(f"{links}/{link}"))
        if name.startswith("dm-") and name not in names:
            names.append(name)
    found = []
    for name in names:
        size = int(_text(f"{root}/sys/class/block/{name}/size") or "0") * 512
        name = name.replace("!", "/")  # cciss!c0d0
        if size and os.path.exists(f"{root}/dev/{name}"):
            found.append((name, size))
    return found


def _probe(nodes: Sequence[str], limit: float) -> dict[str, tuple[str, tuple[str, ...]]] | None:
    """What blkid says of these nodes; None if it does not end in time."""
    # Not `-p`: that one stops at the first node on which it finds nothing. Without a cache file, every node is read.
    code, output = run(("blkid", "-c", "/dev/null", "-o", "export", *nodes), limit)
    if code is None:
        return None
    found = {}
    for block in output.split("\n\n"):
        pairs = dict(line.replace("\\", "").partition("=")[::2] for line in block.splitlines())
        labels = [pairs[key] for key in ("LABEL", "LABEL_FATBOOT") if pairs.get(key)]
        found[pairs.get("DEVNAME", "")] = (pairs.get("TYPE", ""), tuple(dict.fromkeys(labels)))
    return found


def probe(node: str) -> tuple[str, tuple[str, ...]]:
    """File system and labels of one node or image file; empty where there are none that blkid knows."""
    return (_probe([node], ALL_LIMIT) or {}).get(node, ("", ()))


def optical_drives(root: str = "") -> list[str]:
    """The nodes of all CD-ROM drives, also of the empty ones."""
    names = sorted(name for name in listing(f"{root}/sys/class/block") if name.startswith("sr"))
    return [f"{root}/dev/{name}" for name in names]


def complaint(node: str) -> str:
    """Why a node on which nothing was found may have shown nothing; empty if it can be read."""
    try:
        descriptor = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.pread(descriptor, 2048, 32768)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.strerror or str(error)
    return ""


# what is on one


def read(device: str, file_system: str, names: Names) -> dict[str, bytes]:
    """The files of these names on a volume; an empty dict if it has none of them or cannot be read."""
    return {name: content for name, (_, content) in read_volume(device, file_system, names)[0].items()}


def read_volume(device: str, file_system: str, names: Names) -> tuple[Files, str]:
    """Mount a volume read-only, read these files, unmount it at once: CloudStack's host waits to detach its drive.

    Returns each file's path on the volume and its content, and the reason if the volume cannot be read.
    """
    point = f"{MOUNT_POINTS}/mnt-{os.getpid()}"
    try:
        os.makedirs(point, 0o700, exist_ok=True)
    except OSError as error:
        return {}, f"{point}: {error.strerror}" + ("; only root can mount it" if os.geteuid() else "")
    try:
        code, text = run(("mount", "-t", file_system, "-o", "ro,nodev,nosuid,noexec", device, point), MOUNT_LIMIT)
        if code is None:
            run(("umount", "-l", point), ONE_LIMIT)  # it may still come up behind our back
            return {}, f"not mounted within {MOUNT_LIMIT:.0f} s"
        if code:
            # Writable somewhere else, so that it cannot be mounted read-only here: it is read there.
            elsewhere = _mounted_at(device)
            if elsewhere:
                return read_directory(elsewhere, names)
            return {}, _last_line(text).replace(f"{point}: ", "") or f"mount: exit code {code}"
        try:
            return read_directory(point, names)
        finally:
            if run(("umount", point), MOUNT_LIMIT)[0]:
                run(("umount", "-l", point), ONE_LIMIT)
    finally:
        if not os.path.ismount(point):  # a mount that hangs keeps it; /run ends with this boot
            os.rmdir(point)


def read_directory(path: str, names: Names, follow_links: bool = False) -> tuple[Files, str]:
    """The files of these names in a directory, as `read_volume` returns them."""
    return tree.read(tree.Directory(path, follow_links), names)


def _mounted_at(device: str) -> str:
    """Where the whole file system of this device is mounted already, or an empty text."""
    try:
        number = os.stat(device).st_rdev
    except OSError:
        return ""
    for line in _text("/proc/self/mountinfo").splitlines():
        fields = line.split(" ")  # proc_pid_mountinfo(5): id, parent, major:minor, root, mount point
        if fields[2:4] == [f"{os.major(number)}:{os.minor(number)}", "/"]:
            return fields[4].replace("\\040", " ")
    return ""


# programs


def run(argv: Sequence[str], limit: float) -> tuple[int | None, str]:
    """Run a program of the base system: its exit code (None: it did not end in time and was killed) and all its output.

    Neither `subprocess` (8 ms to import) nor `system.Process`: this is on the way of an unchanged boot.
    """
    program = _program(argv[0])
    if not program:
        return 127, f"{argv[0]}: not installed"
    reader, writer = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writer, 1),
        (os.POSIX_SPAWN_DUP2, writer, 2),
    ]
    try:
        process = os.posix_spawn(program, tuple(argv), {"PATH": _PATH, "LC_ALL": "C"}, file_actions=actions)
    except OSError as error:
        os.close(reader)
        return 126, f"{program}: {error.strerror}"
    finally:
        os.close(writer)
    try:
        output = _read_until_end(reader, time.monotonic() + limit)
    finally:
        os.close(reader)
    if output is None:
        os.kill(process, 9)
        # A process that waits for a dead drive does not even die; it must not take us with it.
        os.waitpid(process, os.WNOHANG)
        return None, ""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), output.decode("utf-8", "replace")


def _read_until_end(descriptor: int, deadline: float) -> bytes | None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    output = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        piece = os.read(descriptor, 65536)
        if not piece:
            return output
        output += piece


def _program(name: str) -> str:
    for directory in _PATH.split(":"):
        if os.access(f"{directory}/{name}", os.X_OK):
            return f"{directory}/{name}"
    return ""


def listing(path: str) -> list[str]:
    """The names in a directory; none if there is no such directory."""
    try:
        return os.listdir(path)
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        pieces = []
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _last_line(text: str) -> str:
    """mount(8) ends with a hint on dmesg(1); what happened stands before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "dmesg" not in line]
    return lines[-1].rstrip(".") if lines else ""
