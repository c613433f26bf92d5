"""The deb: what is in it, and that it installs, works, upgrades and goes away again on Debian 12 and Debian 13.

The two systems are roots without a running init: `tests/vm` boots them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from guestinit import __version__
from tests.packaging.conftest import TOP, need

PYTHON = "/usr/lib/python3/dist-packages/"


def output(argv: Sequence[str | Path]) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def contents(deb: Path) -> dict[str, str]:
    """Paths of all files and links, each with its mode and owner."""
    listed = {}
    for line in output(["dpkg-deb", "--contents", deb]).splitlines():
        mode, owner, _, _, _, path = line.split(None, 5)
        if not path.endswith("/"):
            listed[path.removeprefix(".").split(" -> ")[0]] = f"{mode} {owner}"
    return listed


def test_virt_install_finds_the_directory_of_its_off_switch(deb: Path) -> None:
    """Its user-data writes /etc/cloud/cloud-init.disabled with `echo >`, which makes no directory."""
    listed = [line.split() for line in output(["dpkg-deb", "--contents", deb]).splitlines()]
    assert [words[:2] for words in listed if words[-1] == "./etc/cloud/"] == [["drwxr-xr-x", "root/root"]]


def test_its_files_outside_python(deb: Path) -> None:
    files = contents(deb)
    assert sorted(path for path in files if not path.startswith(PYTHON)) == [
        "/etc/guestinit/guestinit.yaml",
        "/etc/logrotate.d/guestinit",
        "/lib/systemd/system/guestinit-failed@.service",
        "/lib/systemd/system/guestinit-final.service",
        "/lib/systemd/system/guestinit-late.service",
        "/lib/systemd/system/guestinit-local.service",
        "/lib/systemd/system/guestinit-network.service",
        "/lib/systemd/system/guestinit-online.service",
        "/lib/systemd/system/guestinit.target",
        "/usr/bin/guestinit",
        "/usr/lib/guestinit/guestinit",
        "/usr/share/bash-completion/completions/guestinit",
        "/usr/share/doc/guestinit/changelog.gz",
        "/usr/share/doc/guestinit/copyright",
        "/usr/share/fish/vendor_completions.d/guestinit.fish",
        "/usr/share/lintian/overrides/guestinit",
        "/usr/share/man/man1/guestinit.1.gz",
        "/usr/share/man/man5/guestinit.yaml.5.gz",
        "/usr/share/man/man7/guestinit.target.7.gz",
        "/usr/share/zsh/vendor-completions/_guestinit",
    ]
    assert files["/usr/lib/guestinit/guestinit"] == "-rwxr-xr-x root/root"


def test_every_module_of_the_package_is_in_it(deb: Path) -> None:
    packed = {path.removeprefix(PYTHON) for path in contents(deb)}
    assert {str(path.relative_to(TOP)) for path in (TOP / "guestinit").rglob("*.py")} <= packed


def test_it_needs_only_packages_of_debian(deb: Path) -> None:
    depends = output(["dpkg-deb", "--field", deb, "Depends"])
    names = {re.split(r"[ :(]", entry.strip())[0] for entry in depends.split(",")}
    libraries = {"python3-yaml", "python3-jinja2", "python3-pyudev", "python3-pyroute2"}
    assert names == {"python3", "mount", "passwd", "udev", *libraries}
    assert output(["dpkg-deb", "--field", deb, "Architecture"]).strip() == "all"


def test_maintainer_scripts_start_and_stop_nothing(deb: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--control", deb, tmp_path], check=True)
    scripts = "\n".join((tmp_path / name).read_text() for name in ("postinst", "prerm", "postrm"))
    assert "deb-systemd-helper enable 'guestinit.target'" in scripts
    assert "py3compile" in scripts
    assert "deb-systemd-invoke" not in scripts
    assert not re.search(r"systemctl[^\n]*\b(start|stop|restart)\b", scripts)


def test_building_it_again_gives_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    subprocess.run([TOP / "packaging/build-deb", tmp_path], stdout=subprocess.DEVNULL, check=True)
    assert (tmp_path / deb.name).read_bytes() == deb.read_bytes()


def test_lintian_has_nothing_to_say(deb: Path) -> None:
    need(shutil.which("lintian") is not None, "lintian is needed")
    argv = ["lintian", "--no-cfg", "--display-info", "--fail-on=none", "--allow-root", deb]
    said = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    assert said == ""


class Chroot(NamedTuple):
    """An unpacked system."""

    root: Path

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program inside, in a mount namespace of its own: /proc is gone with it."""
        mount = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, self.root, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )

    def must(self, *argv: str) -> str:
        result = self.run(*argv)
        assert result.returncode == 0, f"{' '.join(argv)}:\n{result.stdout}"
        return result.stdout

    def has(self, path: str) -> bool:
        return os.path.lexists(self.root / path)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def system(request: pytest.FixtureRequest, deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroot]:
    """A Debian with ssh and a network manager, made as the tests on real guests make theirs, and this package in it."""
    need(os.geteuid() == 0, "a system can only be unpacked as root")
    need(shutil.which("mmdebstrap") is not None, "mmdebstrap is needed")
    from tests.vm.image import TEMPLATES, base_root

    root = tmp_path_factory.mktemp(request.param)
    subprocess.run(["tar", "-C", root, "--numeric-owner", "-xpf", base_root(TEMPLATES[request.param])], check=True)
    root.chmod(0o755)
    shutil.copy(deb, root / "tmp/guestinit.deb")
    # Without its network: this machine has other interfaces than the example says, which is a problem of its own.
    shutil.copytree(TOP / "examples/proxmox", root / "tmp/seed", ignore=shutil.ignore_patterns("network-config"))
    chroot = Chroot(root)
    # All that it depends on is there; dpkg refuses if not.
    chroot.must("dpkg", "--install", "/tmp/guestinit.deb")
    try:
        yield chroot
    finally:
        shutil.rmtree(root)


