"""The document `network-config`: which format it is, and whether it says anything.

Version 1 and 2, each with or without the wrapper `network:`, as YAML or JSON (platforms.md 10.1); people also put
OpenStack's network_data.json and interfaces(5) under this name. An empty document is as good as none; `config:
disabled` means hands off; a document without interfaces is a third thing (platforms.md 13).
"""

from __future__ import annotations

from guestinit.model.fields import describe
from guestinit.model.network import DISABLED, ENI, HARDWARE, OPENSTACK, VERSION_1, VERSION_2, Network
from guestinit.model.problem import Problems
from guestinit.model.value import MAP, SCALAR, Value

_AS_NONE = "taken as no network-config at all"
_V2_ONLY = ("ethernets", "bonds", "bridges", "vlans", "vrfs", "dummy-devices", "wifis", "tunnels", "modems", "renderer")


def read_text(text: str, label: str, problems: Problems, input_format: str = "") -> Network | None:
    """The model of a text, which may be interfaces(5) too. `label` names it in positions; for the rest see `read`."""
    from guestinit.reading import network_eni, yaml_document  # delayed: not every seed has a network-config

    if input_format == "eni" or (not input_format and network_eni.looks_like(text)):
        return _of(ENI, network_eni.read(text, label, problems))
    since = len(problems.found)
    value = yaml_document.parse(text, label, problems)
    if value is None and len(problems.found) > since:
        error = problems.found[-1]
        problems.found[-1] = error._replace(hint="; ".join(filter(None, (error.hint, _AS_NONE))))
    return read(value, problems, input_format)


def read(value: Value | None, problems: Problems, input_format: str = "") -> Network | None:
    """The model of a document; None if there is none, or, with a problem, if it cannot be used.

    `input_format` ("v1", "v2", "openstack") says what is expected; empty: the document says it itself.
    """
    if value is None or value.is_null:
        return None
    if value.kind != MAP:
        problems.error(value.at, "", f"expected network-config of version 1 or 2, got {describe(value)}", _AS_NONE, 0)
        return None
    from guestinit.reading import network_openstack  # delayed: an empty document needs none of this

    if input_format in ("", "openstack") and network_openstack.is_openstack(value, bool(input_format)):
        return _of(OPENSTACK, network_openstack.read(value, problems))
    inner = value.get("network")
    if inner is not None:
        for key, _ in value.pairs:
            if key.text != "network" and not key.text.startswith("x-"):
                problems.warning(key.at, key.text, "stands beside 'network:'", "it is ignored", max(1, len(key.text)))
        if inner.is_null:
            return None
        if inner.kind != MAP:
            if inner.text.lower() == "disabled":
                return Network(DISABLED, inner.at)
            problems.error(inner.at, "network", f"expected a mapping, got {describe(inner)}", _AS_NONE)
            return None
        value = inner
    if not value.pairs:
        problems.note(value.at, "", "an empty mapping", _AS_NONE)
        return None
    config = value.get("config")
    if config is not None and config.kind == SCALAR and config.text.lower() == "disabled":
        return Network(DISABLED, config.at)
    version = _version(value, problems, input_format)
    if version == "1":
        from guestinit.reading import network_v1  # delayed: only the one that is needed

        return _of(VERSION_1, network_v1.read(value, problems))
    if version == "2":
        from guestinit.reading import network_v2

        return _of(VERSION_2, network_v2.read(value, problems))
    return None


def _of(input_format: str, network: Network | None) -> Network | None:
    return None if network is None else network._replace(format=input_format)


def with_names_of_v1(network: Network, problems: Problems) -> Network:
    """The same, with the names of version 1 as names to give: otherwise the name of hardware with a MAC is a label."""
    if network.format != VERSION_1:
        return network
    from guestinit.reading import network_values as values

    links = []
    for link in network.links:
        made_up = f"{link.kind}{link.path.rpartition('.')[2]}"  # what an item without a name is called
        if link.kind in HARDWARE and link.match.mac and link.name != made_up:
            reason = values.interface_name(link.name)
            if reason:
                message = f"{link.name[:40]!r} is {reason}"
                problems.error(link.at, f"{link.path}.name", message, "the interface keeps the name that it has", 0)
            else:
                link = link._replace(set_name=link.name)
        links.append(link)
    return network._replace(links=tuple(links))


def _version(value: Value, problems: Problems, input_format: str) -> str:
    """ "1", "2", or empty with a problem."""
    given = value.get("version")
    if given is not None and given.text.strip() in ("1", "2"):
        version = given.text.strip()
        if input_format in ("v1", "v2") and input_format != f"v{version}":
            problems.warning(given.at, "version", f"{input_format} was asked for", "the document's own is taken")
        return version
    if given is not None:
        problems.error(given.at, "version", f"expected 1 or 2, got {describe(given)}", _AS_NONE)
        return ""
    if input_format in ("v1", "v2"):
        return input_format[1:]
    if value.get("config") is not None:
        problems.warning(value.at, "version", "is missing", "taken as 1, because of 'config'")
        return "1"
    if any(value.get(name) is not None for name in _V2_ONLY):
        problems.warning(value.at, "version", "is missing", "taken as 2")
        return "2"
    problems.error(value.at, "version", "is missing", f"write 'version: 1' or 'version: 2'; {_AS_NONE}")
    return ""
