"""The document `network-config`: which format it is, and whether it says anything.

Version 1 and 2, each with or without the wrapper `network:`, as YAML or JSON (platforms.md 10.1). An empty document is
as good as none; `config: disabled` means hands off; a document without interfaces is a third thing (platforms.md 13).
"""

from __future__ import annotations

from guestinit.model.fields import describe
from guestinit.model.network import DISABLED, Network
from guestinit.model.problem import Problems
from guestinit.model.value import MAP, SCALAR, Value

_STAYS = "the network stays as the image has it"
_V2_ONLY = ("ethernets", "bonds", "bridges", "vlans", "vrfs", "dummy-devices", "wifis", "tunnels", "modems", "renderer")


def read(value: Value | None, problems: Problems, input_format: str = "") -> Network | None:
    """The model of a document; None if there is none, or, with a problem, if it cannot be used.

    `input_format` ("v1", "v2") says what is expected; empty: the document says it itself.
    """
    if value is None or value.is_null:
        return None
    if value.kind == SCALAR and _is_eni(value.text):
        message = "this is interfaces(5) text, expected network-config of version 1 or 2"
        problems.error(value.at, "", message, _STAYS, 0)
        return None
    if value.kind != MAP:
        problems.error(value.at, "", f"expected network-config of version 1 or 2, got {describe(value)}", _STAYS, 0)
        return None
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
            problems.error(inner.at, "network", f"expected a mapping, got {describe(inner)}", _STAYS)
            return None
        value = inner
    if not value.pairs:
        problems.note(value.at, "", "an empty mapping", "taken as no network-config at all")
        return None
    config = value.get("config")
    if config is not None and config.kind == SCALAR and config.text.lower() == "disabled":
        return Network(DISABLED, config.at)
    version = _version(value, problems, input_format)
    if version == "1":
        from guestinit.reading import network_v1  # delayed: only the one that is needed

        return network_v1.read(value, problems)
    if version == "2":
        from guestinit.reading import network_v2

        return network_v2.read(value, problems)
    return None


def _version(value: Value, problems: Problems, input_format: str) -> str:
    """ "1", "2", or empty with a problem."""
    given = value.get("version")
    if given is not None and given.text.strip() in ("1", "2"):
        version = given.text.strip()
        if input_format and input_format != f"v{version}":
            problems.warning(given.at, "version", f"{input_format} was asked for", "the document's own is taken")
        return version
    if given is not None:
        problems.error(given.at, "version", f"expected 1 or 2, got {describe(given)}", _STAYS)
        return ""
    if input_format in ("v1", "v2"):
        return input_format[1:]
    if value.get("config") is not None:
        problems.warning(value.at, "version", "is missing", "taken as 1, because of 'config'")
        return "1"
    if any(value.get(name) is not None for name in _V2_ONLY):
        problems.warning(value.at, "version", "is missing", "taken as 2")
        return "2"
    if value.get("links") is not None or value.get("networks") is not None:
        problems.error(value.at, "", "this is an OpenStack network_data.json, not a network-config", _STAYS)
        return ""
    problems.error(value.at, "version", "is missing", f"write 'version: 1' or 'version: 2'; {_STAYS}")
    return ""


def _is_eni(text: str) -> bool:
    return any(line.split()[:1] in (["auto"], ["iface"], ["allow-hotplug"]) for line in text.splitlines()[:200])
