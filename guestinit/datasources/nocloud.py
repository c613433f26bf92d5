"""NoCloud: up to four files in the root of a volume labelled `cidata` (platforms.md 10.1, 2.2), or elsewhere.

Proxmox VE, libvirt, KubeVirt, Packer, Terraform and people write it, as iso9660 or vfat, on any bus, as a whole disk
or a partition. A valid one can be read and holds at least one of the four files: writers leave out or empty whatever
they do not need, but a stick that is only called CIDATA is no seed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestinit.datasources import Read, Search, label_of, labelled, labelled_otherwise, where_of
from guestinit.model import line_configuration
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.media import Media, Volume
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

NAME = "nocloud"
LABELS = ("cidata",)
DOCUMENTS = ("user-data", "meta-data", "network-config", "vendor-data")
_NOTHING = f"holds none of {', '.join(DOCUMENTS)}"
RENEWS = False  # a server that a settled machine has asked has nothing new for it
BAKED = ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")


def from_volume(volume: Volume, media: Media) -> Read:
    """The files on one volume; a stick that is only called CIDATA is no seed."""
    contents = media.read(volume, DOCUMENTS)
    if not contents.files:
        return Read(None, contents.reason or _NOTHING)
    documents = tuple(Document(name, f"cidata:{name}", content) for name, (_, content) in contents.files.items())
    _, where, reason = labelled(volume, LABELS)
    return Read(Seed(NAME, where, reason, documents))


def compared(seed: Seed) -> tuple[str, ...]:
    """What a later boot has to read to see whether a drive still says the same: also what was not there."""
    return DOCUMENTS


def find_baked(system: System) -> Search:
    """A seed directory in the image: as cloud-init has it, so that templates made for it go on working."""
    reasons: tuple[str, ...] = ()
    for directory in BAKED:
        if not system.root.exists(directory):
            continue
        contents = system.media.read_baked(directory, system.root, DOCUMENTS)
        documents = tuple(
            Document(name, f"{directory}/{place}", content) for name, (place, content) in contents.files.items()
        )
        if documents:
            return Search(Seed(NAME, directory, "a seed directory of the image", documents), reasons)
        reasons += (f"{NAME}: {directory}: {contents.reason or _NOTHING}",)
    return Search(None, reasons)


# what the serial number and the command line say


def announced_by(system: System) -> str:
    """What says that a drive is to come: `ds=nocloud` without a place to fetch from; an empty text if nothing does."""
    if _pointer(system)[1]:
        return ""
    for _, label, text in _said(system):
        if any(word.partition(";")[0] == f"ds={NAME}" for word in line_configuration.words(text)):
            return f"the {label}"
    return ""


def find_named(system: System) -> Search:
    """The seed that the serial number or the command line points at: a directory, or a server that has to be asked."""
    label, address = _pointer(system)
    if not address:
        cut = [label for _, label, text in _said(system) if f"ds={NAME}-net" in line_configuration.words(text)]
        hint = "GRUB ends a command at ';', so write 'ds=nocloud;s=http://...' in quotes"
        return Search(None, tuple(f"{NAME}: the {label} says ds=nocloud-net and no address; {hint}" for label in cut))
    from guestinit.datasources import seedfrom

    try:
        place = seedfrom.place(address, system)
        if place.remote:
            return Search(None, (f"{NAME}: the {label} names {place.shown()}",), NAME)
        documents = seedfrom.read(place, system)
    except seedfrom.Unusable as unusable:
        return Search(None, (f"{NAME}: the {label} names a seed that cannot be read: {unusable}",))
    return Search(Seed(NAME, place.shown(), f"the {label} names it", documents))


def fetch(uplink: Uplink, system: System, deadline: float) -> Search:
    """The seed of the server that `find_named` came to, over this uplink."""
    from guestinit.datasources import seedfrom

    label, address = _pointer(system)
    try:
        place = seedfrom.place(address, system)
        obstacle = seedfrom.obstacle(place, uplink)
        if obstacle:
            return Search(None, (f"{NAME}: {place.shown()}: {obstacle}",))
        documents = seedfrom.fetch(place, uplink.nic, deadline)
    except seedfrom.Unusable as unusable:
        return Search(None, (f"{NAME}: {unusable}",))
    return Search(Seed(NAME, place.shown(), f"the {label} names it", documents))


def has_name(system: System) -> bool:
    """Whether the server that `find_named` came to has a name and no address."""
    from guestinit.datasources import seedfrom

    try:
        place = seedfrom.place(_pointer(system)[1], system)
    except seedfrom.Unusable:
        return False
    return place.remote and not seedfrom.family(place)


def find_stated(system: System) -> Search:
    """A seed without any file: the instance-id that the serial number or the command line gives is enough."""
    documents = _line_documents(system)
    for document in reversed(documents):
        if "instance-id" in line_configuration.pairs(document.content.decode()):
            return Search(Seed(NAME, f"the {document.label}", f"the {document.label} gives an instance-id", documents))
    reasons = (f"{NAME}: the {document.label} gives no instance-id, and there is no volume" for document in documents)
    return Search(None, tuple(reasons))


def with_line(seed: Seed, system: System) -> Seed:
    """This source's seed with what the serial number and the command line say about meta-data."""
    names = {document.name for document in seed.documents}
    more = tuple(document for document in _line_documents(system) if document.name not in names)
    return seed._replace(documents=seed.documents + more)


def _said(system: System) -> tuple[tuple[str, str, str], ...]:
    if not system.live:
        return ()  # another root's machine has said nothing
    from guestinit.system import seed_line

    return seed_line.read(system.root.path)


def _pointer(system: System) -> tuple[str, str]:
    """Who names a place to fetch from, and the place; empty texts if nobody does. The command line comes first."""
    key = line_configuration.SEEDFROM
    found = [(label, line_configuration.pairs(text).get(key, "")) for _, label, text in _said(system)]
    return next(((label, address) for label, address in reversed(found) if address), ("", ""))


def _line_documents(system: System) -> tuple[Document, ...]:
    if not system.live:
        return ()
    from guestinit.system import seed_line

    labels = {name: label for name, label, _ in seed_line.PLACES}
    return tuple(Document(name, labels[name], text) for name, text in seed_line.documents(system.root.path).items())


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
    return Search(seed, labelled_otherwise(NAME, path, contents, LABELS))


def _describe_wrong(path: str) -> str:
    """Why a directory or an image that can be read is no seed, and what was probably meant."""
    wrong = f"{path}: {_NOTHING}"
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
