"""The command line as people and scripts meet it: help, errors, exit codes, formats, ordinary users."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from guestinit import __version__, cli

TOP = Path(__file__).parents[1]
SEED = TOP / "examples" / "proxmox"
ROOT = TOP / "examples" / "root"
DRY_RUN = ["--dry-run", "--seed", str(SEED), "--root", str(ROOT)]
PREVIEW = f"exec {sys.executable} -m guestinit.cli --dry-run"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


WIREGUARD = """\
version: 2
tunnels:
  wg0: {mode: wireguard, key: 4GgaQCy68nzNsUE5aJ9fuLzHhB65tAlwbmA72MWnOm8=, addresses: [10.9.0.1/24]}
"""


def run(words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """The program itself, with nothing on its standard input."""
    return start([sys.executable, "-m", "guestinit.cli", *words], environment)


def start(argv: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(TOP), "LANG": "C.UTF-8", **environment}
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=variables, cwd="/"
    )  # fmt: skip


# help and usage


@pytest.mark.parametrize("verb", [[], ["apply"], ["clean"], ["run"], ["status"], ["check"], ["net"], ["net", "render"]])
def test_help(verb: list[str]) -> None:
    done = run([*verb, "--help"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: guestinit")
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_help_has_examples_and_exit_codes() -> None:
    text = run(["--help"]).stdout
    for line in re.findall(r"(?m)^  guestinit (.+?)(?:  +.*)?$", text):
        cli.build_parser().parse_args(line.split())
    assert "exit codes: 0 done, 1 failed, 2 degraded" in text


def test_version() -> None:
    done = run(["--version"])
    assert (done.returncode, done.stdout) == (0, f"guestinit {__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "usage:"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
        (["--dry"], "unrecognized arguments: --dry"),  # no abbreviations: an option to come must not change a script
        (["--dry-run", "--format", "yaml"], "invalid choice: 'yaml'"),
        (["apply"], "nothing to apply was named"),
        (["apply", "--root", "/mnt"], "--root needs a seed"),
        (["apply", "--root", "/mnt", "--again", "network"], "--root needs a seed"),
        (["apply", "--again", "netwrok"], "unknown module 'netwrok'"),
        (["apply", "--again"], "expected at least one argument"),
        (["check"], "FILE|DIR"),
        (["check", "/nowhere/user-data"], "/nowhere/user-data: no such file"),
        (["run"], "--stage"),
        (["run", "--stage", "lunch"], "unknown stage 'lunch'"),
        (["status", "--timeout", "-1", "--wait"], "0 or more"),
        (["status", "--timeout", "5"], "--timeout is for --wait"),
        (["status", "--timeout", "soon"], "invalid float value: 'soon'"),
        (["net"], "VERB"),
        (["net", "render", str(SEED / "network-config"), "--renderer", "wicked", "--output", "/x"], "unknown renderer"),
        (["net", "render", "/nowhere", "--renderer", "networkd", "--output", "/x"], "/nowhere"),
        (["--dry-run", "--seed", "/nowhere"], "/nowhere: no such file or directory"),
        (["--dry-run", "--seed", str(SEED), "--root", "/nowhere"], "/nowhere: no such directory"),
        (["apply", "--seed", "/nowhere"], "/nowhere: no such file or directory"),
        (["apply", "--seed", str(SEED), "--root", "/nowhere"], "/nowhere: no such directory"),
        (["clean", "--root", "/nowhere", "--dry-run"], "/nowhere: no such directory"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_wrong_usage_exits_64_and_says_why(words: list[str], said: str) -> None:
    done = run(words)
    assert done.returncode == 64
    assert said in (done.stderr or done.stdout)
    assert "Traceback" not in done.stderr


# seeds that are none


def test_directory_that_is_no_seed(tmp_path: Path) -> None:
    (tmp_path / "userdata.yaml").write_text("#cloud-config\n")
    done = run(["--dry-run", "--seed", str(tmp_path), "--root", str(ROOT)])
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no seed in {tmp_path}" in done.stderr
    assert "userdata.yaml" in done.stderr


def test_file_that_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "seed.iso"
    path.write_bytes(b"not an image")
    done = run(["--dry-run", "--seed", str(path), "--root", str(ROOT)])
    assert done.returncode == 1
    assert f"there is no seed in {path}" in done.stderr


@needs_root
def test_nothing_is_applied_without_a_seed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "seed").mkdir()
    done = run(["apply", "--seed", str(tmp_path / "seed"), "--root", str(root)])
    assert done.returncode == 1
    assert "is an empty directory" in done.stderr
    assert list(root.iterdir()) == []


def test_broken_meta_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta-data").write_text("- a\n- list\n")
    (tmp_path / "user-data").write_text("#cloud-config\nhostname: web1\n")
    done = run(["--dry-run", "--seed", str(tmp_path), "--root", str(ROOT)])
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path}/meta-data:1:1: expected a mapping" in done.stderr
    assert "it is not known which machine this is, so nothing was planned" in done.stderr


# dry run


def test_mistake_in_the_image_configuration_is_named_where_there_is_no_seed(tmp_path: Path) -> None:
    (tmp_path / "etc/guestinit").mkdir(parents=True)
    (tmp_path / "etc/guestinit/guestinit.yaml").write_text("datasource: [ec2]\nmetadata: {service: ec3}\n")
    done = run(["--dry-run", "--root", str(tmp_path)])
    assert done.returncode == 2
    assert done.stdout.startswith("no seed: no datasource has anything for this machine\n")
    assert "/etc/guestinit/guestinit.yaml:1:1: datasource: unknown key [warning]" in done.stdout
    assert "/etc/guestinit/guestinit.yaml:2:21: metadata.service: expected" in done.stdout


def seed_with(tmp_path: Path, user_data: str) -> list[str]:
    seed = tmp_path / "seed"
    seed.mkdir()
    (seed / "meta-data").write_text("instance-id: one\n")
    (seed / "user-data").write_text("#cloud-config\n" + user_data)
    return ["--dry-run", "--seed", str(seed), "--root", str(ROOT)]


@pytest.mark.parametrize(
    ("user_data", "code", "strict"),
    [
        ("hostname: web1\n", 0, 0),
        ("hostnam: web1\n", 0, 1),  # a warning
        ("hostname: [web1]\n", 2, 1),  # an error
        ("apt_update: true\n", 0, 0),  # a note
    ],
)
def test_exit_code_of_a_dry_run(user_data: str, code: int, strict: int, tmp_path: Path) -> None:
    words = seed_with(tmp_path, user_data)
    assert run(words).returncode == code
    refused = run([*words, "--strict"])
    assert refused.returncode == strict
    assert ("--strict:" in refused.stderr) == bool(strict)


def test_dry_run_is_the_same_under_both_names() -> None:
    first, second = run(DRY_RUN), run(["apply", *DRY_RUN])
    assert first.stdout == second.stdout
    assert first.stdout.endswith("Nothing was touched.\n")


def fields_of(page: str, number: int) -> list[str]:
    """The first column of a table on a reference page."""
    tables = re.findall(r"(?ms)^\| field \| meaning \|\n\| --- \| --- \|\n((?:\|.*?\n)+)", page)
    return [name for row in tables[number].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_json_of_a_plan_is_as_the_reference_says() -> None:
    page = (TOP / "docs" / "reference" / "plan.md").read_text()
    document: dict[str, Any] = json.loads(run([*DRY_RUN, "--format", "json"]).stdout)
    assert list(document) == fields_of(page, 0)
    assert document["version"] == 1
    assert list(document["datasource"]) == ["name", "where", "reasons"]
    assert list(document["identity"]) == ["kind", "reason"]
    assert list(document["summary"]) == ["unchanged", "change", "run", "left"]
    assert document["actions"]
    for action in document["actions"]:
        assert sorted(action) == sorted(fields_of(page, 1))
        assert list(action["because"]) == ["file", "line", "column", "text"]
        for name in ("kind", "change"):
            assert f"`{action[name]}`" in page
    assert sum(document["summary"].values()) == len(document["actions"])
    assert len({action["id"] for action in document["actions"]}) == len(document["actions"])


def test_json_of_a_problem_is_as_the_reference_says(tmp_path: Path) -> None:
    page = (TOP / "docs" / "reference" / "plan.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| `problems`"))
    document = json.loads(run([*seed_with(tmp_path, "hostname: [web1]\n"), "--format", "json"]).stdout)
    (problem,) = document["problems"]
    assert list(problem) == re.findall(r"`(\w+)`", row)[1:]
    assert (problem["line"], problem["column"], problem["severity"]) == (2, 11, "error")


def test_output_may_be_cut_off() -> None:
    words = " ".join([sys.executable, "-m", "guestinit.cli", *DRY_RUN])
    done = start(["sh", "-c", f"{words} | head -n 1"], {})
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


# colours


def on_a_terminal(words: Sequence[str], **environment: str) -> str:
    """What the program writes to a terminal."""
    master, slave = pty.openpty()
    try:
        variables = {"PYTHONPATH": str(TOP), "LANG": "C.UTF-8", "TERM": "xterm", **environment}
        process = subprocess.Popen(
            [sys.executable, "-m", "guestinit.cli", *words], stdin=slave, stdout=slave, stderr=slave, env=variables
        )
        os.close(slave)
        output = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # EIO: the other side was closed
                break
            if not chunk:
                break
            output += chunk
        process.wait()
    finally:
        os.close(master)
    return output.decode()


def test_colours_are_for_terminals_and_can_be_declined() -> None:
    assert "\033[" in on_a_terminal(DRY_RUN)
    assert "\033[" not in on_a_terminal(DRY_RUN, NO_COLOR="1")
    assert "\033[" not in run(DRY_RUN).stdout


# check


def test_check_of_a_good_seed() -> None:
    done = run(["check", str(SEED)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 errors, 0 warnings\n", "")


def test_check_names_place_key_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    path.write_text("#cloud-config\nhostnam: web1\nusers:\n  - name: alice\n    lock_passwd: maybe\n")
    done = run(["check", str(path)])
    assert done.returncode == 1
    assert f"{path}:2:1: hostnam: unknown key [warning]" in done.stdout
    assert "did you mean 'hostname'?" in done.stdout
    assert f"{path}:5:18: users.0.lock_passwd: expected true or false, got 'maybe'" in done.stdout
    assert done.stdout.endswith("1 error, 1 warning\n")


def test_check_of_warnings_only_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "snippet.yml"
    path.write_text("#cloud-config\nhostnam: web1\n")
    done = run(["check", str(path)])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 errors, 1 warning")


def test_check_of_several_files_at_once(tmp_path: Path) -> None:
    for name, text in (
        ("user-data", "#cloud-config\nhostname: [a]\n"), ("network-config", "version: 3\n"),
        ("meta-data", "instance-id: one\n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    done = run(["check", "--format", "json", *(str(tmp_path / name) for name in ("user-data", "network-config"))])
    problems = json.loads(done.stdout)
    assert done.returncode == 1
    assert {Path(problem["file"]).name for problem in problems} == {"user-data", "network-config"}
    assert run(["check", str(tmp_path)]).returncode == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("meta_data.json", '{"uuid": "a", "dsmode": "x"}', ":1:25: dsmode: expected net, local, pass or disabled"),
        ("meta_data.json", '{"uuid" "a"}', ":1:9: not valid JSON: expecting ':' delimiter"),
        ("vendor_data2.json", '{"cloud-init": {}}', ":1:16: cloud-init: expected a text or a list of texts"),
        ("network_data.json", '{"networks": [{"link": "x"}]}', ":1:15: networks.0: no link 'x' in this document"),
        ("user_data", "#cloud-config\nhostname: [a]\n", ":2:11: hostname: expected text, got a list"),
    ],
)
def test_check_of_a_file_of_openstack(name: str, text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    done = run(["check", str(path)])
    assert (done.returncode, said in done.stdout) == (1, True), done.stdout


@pytest.mark.parametrize("name", ["guestinit.yaml", "guestinit.d/10-ours.yaml"])
def test_check_of_the_image_configuration(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("default_user: {name: ops, shel: /bin/sh}\nconfig:\n  ssh_pwauth: maybe\n")
    done = run(["check", str(path)])
    assert done.returncode == 1
    assert f"{path}:1:27: default_user.shel: unknown key" in done.stdout
    assert f"{path}:3:15: ssh_pwauth: expected true or false" in done.stdout


@pytest.mark.parametrize("name", ["seed.iso", "disk.img"])
def test_check_of_an_image_whatever_its_name_is(name: str, tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    (seed / "user-data").write_text("#cloud-config\nhostnam: a\n")
    image = tmp_path / name
    subprocess.run(["genisoimage", "-quiet", "-V", "cidata", "-J", "-r", "-o", image, seed], check=True)
    done = run(["check", str(image)])
    assert done.stdout.startswith(f"{image}:user-data:2:1: hostnam: unknown key [warning]\n")


def test_check_of_a_directory_without_a_seed(tmp_path: Path) -> None:
    done = run(["check", str(tmp_path)])
    assert (done.returncode, done.stdout) == (1, f"{tmp_path}: is an empty directory\n1 error, 0 warnings\n")


def test_check_of_a_program(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    shutil.copy(sys.executable, path)
    done = run(["check", str(path)])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stdout) < 2000


# clean


def test_clean_shows_what_would_go(tmp_path: Path) -> None:
    state = tmp_path / "var/lib/guestinit"
    (state / "pending").mkdir(parents=True)
    (state / "settled.json").write_text("{}")
    (state / "pending/0").write_text("x")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    before = sorted(tmp_path.rglob("*"))
    done = run(["clean", "--dry-run", "--machine-id", "--root", str(tmp_path)])
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "would remove /var/lib/guestinit/pending/0",
        "would remove /var/lib/guestinit/settled.json",
        "would empty /etc/machine-id",
    ]
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "etc/machine-id").read_text()


def test_clean_where_there_is_nothing(tmp_path: Path) -> None:
    done = run(["clean", "--dry-run", "--root", str(tmp_path)])
    assert (done.returncode, done.stdout) == (0, "nothing to forget\n")


# status


def on_a_bare_machine(words: str) -> subprocess.CompletedProcess[str]:
    """The same in a mount namespace with an empty /run and no memory."""
    empty = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib"
    script = f"{empty} && exec {sys.executable} -m guestinit.cli {words}"
    return start(["unshare", "--mount", "sh", "-c", script], {})


@needs_root
def test_dry_run_says_that_a_boot_does_nothing_here() -> None:
    script = f"mount -t tmpfs none /etc && mkdir /etc/guestinit && touch /etc/guestinit/disabled && {PREVIEW}"
    done = start(["unshare", "--mount", "sh", "-c", script], {})
    assert done.stderr.startswith("guestinit: a boot does nothing here: switched off by /etc/guestinit/disabled\n")
    assert "Nothing was touched." in done.stdout


HINT = "there is no report of this boot; see 'systemctl status guestinit-local'"
NOT_STARTED = f"not started: {HINT}\n"
NOT_STARTED_JSON = f'{{\n "version": 1,\n "state": "not started",\n "refused": "{HINT}"\n}}\n'


@needs_root
@pytest.mark.parametrize(
    ("words", "output"),
    [
        ("status", NOT_STARTED),
        ("status --format json", NOT_STARTED_JSON),
        ("status --long", NOT_STARTED),
        ("status --wait --timeout 0.2", NOT_STARTED),
    ],
)
def test_status_before_anything_ran(words: str, output: str) -> None:
    done = on_a_bare_machine(words)
    assert (done.returncode, done.stdout, done.stderr) == (3, output, "")


# somebody who is not root


@pytest.fixture
def nobody() -> list[str]:
    """A command line that runs guestinit as an ordinary user."""
    if os.geteuid() != 0:
        return [sys.executable, "-m", "guestinit.cli"]
    for python in (sys.executable, "/usr/bin/python3"):
        if start([*NOBODY, python, "-c", "import yaml, guestinit"], {}).returncode == 0:
            return [*NOBODY, python, "-m", "guestinit.cli"]
    pytest.skip("no Python with PyYAML that an ordinary user may run")


@pytest.fixture
def own() -> Iterator[tuple[str, str]]:
    """A seed and a root that belong to that user, outside of directories that are root's alone."""
    directory = Path(subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    shutil.copytree(SEED, directory / "seed")
    shutil.copytree(ROOT, directory / "root", symlinks=True)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "65534:65534", str(directory)], check=True)
    yield str(directory / "seed"), str(directory / "root")
    shutil.rmtree(directory)


