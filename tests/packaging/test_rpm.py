"""The rpm: its files, dependencies and scriptlets, and that its unpacked tree runs."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from guestinit import __version__

TOP = Path(__file__).resolve().parents[2]
SITE = re.compile(r"/usr/lib/python3\.\d+/site-packages/")


def query(rpm: Path, *options: str) -> list[str]:
    argv = ["rpm", "-qp", "--nosignature", *options, str(rpm)]
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def test_its_files_outside_python(rpm: Path) -> None:
    files = [name for name in query(rpm, "--list") if not SITE.match(name)]
    assert sorted(re.sub(r"\.(gz|xz|zst)$", "", name) for name in files) == [
        "/etc/cloud",
        "/etc/guestinit",
        "/etc/guestinit/guestinit.d",
        "/etc/guestinit/guestinit.yaml",
        "/etc/logrotate.d/guestinit",
        "/usr/bin/guestinit",
        "/usr/lib/systemd/system-preset/90-guestinit.preset",
        "/usr/lib/systemd/system/guestinit-failed@.service",
        "/usr/lib/systemd/system/guestinit-final.service",
        "/usr/lib/systemd/system/guestinit-late.service",
        "/usr/lib/systemd/system/guestinit-local.service",
        "/usr/lib/systemd/system/guestinit-network.service",
        "/usr/lib/systemd/system/guestinit-online.service",
        "/usr/lib/systemd/system/guestinit.target",
        "/usr/libexec/guestinit",
        "/usr/libexec/guestinit/guestinit",
        "/usr/share/bash-completion/completions/guestinit",
        f"/usr/share/doc/guestinit-{__version__}",
        f"/usr/share/doc/guestinit-{__version__}/README.md",
        "/usr/share/fish/vendor_completions.d/guestinit.fish",
        f"/usr/share/licenses/guestinit-{__version__}",
        f"/usr/share/licenses/guestinit-{__version__}/LICENSE",
        "/usr/share/man/man1/guestinit.1",
        "/usr/share/man/man5/guestinit.yaml.5",
        "/usr/share/man/man7/guestinit.target.7",
        "/usr/share/zsh/site-functions/_guestinit",
    ]


def test_every_module_of_the_package_is_in_it(rpm: Path) -> None:
    packed = {SITE.sub("", name) for name in query(rpm, "--list") if SITE.match(name)}
    source = {str(path.relative_to(TOP)) for path in (TOP / "guestinit").rglob("*.py")}
    assert source <= packed
    compiled = [name for name in packed if name.endswith(".pyc") and ".opt-" not in name]
    assert len(compiled) == len(source)


def test_what_it_needs(rpm: Path) -> None:
    required = {line.split(" ")[0] for line in query(rpm, "--requires")}
    wanted = {
        "python3",
        "python3-pyyaml",
        "python3-jinja2",
        "python3-pyudev",
        "shadow-utils",
        "util-linux",
        "systemd-udev",
    }
    assert wanted <= required
    assert not [name for name in required if "pyroute2" in name], "EL 9 has no usable one"
    assert {"python3-pyroute2", "cloud-utils-growpart", "openssh"} <= set(query(rpm, "--recommends"))
    assert query(rpm, "--configfiles") == ["/etc/guestinit/guestinit.yaml", "/etc/logrotate.d/guestinit"]


def test_scriptlets_enable_and_start_nothing(rpm: Path) -> None:
    scripts = "\n".join(query(rpm, "--scripts"))
    assert "systemctl --no-reload preset guestinit.target" in scripts
    assert "systemctl --no-reload disable guestinit.target" in scripts
    assert not re.search(r"systemctl[^\n]*\b(start|stop|restart|try-restart|--now)\b", scripts)


@pytest.fixture(scope="module")
def tree(rpm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package. rpm2archive writes PACKAGE.tgz beside its argument."""
    unpacked = tmp_path_factory.mktemp("rpm-tree")
    subprocess.run(["rpm2archive", str(rpm)], check=True)
    archive = rpm.with_name(rpm.name + ".tgz")
    with tarfile.open(archive) as members:
        members.extractall(unpacked)  # our own package, into a directory of this test
    archive.unlink()
    return unpacked


def test_paths_are_those_of_the_distribution(tree: Path) -> None:
    launcher = (tree / "usr/libexec/guestinit/guestinit").read_text()
    assert launcher.startswith("#!/usr/bin/python3 -IS\n")
    assert re.search(r'^sys\.path\.append\("/usr/lib/python3\.\d+/site-packages"\)$', launcher, re.MULTILINE)
    assert "dist-packages" not in launcher
    for unit in (tree / "usr/lib/systemd/system").glob("*.service"):
        assert re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE) == ["/usr/libexec/guestinit/guestinit"]


def test_its_unpacked_tree_runs(tree: Path) -> None:
    [packages] = tree.glob("usr/lib/python3.*/site-packages")
    # Debian's own Python and libraries stand in for those of the distribution.
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{packages}:/usr/lib/python3/dist-packages"}
    launcher = tree / "usr/libexec/guestinit/guestinit"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = ["/usr/bin/python3", os.fspath(launcher), *arguments]
        return subprocess.run(argv, env=environment, cwd="/", capture_output=True, text=True)

    version = run("--version")
    assert (version.returncode, version.stdout.strip()) == (0, f"guestinit {__version__}"), version.stderr
    seed, root = TOP / "examples/proxmox", TOP / "examples/root"
    preview = run("--dry-run", "--seed", str(seed), "--root", str(root))
    assert preview.returncode == 0, preview.stderr
    assert "Nothing was touched." in preview.stdout
