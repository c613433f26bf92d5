"""The image configuration: /etc/guestinit/guestinit.yaml and /etc/guestinit/guestinit.d/, whatever built the template.

Files are read in the order guestinit.yaml, then guestinit.d by name; what a later one says replaces what an earlier one
said: each default_user field, each option, the list of datasources, each top-level key below `config`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, Protocol

from guestinit.model.fields import Fields, Key
from guestinit.model.image import DATASOURCES, Image
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Document
from guestinit.model.value import MAP, Given, Value
from guestinit.reading import decode, yaml_document

FILE = "/etc/guestinit/guestinit.yaml"
DIRECTORY = "/etc/guestinit/guestinit.d"
SUFFIXES = (".yaml", ".cfg")

KEYS = (
    Key("default_user", "mapping", "The account of `users: [default]`, where the distribution has another one."),
    Key(
        "datasources",
        "list of text",
        "Where a seed is looked for, in this order; by default nocloud, config-drive, openstack, ec2, cloudstack, and "
        "there are no others. What lies in the machine comes before the services in any case.",
    ),
    Key("metadata", "mapping", "Which metadata service is asked."),
    Key("network", "mapping", "How the network is written."),
    Key("report", "mapping", "Where the result is told."),
    Key("commands", "mapping", "How commands and scripts are run."),
    Key("config", "mapping", "Cloud-config keys that hold wherever a seed does not give them."),
)

DEFAULT_USER_KEYS = (
    Key("name", "text", "The login name."),
    Key("gecos", "text", "The full name."),
    Key("groups", "list of text", "Groups beside the primary one; also one text with commas."),
    Key("sudo", "list of text", "Rules for sudo; false or an empty list: none."),
    Key("shell", "text", "The login shell."),
    Key("lock_passwd", "true or false", "Whether the password is locked when a seed gives none."),
    Key("uid", "whole number", "The user id; else the next free one."),
    Key("primary_group", "text", "The primary group; else one of the same name."),
    Key("homedir", "text", "The home directory; else /home/NAME."),
)

NETWORK_KEYS = (
    Key(
        "renderer",
        "auto, networkd, network-manager, netplan or ifupdown",
        "Which files are written; auto, the default: what the image uses.",
    ),
    Key("config", "enabled or disabled", "Disabled: the network of a seed is left alone; enabled by default."),
    Key(
        "rename_v1",
        "true or false",
        "Whether a `name` beside a `mac_address` in version 1 renames the interface; false by default.",
    ),
    Key(
        "fallback",
        "dhcp or none",
        "Where a seed says nothing about the network: dhcp, the default, gives one card a lease, unless the image "
        "configures it already; none leaves the network as it is.",
    ),
)

METADATA_KEYS = (
    Key(
        "service",
        "auto, none, openstack, ec2 or cloudstack",
        "The service that is asked where nothing lies in the machine; auto, the default: the one of the platform that "
        "DMI names; none: no service. The kernel command line goes before this.",
    ),
)

REPORT_KEYS = (
    Key("agent_channel", "true or false", "Whether the host is told over the QEMU agent channel; true by default."),
    Key("console", "true or false", "Whether the result is told on the console; true by default."),
)

COMMANDS_KEYS = (
    Key("repeat_failed", "true or false", "Whether a failed command is run again at the next boot; false by default."),
    Key("on_failure", "continue or stop", "What happens to those after a failed one; continue by default."),
)

# Section, its keys, and for each of them the words that it takes; no words: true or false.
_OPTIONS: tuple[tuple[str, tuple[Key, ...], dict[str, tuple[str, ...]]], ...] = (
    (
        "network",
        NETWORK_KEYS,
        {
            "renderer": ("auto", "networkd", "network-manager", "netplan", "ifupdown"),
            "config": ("enabled", "disabled"),
            "fallback": ("dhcp", "none"),
        },
    ),
    ("metadata", METADATA_KEYS, {"service": ("auto", "none", "openstack", "ec2", "cloudstack")}),
    ("report", REPORT_KEYS, {}),
    ("commands", COMMANDS_KEYS, {"on_failure": ("continue", "stop")}),
)


class Files(Protocol):
    """What reading needs of the root file system."""

    def read(self, path: str) -> Optional[bytes]:
        """The content of a file; None if there is none."""

    def listdir(self, path: str) -> Iterable[str]:
        """The names in a directory; none if it is absent."""


def load(root: Files, problems: Problems) -> Image:
    """The image configuration of this root; without any file, all defaults."""
    names = sorted(name for name in root.listdir(DIRECTORY) if name.endswith(SUFFIXES) and not name.startswith("."))
    documents = []
    for path in (FILE, *(f"{DIRECTORY}/{name}" for name in names)):
        try:
            content = root.read(path)
        except OSError as error:
            problems.error(Position(path), "", f"cannot be read: {error.strerror}", "the file is left out", 0)
            continue
        if content is not None:
            documents.append(Document(path.rsplit("/", 1)[1], path, content))
    return read(documents, problems)


def read(documents: Iterable[Document], problems: Problems) -> Image:
    """The image configuration out of its files, in this order."""
    user: dict[str, Any] = {}
    options: dict[str, str] = {}
    datasources: tuple[str, ...] = DATASOURCES
    defaults: dict[str, tuple[Value, Value]] = {}
    at = Position(FILE)
    for document in documents:
        fields = _fields(document, problems)
        if fields is None:
            continue
        user.update(_default_user(fields))
        for section, keys, words in _OPTIONS:
            inner = fields.mapping(section, keys)
            if inner is not None:
                options.update({f"{section}.{name}": text for name, text in _options(inner, keys, words).items()})
        datasources = _datasources(fields) or datasources
        config = fields.raw("config")
        if config is not None and config.kind != MAP:
            fields.wrong("config", config, "a mapping")
        elif config is not None:
            at = config.at
            defaults.update({key.text: (key, content) for key, content in config.pairs})
    merged = Value(MAP, at, pairs=tuple(defaults.values()))
    return Image(tuple(sorted(user.items())), tuple(sorted(options.items())), datasources, merged)


def _fields(document: Document, problems: Problems) -> Fields | None:
    text = decode.text(document, problems)
    value = yaml_document.parse(text, document.label, problems) if text is not None else None
    if value is None or value.is_null:
        return None
    if value.kind != MAP:
        message = f"expected a mapping of keys to values, got a {value.kind}"
        problems.error(value.at, "", message, "the file is left out")
        return None
    return Fields(value, "", KEYS, problems)


def _default_user(fields: Fields) -> dict[str, Any]:
    """Fields of model.facts.DefaultUser that this file gives."""
    inner = fields.mapping("default_user", DEFAULT_USER_KEYS)
    if inner is None:
        return {}
    found: dict[str, Any] = {}
    for key, field in (
        ("name", "name"), ("gecos", "gecos"), ("shell", "shell"), ("primary_group", "primary_group"),
        ("homedir", "home"),
    ):  # fmt: skip
        text = inner.text(key)
        if text is not None and (text.value or key == "gecos"):
            found[field] = text.value
    groups = inner.texts("groups", split=",")
    if groups is not None:
        found["groups"] = _values(groups)
    sudo = inner.raw("sudo")
    if sudo is not None:
        # cloud-init's spelling of "no rules".
        rules = () if sudo.plain and sudo.text.lower() in ("false", "no") else inner.texts("sudo")
        if rules is not None:
            found["sudo"] = _values(rules)
    locked = inner.flag("lock_passwd", safe=True)
    if locked is not None:
        found["lock_passwd"] = locked.value
    uid = inner.number("uid", low=1)
    if uid is not None:
        found["uid"] = uid.value
    return found


def _options(fields: Fields, keys: tuple[Key, ...], words: dict[str, tuple[str, ...]]) -> dict[str, str]:
    found = {}
    for key in keys:
        if key.name not in words:
            flag = fields.flag(key.name)
            if flag is not None:
                found[key.name] = "true" if flag.value else "false"
            continue
        text = fields.text(key.name)
        # Both spellings of NetworkManager's name are in use.
        word = text.value.lower().replace("networkmanager", "network-manager") if text is not None else ""
        if word in words[key.name]:
            found[key.name] = word
        elif text is not None:
            value = fields.raw(key.name)
            assert value is not None
            fields.wrong(key.name, value, key.expects)
    return found


def _datasources(fields: Fields) -> tuple[str, ...]:
    names = fields.texts("datasources") or ()
    for name in names:
        if _datasource(name.value) not in (*DATASOURCES, "none"):
            fields.problems.warning(
                name.at, "datasources", "a datasource that this version does not have",
                f"left out; known: {', '.join(DATASOURCES)}", len(name.value),
            )  # fmt: skip
    return tuple(_datasource(name.value) for name in names if _datasource(name.value) in DATASOURCES)


def _datasource(name: str) -> str:
    """As it is called here; templates carry over `ConfigDrive`, and `None` at the end, from cloud-init."""
    return name.lower().replace("configdrive", "config-drive")


def _values(texts: tuple[Given[str], ...]) -> tuple[str, ...]:
    return tuple(text.value for text in texts if text.value)
