"""netplan on this image: whether it is in charge, who is behind it, and which interfaces its files are about.

Of the files only what tells which interface is meant is handed on: they may hold the passwords of wireless networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guestinit.system.root import Root

GENERATORS = ("/usr/lib/systemd/system-generators/netplan", "/lib/systemd/system-generators/netplan")
# Of files with one name, that in the first of these directories counts.
_DIRECTORIES = ("/run/netplan", "/etc/netplan", "/usr/lib/netplan", "/lib/netplan")
_MASKS = ("/etc/systemd/system-generators/netplan", "/run/systemd/system-generators/netplan")
_LONGEST = 64 * 1024


def is_installed(root: Root) -> bool:
    """Whether systemd runs netplan's generator at each boot."""
    if any(root.readlink(path) == "/dev/null" for path in _MASKS):
        return False
    return any(root.lstat(path) is not None for path in GENERATORS)


def paths(root: Root) -> list[str]:
    """The files that netplan reads, in its order: by name."""
    found: dict[str, str] = {}
    for directory in _DIRECTORIES:
        for name in root.listdir(directory):
            if name.endswith(".yaml"):
                found.setdefault(name, f"{directory}/{name}")
    return [found[name] for name in sorted(found)]


def find_backend(root: Root) -> str:
    """The manager that netplan's files are for unless they say otherwise: "networkd" or "network-manager"."""
    backend = "networkd"
    for _, text in find_files(root):
        for line in text.splitlines():
            if line.startswith("renderer "):
                backend = "network-manager" if line == "renderer NetworkManager" else "networkd"
    return backend


def find_files(root: Root) -> Iterator[tuple[str, str]]:
    """The path of each file, with lines that say who is behind it, and which interface each definition is for:
    `renderer NAME`, and `SECTION ID` with `mac=`, `name=` and `driver=` as far as it has them.
    """
    for path in paths(root):
        try:
            content = root.read(path)
        except OSError:
            continue  # a dry run that is not root's
        if content is not None and len(content) <= _LONGEST:
            yield path, "".join(line + "\n" for line in _telling(content))


def _telling(content: bytes) -> Iterator[str]:
    import yaml

    # Without YAML's own idea of types, by which a MAC is a number.
    try:
        document = yaml.load(content, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return  # netplan says so itself
    network = document.get("network") if isinstance(document, dict) else None
    for section, definitions in network.items() if isinstance(network, dict) else ():
        if section == "renderer" and isinstance(definitions, str):
            yield f"renderer {_word(definitions)}"
        elif isinstance(definitions, dict):
            for name, definition in definitions.items():
                yield " ".join((_word(section), _word(name), *_match(definition)))


def _match(definition: Any) -> Iterator[str]:
    match = definition.get("match") if isinstance(definition, dict) else None
    if not isinstance(match, dict):
        return
    mac, name, driver = (match.get(key) for key in ("macaddress", "name", "driver"))
    if isinstance(mac, str):
        yield f"mac={_word(mac.lower())}"
    if isinstance(name, str):
        yield f"name={_word(name)}"
    if driver:
        yield "driver=" + ",".join(map(_word, driver if isinstance(driver, list) else [driver]))


def _word(value: Any) -> str:
    """A text without anything that would end a word here."""
    return "".join(str(value).split())[:100]


def has_networkd_started(root: Root) -> bool:
    """Whether its generator has networkd started in this boot: there was a file for it at the begin."""
    return root.lstat("/run/systemd/generator/multi-user.target.wants/systemd-networkd.service") is not None
