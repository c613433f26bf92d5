"""OpenStack's metadata service: Nova behind Neutron's proxy (platforms.md 8.2).

    http://169.254.169.254/openstack                a list of versions
    http://169.254.169.254/openstack/<version>/     meta_data.json, user_data, network_data.json, vendor_data*.json
    http://169.254.169.254/openstack/content/0000   files that meta_data.json names

The same is at fe80::a9fe:a9fe on the link of each card, which needs no lease and is all that a network without IPv4
has. While a port is new the proxy does not know it: 404 for the list passes, as do 429 and 5xx. A handful of requests
stays below the limit that operators set for each guest (ten in ten seconds is an example of Neutron's).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestinit.datasources import Search, asking
from guestinit.model.openstack import DOCUMENTS, VERSIONS, content_name
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

NAME = "openstack"
RENEWS = False
HOSTS = {4: "169.254.169.254", 6: "[fe80::a9fe:a9fe]"}
MOST_FILES = 64


def fetch(uplink: Uplink, system: System, deadline: float) -> Search:
    """All documents over this uplink, or why there are none."""
    from guestinit.system.http import NoAnswer

    server = f"http://{HOSTS[uplink.family]}"
    path = "/openstack"

    def get(missing: tuple[int, ...], page: bool = False) -> bytes | None:
        answer = asking.get(server + path, deadline, nic=uplink.nic, missing=missing, empty=bool(missing), page=page)
        return answer.body if answer else None

    documents: list[Document] = []

    def add(name: str, file: str, content: bytes | None) -> None:
        if content is not None:
            documents.append(Document(name, f"{NAME}:{file}", content))
            asking.require_size(documents)

    try:
        version = _newest(get(()) or b"")
        if not version:
            return Search(None, (_tell(server, path, uplink, "not a list of versions: not OpenStack"),))
        for file, name in DOCUMENTS.items():
            path = f"/openstack/{version}/{file}"
            add(name, file, get(() if name == "meta-data" else (404,)))
        for name in _content(documents[0].content):
            path = f"/openstack/{name}"
            add(name, name, get((404,), page=True))  # a web server's start page is what people inject
    except NoAnswer as no_answer:
        return Search(None, (_tell(server, path, uplink, no_answer.reason),))
    reason = f"the metadata service, version {version}"
    return Search(Seed(NAME, f"{server} ({uplink.nic})", reason, tuple(documents), "openstack"))


def _tell(server: str, path: str, uplink: Uplink, reason: str) -> str:
    return f"{NAME}: {server}{path} over {uplink.nic}: {reason}"


def _newest(listed: bytes) -> str:
    """The version to read, of those that the service has; "" if this is no list of versions."""
    given = {line.strip().strip("/") for line in listed.decode("utf-8", "replace").splitlines()}
    return next((version for version in VERSIONS if version in given), "")


def _content(meta_data: bytes) -> list[str]:
    """The files that meta_data.json names, "content/0000". A broken one names none; its reader says what is wrong."""
    import json  # delayed: not for a machine that has a drive

    try:
        said = json.loads(meta_data)
    except (ValueError, RecursionError):
        return []
    if not isinstance(said, dict):
        return []
    files = said.get("files")
    entries: list[Any] = [*(files if isinstance(files, list) else ()), said.get("network_config")]
    found: dict[str, None] = {}
    for entry in entries:
        path = entry.get("content_path") if isinstance(entry, dict) else None
        name = content_name(path) if isinstance(path, str) else ""
        # Nothing but a plain name in that folder: a path is joined to ours.
        if name.isascii() and name[len("content/") :].replace("-", "").replace("_", "").isalnum():
            found[name] = None
    return list(found)[:MOST_FILES]
