"""Config drives: the trees of OpenStack and of CloudStack, alone or together (platforms.md 2.3, 5.1, 6, 8.1, 11).

Nova, oVirt, Proxmox VE (configdrive2), KubeVirt, Ironic and CloudStack write a volume labelled `config-2`, older
CloudStack `config`. What is on it, and not who wrote it, decides how it is read:

    openstack/<version>/    meta_data.json, user_data, network_data.json, vendor_data.json, vendor_data2.json
    openstack/content/      files that meta_data.json names
    cloudstack/             metadata/<key>.txt, userdata/user_data.txt, password/vm_password.txt

Where both trees are there, CloudStack's own has the password and whatever the other one lacks. The EC2 tree says
nothing that is not said better here, and names that nobody knows are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from guestinit.datasources import Read, Search, label_of, labelled, labelled_otherwise, where_of
from guestinit.model.openstack import DOCUMENTS, VERSIONS
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.media import Media, Volume
    from guestinit.system.system import System

NAME = "config-drive"
LABELS = ("config-2", "config")
BAKED = ("/var/lib/cloud/seed/config_drive",)

CONTENT = "openstack/content/"
CLOUDSTACK = "cloudstack/metadata/"
# The documentation says one, the source the other.
CLOUDSTACK_USER_DATA = ("cloudstack/userdata/user_data.txt", "cloudstack/user_data/user_data.txt")
PASSWORD = "cloudstack/password/vm_password.txt"

_TREES = tuple(tuple(f"openstack/{version}/{file}" for file in DOCUMENTS) for version in VERSIONS)
NAMES = (_TREES, f"{CONTENT}*", f"{CLOUDSTACK}*.txt", *CLOUDSTACK_USER_DATA, PASSWORD)
_NOTHING = "holds neither openstack/latest/meta_data.json nor cloudstack/metadata"


def from_volume(volume: Volume, media: Media) -> Read:
    """The trees on one volume."""
    contents = media.read(volume, NAMES)
    label, where, reason = labelled(volume, LABELS)
    files = {path: (f"{label}:{path}", content) for path, (_, content) in contents.files.items()}
    return Read(*_seed(files, where, reason, contents.reason))


def find_baked(system: System) -> Search:
    """A seed directory in the image: as cloud-init has it, so that templates made for it go on working."""
    for directory in BAKED:
        if not system.root.exists(directory):
            continue
        contents = system.media.read_baked(directory, system.root, NAMES)
        files = {path: (f"{directory}/{place}", content) for path, (place, content) in contents.files.items()}
        seed, wrong = _seed(files, directory, "a seed directory of the image", contents.reason)
        return Search(seed, (f"{NAME}: {directory}: {wrong}",) if wrong else ())
    return Search(None)


def announced_by(system: System) -> str:
    """What says that a drive is to come: no platform does."""
    return ""


def open_seed(path: str, system: System) -> Search:
    """The same trees in a directory, an image file or a drive that somebody named."""
    contents = system.media.read_path(path, NAMES)
    files = {name: (label_of(path, place, name), content) for name, (place, content) in contents.files.items()}
    seed, wrong = _seed(files, where_of(path, contents), f"named with --seed {path}", contents.reason)
    if seed is None:
        return Search(None, (f"{NAME}: {contents.reason or f'{path}: {wrong}'}",))
    return Search(seed, labelled_otherwise(NAME, path, contents, LABELS))


def compared(seed: Seed) -> tuple[str, ...]:
    """What a later boot has to read to see whether a drive still says the same: also what was not there."""
    taken = {_path(document, seed) for document in seed.documents}
    version = next((path.split("/")[1] for path in taken if path.startswith("openstack/") and CONTENT not in path), "")
    names = [f"openstack/{newer}/meta_data.json" for newer in VERSIONS[: VERSIONS.index(version or "latest")]]
    names += [f"openstack/{version or 'latest'}/{file}" for file in DOCUMENTS if file != "user_data"]
    for user_data in (f"openstack/{version or 'latest'}/user_data", *CLOUDSTACK_USER_DATA):
        names.append(user_data)
        if user_data in taken:
            break  # whatever else says the same is not listened to
    return (*names, f"{CONTENT}*", f"{CLOUDSTACK}*.txt", PASSWORD)


def _path(document: Document, seed: Seed) -> str:
    """Where on its volume, or below the directory of the image, a document lies, by its label."""
    top = f"{seed.where}/"
    return document.label[len(top) :] if document.label.startswith(top) else document.label.partition(":")[2]


def _seed(files: Mapping[str, tuple[str, bytes]], where: str, reason: str, wrong: str) -> tuple[Seed | None, str]:
    """The seed of these files (path below the top: label, content), or why they are none."""
    documents: dict[str, Document] = {}

    def add(name: str, path: str) -> None:
        if path in files and name not in documents:
            documents[name] = Document(name, *files[path])

    for path in files:
        tree = path.partition("/")[0]
        if tree == "openstack" and not path.startswith(CONTENT):
            add(DOCUMENTS[os.path.basename(path)], path)
    metadata = [path for path in files if path.startswith(CLOUDSTACK)]
    is_cloudstack = metadata or PASSWORD in files or any(path in files for path in CLOUDSTACK_USER_DATA)
    if "meta-data" not in documents and not is_cloudstack:
        return None, wrong or _NOTHING
    for path in files:
        if path.startswith(CONTENT):
            add(f"content/{path[len(CONTENT) :]}", path)
    for path in metadata:
        add(f"meta-data/{path[len(CLOUDSTACK) : -len('.txt')].lower()}", path)
    for path in CLOUDSTACK_USER_DATA:
        add("user-data", path)
    add("password", PASSWORD)
    kind = "openstack" if "meta-data" in documents else "cloudstack"
    return Seed(NAME, where, reason, tuple(documents.values()), kind), ""
