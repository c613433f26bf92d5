"""NoCloud: up to four files in the root of a volume labelled `cidata` (platforms.md 10.1, 2.2).

Proxmox VE, libvirt, KubeVirt, Packer, Terraform and people write it, as iso9660 or vfat, on any bus, as a whole disk
or a partition. Where several volumes carry the label they are tried in the order of `drive.rank`: optical drives, whole
disks, partitions, and among these the last name first. The first valid one wins: it can be read and holds at least one
of the four files. Writers leave out or empty whatever they do not need, but a stick that is only called CIDATA is no
seed.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from guestinit.datasources import Search
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.media import Contents, Look, Media, Volume
    from guestinit.system.system import System

NAME = "nocloud"
LABEL = "cidata"
DOCUMENTS = ("user-data", "meta-data", "network-config", "vendor-data")


def find(system: System, settled: bool) -> Search:
    """The first valid volume; a machine on which nothing is settled waits for one by the rule of `media.arrivals`."""
    if not system.live:
        return Search(None, (f"{NAME}: no drive belongs to another root; name a seed with --seed",))
    tried: dict[Volume, str] = {}
    look = system.media.look()
    seed = _choose(look, system.media, tried)
    waited = 0.0
    if seed is None and not settled:
        announcement = announced_by(system)
        start = time.monotonic()
        for _ in system.media.arrivals(bool(announcement)):
            look = system.media.look()
            seed = _choose(look, system.media, tried)
            if seed is not None:
                break
        waited = time.monotonic() - start
        if seed is None and announcement:
            return Search(None, (*_explain(look, system.media, tried, waited), f"{NAME}: announced by {announcement}"))
    if seed is None:
        return Search(None, _explain(look, system.media, tried, waited))
    late = (f"{NAME}: the volume appeared after {waited:.1f} s",) if waited else ()
    return Search(seed, (*_skipped(tried), *late))


def _choose(look: Look, media: Media, tried: dict[Volume, str]) -> Seed | None:
    """The first valid volume of a look. `tried` collects why others are not; the next look tries these again."""
    wanted = [volume for volume in look.volumes if volume.has_label(LABEL)]
    for volume in wanted:
        contents = media.read(volume, DOCUMENTS)
        if not contents.files:
            tried[volume] = contents.reason or f"holds none of {', '.join(DOCUMENTS)}"
            continue
        tried.pop(volume, None)
        label = next(label for label in volume.labels if label.strip().lower() == LABEL)
        reason = f"volume {volume.device} is labelled {label}"
        if len(wanted) > 1:
            reason += f", the first valid one of {', '.join(other.name for other in wanted)}"
        documents = tuple(Document(name, f"{LABEL}:{name}", content) for name, (_, content) in contents.files.items())
        return Seed(NAME, f"{volume.device} ({label}, {volume.file_system})", reason, documents)
    return None


def _skipped(tried: dict[Volume, str]) -> tuple[str, ...]:
    return tuple(f"{NAME}: {volume.name} '{volume.label}' skipped: {reason}" for volume, reason in tried.items())


def _explain(look: Look, media: Media, tried: dict[Volume, str], waited: float) -> tuple[str, ...]:
    """Why there is no seed, from what was seen."""
    if tried:
        lines = _skipped(tried)
    else:
        seen = ", ".join(f"{volume.name} '{volume.label}'" for volume in look.volumes)
        after = f" after waiting {waited:.1f} s for udev" if waited >= 0.05 else ""
        lines = (f"{NAME}: no volume labelled {LABEL}{after}; saw {seen or 'no iso9660 or vfat volume'}",)
    return lines + tuple(f"{NAME}: {line}" for line in media.explain(look))


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
        Document(name, _label(path, entry, name), content) for name, (entry, content) in contents.files.items()
    )
    seed = Seed(NAME, _where(path, contents), f"named with --seed {path}", documents)
    if contents.labels and not any(label.strip().lower() == LABEL for label in contents.labels):
        return Search(seed, (f"{NAME}: {path} is labelled '{contents.labels[0]}'; a boot looks for '{LABEL}' only",))
    return Search(seed)


def _label(path: str, entry: str, name: str) -> str:
    """How a document is called in messages: the file that an editor would open, where there is one."""
    return os.path.normpath(f"{path}/{entry}") if os.path.isdir(path) else f"{os.path.normpath(path)}:{name}"


def _where(path: str, contents: Contents) -> str:
    if contents.labels:
        return f"{path} ({contents.labels[0]})"
    return path


def _describe_wrong(path: str) -> str:
    """Why a directory or an image that can be read is no seed, and what was probably meant."""
    wrong = f"{path}: holds none of {', '.join(DOCUMENTS)}"
    if not os.path.isdir(path):
        return wrong
    entries = sorted(os.listdir(path))
    if not entries:
        return f"{path}: is an empty directory"
    if "openstack" in entries or "ec2" in entries:
        return f"{wrong}; it looks like a config drive, which is not read yet"
    for entry in entries:
        if os.path.isfile(f"{path}/{entry}/user-data"):
            return f"{wrong}; did you mean {os.path.normpath(f'{path}/{entry}')}?"
    for entry in entries:
        if entry.partition(".")[0] in DOCUMENTS:
            return f"{wrong}; rename {entry} to {entry.partition('.')[0]}"
    return f"{wrong}; it holds {', '.join(entries[:4])}{', ...' if len(entries) > 4 else ''}"
