"""The documentation says what the program does: generated pages, links, command lines, YAML."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import guestinit.model
import guestinit.modules
import guestinit.reading
from guestinit import checking, cli, modules, verbs
from guestinit.datasources import seedfrom
from guestinit.model import line_configuration
from guestinit.model.fields import Key
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document
from guestinit.reading import image

TOP = Path(__file__).parents[2]
PAGES = sorted([TOP / "README.md", *(TOP / "docs").rglob("*.md"), *(TOP / "benchmarks").glob("*.md"),
                *(TOP / "tests").rglob("README.md")])  # fmt: skip
MANUALS = sorted((TOP / "docs" / "man").iterdir())
SCRIPTS = sorted(path for path in (TOP / "examples").iterdir() if path.is_file())
VERBS = ("apply", "clean", "run", "status", "check", "net", "preview")


def name_of(path: Path) -> str:
    return str(path.relative_to(TOP))


# generated pages


def test_generated_pages_are_up_to_date() -> None:
    generate = [sys.executable, str(TOP / "docs" / "generate"), "--check"]
    done = subprocess.run(generate, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def all_keys() -> Iterator[tuple[str, Key]]:
    """Every record of a key in the program, with the module that has it."""
    for package in (guestinit.modules, guestinit.model, guestinit.reading):
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for content in vars(importlib.import_module(found.name)).values():
                for group in content.values() if isinstance(content, dict) else (content,):
                    for key in group if isinstance(group, tuple) else ():
                        if isinstance(key, Key):
                            yield found.name, key


def test_every_key_of_the_program_is_on_a_reference_page() -> None:
    reference = TOP / "docs" / "reference"
    text = "".join((reference / f"{page}.md").read_text() for page in ("keys", "network-config", "image-configuration"))
    keys = list(all_keys())
    assert len(keys) > 200
    # OpenStack's network_data.json is written by platforms and read here; people do not write it.
    machine_made = "guestinit.reading.network_openstack"
    missing = [(where, key.name) for where, key in keys if f"| `{key.name}` |" not in text and where != machine_made]
    assert missing == []


def test_nocloud_page_has_every_key_and_field_of_an_address() -> None:
    text = (TOP / "docs" / "reference" / "nocloud.md").read_text()
    fields = dict(re.findall(r"^\| `__dmi\.(.+)__` \| `(.+)` \|$", text, re.MULTILINE))
    assert fields == seedfrom._DMI
    keys = set(re.findall(r"^\| `([a-z-]+)` \|.*\|.*\|$", text, re.MULTILINE))
    assert keys == {line_configuration.SEEDFROM, *line_configuration.OVERRIDES}


def test_every_key_that_makes_a_module_take_part_is_declared_by_it() -> None:
    for name, names in modules.ORDER:
        declared = importlib.import_module(f"guestinit.modules.{name}").KEYS
        spellings = {spelling for key in declared for spelling in (key.name, *key.aliases)}
        assert set(names) - {"*"} == spellings, name


# links


def anchors_of(path: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    found = set()
    for heading in re.findall(r"(?m)^#+ +(.+)$", path.read_text()):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_page_can_be_reached_from_the_first() -> None:
    seen: set[Path] = set()
    waiting = [TOP / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text()):
            if not re.match(r"[a-z]+:", link):
                waiting.append((page.parent / link).resolve())
    assert {page for page in PAGES if page.is_relative_to(TOP / "docs")} - seen == set()


# command lines


def command_lines(path: Path) -> Iterator[str]:
    """The words behind `guestinit` wherever a command line is shown."""
    text = path.read_text()
    if path in MANUALS:
        text = re.sub(r"(?m)\\-", "-", text)
        yield from (line.split("    ")[0] for line in re.findall(r"(?m)^guestinit (?!- )(.+)$", text))
        return
    for span in re.findall(r"`guestinit\s([^`]+)`", text):
        words = " ".join(span.split())
        if words not in VERBS:  # only named, not shown
            yield words
    for line in re.findall(r"(?m)^ {4}(?:.*(?:\$|sudo|&&|exec \d+) )?guestinit ([^`\n]+)$", text):
        yield re.split(r"\s#\s|  +#|\s\||\s&&|\s>", line)[0]


def expand(line: str) -> list[str]:
    """A command line, or a synopsis with everything optional given and the first of each choice taken."""
    words = line.replace("[", " ").replace("]", " ").replace("...", " ").split()
    numbers = {"S": "1", "SECONDS": "1"}
    return [numbers.get(word, word.split("|")[0]) for word in words]


@pytest.mark.parametrize("path", [*PAGES, *MANUALS, *SCRIPTS], ids=name_of)
def test_command_lines_are_understood(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in command_lines(path):
        try:
            options = cli.build_parser().parse_args(expand(line))
        except SystemExit as error:
            assert error.code in (0, None), f"{line}: {capsys.readouterr().err}"  # --help and --version end here
            continue
        assert options.verb or options.dry_run, line
        if options.verb:
            assert callable(getattr(verbs, options.verb, None)) or options.verb == "run", line


def test_command_lines_are_found() -> None:
    assert len(list(command_lines(TOP / "docs" / "reference" / "command-line.md"))) >= 7
    assert len(list(command_lines(TOP / "docs" / "man" / "guestinit.1"))) >= 5
    assert len(list(command_lines(TOP / "README.md"))) >= 2


def test_every_option_is_in_the_manual_and_the_reference() -> None:
    manual = (TOP / "docs" / "man" / "guestinit.1").read_text().replace("\\-", "-")
    reference = (TOP / "docs" / "reference" / "command-line.md").read_text()
    for option in options_of(cli.build_parser()):
        assert option in manual, option
        assert option in reference or option in ("--help", "--version"), option


def options_of(parser: object) -> set[str]:
    found = set()
    for action in parser._actions:  # type: ignore[attr-defined]
        found |= {option for option in action.option_strings if option.startswith("--")}
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                found |= options_of(inner)
    return found


# documents


def yaml_blocks(path: Path) -> Iterator[tuple[str, str]]:
    """(file name to check it under, text) of everything on a page that a user could put into a file."""
    text = path.read_text()
    for info, block in re.findall(r"(?ms)^```yaml *([^\n]*)\n(.*?)^```", text):
        name = info.strip() or ("user-data" if block.startswith("#cloud-config") else "guestinit.d/example.yaml")
        yield name, block
    for target, block in re.findall(r"(?ms)cat > (\S+) <<'END'\n(.*?)^ *END$", text):
        yield target, re.sub(r"(?m)^    ", "", block)


BLOCKS = [(page, *block) for page in PAGES for block in yaml_blocks(page)]


@pytest.mark.parametrize(("page", "name", "text"), BLOCKS, ids=[f"{name_of(block[0])}-{block[1]}" for block in BLOCKS])
def test_yaml_on_a_page_has_no_problem(page: Path, name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / Path(name).parent.name / Path(name).name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    problems = Problems()
    checking.check(str(path), problems)
    assert list(map(str, problems.found)) == []


def test_yaml_is_found() -> None:
    assert {name_of(block[0]) for block in BLOCKS} >= {
        "docs/reference/image-configuration.md", "docs/tutorial/first-clone.md",
    }  # fmt: skip


def read_image(text: str) -> Image:
    problems = Problems()
    found = image.read([Document("guestinit.yaml", "guestinit.yaml", text.encode())], problems)
    assert list(map(str, problems.found)) == []
    return found


def test_example_of_the_image_configuration_has_every_key() -> None:
    text = (TOP / "docs" / "reference" / "image-configuration.md").read_text()
    example = re.findall(r"(?ms)^```yaml\n(.*?)^```", text)[0]
    found = read_image(example)
    assert {name for name, _ in found.options} == {
        f"{section}.{key.name}"
        for section, keys in (("metadata", image.METADATA_KEYS), ("network", image.NETWORK_KEYS),
                              ("report", image.REPORT_KEYS), ("commands", image.COMMANDS_KEYS))
        for key in keys
    }  # fmt: skip
    assert len(found.default_user) == len(image.DEFAULT_USER_KEYS)
    assert found.defaults.pairs
    assert [line for line in example.splitlines() if line[0] != " "] != []
    assert {line.partition(":")[0] for line in example.splitlines() if line[0] != " "} == {
        key.name for key in image.KEYS
    }


def test_packaged_image_configuration_is_right_when_its_comments_are_removed() -> None:
    text = (TOP / "packaging" / "guestinit.yaml").read_text()
    assert read_image(text) == Image()._replace(defaults=read_image(text).defaults)
    found = read_image(re.sub(r"(?m)^#(?! )|^#(?=  )", "", text))
    assert dict(found.options)["commands.on_failure"] == "continue"
    assert dict(found.default_user)["name"] == "debian"


def test_example_in_the_manual_is_right() -> None:
    text = (TOP / "docs" / "man" / "guestinit.yaml.5").read_text()
    example = re.findall(r"(?ms)^\.nf\n(.*?)^\.fi", text)[0].replace("\\-", "-")
    assert read_image(example).default_user


@pytest.mark.parametrize("name", ["proxmox"])
def test_example_seed_has_no_problem(name: str) -> None:
    problems = Problems()
    checking.check(str(TOP / "examples" / name), problems)
    assert list(map(str, problems.found)) == []


@pytest.mark.parametrize(
    "words",
    ["--dry-run --seed examples/proxmox --root examples/root", "check examples/typo"],
)
def test_the_readme_shows_what_the_program_prints(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TOP)
    cli.main(words.split())
    shown = "".join(f"    {line}".rstrip() + "\n" for line in capsys.readouterr().out.splitlines())
    assert f"    $ guestinit {words}\n{shown}" in (TOP / "README.md").read_text()
