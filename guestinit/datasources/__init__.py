"""Where a seed comes from, one file each.

What lies in the machine itself comes first: a seed directory in the image, then the drives (drives.py). A drive source
has

    LABELS                                  the labels of its volumes, lower case
    from_volume(volume, media) -> Read      what is on one of them
    BAKED                                   directories of the image that may hold the same
    compared(seed) -> names                 what a later boot reads of a volume to see whether it still says the same
    announced_by(system) -> str             what says that a drive is to come; an empty text if nothing does
    find_baked(system) -> Search            a seed directory that whoever built the image left in it
    open_seed(path, system) -> Search       the same tree in a directory, an image file or a drive that somebody named

A metadata service is asked only if nothing lies in the machine, and only where the platform is positively identified
(model/platform.py has the rules). It has

    fetch(uplink, system, deadline) -> Search   what it answers over this uplink, until this time.monotonic()
    RENEWS                                      whether it may have news (a new password) for a machine that is settled

A source reads the machine through `system` only. It hands the documents over as bytes, unread, and says in one line for
each thing that it looked at why it is not the seed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from guestinit import rooms
from guestinit.model.seed import Seed

if TYPE_CHECKING:
    from guestinit.model.image import Image
    from guestinit.system.media import Contents, Volume
    from guestinit.system.system import System

# In the order in which they are asked.
DRIVES: tuple[str, ...] = ("nocloud", "config-drive")
SERVICES: tuple[str, ...] = ("openstack", "ec2", "cloudstack")
# To this one the machine's serial number and the kernel's command line can speak (model/line_configuration.py).
LINED = "nocloud"


class Search(NamedTuple):
    """What looking for a seed brought."""

    seed: Optional[Seed]
    reasons: tuple[str, ...] = ()  # "nocloud: no volume labelled cidata; saw sr0 'config-2'"
    service: str = ""  # the metadata service that is to be asked, because nothing lies in the machine


class Read(NamedTuple):
    """What a source made of one volume."""

    seed: Optional[Seed]
    reason: str = ""  # why it is no seed


def find(system: System, settled: bool, image: Image) -> Search:
    """The seed that lies in this machine, or the service that has to be asked, with a reason for each source.

    `settled` machines wait for no drive.
    """
    search = _find(system, settled, image)
    first = search.seed.datasource if search.seed is not None else search.service
    spoken = {first, *(reason.partition(":")[0] for reason in search.reasons)}
    silent = [name for name in image.datasources if name not in spoken]
    if not first or not silent:
        return search
    return search._replace(reasons=(*search.reasons, f"{', '.join(silent)}: not asked: {first} comes first"))


def _find(system: System, settled: bool, image: Image) -> Search:
    reasons: tuple[str, ...] = ()
    local = [name for name in image.datasources if name in DRIVES]
    if LINED in local:
        search: Search = rooms.one("datasources", LINED).find_named(system)
        reasons += search.reasons
        if search.seed is not None or search.service:
            return Search(_completed(search.seed, system), reasons, search.service)
    for name in local:
        search = rooms.one("datasources", name).find_baked(system)
        reasons += search.reasons
        if search.seed is not None:
            return Search(_completed(search.seed, system), reasons)
    if local:
        from guestinit.datasources import drives

        search = drives.find(system, settled, local)
        reasons += search.reasons
        if search.seed is not None:
            return Search(_completed(search.seed, system), reasons)
    if LINED in local:
        search = rooms.one("datasources", LINED).find_stated(system)
        reasons += search.reasons
        if search.seed is not None:
            return Search(search.seed, reasons)
    from guestinit.datasources import services

    search = services.identify(system, image)
    return Search(None, reasons + search.reasons, search.service)


def fetch(search: Search, system: System, settled: bool) -> Search:
    """What the service answers that a search came to."""
    from guestinit.datasources import services

    fetched = services.fetch(search.service, system, settled)
    return fetched._replace(seed=_completed(fetched.seed, system), reasons=search.reasons + fetched.reasons)


def without_news(search: Search, system: System) -> Search:
    """The same search, without the service where a settled machine has heard from it all that there is.

    Then no boot waits for it: only another machine (a clone), or another word of who operates it, is a reason to ask.
    """
    from guestinit.datasources import services

    if not search.service or services.has_news(search.service, system):
        return search
    return Search(None, (*search.reasons, f"{search.service}: not asked again, this machine is settled"))


def _completed(seed: Seed | None, system: System) -> Seed | None:
    """With what the serial number and the command line say about it."""
    if seed is None or seed.datasource != LINED:
        return seed
    completed: Seed = rooms.one("datasources", LINED).with_line(seed, system)
    return completed


def open_seed(path: str, system: System, names: Sequence[str] = DRIVES) -> Search:
    """The seed in a directory, an image file or a drive; the reasons name the path."""
    reasons: tuple[str, ...] = ()
    for name in names:
        search: Search = rooms.one("datasources", name).open_seed(path, system)
        if search.seed is not None:
            return search  # that it is no seed for another source is no news to whoever named it
        # A place that cannot be read is not there for every source in the same words.
        told = {reason.partition(": ")[2] for reason in reasons}
        reasons += tuple(reason for reason in search.reasons if reason.partition(": ")[2] not in told)
    return Search(None, reasons)


def labelled(volume: Volume, labels: Sequence[str]) -> tuple[str, str, str]:
    """Which of a source's labels a volume has, in lower case; then where a seed on it lies, and why it is one."""
    label = next(label for label in volume.labels if label.strip().lower() in labels)
    where = f"{volume.device} ({label}, {volume.file_system})"
    return label.strip().lower(), where, f"volume {volume.device} is labelled {label}"


def labelled_otherwise(name: str, path: str, contents: Contents, labels: Sequence[str]) -> tuple[str, ...]:
    """A remark if no boot would find a volume that was named, by its label."""
    if not contents.labels or any(label.strip().lower() in labels for label in contents.labels):
        return ()
    looked_for = " or ".join(f"'{label}'" for label in labels)
    return (f"{name}: {path} is labelled '{contents.labels[0]}'; a boot looks for {looked_for} only",)


def label_of(path: str, entry: str, name: str) -> str:
    """How a document is called in messages: the file that an editor would open, where there is one."""
    return os.path.normpath(f"{path}/{entry}") if os.path.isdir(path) else f"{os.path.normpath(path)}:{name}"


def where_of(path: str, contents: Contents) -> str:
    """Where a seed that was named lies, with the label of its volume."""
    return f"{path} ({contents.labels[0]})" if contents.labels else path
