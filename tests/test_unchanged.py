"""Which boots of a settled machine are answered by the comparison alone, for every kind of place that a seed has.

Each test is one machine over several boots, as the units run them (tests/boots_machine.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest

from tests.test_imports import load_stage, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

HERE = Path(__file__).parent
GONE = "the drive is gone; the machine stays as it was settled"
SAME = ("same", "same instance-id, same content", False)
NO_SEED = ("no seed", GONE, False)
NOCLOUD = {"meta-data": "instance-id: i-1\n", "user-data": "#cloud-config\nlocale: C.UTF-8\n"}
META_DATA = '{{"uuid": "6d1b1c0e-0000-4000-8000-000000000001", "random_seed": "{}"}}'
NOVA = {
    "openstack/latest/meta_data.json": META_DATA.format("AAAA"),
    "openstack/2018-08-27/meta_data.json": META_DATA.format("AAAA"),
    "openstack/2018-08-27/user_data": "#cloud-config\nlocale: C.UTF-8\n",
}
CLOUDSTACK = {
    "cloudstack/metadata/instance-id.txt": "5f0f1f4c-1111-4222-8333-944455556666",
    "cloudstack/metadata/local-hostname.txt": "vm-web-1",
    "openstack/latest/vendor_data.json": "{}",
}
SERIAL = "/sys/class/dmi/id/product_serial"

Boot = dict[str, Any]


class Told(NamedTuple):
    """What one boot said of itself: kind, reason, whether the whole program was needed."""

    kind: str
    reason: str
    full: bool


Machine = Callable[..., list[Told]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = str(tmp_path_factory.mktemp("machine"))
    load_stage().install(directory, sys.executable)
    return directory


@pytest.fixture
def boots(installed: str) -> Machine:
    def run(*given: Boot) -> list[Told]:
        words = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child",
                 sys.executable, str(HERE / "boots_machine.py"), installed, sys.executable]  # fmt: skip
        done = subprocess.run(words, input=json.dumps(given), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        told = json.loads(done.stdout)
        assert [boot["left"] for boot in told] == [[] for _ in told]  # never left mounted
        assert {boot["result"] for boot in told} == {"done"}
        return [Told(boot["kind"], boot["reason"], boot["full"]) for boot in told]

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def make(name: str, files: Mapping[str, str]) -> str:
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        return str(tmp_path / name)

    return make


def drive(tree: str, label: str = "config-2", name: str = "sr0", **files: Optional[str]) -> Boot:
    return {"drives": {name: (label, tree)}, "files": files}


EMPTY: Boot = {"drives": {}}


@pytest.mark.parametrize(("label", "files"), [("cidata", NOCLOUD), ("config-2", NOVA), ("config", CLOUDSTACK)])
def test_a_drive_stays_goes_comes_back_and_changes(
    boots: Machine, write: Callable[..., str], label: str, files: dict[str, str]
) -> None:
    """platforms.md 14, quirk 9: gone at the second boot."""
    same = drive(write("a", files), label)
    other = drive(
        write("b", {name: text.replace("C.UTF-8", "C").replace("web-1", "web-2") for name, text in files.items()}),
        label,
    )
    first, *later = boots(same, same, EMPTY, {"drives": {"vdb": same["drives"]["sr0"]}}, other, other, EMPTY)
    assert (first.kind, first.full) == ("new", True)
    assert later == [
        SAME, NO_SEED, SAME,
        ("reconfigured", "same instance-id, but the seed's content has changed", True),
        SAME, NO_SEED,
    ]  # fmt: skip


def test_a_drive_of_another_kind_decides(boots: Machine, write: Callable[..., str]) -> None:
    """Proxmox VE writes another label when the user changes citype."""
    nova, nocloud = drive(write("a", NOVA)), drive(write("b", NOCLOUD), "cidata", "sr1")
    both = {"drives": {**nova["drives"], **nocloud["drives"]}}
    told = boots(nova, both, both, nova)
    assert [(boot.kind, boot.full) for boot in told] == [
        ("new", True), ("reconfigured", True), ("same", False), ("reconfigured", True),
    ]  # fmt: skip


def test_files_that_appear_are_seen_and_the_random_seed_is_not(boots: Machine, write: Callable[..., str]) -> None:
    nova = drive(write("a", NOVA))
    reseeded = drive(write("b", {**NOVA, "openstack/2018-08-27/meta_data.json": META_DATA.format("BBBB")}))
    content = drive(write("c", {**NOVA, "openstack/content/0000": "x"}))
    newer = drive(write("d", {**NOVA, "openstack/2025-04-04/meta_data.json": META_DATA.format("BBBB")}))
    told = boots(nova, reseeded, nova, content, newer)
    assert [(boot.kind, boot.full) for boot in told] == [
        ("new", True), ("same", False), ("same", False), ("reconfigured", True), ("reconfigured", True),
    ]  # fmt: skip


def test_a_volume_that_is_no_seed_is_passed_over(boots: Machine, write: Callable[..., str]) -> None:
    """platforms.md 14, quirk 5: of two volumes one is invalid."""
    good, bad = write("a", NOCLOUD), write("b", {"README": "x"})
    told = boots(*[{"drives": {"sr0": ("cidata", good), "sr1": ("cidata", bad)}}] * 2)
    assert told[1] == SAME


def test_a_seed_directory_of_the_image(boots: Machine, write: Callable[..., str]) -> None:
    directory = "/var/lib/cloud/seed/nocloud"
    baked = {f"{directory}/{name}": text for name, text in NOCLOUD.items()}
    edited = {f"{directory}/user-data": "#cloud-config\nlocale: C\n"}
    gone = {f"{directory}/{name}": None for name in NOCLOUD}
    told = boots(
        {"drives": {}, "files": baked}, EMPTY, {"drives": {}, "files": edited}, EMPTY, {"drives": {}, "files": gone}
    )
    assert [(boot.kind, boot.full) for boot in told] == [
        ("new", True), ("same", False), ("reconfigured", True), ("same", False), ("no seed", False),
    ]  # fmt: skip


def test_a_seed_directory_that_appears_comes_before_the_drive(boots: Machine, write: Callable[..., str]) -> None:
    nova = drive(write("a", NOVA))
    baked = {f"/var/lib/cloud/seed/config_drive/{name}": text.replace("C.UTF-8", "C") for name, text in NOVA.items()}
    told = boots(nova, {**nova, "files": baked}, nova)
    assert [(boot.kind, boot.full) for boot in told] == [("new", True), ("reconfigured", True), ("same", False)]


def test_what_the_serial_number_says(boots: Machine, write: Callable[..., str]) -> None:
    """virt-install's `ds=nocloud` says no more than that a drive is to come, and is gone at the second boot."""
    seed = drive(write("a", NOCLOUD), "cidata")
    told = boots(
        {**seed, "files": {SERIAL: "ds=nocloud\n"}},
        {**EMPTY, "files": {SERIAL: "5a0c0f4b\n"}},
        {**seed, "files": {SERIAL: "ds=nocloud;h=web2\n"}},
    )
    assert [(boot.kind, boot.full) for boot in told] == [("new", True), ("no seed", False), ("reconfigured", True)]


