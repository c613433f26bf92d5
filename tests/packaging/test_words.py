"""The man page and the completions say what the command line says: every verb, every option, every module."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestinit import cli, modules
from guestinit.model.problem import Problems
from guestinit.reading import image
from tests.packaging.conftest import TOP, need

BASH = TOP / "packaging/completions/guestinit.bash"
ZSH = TOP / "packaging/completions/_guestinit"
FISH = TOP / "packaging/completions/guestinit.fish"
PAGES = sorted((TOP / "docs/man").iterdir())


def walk(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Each verb with its long options."""
    options: set[str] = set()
    for action in parser._actions:
        options.update(option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from walk(below, (*words, name))
    yield words, options


VERBS = dict(walk(cli.build_parser()))
OPTIONS = set().union(*VERBS.values())


def test_the_walk_sees_the_command_line() -> None:
    assert {(), ("apply",), ("net", "render"), ("status",)} <= set(VERBS)
    assert {"--dry-run", "--seed", "--nic", "--timeout"} <= OPTIONS


def test_the_man_page_has_every_word() -> None:
    page = (TOP / "docs/man/guestinit.1").read_text().replace("\\-", "-")
    assert [option for option in sorted(OPTIONS) if option not in page] == []
    assert [words for words in VERBS if " ".join(words) not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_reads_it_without_a_warning(page: Path) -> None:
    need(shutil.which("groff") is not None, "groff is needed")
    argv = ["groff", "-man", "-Tutf8", "-ww", "-rLL=100n", str(page)]
    result = subprocess.run(argv, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert page.stem.upper() in result.stdout


@pytest.mark.parametrize("path", [BASH, ZSH], ids=["bash", "zsh"])
def test_completion_has_every_word(path: Path) -> None:
    text = path.read_text()
    assert [option for option in sorted(OPTIONS) if option not in text] == []
    assert [name for name, _ in modules.ORDER if name not in text] == []


def test_fish_completion_has_every_word() -> None:
    text = FISH.read_text()
    assert [option for option in sorted(OPTIONS) if f"-l {option[2:]}" not in text] == []
    assert [name for name, _ in modules.ORDER if name not in text] == []


def complete(*words: str) -> set[str]:
    """What bash offers for the last word, through bash-completion itself."""
    need(Path("/usr/share/bash-completion/bash_completion").exists(), "bash-completion is needed")
    script = (
        'source /usr/share/bash-completion/bash_completion; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1));'
        ' COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; _guestinit; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    result = subprocess.run(["bash", "-c", script, str(BASH), *words], stdout=subprocess.PIPE, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("words", VERBS, ids=lambda words: "-".join(words) or "none")
def test_bash_offers_exactly_the_options_of_each_verb(words: tuple[str, ...]) -> None:
    if words == ("net",):
        assert {"render"} <= complete("guestinit", "net", "")
        return
    assert VERBS[words] == complete("guestinit", *words, "--")


@pytest.mark.parametrize(("shell", "path"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_the_shell_can_read_it(shell: str, path: Path) -> None:
    need(shutil.which(shell) is not None, f"{shell} is needed")
    subprocess.run([shell, "-n", str(path)], check=True)


def test_every_line_of_the_shipped_image_configuration_is_valid() -> None:
    """It is all comments; with the "#" of each setting taken away it has to be what guestinit reads."""
    text = (TOP / "packaging/guestinit.yaml").read_text()
    settings = re.sub(r"^#(?! )", "", text, flags=re.MULTILINE).encode()

    class Root:
        def read(self, path: str) -> bytes | None:
            return settings if path == image.FILE else None

        def listdir(self, path: str) -> list[str]:
            return []

    problems = Problems()
    found = image.load(Root(), problems)
    assert problems.found == []
    assert image.Image() != found
    keys = [key.name for key in image.KEYS + image.DEFAULT_USER_KEYS + image.NETWORK_KEYS]
    keys += [key.name for key in image.REPORT_KEYS + image.COMMANDS_KEYS]
    page = (TOP / "docs/man/guestinit.yaml.5").read_text().replace("\\-", "-")
    assert [key for key in keys if key not in page] == []
