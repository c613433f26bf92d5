"""`guestinit check`: reading without a machine.

A directory or an image is read as a boot would read that seed; a single file by its name: one of the four documents of
NoCloud, of the five of OpenStack, a file of the image configuration, and else user-data, which people write by hand.
"""

from __future__ import annotations

import os

from guestinit import modules, rooms
from guestinit.model import openstack
from guestinit.model.fields import Fields
from guestinit.model.image import Image
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document, Inputs, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.system import image_file

NAMES = ("user-data", "meta-data", "network-config", "vendor-data")


def check(path: str, problems: Problems) -> dict[str, str]:
    """Report every problem of a seed or file; the answer is the text of each document by its label."""
    from guestinit.reading import config as reading

    if is_image_configuration(path):
        return check_image_configuration(path, problems)
    seed = open_seed(path, problems)
    if seed is None:
        return {}
    try:
        inputs = reading.read(seed, Image(), known_keys(), problems)
    except Unreadable as unreadable:
        # A boot would stop here; whoever mends a seed wants to know all that is wrong with it.
        problems.found.append(unreadable.problem)
        others = tuple(document for document in seed.documents if document.name != "meta-data")
        inputs = reading.read(seed._replace(documents=others), Image(), known_keys(), problems)
    check_sections(inputs, problems)
    return {**texts(seed.documents), **inputs.texts}


def check_image_configuration(path: str, problems: Problems) -> dict[str, str]:
    """The same for a file of /etc/guestinit."""
    from guestinit.reading import config as reading
    from guestinit.reading import image

    document = read_file(path, os.path.basename(path))
    found = image.read([document], problems)
    # What is left to be read are the defaults below `config`, as if a seed said nothing.
    check_sections(reading.read(Seed("file", path, "", ()), found, known_keys(), problems), problems)
    return texts((document,))


def check_sections(inputs: Inputs, problems: Problems) -> None:
    """What each module says of its part."""
    for name, _ in modules.ORDER:
        module = rooms.one("modules", name)
        module.read(Fields(inputs.cloud_config, "", module.KEYS, problems, check=False), inputs.meta)


def open_seed(path: str, problems: Problems) -> Seed | None:
    """The documents at a path: of a directory or an image all of them, of a file the one that its name says."""
    if os.path.isdir(path) or path.endswith((".iso", ".img")) or image_file.is_image(path):
        from guestinit import datasources
        from guestinit.system.system import open_system

        search = datasources.open_seed(path, open_system("/", writable=False))
        if search.seed is None:
            reasons = (reason.partition(f"{path}: ")[2] or reason for reason in search.reasons)
            problems.error(Position(path), "", "; ".join(reasons))
        return search.seed
    base = os.path.basename(path)
    if base in openstack.DOCUMENTS:
        return Seed("file", path, "", (read_file(path, openstack.DOCUMENTS[base]),), "openstack")
    name = next((name for name in NAMES if base.startswith(name)), "user-data")
    if base.startswith(("network-config", "network_config", "netcfg")):
        name = "network-config"
    return Seed("file", path, "", (read_file(path, name),))


def read_file(path: str, name: str) -> Document:
    """A file as the document of this name."""
    with open(path, "rb") as file:
        return Document(name, path, file.read())


def is_image_configuration(path: str) -> bool:
    """Whether this is /etc/guestinit/guestinit.yaml or a file of guestinit.d, here or in a tree."""
    directory, base = os.path.split(os.path.abspath(path))
    return os.path.isfile(path) and (base == "guestinit.yaml" or os.path.basename(directory) == "guestinit.d")


def known_keys() -> list[str]:
    """Every top-level key that some module reads."""
    return [key for _, keys in modules.ORDER for key in keys if key != "*"]


def texts(documents: tuple[Document, ...]) -> dict[str, str]:
    """The text of each document by its label, to show the line of a problem."""
    return {document.label: document.content.decode("utf-8", "replace") for document in documents}
