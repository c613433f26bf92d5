"""Is this the machine that we already settled? All that an ordinary boot runs, so it imports next to nothing.

When a run is settled, `describe` says in plain lines what an unchanged boot has to compare; `compare` does it, some
milliseconds after systemd started us. The drive's bytes are read and compared every time: an ISO's uuid is its creation
time, and reproducibly built seeds share it while their content differs.
"""

from __future__ import annotations

import os

from guestinit.system import digest, drive, seed_line

TYPE_CHECKING = False  # typing itself would cost this boot 4 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = "guestinit unchanged 1"
STATE = "/var/lib/guestinit"
LABEL = "cidata"
NAMES = ("user-data", "meta-data", "network-config", "vendor-data")


def describe(content: str, uuid: str, checks: tuple[str, ...], document: Mapping[str, object], console: str) -> str:
    """The lines that `compare` reads; empty if the boot has to plan, because something can only be decided there.

    `content` and `uuid` are keyed digests, `checks` is what `engine.every_boot_checks` yields, with a line
    `words DIGEST` (what the serial number and the command line say to NoCloud) and perhaps `renew SERVICE` (a metadata
    service that may have news for a settled machine), `document` is the status document and `console` the line for the
    consoles, both with the marks @boot_id@, @kind@, @reason@ and @uptime@.
    """
    if "plan" in checks:
        return ""
    import json

    told = ("console " + console, "document " + json.dumps(document))
    return "\n".join((MAGIC, "content " + content, "uuid " + uuid, *checks, *told, ""))


def compare(root: str = "") -> tuple[str, str, str, str, str] | None:
    """The kind of this boot, the reason, the status document and console line to fill in; None: plan in full.

    The last one is the metadata service that is to be asked for news once the network is up; "" if none is.
    """
    if os.path.exists(f"{root}{STATE}/journal") or os.path.exists(f"{root}{STATE}/pending"):
        return None
    lines = _read(f"{root}{STATE}/fast").decode().split("\n")
    key = _read(f"{root}{STATE}/key")
    if lines[0] != MAGIC or len(key) != 32:
        return None
    kind, reason, document = "no seed", "the drive is gone; the machine stays as it was settled", ""
    content = console = renews = ""
    for line in lines[1:]:
        name, _, rest = line.partition(" ")
        if name == "content":
            content = rest
        elif name == "document":
            document = rest
        elif name == "console":
            console = rest
        elif name == "renew":
            renews = rest
            kind, reason = "same", f"the {renews} metadata service is asked for news once the network is up"
        elif not _holds(root, key, name, rest):
            return None
    for device, file_system, _ in drive.find(LABEL):
        documents = drive.read(device, file_system, NAMES)
        if not documents:
            continue  # the full story names it and takes the next one; so do we
        documents.update(seed_line.documents(root))
        if digest.of_documents(key, documents) != content:
            return None
        kind, reason = "same", "same instance-id, same content"
        break
    return kind, reason, document, console, renews


def names_to_give(root: str = "") -> tuple[tuple[str, str], ...]:
    """MAC and name of all contested interfaces, if one of these names is another one's in this boot; usually nothing.

    udev gives a name that is free. An interface that is not here yet may be called anything when its driver comes.
    """
    lines = _read(f"{root}{STATE}/fast").decode().split("\n")
    wanted = tuple((line.split(" ")[2], line.split(" ")[1]) for line in lines if line.startswith("name "))
    if all(_mac(root, name) == mac for mac, name in wanted):
        return ()
    here = {_mac(root, name) for name in os.listdir(f"{root}/sys/class/net")}
    is_fine = all(_mac(root, name) in ("", mac) and mac in here for mac, name in wanted)
    return () if is_fine else wanted


def _mac(root: str, name: str) -> str:
    return _read(f"{root}/sys/class/net/{name}/address").decode().strip().lower()


def _holds(root: str, key: bytes, name: str, rest: str) -> bool:
    """One line of the description against the machine."""
    if name == "":
        return True
    if name == "uuid":
        uuid = _read(f"{root}/sys/class/dmi/id/product_uuid").strip().lower()
        return digest.keyed(key, (uuid,)) == rest
    if name == "line":
        path, _, text = rest.partition(" ")
        return text.encode() in _read(root + path).split(b"\n")
    if name == "words":  # who is told nothing any more has been told what it had to know
        words = seed_line.words(root)
        return not words or digest.keyed(key, (words,)) == rest
    if name == "name":
        return True  # names_to_give
    if name == "size":
        device, _, sectors = rest.partition(" ")
        return _read(f"{root}/sys/class/block/{device}/size").strip() == sectors.encode()
    return False


def _read(path: str) -> bytes:
    """A file's content; empty where it cannot be read, which then differs from what was recorded."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1 << 20)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
