"""Reading: from a seed's documents to typed sections, each value with its place."""

from __future__ import annotations

from typing import NamedTuple

from guestinit import modules, rooms
from guestinit.model.accounts import Accounts
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Inputs, Seed
from guestinit.system.system import System


class Config(NamedTuple):
    """What the seed says, section by section."""

    inputs: Inputs
    image: Image
    sections: tuple[tuple[str, object], ...]  # module name and its Section, in the order of planning
    accounts: Accounts


def read_image(system: System, problems: Problems) -> Image:
    """What whoever built the image configured: /etc/guestinit. Who starts the machine may keep us off its network."""
    from guestinit.reading import image
    from guestinit.system import facts

    found = image.load(system.root, problems)
    if "network-config=disabled" in facts.command_line(system).split():  # cloud-init's word (platforms.md 1.5)
        return found._replace(options=(*found.options, ("network.config", "disabled")))
    return found


def read_config(seed: Seed, image: Image, problems: Problems) -> Config:
    """Typed sections, each with the places of its values; problems are collected, not thrown."""
    from guestinit.model.fields import Fields
    from guestinit.reading import config as reading

    known = [key for _, keys in modules.ORDER for key in keys if key != "*"]
    inputs = reading.read(seed, image, known, problems)
    given = {name.text for name, _ in inputs.cloud_config.pairs}
    meta = inputs.meta
    beside = {
        "random_seed": meta.random_seed, "password_reset": meta.reset, "files": meta.files, "runcmd": inputs.scripts,
    }  # fmt: skip
    sections: list[tuple[str, object]] = []
    accounts = Accounts()
    for name, keys in modules.ORDER:
        if "*" not in keys and not given.intersection(keys) and not beside.get(name):
            continue
        module = rooms.one("modules", name)
        fields = Fields(inputs.cloud_config, "", module.KEYS, problems, check=False)
        section = module.read(fields, meta)
        if isinstance(section, Accounts):
            accounts = section
        sections.append((name, section))
    return Config(inputs, image, tuple(sections), accounts)


def excerpts(seed: Seed, config: Config) -> dict[str, str]:
    """The text of every document by its label, to show the line of a problem."""
    texts = {document.label: document.content.decode("utf-8", "replace") for document in seed.documents}
    return {**texts, **config.inputs.texts}
