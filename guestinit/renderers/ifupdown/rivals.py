"""What the image says about the same interfaces in the files of ifupdown.

ifupdown adds up everything that it reads about an interface, so what is there already has to go: a lease beside the
address that the seed gives. Lines of people are disabled where they stand, and come back when the seed no longer
speaks of that interface; a file that cloud-init left behind is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

from guestinit.model import interfaces
from guestinit.model.action import Absence, Because, File, Step
from guestinit.model.facts import Ifupdown, Nic
from guestinit.model.hardware import Cards
from guestinit.model.network import HARDWARE, LOOPBACK, Link
from guestinit.model.problem import Problem, Problems
from guestinit.renderers import MODULE

_NEW = "# interfaces(5) file used by ifup(8) and ifdown(8)\n"


def claimed(links: tuple[Link, ...], text: str) -> dict[str, Link]:
    """The names of the stanzas in our file: another stanza of that name would add to it, whatever it is about."""
    by_name = {link.name: link for link in links}
    return {name: by_name.get(name, links[0]) for name in sorted(interfaces.configured(text) - {"lo"}) if links}


def known(links: tuple[Link, ...], nics: tuple[Nic, ...]) -> dict[str, Link]:
    """The interfaces that are meant, by the names that they have and shall have."""
    found: dict[str, Link] = {}
    cards = Cards(nics)
    for link in links:
        if link.kind in HARDWARE:
            names = {nic.name for nic in cards.matching(link)} | {link.set_name, link.match.exact_name}
            found.update((name, link) for name in sorted(names) if name)
        elif link.kind != LOOPBACK:
            found[link.name] = link
    return found


def settle(
    ours: str, names: dict[str, Link], unsure: Optional[Link], here: Ifupdown, why: Because
) -> Iterator[Union[Step, Problem]]:
    """Steps that leave each interface one configuration. `ours` is our file, empty if there is to be none; `unsure` a
    link of which it is not known which interface it is.
    """
    texts = dict(here.files)
    problems = Problems()
    needs = (f"file:{ours}",) if ours else ()
    for path, text in texts.items():
        if path == ours or path.rpartition("/")[2] == "50-guestinit":
            continue
        there = interfaces.configured(interfaces.restore(text))
        rivals = sorted(there & set(names))
        because = Because(names[rivals[0]].at if rivals else why.at, f"{', '.join(rivals)} is configured by {ours}")
        if "cloud-init" in path and (rivals or (unsure is not None and there - {"lo"})):
            because = Because(because.at, "left by cloud-init")
            yield Step(f"absence:{path}", MODULE, Absence(path), because, needs=needs, vital=True)
            continue
        content = interfaces.disable(text, set(names))
        if path == interfaces.FILE and ours and not interfaces.sources(text, ours):
            content = _with_source(content, ours)
            because = because if rivals else Because(why.at, f"so that ifupdown reads {ours}")
        if content != text:
            yield _write(path, content, because if rivals or ours else why, needs)
        if names:
            _say_doubtful(path, content, next(iter(names.values())), unsure, problems)
    if ours and interfaces.FILE not in texts:
        yield _write(
            interfaces.FILE, _with_source(_NEW, ours), Because(why.at, f"so that ifupdown reads {ours}"), needs
        )
    yield from problems.found


def _with_source(text: str, path: str) -> str:
    return text + ("" if not text or text.endswith("\n") else "\n") + f"source {path}\n"


def _write(path: str, content: str, because: Because, needs: tuple[str, ...]) -> Step:
    action = File(path, content.encode("utf-8", "surrogateescape"), mode=None, owner="", group="")
    return Step(f"file:{path}", MODULE, action, because, needs=needs, vital=True)


def _say_doubtful(path: str, text: str, link: Link, unsure: Optional[Link], problems: Problems) -> None:
    """What may be about one of our interfaces, for all that can be told here."""
    for word in interfaces.patterns(text):
        message = f"{path} brings up whatever fits '{word}', one of the seed's interfaces perhaps"
        problems.error(link.at, link.path, message, "remove it from the image", 0)
    if unsure is not None:
        brought_up = {name for name, said in interfaces.stanzas(text).items() if said.startswith("auto")}
        for name in sorted(brought_up - {"lo"}):
            message = f"{path} configures {name}, which may be the interface with the MAC {unsure.match.mac}"
            problems.error(unsure.at, unsure.path, message, "remove it from the image", 0)
