"""`guestinit check`: reading without a machine. A seed is read as a boot would read it; a single file by its name."""

from __future__ import annotations

import os

from guestinit import modules, rooms
from guestinit.model.fields import Fields
from guestinit.model.image import Image
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document, Seed
from guestinit.model.unreadable import Unreadable

NAMES = ("user-data", "meta-data", "network-config", "vendor-data")


def check(path: str, problems: Problems) -> dict[str, str]:
    """Report every problem of a seed or file; the answer is the text of each document by its label."""
    from guestinit.reading import config as reading

    seed = open_seed(path, problems)
    if seed is None:
        return {}
    known = [key for _, keys in modules.ORDER for key in keys if key != "*"]
    texts = {document.label: document.content.decode("utf-8", "replace") for document in seed.documents}
    try:
        inputs = reading.read(seed, Image(), known, problems)
    except Unreadable as unreadable:
        # A boot would stop here; whoever mends a seed wants to know all that is wrong with it.
        problems.found.append(unreadable.problem)
        others = tuple(document for document in seed.documents if document.name != "meta-data")
        inputs = reading.read(seed._replace(documents=others), Image(), known, problems)
    for name, _ in modules.ORDER:
        module = rooms.one("modules", name)
        module.read(Fields(inputs.cloud_config, "", module.KEYS, problems, check=False), inputs.meta)
    return {**texts, **inputs.texts}


def open_seed(path: str, problems: Problems) -> Seed | None:
    """The documents at a path: of a directory or an ISO all four, of a file the one that its name says."""
    if os.path.isdir(path) or path.endswith(".iso"):
        from guestinit import cli, datasources

        search = datasources.open_seed(path, cli.build_system("/", writable=False))
        if search.seed is None:
            problems.error(Position(path), "", "; ".join(search.reasons))
        return search.seed
    with open(path, "rb") as file:
        content = file.read()
    base = os.path.basename(path)
    # A file under a name of its own (a Proxmox snippet) is user-data, which is what people write by hand.
    name = next((name for name in NAMES if base.startswith(name)), "user-data")
    if base.startswith(("network-config", "network_config", "netcfg")):
        name = "network-config"
    return Seed("file", path, "", (Document(name, path, content),))
