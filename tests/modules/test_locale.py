"""locale: LANG at once, generation late."""

from __future__ import annotations

import re

import pytest

from guestinit.model.action import CONVERGE, FINAL, LOCAL, ONCE, Command, Lines
from guestinit.model.secret import Secret
from guestinit.modules import locale
from tests.modules.sections import FEDORA, facts, messages, section, steps

WITH_LIST = facts(paths=frozenset({"/etc/locale.gen"}))


def test_debian_writes_the_file_and_generates() -> None:
    file, lines, command = steps(locale, "locale: de_DE.UTF-8", WITH_LIST)
    assert (file.id, file.stage, file.action) == (
        "lines:/etc/default/locale", LOCAL,
        Lines("/etc/default/locale", ("LANG=de_DE.UTF-8",), replace=r"^\s*(export\s+)?LANG="),
    )  # fmt: skip
    assert isinstance(lines.action, Lines)
    assert (lines.id, lines.stage, lines.action.add) == ("lines:/etc/locale.gen", FINAL, ("de_DE.UTF-8 UTF-8",))
    assert command.action == Command(("locale-gen",), "locale-gen", may_repeat=True)
    assert (command.stage, command.frequency, command.when_changed, command.needs) == (
        FINAL, CONVERGE, ("lines:/etc/locale.gen",), ("lines:/etc/locale.gen",)
    )  # fmt: skip


@pytest.mark.parametrize("line", ["# de_DE.UTF-8 UTF-8  ", "de_DE.UTF-8 UTF-8", "#de_DE.UTF-8 UTF-8"])
def test_the_line_that_is_commented_out_is_taken(line: str) -> None:
    _, lines, _ = steps(locale, "locale: de_DE.UTF-8", WITH_LIST)
    assert isinstance(lines.action, Lines)
    assert re.search(lines.action.replace, line)
    assert not re.search(lines.action.replace, "# de_DE ISO-8859-1")
    assert not re.search(lines.action.replace, "# de_DE.UTF-8@euro UTF-8")


@pytest.mark.parametrize(
    ("given", "lang", "listed"),
    [
        ("en_US.utf8", "en_US.UTF-8", "en_US.UTF-8 UTF-8"),
        ("de_DE.ISO-8859-1", "de_DE.ISO-8859-1", "de_DE.ISO-8859-1 ISO-8859-1"),
        ("sr_RS.UTF-8@latin", "sr_RS.UTF-8@latin", "sr_RS.UTF-8@latin UTF-8"),
    ],
)
def test_character_sets(given: str, lang: str, listed: str) -> None:
    file, lines, _ = steps(locale, f"locale: {given}", WITH_LIST)
    assert isinstance(file.action, Lines) and isinstance(lines.action, Lines)
    assert (file.action.add, lines.action.add) == ((f"LANG={lang}",), (listed,))


def test_no_character_set_means_utf8_and_is_said() -> None:
    assert messages(locale, "locale: en_US") == ["note user-data:1:9: locale: no character set is named"]
    assert section(locale, "locale: en_US")[0].locale.value == "en_US.UTF-8"


@pytest.mark.parametrize("name", ["C", "POSIX", "C.UTF-8", "C.utf8"])
def test_what_the_library_has_built_in_is_not_generated(name: str) -> None:
    assert [step.id for step in steps(locale, f"locale: {name}", WITH_LIST)] == ["lines:/etc/default/locale"]


def test_fedora_has_another_file_and_generates_nothing() -> None:
    (step,) = steps(locale, "locale: de_DE.UTF-8", facts(distro=FEDORA))
    assert step.id == "lines:/etc/locale.conf"


def test_without_the_package_the_command_is_tried_so_that_its_failure_shows() -> None:
    _, command = steps(locale, "locale: de_DE.UTF-8", facts())
    assert (command.id, command.frequency, command.basis) == ("command:locale-gen", ONCE, Secret("de_DE.UTF-8"))


def test_another_file() -> None:
    (step,) = steps(locale, "{locale: C.UTF-8, locale_configfile: /etc/sysconfig/i18n}")
    assert step.id == "lines:/etc/sysconfig/i18n"


@pytest.mark.parametrize("path", ["etc/locale", "/etc/../x", "/etc/"])
def test_a_file_elsewhere_is_refused(path: str) -> None:
    text = f"{{locale: C.UTF-8, locale_configfile: {path}}}"
    assert messages(locale, text) == [
        f"error user-data:1:38: locale_configfile: expected an absolute path without '..', got '{path}'"
    ]
    assert section(locale, text)[0].file == ""


@pytest.mark.parametrize("name", ["'de_DE; rm'", "../../x", "'$(id)'", "de_DE.", "-x", "'a\\nb'"])
def test_what_is_no_locale_is_refused(name: str) -> None:
    quoted = name.replace("'", '"')
    read, problems = section(locale, f"locale: {quoted}")
    assert [problem.severity for problem in problems] == ["error"]
    assert read.locale is None


@pytest.mark.parametrize("text", ["locale: false", "locale:", "locale: ''"])
def test_the_images_own_stays(text: str) -> None:
    assert steps(locale, text, WITH_LIST) == []
