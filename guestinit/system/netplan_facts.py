"""netplan on this image: whether it is installed, who is behind it, and which interfaces its files are about."""

from __future__ import annotations

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
    for path in paths(root):
        try:
            network = _network(root.read(path) or b"")
        except OSError:
            continue  # a dry run that is not root's
        if isinstance(network.get("renderer"), str):
            backend = "network-manager" if network["renderer"] == "NetworkManager" else "networkd"
    return backend


def has_networkd_started(root: Root) -> bool:
    """Whether its generator has networkd started in this boot: there was a file for it at the begin."""
    return root.lstat("/run/systemd/generator/multi-user.target.wants/systemd-networkd.service") is not None


def telling(content: bytes) -> str:
    """A file's definitions, each in a line of model.netplan."""
    from guestinit.model.netplan import Definition  # delayed: most images have no such file

    found = []
    for section, each in _network(content).items():
        for name, definition in each.items() if isinstance(each, dict) else ():
            found.append(Definition(str(section), str(name), *_match(definition)).line())
    return "".join(found)


def _match(definition: Any) -> tuple[str, str, str]:
    """MAC, name and drivers that a definition matches."""
    match = definition.get("match") if isinstance(definition, dict) else None
    match = match if isinstance(match, dict) else {}
    mac, pattern, drivers = (match.get(key, "") for key in ("macaddress", "name", "driver"))
    drivers = ",".join(map(str, drivers)) if isinstance(drivers, list) else drivers
    mac, pattern, drivers = (each if isinstance(each, str) else "" for each in (mac, pattern, drivers))
    return mac.lower(), pattern, drivers


def _network(content: bytes) -> dict[Any, Any]:
    """What is below `network`; empty where there is nothing that netplan could read."""
    import yaml

    if len(content) > _LONGEST:
        return {}
    try:
        # Without YAML's own idea of types, by which a MAC is a number.
        document = yaml.load(content, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    network = document.get("network") if isinstance(document, dict) else None
    return network if isinstance(network, dict) else {}
