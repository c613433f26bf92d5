"""Seeds on drives: every source that reads volumes, asked about one look at all of them.

Where several volumes carry a source's label they are tried in the order of `drive.rank`: optical drives, whole disks,
partitions, and among these the last name first. The first valid one wins.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guestinit import rooms
from guestinit.datasources import Read, Search

if TYPE_CHECKING:
    from guestinit.model.seed import Seed
    from guestinit.system.media import Look, Media, Volume
    from guestinit.system.system import System

    Tried = dict[tuple[str, Volume], str]  # source and volume: why that is no seed


def find(system: System, settled: bool, names: Sequence[str]) -> Search:
    """The first valid volume; a machine on which nothing is settled waits for one by the rule of `media.arrivals`."""
    if not system.live:
        return Search(None, (f"{', '.join(names)}: no drive belongs to another root; name a seed with --seed",))
    tried: Tried = {}
    look = system.media.look()
    seed = _choose(look, system.media, names, tried)
    waited, announcement = 0.0, ""
    if seed is None and not settled:
        announcement = _announcement(system, names)
        start = time.monotonic()
        for _ in system.media.arrivals(bool(announcement)):
            look = system.media.look()
            seed = _choose(look, system.media, names, tried)
            if seed is not None:
                break
        waited = time.monotonic() - start
    if seed is None:
        announced = (announcement,) if announcement else ()
        return Search(None, (*_explain(look, system.media, names, tried, waited), *announced))
    before = names[: names.index(seed.datasource)]
    passed = _missing(look, before, tried, 0.0) if before else ()
    late = (f"{seed.datasource}: the volume appeared after {waited:.1f} s",) if waited else ()
    return Search(seed, (*passed, *_skipped(tried), *late))


def labelled(look: Look, source: str) -> list[Volume]:
    """The volumes that carry a label of this source, in the order in which they are tried."""
    labels = rooms.one("datasources", source).LABELS
    return [volume for volume in look.volumes if any(volume.has_label(label) for label in labels)]


def _choose(look: Look, media: Media, names: Sequence[str], tried: Tried) -> Seed | None:
    """The first valid volume of a look. `tried` collects why others are not; the next look tries these again."""
    for name in names:
        wanted = labelled(look, name)
        for volume in wanted:
            read: Read = rooms.one("datasources", name).from_volume(volume, media)
            if read.seed is None:
                tried[name, volume] = read.reason
                continue
            tried.pop((name, volume), None)
            if len(wanted) < 2:
                return read.seed
            others = ", ".join(other.name for other in wanted)
            return read.seed._replace(reason=f"{read.seed.reason}, the first valid one of {others}")
    return None


def _announcement(system: System, names: Sequence[str]) -> str:
    """What says that a drive is to come; an empty text if nothing does."""
    for name in names:
        place = rooms.one("datasources", name).announced_by(system)
        if place:
            return f"{name}: announced by {place}"
    return ""


def _skipped(tried: Tried) -> tuple[str, ...]:
    return tuple(
        f"{name}: {volume.name} '{volume.label}' skipped: {reason}" for (name, volume), reason in tried.items()
    )


def _missing(look: Look, names: Sequence[str], tried: Tried, waited: float) -> tuple[str, ...]:
    """A line for each source that has no volume at all, with what was seen."""
    seen = ", ".join(_describe(volume) for volume in look.volumes) or "no iso9660 or vfat volume"
    after = f" after waiting {waited:.1f} s for udev" if waited >= 0.05 else ""
    skipped = {name for name, _ in tried}
    return tuple(
        f"{name}: no volume labelled {' or '.join(rooms.one('datasources', name).LABELS)}{after}; saw {seen}"
        for name in names
        if name not in skipped
    )


def _describe(volume: Volume) -> str:
    known = " (OpenNebula's, which is not supported)" if volume.has_label("CONTEXT") else ""
    return f"{volume.name} '{volume.label}'{known}"


def _explain(look: Look, media: Media, names: Sequence[str], tried: Tried, waited: float) -> tuple[str, ...]:
    """Why there is no seed, from what was seen."""
    unread = tuple(f"{names[0]}: {line}" for line in media.explain(look))
    return _skipped(tried) + _missing(look, names, tried, waited) + unread
