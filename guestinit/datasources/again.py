"""What a boot has to look at to see that the seed of a settled machine is still the same: for system/unchanged.py.

    directory PATH      a seed directory of the image
    drive LABEL ...     the volumes of these labels
    settled PLACE       where the settled seed lies: one of these in the same words, `service NAME`, `said`, `elsewhere`
    read NAME           what is to be read there (system/tree.py)
    content DIGEST      of what was read there
    said with it        what the serial number and the command line say is a part of it

Directories and drives stand in the order in which a full run looks at them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestinit import rooms
from guestinit.datasources import DRIVES, SERVICES

if TYPE_CHECKING:
    from guestinit.model.image import Image
    from guestinit.model.seed import Seed
    from guestinit.system.system import System


def lines(seed: Seed, image: Image, system: System, uuid: str) -> tuple[str, ...]:
    """These lines; none if only a full run can tell. `uuid` is the machine's."""
    from guestinit.system import seed_line

    local = [rooms.one("datasources", name) for name in image.datasources if name in DRIVES]
    places = tuple(f"directory {directory}" for source in local for directory in source.BAKED)
    places += tuple(f"drive {' '.join(source.LABELS)}" for source in local)
    said = seed_line.documents(system.root.path)
    lying = [document for document in seed.documents if document.name not in said]
    if seed.datasource in SERVICES:
        # It is not asked before this is known, so there has to be something to know the machine by.
        return (*places, f"settled service {seed.datasource}") if uuid else ()
    if seed.where.startswith(("http://", "https://")):
        return (*places, f"settled service {seed.datasource}")
    source = rooms.one("datasources", seed.datasource)
    if not lying:
        place, top = "said", ""
    elif seed.where.startswith("/dev/"):
        place, top = f"drive {' '.join(source.LABELS)}", f"{lying[0].label.partition(':')[0]}:"
    elif f"directory {seed.where}" in places:
        place, top = f"directory {seed.where}", f"{seed.where}/"
    elif seed_line.words(system.root.path):
        if not seed.where.endswith("/"):
            return ()  # files here and there: `%s` in what they name
        place, top = f"directory {seed.where}", seed.where
        places = (place, *places)  # what they name comes before everything else
    else:  # somebody named it on the command line of a run: whatever else there is, is another seed
        return (*places, "settled elsewhere")
    files = {document.label[len(top) :]: document.content for document in lying}
    files.update({name: content for name, content in said.items() if seed.document(name) is not None})
    reads = (f"read {name}" for name in source.compared(seed))
    merged = ("said with it",) if len(files) > len(lying) else ()
    return (*places, f"settled {place}", *reads, *merged, f"content {system.state.files_digest(files)}")
