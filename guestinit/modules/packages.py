"""`packages`, `package_update`, `package_upgrade`: through the distribution's own tool, which is never killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

from guestinit.model.accounts import Accounts
from guestinit.model.action import CONVERGE, FINAL, ONCE, Because, Command, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields, Key
from guestinit.model.identity import RESUMED
from guestinit.model.problem import ERROR, Position, Problem
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.model.value import LIST, MAP, SCALAR, Given, Value

KEYS = (
    Key(
        "packages", "list of packages",
        "Packages to install: a name, [name, version], or a mapping from a package tool to its own list "
        "(`apt: [...]`, `dnf: [...]`). The lists of packages are fetched first in any case.",
    ),
    Key("package_update", "true or false", "Fetch the lists of available packages.", aliases=("apt_update",)),
    Key("package_upgrade", "true or false", "Upgrade all installed packages.", aliases=("apt_upgrade",)),
    Key(
        "package_reboot_if_required", "true or false",
        "Not done yet: a reboot that an upgrade asks for is left to you.", aliases=("apt_reboot_if_required",),
    ),
)  # fmt: skip

_TOOLS = ("apt", "dnf")
_SAME_TOOL = {"yum": "dnf", "apt-get": "apt"}
_OTHER_TOOLS = ("snap", "zypper", "apk", "pacman", "pkg", "flatpak")

_APT_ENVIRONMENT = (("DEBIAN_FRONTEND", "noninteractive"), ("APT_LISTCHANGES_FRONTEND", "none"))
_APT = (
    "apt-get", "-q", "-y",
    "-o", "DPkg::Lock::Timeout=1800",  # seconds; unattended-upgrades may hold dpkg's lock for minutes on a first boot
    "-o", "Dpkg::Use-Pty=0",
    "-o", "Dpkg::Options::=--force-confdef",  # files that write_files made stay
    "-o", "Dpkg::Options::=--force-confold",
    "-o", "Acquire::Retries=3",
)  # fmt: skip
# DPkg::Lock::Timeout does not cover these two (tried with apt 2.6): apt-get would give up at once.
_LISTS_LOCK = "/var/lib/apt/lists/lock"
_ARCHIVES_LOCK = "/var/cache/apt/archives/lock"


class Package(NamedTuple):
    """A package to install."""

    name: str
    version: str = ""
    tool: str = ""  # only where this tool is used; empty: any


class Section(NamedTuple):
    """What to do with packages."""

    packages: tuple[Package, ...] = ()
    packages_at: Optional[Position] = None
    update: Optional[Given[bool]] = None
    upgrade: Optional[Given[bool]] = None


def read(fields: Fields, meta: MetaData) -> Section:
    """All keys; a package that cannot be one is reported and left out."""
    found: list[Package] = []
    value = fields.raw("packages")
    if value is not None and value.kind == SCALAR:
        found.extend(_package(value, "packages", fields))
    elif value is not None:
        for index, item in enumerate(fields.items("packages") or ()):
            path = f"packages.{index}"
            if item.kind == MAP:
                found.extend(_of_tools(item, path, fields))
            else:
                found.extend(_package(item, path, fields))
    reboot = fields.flag("package_reboot_if_required")
    if reboot is not None and reboot.value:
        fields.problems.warning(
            reboot.at, "package_reboot_if_required", "not supported",
            "nothing reboots by itself; see /run/reboot-required", len("true"),
        )  # fmt: skip
    return Section(
        tuple(dict.fromkeys(found)),
        fields.key_at("packages") if found else None,
        fields.flag("package_update"),
        fields.flag("package_upgrade"),
    )


def _of_tools(item: Value, path: str, fields: Fields) -> Iterator[Package]:
    for key, listed in item.pairs:
        inner = f"{path}.{key.text}"
        tool = _SAME_TOOL.get(key.text, key.text)
        if tool in _OTHER_TOOLS:
            fields.problems.warning(
                key.at, inner, "this package tool is not supported", "left out; install it with runcmd", len(key.text)
            )
        elif tool not in _TOOLS:
            fields.problems.error(
                key.at, inner, "expected a package tool: apt or dnf", "left out", max(1, len(key.text))
            )
        elif listed.kind == SCALAR:
            yield from _package(listed, inner, fields, tool)
        elif listed.kind == LIST:
            for index, one in enumerate(listed.items):
                yield from _package(one, f"{inner}.{index}", fields, tool)
        else:
            fields.problems.error(listed.at, inner, "expected a list of packages, got a mapping", "left out")


def _package(value: Value, path: str, fields: Fields, tool: str = "") -> Iterator[Package]:
    if value.is_null:
        return
    parts = value.items if value.kind == LIST else (value,)
    if value.kind == MAP or not 1 <= len(parts) <= 2 or any(part.kind != SCALAR for part in parts):
        fields.problems.error(value.at, path, "expected a package, as text or as [name, version]", "left out")
        return
    texts = [part.text.strip() for part in parts if not part.is_null]
    for text, part in zip(texts, parts):
        # What begins with '-' is an option to the tool, and apt takes 'name-' as a request to remove.
        usable = text and not text.startswith("-") and not text.endswith("-")
        if not usable or not all(char.isprintable() and not char.isspace() for char in text):
            hint = "left out; write one package to an item" if " " in text else "left out"
            width = max(1, len(text.split("\n")[0]))
            fields.problems.error(part.at, path, "expected the name of a package", hint, width)
            return
    if texts:
        yield Package(texts[0], texts[1] if len(texts) > 1 else "", tool)


def plan(section: Section, facts: Facts, accounts: Accounts) -> Iterator[Union[Step, Problem]]:
    """Fetch the lists, upgrade, install; each remembered by its own input, so that a new package upgrades nothing."""
    tool = facts.distro.package_tool
    packages = [package for package in section.packages if package.tool in ("", tool)]
    upgrade = section.upgrade if section.upgrade is not None and section.upgrade.value else None
    update = section.update if section.update is not None and section.update.value else None
    at = update.at if update else upgrade.at if upgrade else section.packages_at
    if not (packages or upgrade or update):
        return
    if tool not in _TOOLS:
        place = at or Position("user-data")
        yield Problem(ERROR, place, "packages", "no package tool is known here", "install them with runcmd", 0)
        return
    names = tuple(_spelled(package, tool) for package in packages)
    steps = _apt(names, bool(upgrade), facts) if tool == "apt" else _dnf(names, bool(upgrade), bool(update))
    places = {"update": at, "upgrade": upgrade.at if upgrade else None, "install": section.packages_at, "repair": at}
    for verb, command, basis in steps:
        yield Step(
            id=f"command:packages.{verb}",
            module="packages",
            action=command,
            because=Because(places[verb]),
            stage=FINAL,
            frequency=ONCE if basis else CONVERGE,
            basis=Secret(basis) if basis else None,
        )


def _spelled(package: Package, tool: str) -> str:
    if not package.version:
        return package.name
    return f"{package.name}{'=' if tool == 'apt' else '-'}{package.version}"


def _apt(names: tuple[str, ...], upgrade: bool, facts: Facts) -> Iterator[tuple[str, Command, str]]:
    """(verb, command, what is remembered once it is done; empty: nothing)."""
    wanted = "\n".join(("update", *(("upgrade",) if upgrade else ()), *names))
    if facts.identity.kind == RESUMED:
        # A power cut in the middle of dpkg: apt-get refuses to work until this was done.
        repair = ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")
        locks = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")
        yield "repair", _command(repair, "dpkg --configure -a", locks), ""
    # An error of one source is an error, not a remark (apt 2.1 and later).
    update = (*_APT, "-o", "APT::Update::Error-Mode=any", "update")
    yield "update", _command(update, "apt-get update", (_LISTS_LOCK,)), wanted
    if upgrade:
        everything = (*_APT, "--with-new-pkgs", "upgrade")
        yield "upgrade", _command(everything, "apt-get upgrade", (_LISTS_LOCK, _ARCHIVES_LOCK)), "upgrade"
    if names:
        argv = (*_APT, "install", *names)
        label = _label("apt-get install", names)
        yield "install", _command(argv, label, (_LISTS_LOCK, _ARCHIVES_LOCK)), "\n".join(names)


def _dnf(names: tuple[str, ...], upgrade: bool, update: bool) -> Iterator[tuple[str, Command, str]]:
    # dnf waits for its own lock, and refreshes stale metadata by itself.
    if update:
        yield "update", _command(("dnf", "-y", "--refresh", "makecache"), "dnf makecache"), "update"
    if upgrade:
        yield "upgrade", _command(("dnf", "-y", "upgrade"), "dnf upgrade"), "upgrade"
    if names:
        yield "install", _command(("dnf", "-y", "install", *names), _label("dnf install", names)), "\n".join(names)


def _command(argv: tuple[str, ...], label: str, locks: tuple[str, ...] = ()) -> Command:
    environment = () if argv[0] == "dnf" else _APT_ENVIRONMENT
    return Command(argv, label, environment, may_repeat=True, locks=locks)


def _label(verb: str, names: tuple[str, ...]) -> str:
    """Names up to some ten words; of a URL only the file, since a password may stand in it."""
    shown = [name.rpartition("/")[2] if "://" in name else name for name in names[:8]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return " ".join((verb, *shown)) + more
