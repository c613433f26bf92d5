"""NoCloud's meta-data: which machine this is, by a mapping in YAML or JSON (platforms.md 10.1).

Single keys of it may be replaced in the machine's serial number and on the kernel's command line (1.5).
"""

from __future__ import annotations

from guestinit.model import line_configuration
from guestinit.model.fields import Fields, Key, shorten
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import MetaData, Seed
from guestinit.model.value import SCALAR, Value, data
from guestinit.reading import metadata_values as values

KEYS = (
    Key("instance-id", "text", "Names this instance; with the machine's uuid it says which machine this is.",
        aliases=("instance_id",)),
    Key("local-hostname", "text", "The host name, short or full.", aliases=("local_hostname", "hostname")),
    Key("public-keys", "list of text", "SSH keys of the default user: text, list, or mapping.",
        aliases=("public_keys",)),
    Key("dsmode", "net, local, pass or disabled", "`disabled`: the seed is not used. `pass`: only its network is. The "
        "others make no difference here.", aliases=("ds-mode", "ds_mode")),
    Key("network-interfaces", "text", "A network in the format of ifupdown; a network-config goes before it.",
        aliases=("network_interfaces",)),
    Key("seedfrom", "text", "Followed in the serial number and on the kernel command line only.", ignored=True),
)  # fmt: skip

# Documents that replace single keys, the last one with the last word (datasources/nocloud.py).
_LINES = ("serial", "command-line")


def read(seed: Seed, problems: Problems) -> MetaData:
    """What meta-data says; an empty or absent document says nothing. Raises Unreadable if it is no mapping."""
    value = _overridden(values.mapping(seed, "'instance-id: web1'", problems), seed, problems)
    # No check of names: whatever else a platform says there is for templates.
    fields = Fields(value, "", KEYS, problems, check=False)
    if fields.raw("seedfrom") is not None:
        hint = "write ds=nocloud;s=... into the serial number or on the kernel command line"
        problems.warning(fields.key_at("seedfrom"), "seedfrom", "is not followed here", hint, 0)
    hostname = values.text(fields, "local-hostname")
    given = values.text(fields, "instance-id")
    return MetaData(
        instance_id=given.value if given else values.derived_id(seed, hostname.value if hostname else ""),
        instance_id_given=given is not None,
        hostname=hostname,
        public_keys=values.public_keys((fields.raw("public-keys"),), problems),
        dsmode=values.dsmode(fields),
        document=data(value),
        at=value.at,
        network_document=values.network_interfaces(fields),
    )


def _overridden(value: Value, seed: Seed, problems: Problems) -> Value:
    """Meta-data with what the machine's serial number, and after it the kernel's command line, say instead."""
    pairs = value.pairs
    for document in filter(None, map(seed.document, _LINES)):
        at = Position(document.label)
        for key, text in line_configuration.pairs(document.content.decode("utf-8", "replace")).items():
            if key in line_configuration.OVERRIDES:
                pairs += ((Value(SCALAR, at, key), Value(SCALAR, at, text, plain=False)),)
            else:
                known = ", ".join(line_configuration.OVERRIDES)
                problems.note(at, shorten(key), "unknown key", f"it is ignored; known: {known}, seedfrom", 0)
    return value._replace(pairs=pairs)
