"""Which machine this is, by the platform's own description: one reader for each format that platforms write."""

from __future__ import annotations

from guestinit import rooms
from guestinit.model.problem import Problems
from guestinit.model.seed import MetaData, Seed


def read(seed: Seed, problems: Problems) -> MetaData:
    """What meta-data says. Raises Unreadable if it cannot be trusted: then nothing is known about this machine."""
    found: MetaData = rooms.one("reading", f"metadata_{seed.format}").read(seed, problems)
    if seed.format == "openstack":
        from guestinit.reading import metadata_cloudstack

        if metadata_cloudstack.has_leaves(seed):
            return metadata_cloudstack.complete(found, seed, problems)
    return found
