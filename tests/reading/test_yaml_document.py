"""YAML with positions: what is read, what is refused, and in which words."""

from __future__ import annotations

import json

import pytest

from guestinit.model.problem import Problems
from guestinit.model.value import MAP, Value, data
from guestinit.reading import yaml_document
from guestinit.reading.yaml_document import parse


def read(text: str) -> Value:
    """The value of a document that is in order."""
    problems = Problems()
    value = parse(text, "doc", problems)
    assert problems.found == []
    assert value is not None
    return value


def refusal(text: str) -> str:
    """The one reason for which a document is not read."""
    problems = Problems()
    assert parse(text, "doc", problems) is None
    (problem,) = problems.found
    assert problem.severity == "error"
    return str(problem)


def warnings(text: str) -> list[str]:
    problems = Problems()
    assert parse(text, "doc", problems) is not None
    return [str(problem) for problem in problems.found]


# Scalars that YAML 1.1 makes something else of (platforms.md 1.8).
@pytest.mark.parametrize(
    "text",
    [
        "123",
        "1e3",
        "1_000",
        "no",
        "on",
        "010101",
        "0644",
        "0o644",
        "52:54:00:12:34:56",
        "12:30",
        "2026-01-01",
        "=",
        "<<",
        "y",
        "1.10",
    ],
)
def test_scalars_stay_as_written(text: str) -> None:
    value = read(f"hostname: {text}\n").get("hostname")
    assert value is not None
    assert (text, True, False) == (value.text, value.plain, value.is_null)


@pytest.mark.parametrize("text", ["", "~", "null", "Null"])
def test_null(text: str) -> None:
    value = read(f"hostname: {text}\n").get("hostname")
    assert value is not None and value.is_null


@pytest.mark.parametrize("text", ["'null'", '"~"', "''", "!!str null", "! ~"])
def test_quoted_null_is_text(text: str) -> None:
    value = read(f"hostname: {text}\n").get("hostname")
    assert value is not None and not value.is_null


def test_positions_count_from_one() -> None:
    value = read("#cloud-config\nusers:\n  - name: alice\n    groups: [a, 'ü', b]\n")
    users = value.get("users")
    assert users is not None
    groups = users.items[0].get("groups")
    assert groups is not None
    key = users.items[0].pairs[0][0]
    assert tuple(map(str, (value.at, users.items[0].at, key.at, groups.at))) == (
        "doc:2:1",
        "doc:3:5",
        "doc:3:5",
        "doc:4:13",
    )
    assert [str(item.at) for item in groups.items] == ["doc:4:14", "doc:4:17", "doc:4:22"]


def test_first_line_moves_positions() -> None:
    problems = Problems()
    value = parse("a: 1\n", "doc", problems, first_line=10)
    assert value is not None
    assert str(value.pairs[0][0].at) == "doc:10:1"
    assert parse("\na: 'x", "doc", problems, first_line=10) is None
    assert str(problems.found[0]) == "doc:11:4: a quote is never closed"


@pytest.mark.parametrize("text", ["", "\n", "   \n\n", "# only a comment\n", "---\n", "null\n", "~"])
def test_nothing_is_null(text: str) -> None:
    assert read(text).is_null


@pytest.mark.parametrize("text", ["# a\x01\n", "\x0c\n# a\n", "# a\n\x00"])
def test_comments_are_no_place_for_control_characters(text: str) -> None:
    assert "control character" in refusal(text)


def test_binary() -> None:
    value = read("a: !!binary aGVsbG8=\nb: aGVsbG8=\n")
    assert [(item.text, item.binary) for _, item in value.pairs] == [("aGVsbG8=", True), ("aGVsbG8=", False)]


def test_unknown_tag_is_a_warning() -> None:
    assert warnings("a: !vault x\n") == ["doc:1:4: an unknown tag ('!')"]
    assert warnings("a: !!python/object/apply:os.system [ls]\n") == ["doc:1:4: an unknown tag ('!')"]


