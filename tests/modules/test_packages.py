"""packages: which commands are planned for apt and dnf, and what each is remembered by."""

from __future__ import annotations

import pytest

from guestinit.model.action import CONVERGE, FINAL, ONCE, Command, Step
from guestinit.model.identity import Identity
from guestinit.model.problem import Problem
from guestinit.model.secret import Secret
from guestinit.modules import packages
from tests.modules.sections import DEBIAN, FEDORA, NOBODY, facts, messages, section, steps

EL = facts(distro=FEDORA)


def labels(found: list[Step]) -> list[str]:
    return [step.action.label for step in found if isinstance(step.action, Command)]


def argv(step: Step) -> tuple[str, ...]:
    assert isinstance(step.action, Command)
    return step.action.argv


def test_apt() -> None:
    update, install = steps(packages, "packages:\n- nginx\n- [curl, 7.88.1-10]\n")
    assert (update.id, install.id) == ("command:packages.update", "command:packages.install")
    options = (
        "-q", "-y", "-o", "DPkg::Lock::Timeout=1800", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confdef",
        "-o", "Dpkg::Options::=--force-confold", "-o", "Acquire::Retries=3",
    )  # fmt: skip
    assert argv(update) == ("apt-get", *options, "-o", "APT::Update::Error-Mode=any", "update")
    assert argv(install) == ("apt-get", *options, "install", "nginx", "curl=7.88.1-10")
    assert install.action == Command(
        argv(install), "apt-get install nginx curl=7.88.1-10",
        (("DEBIAN_FRONTEND", "noninteractive"), ("APT_LISTCHANGES_FRONTEND", "none")),
        timeout=None, may_repeat=True, locks=("/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"),
    )  # fmt: skip
    assert isinstance(update.action, Command) and update.action.locks == ("/var/lib/apt/lists/lock",)
    assert (install.stage, install.frequency, str(install.because)) == (FINAL, ONCE, "user-data:1:1")
    # Sources that fail make the update fail, yet what is known already can be installed.
    assert install.needs == ()


def test_dnf() -> None:
    (install,) = steps(packages, "packages: [nginx, [curl, 7.76.1]]", EL)
    assert argv(install) == ("dnf", "-y", "install", "nginx", "curl-7.76.1")
    everything = steps(packages, "{packages: [nginx], package_update: true, package_upgrade: true}", EL)
    assert [argv(step) for step in everything] == [
        ("dnf", "-y", "--refresh", "makecache"), ("dnf", "-y", "upgrade"), ("dnf", "-y", "install", "nginx")
    ]  # fmt: skip


def test_proxmox_only_asks_for_an_upgrade() -> None:
    found = steps(packages, "package_upgrade: true")
    assert labels(found) == ["apt-get update", "apt-get upgrade"]
    assert argv(found[1])[-2:] == ("--with-new-pkgs", "upgrade")


@pytest.mark.parametrize(
    "text", ["package_upgrade: false", "packages: []", "packages:", "{package_update: no, packages: [null]}"]
)
def test_nothing_to_do(text: str) -> None:
    assert steps(packages, text) == []


def test_the_lists_are_fetched_before_anything_is_installed() -> None:
    assert labels(steps(packages, "{packages: [a], package_update: false}")) == ["apt-get update", "apt-get install a"]


def test_each_command_is_remembered_by_its_own_input() -> None:
    before = {step.id: step.basis for step in steps(packages, "{package_upgrade: true, packages: [a]}")}
    after = {step.id: step.basis for step in steps(packages, "{package_upgrade: true, packages: [a, b]}")}
    assert before["command:packages.upgrade"] == after["command:packages.upgrade"] == Secret("upgrade")
    assert before["command:packages.install"] != after["command:packages.install"]
    assert before["command:packages.update"] != after["command:packages.update"]


def test_after_a_power_cut_dpkg_is_mended_first() -> None:
    resumed = facts(identity=Identity("resumed", "the run of boot 1 did not finish", "i-1", of="new"))
    repair, update, install = steps(packages, "packages: [a]", resumed)
    assert argv(repair) == ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")
    # Not remembered: the power may go a second time.
    assert (repair.frequency, repair.basis) == (CONVERGE, None)
    assert [update.basis, install.basis] == [step.basis for step in steps(packages, "packages: [a]")]


def test_lists_for_one_tool() -> None:
    text = "packages:\n- git\n- apt: [nginx, [curl, '7']]\n- dnf: [httpd]\n- yum: [vim]\n"
    assert argv(steps(packages, text)[-1])[-3:] == ("git", "nginx", "curl=7")
    assert argv(steps(packages, text, EL)[-1]) == ("dnf", "-y", "install", "git", "httpd", "vim")


def test_other_tools_are_named() -> None:
    text = "packages:\n- snap: [lxd]\n- atp: [nginx]\n- apt: {a: b}\n- git\n"
    assert messages(packages, text) == [
        "warning user-data:2:3: packages.0.snap: this package tool is not supported",
        "error user-data:3:3: packages.1.atp: expected a package tool: apt or dnf",
        "error user-data:4:8: packages.2.apt: expected a list of packages, got a mapping",
    ]


@pytest.mark.parametrize(
    "written", ["--allow-downgrades", "-y", "nginx-", "'nginx curl'", "''", '"a\\tb"', "[a, b, c]", "[a, [b]]", "[]"]
)
def test_what_is_no_package_is_refused_and_the_others_come(written: str) -> None:
    read, problems = section(packages, f"packages: [{written}, git]")
    assert [(problem.severity, problem.path) for problem in problems] == [("error", "packages.0")]
    assert [package.name for package in read.packages] == ["git"]


@pytest.mark.parametrize(
    "name", ["g++", "libstdc++6", "foo:i386", "nginx=1.22", "foo/bookworm-backports", "@development-tools"]
)
def test_names_of_all_shapes(name: str) -> None:
    assert argv(steps(packages, f"packages: ['{name}']")[-1])[-1] == name


def test_a_package_twice_is_one() -> None:
    assert argv(steps(packages, "packages: [a, b, a]")[-1])[-2:] == ("a", "b")


def test_one_package_without_a_list() -> None:
    assert labels(steps(packages, "packages: git"))[-1] == "apt-get install git"


def test_long_lists_and_urls_have_short_labels() -> None:
    urls = "[https://user:hunter2@example.org/a.rpm, " + ", ".join(f"p{n}" for n in range(9)) + "]"
    (install,) = steps(packages, f"packages: {urls}", EL)
    assert labels([install]) == ["dnf install a.rpm p0 p1 p2 p3 p4 p5 p6 and 2 more"]


def test_old_spellings() -> None:
    read, _ = section(packages, "{apt_update: true, apt_upgrade: 'yes'}")
    assert (read.update.value, read.upgrade.value) == (True, True)


def test_a_reboot_is_not_promised() -> None:
    text = "package_reboot_if_required: true"
    assert messages(packages, text) == ["warning user-data:1:29: package_reboot_if_required: not supported"]
    assert messages(packages, "package_reboot_if_required: false") == []


def test_no_package_tool() -> None:
    read, _ = section(packages, "packages: [a]")
    (problem,) = packages.plan(read, facts(distro=DEBIAN._replace(package_tool="")), NOBODY)
    assert isinstance(problem, Problem)
    assert f"{problem.severity} {problem}" == "error user-data:1:1: packages: no package tool is known here"
