"""Reading and planning one section of cloud-config, data in and data out."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from guestinit.model.accounts import Account, Accounts
from guestinit.model.action import Step
from guestinit.model.facts import DefaultUser, Distro, Facts
from guestinit.model.fields import Fields
from guestinit.model.identity import Identity
from guestinit.model.problem import Problem, Problems
from guestinit.model.seed import MetaData
from tests.values import parse

DEBIAN = Distro("debian", DefaultUser("debian"), "sudo", "apt", "ssh.service", "/etc/default/locale", True)
NOBODY = Accounts()
FEDORA = Distro("fedora", DefaultUser("fedora"), "wheel", "dnf", "sshd.service", "/etc/locale.conf", False)


def facts(**fields: Any) -> Facts:
    """A Debian guest on its first boot, with what a test says otherwise."""
    base = Facts(
        DEBIAN, Identity("new", "nothing settled here", "i-1"), True, "networkd",
        users=("root", "daemon", "www-data"), groups=("root", "daemon", "www-data", "sudo"),
    )  # fmt: skip
    return base._replace(**fields)


def accounts(*names: str) -> Accounts:
    """A configuration that declares these users."""
    return Accounts(tuple(Account(name) for name in names))


def section(module: ModuleType, text: str, meta: MetaData | None = None) -> tuple[Any, list[Problem]]:
    """The module's section of a document, and what is wrong with it."""
    problems = Problems()
    fields = Fields(parse(text), "", module.KEYS, problems, check=False)
    return module.read(fields, meta or MetaData("i-1", True)), problems.found


def steps(module: ModuleType, text: str, here: Facts | None = None, declared: Accounts = NOBODY) -> list[Step]:
    """What is planned for a document without mistakes."""
    read, problems = section(module, text)
    assert [str(problem) for problem in problems] == []
    return planned(module, read, here, declared)


def planned(module: ModuleType, read: Any, here: Facts | None = None, declared: Accounts = NOBODY) -> list[Step]:
    """The steps of a section."""
    found = list(module.plan(read, here or facts(), declared))
    assert all(isinstance(step, Step) for step in found)
    return found


def messages(module: ModuleType, text: str) -> list[str]:
    """What is wrong with a document: severity, place and words."""
    return [f"{problem.severity} {problem}" for problem in section(module, text)[1]]
