"""A seed as configuration: every document of it decoded, read, checked and merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guestinit.model.image import Image
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document, Inputs, MetaData, Part, Seed
from guestinit.model.value import Value
from guestinit.reading import cloud_config, decode, formats, metadata, vendor_data

if TYPE_CHECKING:
    from guestinit.model.network import Network

# What network-config is, where the platform says it; otherwise the document itself does.
_NETWORK_FORMATS = {"openstack": "openstack", "cloudstack": "openstack"}
_STILL = "left out; what meta-data and network-config say is still done"


def read(
    seed: Seed, image: Image, known_keys: Sequence[str], problems: Problems, machine: Mapping[str, str] | None = None
) -> Inputs:
    """What this seed says. Raises Unreadable if meta-data is broken; everything else is a problem.

    `known_keys` are the top-level keys that some module reads, `machine` further variables for templates (their `v1`).
    """
    texts: dict[str, str] = {}
    meta = _with_network(metadata.read(seed, problems), seed, image, problems, texts)
    if meta.dsmode == "pass":
        # So cloud-init has it: a seed that says this only brings files and a network.
        seed = seed._replace(documents=())
        meta = meta._replace(hostname=None, public_keys=(), password=None)
    reader = _Reader(seed, meta, machine or {}, problems, texts)
    user, scripts = reader.source("user-data", known_keys)
    sources = [user]
    for name in reversed(vendor_data.NAMES):
        vendor, vendor_scripts = reader.source(name, known_keys)
        if not cloud_config.switched_off(name, user):
            sources.append(vendor)
            # The vendor's scripts run first, so that the user's have the last word.
            scripts = vendor_scripts + scripts
    return Inputs(meta, cloud_config.merge(sources, image.defaults, known_keys, problems), scripts, texts)


def read_network(document: Document, problems: Problems, input_format: str = "") -> Network | None:
    """The network of one document; None if it says nothing, or, with a problem, if it cannot be used."""
    text = decode.text(document, problems)
    if text is None or not text.strip():
        return None
    from guestinit.reading import network_config  # delayed: not every seed has one

    return network_config.read_text(text, document.label, problems, input_format)


def _with_network(meta: MetaData, seed: Seed, image: Image, problems: Problems, texts: dict[str, str]) -> MetaData:
    """A network-config goes before what meta-data itself holds or points at, unless it says nothing."""
    if image.option("network.config") == "disabled":
        return meta
    document = seed.document("network-config")
    network = read_network(document, problems, _NETWORK_FORMATS.get(seed.format, "")) if document else None
    if network is None and meta.network_document is not None:
        texts[meta.network_document.label] = meta.network_document.content.decode("utf-8", "replace")
        network = read_network(meta.network_document, problems)
    if network is not None and image.option("network.rename_v1") == "true":
        from guestinit.reading import network_config

        network = network_config.with_names_of_v1(network, problems)
    return meta if network is None else meta._replace(network=network)


class _Reader:
    """Reads user-data or vendor-data; keeps the texts that positions point into."""

    def __init__(
        self, seed: Seed, meta: MetaData, machine: Mapping[str, str], problems: Problems, texts: dict[str, str]
    ) -> None:
        self._seed = seed
        self._meta = meta
        self._machine = machine
        self._problems = problems
        self._texts = texts

    def source(self, name: str, known_keys: Sequence[str]) -> tuple[Value | None, tuple[Part, ...]]:
        """The cloud-config of this document as one mapping or None, and its scripts."""
        configs: list[Part] = []
        scripts: list[Part] = []
        for document in vendor_data.documents(self._seed, name, self._problems):
            for found in decode.parts(document, self._problems):
                self._take(found, document, configs, scripts)
        return cloud_config.read(configs, known_keys, self._problems), tuple(scripts)

    def _take(self, found: Part, document: Document, configs: list[Part], scripts: list[Part]) -> None:
        self._texts[found.label] = found.text
        part = self._rendered(found) if found.kind == formats.TEMPLATE else found
        if part is None or part.kind == formats.EMPTY:
            return
        if part.kind == formats.CLOUD_CONFIG:
            configs.append(part)
        elif part.kind == formats.SCRIPT:
            scripts.append(part)
        else:
            self._refuse(part, document)

    def _rendered(self, part: Part) -> Part | None:
        from guestinit.reading import template  # delayed: only for a template

        variables = template.variables(self._meta, self._seed.datasource, self._machine)
        text = template.render(part.text, part.label, variables, self._problems)
        if text is None:
            return None
        # A loop moves the lines: then a position means the text that came out.
        label = part.label if text.count("\n") == part.text.count("\n") else f"{part.label}[rendered]"
        self._texts[label] = text
        kind = formats.recognise(text)
        content = text.lstrip().encode("utf-8", "replace") if kind == formats.SCRIPT else b""
        return part._replace(kind=kind, label=label, text=text, content=content)

    def _refuse(self, part: Part, document: Document) -> None:
        at = Position(part.label, 1, 1)
        if part.kind in formats.UNSUPPORTED:
            self._problems.error(at, "", f"{formats.UNSUPPORTED[part.kind]}: not supported by this version", _STILL)
            return
        line = formats.marker_below_comments(part.text)
        if line:
            hint = f"{_STILL}; move it up from line {line}"
            self._problems.error(at, "", "'#cloud-config' is not the first line", hint)
        elif "\ufffd" in part.text or "\0" in part.text:
            self._problems.error(at, "", f"{len(document.content)} bytes of no known format", _STILL, 0)
        else:
            hint = f"{_STILL}; begin it with '#cloud-config', or with '#!' if it is a script"
            self._problems.error(at, "", "a text of no known format", hint, 0)
