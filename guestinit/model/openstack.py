"""How OpenStack lays its metadata out, on a drive and over HTTP alike (platforms.md 8.1, 8.2)."""

from __future__ import annotations

# The newest one that is known and there is read: what a later one means nobody can know. Writers other than Nova have
# `latest` only.
VERSIONS = (
    "2025-04-04", "2020-10-14", "2018-08-27", "2017-02-22", "2016-10-06", "2016-06-30", "2015-10-15", "2013-10-17",
    "2013-04-04", "2012-08-10", "latest",
)  # fmt: skip

# The files of a version, by the name that each has as a document of a seed.
DOCUMENTS = {
    "meta_data.json": "meta-data",
    "user_data": "user-data",
    "network_data.json": "network-config",
    "vendor_data.json": "vendor-data",
    "vendor_data2.json": "vendor-data2",
}


def content_name(path: str) -> str:
    """The document that a content path means: "content/0000" of "/content/0000"; "" if it leads somewhere else."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/".join(parts) if len(parts) == 2 and parts[0] == "content" and parts[1] != ".." else ""