def test_aliases_and_merges() -> None:
    text = "base: &b {x: 1, y: 2}\none:\n  <<: *b\n  y: 3\ntwo: {<<: [*b, {x: 9, z: 4}], y: 5}\nsame: *b\n"
    value = read(text)
    assert data(value) == {
        "base": {"x": 1, "y": 2},
        "one": {"x": 1, "y": 3},
        "two": {"x": 1, "z": 4, "y": 5},
        "same": {"x": 1, "y": 2},
    }
    one = value.get("one")
    assert one is not None
    assert [key.text for key, _ in one.pairs] == ["x", "y"]  # an overridden key is no duplicate


def test_merge_of_something_else() -> None:
    problems = Problems()
    value = parse("a: {<<: 5, b: 1}\n", "doc", problems)
    assert value is not None and data(value) == {"a": {"b": 1}}
    assert [str(problem) for problem in problems.found] == ["doc:1:9: <<: expected a mapping to merge, got a text"]


def test_duplicate_keys_are_kept_and_the_last_one_wins() -> None:
    value = read("a: 1\na: 2\n")
    assert len(value.pairs) == 2
    found = value.get("a")
    assert found is not None and found.text == "2"


def test_a_mapping_as_key_is_left_out() -> None:
    problems = Problems()
    value = parse("hostname: {{ v1.name }}\nuser: alice\n", "doc", problems)
    assert value is not None and data(value) == {"hostname": {}, "user": "alice"}
    (problem,) = problems.found
    assert str(problem) == "doc:1:12: a key must be text, got a mapping"
    assert "## template: jinja" in problem.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n\t- b\n", "doc:2:1: a tab in the indentation"),
        ("units:\n  - name: x\n  \tcommand: start\n", "doc:3:3: a tab in the indentation"),
        ("a: x: y\n", "doc:1:5: ': ' is not expected here"),
        ("foo\nbar: 1\n", "doc:2:4: ': ' is not expected here"),
        ("a: - b\n", "doc:1:4: a list item ('- ') is not expected here"),
        ("b: 1\na: 'x\nc: 2\n", "doc:2:4: a quote is never closed"),
        ("a: [1, 2\nb: 3\n", "doc:1:4: a '[' is never closed"),
        ("a: {x: 1\nb: 3\n", "doc:1:4: a '{' is never closed"),
        ("a: [\n\n", "doc:1:4: the document ends too early"),
        ('{"a": 1,', "doc:1:8: the document ends too early"),
        ("a: @b\n", "doc:1:4: text cannot begin with '@'"),
        ("a: %b\n", "doc:1:4: text cannot begin with '%'"),
        ('a: "\\d"\n', "doc:1:5: an unknown escape after '\\' in double quotes"),
        ("a:\n  b: 1\n c: 2\n", "doc:3:2: this does not fit the mapping above"),
        ("a: |text\n", "doc:1:5: after '|' or '>' only '+', '-' or a digit may follow in the line"),
        ("a: *b\n", "doc:1:4: an alias ('*') that refers to nothing"),
        ("a: &b [*b]\n", "doc:1:8: '*b' stands inside what it refers to"),
        ("a: \x07\n", "doc:1:4: the control character '\\x07' is not allowed in YAML"),
        ("a: 1\nb: x\0\n", "doc:2:5: the control character '\\x00' is not allowed in YAML"),
    ],
)
def test_syntax_errors_in_plain_words(text: str, said: str) -> None:
    assert said == refusal(text)


def test_syntax_error_has_a_hint_and_shows_its_line() -> None:
    problems = Problems()
    parse("hostname: x: y\n", "doc", problems)
    (problem,) = problems.found
    assert problem.width == 1
    assert problem.hint == "quote the text if ': ' belongs to it, else check the indentation"


@pytest.mark.parametrize(
    "text",
    [
        "password: geheim: x\n",
        "chpasswd:\n  list: [root:geheim: x\n",
        "users:\n  - name: a\n    plain_text_passwd: geheim: x\n",
        "runcmd:\n  - echo geheim: x: y\n",
        "write_files:\n- content: geheim: x\n",
        '{"password": "geheim", "a": @}',
        "users:\n- passwd:\n    geheim: x: y\n",
    ],
)
def test_a_line_that_may_hold_a_secret_is_not_shown(text: str) -> None:
    problems = Problems()
    assert parse(text, "doc", problems) is None
    (problem,) = problems.found
    assert problem.width == 0
    assert "geheim" not in f"{problem} {problem.hint}"