def test_dry_run_of_an_ordinary_user(nobody: list[str], own: tuple[str, str]) -> None:
    seed, root = own
    done = start([*nobody, "--dry-run", "--seed", seed, "--root", root], {})
    assert (done.returncode, done.stderr) == (0, "")
    assert "+web01\n" in done.stdout
    for secret in ("/etc/shadow", "/etc/gshadow"):
        os.chmod(root + secret, 0)
    again = start([*nobody, "--dry-run", "--seed", seed, "--root", root], {})
    assert again.returncode == 0
    assert "Traceback" not in again.stderr


def test_dry_run_of_an_ordinary_user_says_what_it_cannot_see(nobody: list[str]) -> None:
    done = start([*nobody, "--dry-run"], {})
    assert done.stderr.startswith("guestinit: not root: drives, serial numbers and what was done here before")


def test_check_of_an_ordinary_user(nobody: list[str], own: tuple[str, str]) -> None:
    assert start([*nobody, "check", own[0]], {}).returncode == 0


def test_unreadable_file_is_named(nobody: list[str], own: tuple[str, str]) -> None:
    path = own[0] + "/user-data"
    os.chmod(path, 0)
    for words in (["check", path], ["check", own[0]], ["--dry-run", "--seed", own[0], "--root", own[1]]):
        done = start([*nobody, *words], {})
        assert done.returncode == 1, words
        text = done.stdout + done.stderr
        assert "user-data: permission denied" in text.lower(), text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    "words",
    [["run", "--stage", "local"], ["clean"], ["apply", "--again", "hostname"], ["apply", "--seed", str(SEED)]],
    ids=" ".join,
)
def test_what_changes_the_system_is_for_root(words: list[str], nobody: list[str]) -> None:
    done = start([*nobody, *words], {})
    assert (done.returncode, done.stdout) == (1, "")
    assert "must run as root" in done.stderr
    assert "dry-run" in done.stderr  # what to do instead


