"""NoCloud: up to four files in the root of a volume labelled `cidata` (platforms.md 10.1, 2.2).

Proxmox VE, libvirt, KubeVirt, Packer, Terraform and people write it, as iso9660 or vfat, on any bus, as a whole disk
or a partition. A valid one can be read and holds at least one of the four files: writers leave out or empty whatever
they do not need, but a stick that is only called CIDATA is no seed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestinit.datasources import Read, Search, label_of, where_of
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.media import Media, Volume
    from guestinit.system.system import System

NAME = "nocloud"
LABELS = ("cidata",)
DOCUMENTS = ("user-data", "meta-data", "network-config", "vendor-data")
BAKED = ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")


def from_volume(volume: Volume, media: Media) -> Read:
    """The files on one volume; a stick that is only called CIDATA is no seed."""
    contents = media.read(volume, DOCUMENTS)
    if not contents.files:
        return Read(None, contents.reason or f"holds none of {', '.join(DOCUMENTS)}")
    label = next(label for label in volume.labels if label.strip().lower() in LABELS)
    documents = tuple(Document(name, f"cidata:{name}", content) for name, (_, content) in contents.files.items())
    where, reason = f"{volume.device} ({label}, {volume.file_system})", f"volume {volume.device} is labelled {label}"
    return Read(Seed(NAME, where, reason, documents))


def compared(seed: Seed) -> tuple[str, ...]:
    """What a later boot has to read to see whether a drive still says the same: also what was not there."""
    return DOCUMENTS


def find_baked(system: System) -> Search:
    """A seed directory in the image: as cloud-init has it, so that templates made for it go on working."""
    for directory in BAKED:
        found = {name: system.root.read(f"{directory}/{name}") for name in DOCUMENTS}
        documents = tuple(
            Document(name, f"{directory}/{name}", content) for name, content in found.items() if content is not None
        )
        if documents:
            return Search(Seed(NAME, directory, "a seed directory of the image", documents))
    return Search(None)


def announced_by(system: System) -> str:
    """What says that a drive is to come: `ds=nocloud` without a place to fetch from; an empty text if nothing does."""
    places = (("the SMBIOS serial", "/sys/class/dmi/id/product_serial"), ("the kernel command line", "/proc/cmdline"))
    for place, path in places:
        try:
            text = (system.root.read(path) or b"").decode("utf-8", "replace")
        except OSError:
            continue  # the serial is for root's eyes
        if any(_announces(word) for word in text.split()):
            return place
    return ""


def _announces(word: str) -> bool:
    # Users quote the value, and some quotes end up in it; GRUB cuts an unquoted `;` off or leaves a backslash (10.3).
    kind, *pairs = word.replace("'", "").replace('"', "").replace("\\", "").split(";")
    keys = {pair.partition("=")[0] for pair in pairs}
    return kind == f"ds={NAME}" and not keys.intersection(("s", "seedfrom"))


# a seed that somebody named


def open_seed(path: str, system: System) -> Search:
    """The seed in a directory, an image file or a drive."""
    contents = system.media.read_path(path, DOCUMENTS)
    if not contents.files:
        return Search(None, (f"{NAME}: {contents.reason or _describe_wrong(path)}",))
    documents = tuple(
        Document(name, label_of(path, entry, name), content) for name, (entry, content) in contents.files.items()
    )
    seed = Seed(NAME, where_of(path, contents), f"named with --seed {path}", documents)
    if contents.labels and not any(label.strip().lower() in LABELS for label in contents.labels):
        return Search(
            seed, (f"{NAME}: {path} is labelled '{contents.labels[0]}'; a boot looks for '{LABELS[0]}' only",)
        )
    return Search(seed)


def _describe_wrong(path: str) -> str:
    """Why a directory or an image that can be read is no seed, and what was probably meant."""
    wrong = f"{path}: holds none of {', '.join(DOCUMENTS)}"
    if not os.path.isdir(path):
        return wrong
    entries = sorted(os.listdir(path))
    for entry in entries:
        if os.path.isfile(f"{path}/{entry}/user-data"):
            return f"{wrong}; did you mean {os.path.normpath(f'{path}/{entry}')}?"
    for entry in entries:
        if entry.partition(".")[0] in DOCUMENTS:
            return f"{wrong}; rename {entry} to {entry.partition('.')[0]}"
    return f"{wrong}; it holds {', '.join(entries[:4])}{', ...' if len(entries) > 4 else ''}"
