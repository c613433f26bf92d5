"""OpenStack's meta_data.json as Nova, oVirt, Proxmox VE, KubeVirt and CloudStack write it.

platforms.md 8.3, 5.2, 2.3, 11 and 6.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit.model.fields import Fields, Key
from guestinit.model.openstack import content_name
from guestinit.model.password import GivenPassword, hide_lines, read_text
from guestinit.model.problem import ERROR, Position, Problem, Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import Document, InjectedFile, MetaData, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import LIST, MAP, Value, data
from guestinit.reading import metadata_values as values

KEYS = (
    Key("uuid", "text", "Names this machine; another one means a new machine.",
        aliases=("instance_id", "instance-id")),
    Key("hostname", "text", "The host name, short or full.", aliases=("local-hostname", "local_hostname")),
    Key("public_keys", "mapping of text", "SSH keys of the default user: mapping, list or text.",
        aliases=("public-keys",)),
    Key("keys", "list of mappings", "The same keys with their types; one of the type x509 is left out."),
    Key("network_config", "mapping", "`content_path`: a file of the seed in the format of ifupdown; network_data.json "
        "goes before it, unless that says nothing.", aliases=("network-config",)),
    Key("network-interfaces", "text", "The same as a text.", aliases=("network_interfaces",)),
    Key("files", "list of mappings", "Files to write, `path` and `content_path` each: root's, with the mode 0600. "
        "write_files goes before them."),
    Key("admin_pass", "text", "The default user's password, unless cloud-config says anything of that.", secret=True),
    Key("random_seed", "base64", "Mixed into the kernel's random pool of a new machine.", secret=True),
    Key("meta", "mapping", "What the user gave to the platform; `dsmode` is looked for here first."),
    Key("dsmode", "net, local, pass or disabled", "`disabled`: the seed is not used. `pass`: only its network, files "
        "and random_seed are. The others make no difference here."),
)  # fmt: skip
FILE_KEYS = (
    Key("path", "absolute path", "Where it goes."),
    Key("content_path", "path", "Where the seed has it: /content/0000."),
)


def read(seed: Seed, problems: Problems) -> MetaData:
    """What meta_data.json says. Raises Unreadable if it is broken, or there but empty, which no platform writes."""
    document = seed.document("meta-data")
    if document is not None and not document.content.strip(b"\0\r\n\t "):
        raise Unreadable(Problem(ERROR, Position(document.label), "", "an empty file", "nothing is done"))
    found = Problems()
    try:
        value = values.mapping(seed, """'{"uuid": "..."}'""", found, is_json=True)
    except Unreadable as unreadable:
        raise Unreadable(unreadable.problem._replace(width=0)) from None
    # Nearly everybody writes it in one line, passwords too.
    found.found = [problem._replace(width=0) for problem in found.found]
    meta = _read(Fields(value, "", KEYS, found, check=False), seed)
    hide_lines(found, 0, value, KEYS)
    for problem in found.found:
        problems.add(problem)
    return meta


def _read(fields: Fields, seed: Seed) -> MetaData:
    hostname = values.text(fields, "hostname")
    given = values.text(fields, "uuid")
    return MetaData(
        instance_id=given.value if given else values.derived_id(seed, hostname.value if hostname else ""),
        instance_id_given=given is not None,
        hostname=hostname,
        public_keys=values.public_keys((fields.raw("public_keys"), *_typed_keys(fields)), fields.problems),
        dsmode=_dsmode(fields),
        document={name: content for name, content in data(fields.value).items() if name not in _SECRETS},
        at=fields.at,
        network_document=_network(fields, seed) or values.network_interfaces(fields),
        password=_password(fields),
        files=tuple(_files(fields, seed)),
        random_seed=_random_seed(fields),
    )


_SECRETS = tuple(key.name for key in KEYS if key.secret)


def _typed_keys(fields: Fields) -> Iterator[Value]:
    """What `keys` adds; Nova repeats there what is in `public_keys`, with its type."""
    value = fields.raw("keys")
    for item in value.items if value is not None and value.kind == LIST else ():
        content = item.get("data")
        if item.kind != MAP or content is None:
            fields.problems.error(item.at, "keys", "expected a mapping with type and data", "left out", 0)
        else:
            yield content
    if value is not None and value.kind != LIST:
        fields.wrong("keys", value, "a list of mappings")


def _dsmode(fields: Fields) -> str:
    meta = fields.raw("meta")
    if meta is not None and meta.get("dsmode") is not None:
        return values.dsmode(Fields(meta, "meta", KEYS, fields.problems, check=False))
    return values.dsmode(fields)


def _network(fields: Fields, seed: Seed) -> Document | None:
    """The file in the format of ifupdown that `network_config` points at."""
    value = fields.raw("network_config")
    if value is None or value.kind != MAP:
        return None
    inner = Fields(value, "network_config", FILE_KEYS, fields.problems, check=False)
    return _content(inner, seed) if inner.raw("content_path") is not None else None


def _files(fields: Fields, seed: Seed) -> Iterator[InjectedFile]:
    for index, item in enumerate(fields.items("files") or ()):
        path = f"files.{index}"
        if item.kind != MAP:
            expected = f"expected a mapping with path and content_path, got a {item.kind}"
            fields.problems.error(item.at, path, expected, "left out", 0)
            continue
        inner = Fields(item, path, FILE_KEYS, fields.problems, check=False)
        target, content = inner.text("path"), _content(inner, seed)
        if target is None and inner.raw("path") is None:
            fields.problems.error(item.at, inner.path_of("path"), "a file needs a path", "left out", 0)
        if target is not None and content is not None:
            yield InjectedFile(target, content.content)


def _content(fields: Fields, seed: Seed) -> Document | None:
    """The document of the seed that `content_path` names: it leads nowhere else."""
    given = values.text(fields, "content_path")
    if given is None:
        if fields.raw("content_path") is None:
            fields.problems.error(fields.at, fields.path_of("content_path"), "is missing", "left out", 0)
        return None
    name = content_name(given.value)
    if not name:
        message = "expected a path such as /content/0000, without '..'"
        fields.problems.error(given.at, fields.path_of("content_path"), message, "left out", 0)
        return None
    document = seed.document(name)
    if document is None:
        fields.problems.error(given.at, fields.path_of("content_path"), f"the seed has no {name}", "left out", 0)
    return document


def _password(fields: Fields) -> GivenPassword | None:
    given = fields.text("admin_pass")
    return read_text(given, "admin_pass", fields.problems) if given is not None and given.value else None


def _random_seed(fields: Fields) -> Secret | None:
    given = values.text(fields, "random_seed")
    if given is None:
        return None
    from guestinit.model import packed  # delayed: most seeds have none

    try:
        return Secret(packed.from_base64(given.value.encode("utf-8", "replace")))
    except packed.Unusable as error:
        fields.problems.error(given.at, "random_seed", str(error), "left out", 0)
        return None