# net render


def test_net_render_shows_files_and_keeps_keys_to_itself(tmp_path: Path) -> None:
    source = tmp_path / "network-config"
    source.write_text(WIREGUARD)
    shown = run(["net", "render", str(source), "--renderer", "networkd"])
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--- /etc/systemd/network/10-guestinit-wg0.netdev 0640 root:systemd-network\n" in shown.stdout
    assert "PrivateKey=(not shown)\n" in shown.stdout
    assert "Address=10.9.0.1/24\n" in shown.stdout
    written = run(["net", "render", str(source), "--renderer", "networkd", "--output", str(tmp_path / "out")])
    assert written.stdout.splitlines() == [
        str(tmp_path / "out/etc/systemd/network" / name)
        for name in ("10-guestinit-wg0.netdev", "10-guestinit-wg0.network")
    ]
    netdev = tmp_path / "out/etc/systemd/network/10-guestinit-wg0.netdev"
    assert "PrivateKey=4GgaQCy68nzNsUE5aJ9fuLzHhB65tAlwbmA72MWnOm8=\n" in netdev.read_text()
    assert netdev.stat().st_mode & 0o777 == 0o640


def test_net_render_of_nothing_says_so(tmp_path: Path) -> None:
    source = tmp_path / "network-config"
    source.write_text("network: {config: disabled}\n")
    done = run(["net", "render", str(source), "--renderer", "networkd"])
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"guestinit: {source}: configures no interface, so there is no file\n")


def test_net_render_of_what_is_no_interfaces_file(tmp_path: Path) -> None:
    source = tmp_path / "network-config"
    source.write_text("version: 2\n")
    done = run(["net", "render", str(source), "--renderer", "networkd", "--input-format", "eni"])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{source}:1:1: 'version:' belongs to no stanza" in done.stderr


def test_net_render_reads_standard_input() -> None:
    argv = [sys.executable, "-m", "guestinit.cli", "net", "render", "-", "--renderer", "netplan"]
    document = "version: 2\nethernets: {eth0: {dhcp4: maybe}}\n"
    done = subprocess.run(argv, input=document, capture_output=True, text=True, cwd=TOP, check=False)
    assert done.returncode == 2
    assert done.stdout.startswith("--- /etc/netplan/50-cloud-init.yaml 0600\n")
    assert done.stderr.startswith("standard input:2:27: ethernets.eth0.dhcp4: ")
