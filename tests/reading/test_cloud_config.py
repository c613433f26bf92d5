"""Checking top-level keys, and merging parts and sources."""

from __future__ import annotations

from typing import Any

import pytest

from guestinit.model.problem import Position, Problems
from guestinit.model.seed import Part
from guestinit.model.value import MAP, Value, data
from guestinit.reading import cloud_config

KNOWN = ("hostname", "users", "runcmd", "packages", "package_update", "ssh_pwauth")
NOTHING = Value(MAP, Position("image"))


def read(*texts: str) -> tuple[Any, list[str], Problems]:
    problems = Problems()
    parts = [Part("cloud-config", f"part-{index}", text) for index, text in enumerate(texts, 1)]
    value = cloud_config.read(parts, KNOWN, problems)
    told = [f"{problem.severity} {problem}" for problem in problems.found]
    return (None if value is None else data(value)), told, problems


@pytest.mark.parametrize("texts", [(), ("#cloud-config\n",), ("null",), ("", "# x")])
def test_nothing(texts: tuple[str, ...]) -> None:
    assert read(*texts)[:2] == (None, [])


def test_keys_in_order() -> None:
    assert read("hostname: a\nx-mine: {b: 1}\n")[:2] == ({"hostname": "a", "x-mine": {"b": 1}}, [])


@pytest.mark.parametrize(
    ("key", "said", "hint"),
    [
        ("hostnam", "warning part-1:1:1: hostnam: unknown key", "did you mean 'hostname'?"),
        (
            "write_file",
            "warning part-1:1:1: write_file: unknown key",
            "it is ignored; names that begin with 'x-' are free",
        ),
        ("zzzzzz", "warning part-1:1:1: zzzzzz: unknown key", "it is ignored; names that begin with 'x-' are free"),
        ("ntp", "warning part-1:1:1: ntp: not supported by this version", "left out"),
        ("merge_how", "warning part-1:1:1: merge_how: not supported by this version", "left out"),
        ("autoinstall", "note part-1:1:1: autoinstall: has no effect here", "it is for the Ubuntu installer"),
        ("final_message", "note part-1:1:1: final_message: has no effect here", "the report of guestinit"),
        ("coreos", "note part-1:1:1: coreos: has no effect here", "it is for Flatcar"),
        ("apt_update", "note part-1:1:1: apt_update: old spelling of 'package_update'", "it is read all the same"),
    ],
)
def test_keys_that_are_reported(key: str, said: str, hint: str) -> None:
    _, told, problems = read(f"{key}: 1\nhostname: a\n")
    assert [said] == told
    assert problems.found[0].hint.startswith(hint)


def test_what_is_listed_as_unsupported_is_not_also_without_effect() -> None:
    assert set() == cloud_config.UNSUPPORTED & cloud_config.WITHOUT_EFFECT.keys()


def test_old_spelling_arrives_under_the_new_one() -> None:
    assert read("apt_update: true\n")[0] == {"package_update": True}


def test_given_twice() -> None:
    found, told, _ = read("hostname: a\nruncmd: [x]\nhostname: b\n")
    assert found == {"hostname": "b", "runcmd": ["x"]}
    assert told == ["warning part-1:3:1: hostname: given twice, first in line 1"]


@pytest.mark.parametrize("text", ["- a\n", "hostname web1\n", 'hostname = "ubuntu"\nuser = "x"\n'])
def test_no_mapping(text: str) -> None:
    found, told, problems = read(text)
    assert found is None
    assert len(told) == 1 and told[0].startswith("error part-1:1:1: expected a mapping of keys to values, got a ")
    assert ("not 'key = value'" in problems.found[0].hint) == ("=" in text)


def test_parts_of_one_source() -> None:
    found, told, problems = read("runcmd: [a]\n", "packages: [b]\nruncmd: [c]\n", "hostname: d\n")
    assert found == {"runcmd": ["a"], "packages": ["b"], "hostname": "d"}
    assert told == ["warning part-2:2:1: runcmd: given already in part-1:1:1"]
    assert problems.found[0].hint == "the first one stays; put both in one part"


def test_a_broken_part_does_not_take_the_others_along() -> None:
    found, told, _ = read("runcmd: [\n", "hostname: d\n")
    assert found == {"hostname": "d"}
    assert len(told) == 1


def merge(user: str | None, vendor: str | None, image: str = "") -> tuple[Any, list[str]]:
    problems = Problems()

    def value(text: str | None, label: str) -> Value | None:
        return None if text is None else cloud_config.read([Part("cloud-config", label, text)], KNOWN, problems)

    defaults = value(image, "image") or NOTHING
    own, vendors = value(user, "user"), value(vendor, "vendor")
    sources = (own, None if cloud_config.switched_off("vendor-data", own) else vendors)
    merged = cloud_config.merge(sources, defaults, KNOWN, problems)
    return data(merged), [f"{problem.severity} {problem}" for problem in problems.found]


def test_the_highest_source_wins_whole() -> None:
    found, told = merge("hostname: u\n", "hostname: v\nusers: [a, b]\n", "users: [c]\npackages: [d]\n")
    assert (found, told) == ({"hostname": "u", "users": ["a", "b"], "packages": ["d"]}, [])


def test_null_in_a_higher_source_takes_a_key_away() -> None:
    assert merge("runcmd:\n", "runcmd: [a]\n")[0] == {"runcmd": None}


@pytest.mark.parametrize("word", ["false", "no", "False"])
def test_vendor_data_switched_off(word: str) -> None:
    assert merge(f"hostname: u\nvendor_data: {{enabled: {word}}}\n", "packages: [x]\n") == ({"hostname": "u"}, [])


def test_vendor_data_stays_on() -> None:
    assert merge("vendor_data: {enabled: true}\n", "packages: [x]\n")[0] == {"packages": ["x"]}


def test_image_defaults_are_checked() -> None:
    problems = Problems()
    from guestinit.reading.yaml_document import parse

    defaults = parse("hostnam: x\n", "guestinit.yaml", Problems())
    assert defaults is not None
    cloud_config.merge((), defaults, KNOWN, problems)
    assert [str(problem) for problem in problems.found] == ["guestinit.yaml:1:1: hostnam: unknown key"]
