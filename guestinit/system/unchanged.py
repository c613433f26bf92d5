"""Is this the machine that we already settled? All that an ordinary boot runs, so it imports next to nothing.

When a run is settled, `describe` says in plain lines what an unchanged boot has to compare; `compare` does it, some
milliseconds after systemd started us. The drive's bytes are read and compared every time: an ISO's uuid is its creation
time, and reproducibly built seeds share it while their content differs. A metadata service is not asked.
"""

from __future__ import annotations

import os

from guestinit.system import digest, drive, seed_line

TYPE_CHECKING = False  # typing itself would cost this boot 4 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAGIC = "guestinit unchanged 2"
STATE = "/var/lib/guestinit"
ASKED_ONCE = "same machine; its {} seed is asked for on a first boot only"


def describe(
    places: Sequence[str], uuid: str, checks: Sequence[str], document: Mapping[str, object], console: str
) -> str:
    """The lines that `compare` reads; empty if the boot has to plan, because something can only be decided there.

    `places` is what datasources/again.py says, `uuid` a keyed digest, `checks` what `engine.every_boot_checks` yields,
    with a line `words DIGEST` (what the serial number and the command line say to NoCloud) and perhaps `renew SERVICE`
    (a metadata service that may have news for a settled machine), `document` the status document and `console` the line
    for the consoles, both with the marks @boot_id@, @kind@, @reason@ and @uptime@.
    """
    if "plan" in checks or not places:
        return ""
    import json

    told = ("console " + console, "document " + json.dumps(document))
    return "\n".join((MAGIC, *places, "uuid " + uuid, *checks, *told, ""))


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
    one = {"settled": "", "content": "", "said": "", "document": "", "console": "", "renew": ""}
    places, names = [], []
    for line in lines[1:]:
        name, _, rest = line.partition(" ")
        if name in one:
            one[name] = rest
        elif name in ("directory", "drive"):
            places.append(line)
        elif name == "read":
            names.append(rest)
        elif not _holds(root, key, name, rest):
            return None
    renews, told = one["renew"], (one["document"], one["console"], one["renew"])
    kind, _, service = one["settled"].partition(" ")
    if service == "nocloud" and seed_line.words(root):  # it comes before whatever lies in the machine
        return ("same", ASKED_ONCE.format(service), *told)
    found = _look(root, places, one["settled"], names)
    if found is None:
        return None
    if one["said"] and (found or kind == "said"):
        found.update(seed_line.documents(root))
    if found:
        is_same = digest.of_documents(key, found) == one["content"]
        return ("same", "same instance-id, same content", *told) if is_same else None
    if renews:
        return ("same", f"the {renews} metadata service is asked for news once the network is up", *told)
    if kind == "service" and service != "nocloud":
        return ("same", ASKED_ONCE.format(service), *told)
    return ("no seed", "the drive is gone; the machine stays as it was settled", *told)


def _look(root: str, places: Sequence[str], settled: str, names: Sequence[str]) -> dict[str, bytes] | None:
    """What lies where the settled seed lay; empty if nothing lies anywhere, None if something lies elsewhere.

    The order is the one of a full run, which takes the first. Whether another place holds a seed or something else of
    that name is a full run's business.
    """
    volumes = None
    for place in places:
        kind, _, rest = place.partition(" ")
        if kind == "directory":
            if not drive.listing(root + rest):
                continue
            if place != settled:
                return None
            found = {name: content for name, (_, content) in drive.read_directory(root + rest, names, True)[0].items()}
            if found:
                return found
            continue
        if volumes is None:
            volumes = drive.volumes(root)[0]
        for device, file_system, labels, _ in volumes:
            if not any(drive.matching(labels, label) for label in rest.split(" ")):
                continue
            if place != settled:
                return None
            found = drive.read(device, file_system, names)
            if found:
                return found  # one that holds nothing is named by the full story, which takes the next one; so do we
    return {}


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