# In the order in which they stand: one system, from installing to purging.


def test_it_runs(system: Chroot) -> None:
    assert system.must("guestinit", "--version").strip() == f"guestinit {__version__}"
    assert system.must("/usr/lib/guestinit/guestinit", "--version").strip() == f"guestinit {__version__}"


def test_it_is_compiled(system: Chroot) -> None:
    package = system.root / "usr/lib/python3/dist-packages/guestinit"
    sources = len(list(package.rglob("*.py")))
    assert sources > 10
    assert len(list(package.rglob("__pycache__/*.pyc"))) == sources


def test_it_is_enabled_for_the_next_boot_and_did_nothing_yet(system: Chroot) -> None:
    assert system.must("systemctl", "is-enabled", "guestinit.target").strip() == "enabled"
    assert not system.has("var/lib/guestinit")
    assert not system.has("run/guestinit")


def test_the_boot_of_this_system_has_no_circle(system: Chroot) -> None:
    said = system.run("systemd-analyze", "verify", "--man=no", "multi-user.target", "guestinit-local.service").stdout
    assert [line for line in said.splitlines() if "guestinit" in line or "ordering cycle" in line] == []


def test_a_dry_run_shows_and_touches_nothing(system: Chroot) -> None:
    seen = system.must("guestinit", "--dry-run", "--seed", "/tmp/seed")
    assert "web01" in seen
    assert "Nothing was touched." in seen
    assert "web01" not in (system.root / "etc/hostname").read_text()
    assert not system.has("var/lib/guestinit")


def test_an_upgrade_keeps_it_disabled(system: Chroot) -> None:
    system.must("systemctl", "disable", "guestinit.target")
    system.must("dpkg", "--install", "/tmp/guestinit.deb")
    assert system.run("systemctl", "is-enabled", "guestinit.target").stdout.strip() == "disabled"
    system.must("systemctl", "enable", "guestinit.target")


def test_removing_keeps_the_record_and_purging_does_not(system: Chroot) -> None:
    state = system.root / "var/lib/guestinit"
    state.mkdir(parents=True)
    (state / "state.json").write_text("{}")
    (system.root / "var/log/guestinit.log").write_text("")
    (system.root / "etc/guestinit/disabled").write_text("")
    system.must("dpkg", "--remove", "guestinit")
    assert system.has("var/lib/guestinit/state.json")
    assert system.has("etc/guestinit/guestinit.yaml")
    assert not system.has("usr/lib/python3/dist-packages/guestinit")
    system.must("dpkg", "--purge", "guestinit")
    left = ["var/lib/guestinit", "var/log/guestinit.log", "etc/guestinit", "usr/bin/guestinit", "usr/lib/guestinit",
            "etc/systemd/system/multi-user.target.wants/guestinit.target"]  # fmt: skip
    assert [path for path in left if system.has(path)] == []