@pytest.mark.parametrize("rest", ["---\nb: 2\n", "---\nb: [\n", "...\n---\nb: 2\n"])
def test_second_document(rest: str) -> None:
    problems = Problems()
    value = parse("a: 1\n" + rest, "doc", problems)
    assert value is not None and data(value) == {"a": 1}
    (problem,) = problems.found
    assert problem.severity == "error"
    assert problem.message == "a second YAML document begins here"
    assert problem.position.line in (2, 3)


@pytest.mark.parametrize("text", ["---\na: 1\n", "a: 1\n...\n", "a: 1\n---\n", "%YAML 1.1\n---\na: 1\n"])
def test_markers_of_one_document_are_harmless(text: str) -> None:
    assert data(read(text)) == {"a": 1}


def test_text_after_the_end() -> None:
    assert warnings('{"a": 1}\nb: 2\n') == ["doc:2:1: text after the end of the document"]


# JSON


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("head", ["", "#cloud-config\n", "# one\n\n  # two\n"])
def test_json(indent: int | str | None, head: str) -> None:
    content = {"a": 1, "list": ["x/y", "tab\t", 'q"uote', "back\\slash", "\\ud83d"], "emoji": "😀ü", "deep": {"b": []}}
    value = read(head + json.dumps(content, indent=indent))
    assert content == data(value)


def test_json_escapes_a_slash() -> None:
    assert data(read('{"a": "x\\/y"}')) == {"a": "x/y"}


# Limits: each of these is refused, quickly.


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{" * 100_000, "- " * 100_000, "? " * 100_000, "{a: " * 100_000, "[\n" * 100_000, "[" * 101],
)
def test_deep_nesting(text: str) -> None:
    assert refusal(text).endswith("nested more than 100 levels deep")


def test_as_deep_as_allowed() -> None:
    assert data(read("[" * 100 + "]" * 100))


def test_alias_bomb() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]" for i in range(20)]
    assert "more than 100000 values" in refusal("\n".join(lines))


def test_aliases_count_as_depth() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i + 1}: &a{i + 1} [*a{i}]" for i in range(200)]
    assert refusal("\n".join(lines)).endswith("nested more than 100 levels deep")


def test_alias_of_a_long_text() -> None:
    assert "more than 100000 values" in refusal("a: &a '" + "x" * 1_000_000 + "'\nb: [" + "*a," * 90_000 + "]")


def test_merges_count() -> None:
    base = "a: &a {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}\n"
    assert "more than 100000 values" in refusal(base + "b: [" + "{<<: *a}, " * 1000 + "]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: '" + "x" * (16 << 20) + "'", "doc:1:1: longer than 16 MiB"),
        ("- x\n" * (4 << 20), "doc:100000:3: more than 100000 values, counting each alias with all that it stands for"),
        ("%TAG !a! b\n" * 100_000 + "--- x", "doc:2:1: more than 64 lines begin with '%'"),
    ],
    ids=["text", "values", "directives"],
)
def test_large(text: str, said: str) -> None:
    assert said == refusal(text)


# Where PyYAML was built without libyaml, its own parser is used: the same tree comes out.


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: ['x', \"y\"]\nc: &c {d: |\n    text\n  }\n".replace("|\n    text\n  ", "e"),
        "users:\n- default\n- name: alice\n  sudo: 'ALL=(ALL) NOPASSWD:ALL'\n",
        '{\n\t"a": [1,\n\t\t"two"]\n}',
        "content: |\n  #!/bin/sh\n  echo\nnext: >-\n  folded\n  text\n",
    ],
)
def test_both_parsers_agree(text: str) -> None:
    import yaml

    problems = Problems()
    composer = yaml_document._Composer(yaml.SafeLoader(yaml_document._without_tabs(text)), "doc", 1, problems)
    value = composer.document()
    composer.check_rest()
    assert problems.found == []
    assert value.kind == MAP
    assert read(text) == value
