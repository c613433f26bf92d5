"""Whatever bytes a seed holds: they are read or refused with a place, never an exception, never a hang."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from guestinit.model.image import Image
from guestinit.model.problem import ERROR, Problems
from guestinit.model.seed import Document, Seed
from guestinit.model.unreadable import Unreadable
from guestinit.model.value import LIST, MAP, SCALAR, Value, data
from guestinit.reading import config, decode, image, salvage, yaml_document

KNOWN = ("hostname", "users", "runcmd", "ssh_authorized_keys", "password")

# Pieces that mean something, so that random text gets past the first line.
PIECES = st.sampled_from(
    [
        "#cloud-config\n",
        "#!/bin/sh\n",
        "## template: jinja\n",
        "hostname: x\n",
        "users:\n",
        "  - name: a\n",
        "runcmd:\n",
        "- a\n",
        "- [b, c]\n",
        "\t",
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ": ",
        "\n",
        " ",
        "&a ",
        "*a",
        "<<: ",
        "|\n",
        ">\n",
        "---\n",
        "...\n",
        "%TAG ! x\n",
        "!!binary ",
        "!x ",
        "{{ v1.x }}",
        "{% for i in ds %}",
        "{% endfor %}",
        "Content-Type: ",
        "multipart/mixed; boundary=B\n",
        "--B\n",
        "--B--\n",
        "text/cloud-config\n",
        "MIME-Version: 1.0\n\n",
        "\0",
        "\r\n",
        "ssh_authorized_keys:\n",
        "  - ssh-rsa AAAA x: y\n",
        "\ufeff",
        "\u2028",
        "é",
        "instance-id: 5\n",
        "public-keys: ",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=40).map("".join))
# A key of more than 1024 characters, escapes counted, is no YAML.
NAMES = st.text(max_size=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**40) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)
BYTES = st.one_of(st.binary(max_size=300), TEXTS.map(lambda text: text.encode("utf-8", "replace")))


def check_place(value: Value, lines: int) -> None:
    """Every value stands in the document."""
    assert 1 <= value.at.line <= lines + 1
    assert value.at.column >= 1
    for item in value.items:
        check_place(item, lines)
    for key, content in value.pairs:
        check_place(key, lines)
        check_place(content, lines)


@given(TEXTS)
@settings(max_examples=600, deadline=None)
def test_yaml(text: str) -> None:
    problems = Problems()
    value = yaml_document.parse(text, "doc", problems)
    if value is None:
        assert [problem for problem in problems.found if problem.severity == ERROR]
    else:
        data(value)
        # Lines end where YAML says so; these characters are among them.
        check_place(value, len(text.splitlines()) + 1)
    for problem in problems.found:
        assert problem.position.line >= 1
        assert problem.message.isprintable()


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_json_is_read_back(content: object) -> None:
    import json

    problems = Problems()
    value = yaml_document.parse("[" + json.dumps(content) + "]", "doc", problems)
    assert problems.found == []
    assert value is not None
    assert [content] == data(value)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_salvage(text: str) -> None:
    problems = Problems()
    value = salvage.read(text, "doc", problems)
    if value is None:
        assert problems.found
    else:
        assert value.kind in (MAP, LIST, SCALAR)


@given(BYTES)
@settings(max_examples=400, deadline=None)
def test_parts(content: bytes) -> None:
    problems = Problems()
    for part in decode.parts(Document("user-data", "user-data", content), problems):
        assert part.text
        assert part.label.startswith("user-data")


@given(BYTES, BYTES, BYTES, st.sampled_from(("nocloud", "openstack")))
@settings(max_examples=400, deadline=None)
def test_whole_seed(meta: bytes, user: bytes, vendor: bytes, form: str) -> None:
    documents = [("meta-data", meta), ("user-data", user), ("vendor-data", vendor)]
    seed = Seed("test", "test", "", tuple(Document(name, name, content) for name, content in documents), form)
    problems = Problems()
    try:
        inputs = config.read(seed, Image(), KNOWN, problems)
    except Unreadable as unreadable:
        assert unreadable.problem.severity == ERROR
        return
    assert inputs.meta.instance_id
    names = [key.text for key, _ in inputs.cloud_config.pairs]
    assert len(set(names)) == len(names)
    for problem in problems.found:
        assert problem.position.file.split("[")[0] in ("meta-data", "user-data", "vendor-data")
        assert problem.message.isprintable()


@given(BYTES)
@settings(max_examples=200, deadline=None)
def test_image(content: bytes) -> None:
    problems = Problems()
    read = image.read([Document("x.yaml", "/etc/guestinit/guestinit.yaml", content)], problems)
    assert isinstance(read, Image)