def test_a_directory_that_the_command_line_names(boots: Machine, write: Callable[..., str]) -> None:
    named = {f"/srv/seed/{name}": text for name, text in NOCLOUD.items()}
    told = boots(
        {**EMPTY, "files": {SERIAL: "ds=nocloud;s=/srv/seed/;h=web1\n", **named}},
        drive(write("a", NOVA)),
        {**EMPTY, "files": {"/srv/seed/user-data": "#cloud-config\nlocale: C\n"}},
        {**EMPTY, "files": {SERIAL: "ds=nocloud;s=/srv/seed/;h=web2\n"}},
        {**EMPTY, "files": {"/srv/seed/user-data": None, "/srv/seed/meta-data": None, SERIAL: "5a0c0f4b\n"}},
    )
    assert [(boot.kind, boot.full) for boot in told] == [
        ("new", True), ("same", False), ("reconfigured", True), ("reconfigured", True), ("no seed", False),
    ]  # fmt: skip


def test_a_seed_that_the_serial_number_alone_states(boots: Machine) -> None:
    told = boots(
        {**EMPTY, "files": {SERIAL: "ds=nocloud;i=i-1;h=web1\n"}},
        EMPTY,
        {**EMPTY, "files": {SERIAL: "ds=nocloud;i=i-1;h=web2\n"}},
        {**EMPTY, "files": {SERIAL: "5a0c0f4b\n"}},
    )
    assert [(boot.kind, boot.full) for boot in told] == [
        ("new", True), ("same", False), ("reconfigured", True), ("no seed", False),
    ]  # fmt: skip
