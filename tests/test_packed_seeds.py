"""The seeds of tests/cases packed as their platforms pack them: the very tools, flags and labels of platforms.md 1.1.

What is read from the image, and what would be done, is the same as from the directory.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guestinit import datasources, pipeline
from guestinit.model.action import STAGES
from guestinit.model.report import Preview
from guestinit.model.seed import Seed
from guestinit.system.media import Media
from guestinit.system.process import Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.media.images import need, run
from tests.test_cases import CASES, make_root, make_seed

PROXMOX = "genisoimage -quiet -iso-level 3 -J -R"
PROXMOX_OLD = "genisoimage -quiet -iso-level 3 -R"
NOVA = "genisoimage -quiet -ldots -allow-lowercase -allow-multidot -l -publisher Nova -J -r"
CLOUDSTACK = "genisoimage -quiet -ldots -allow-lowercase -allow-multidot -cache-inodes -l -J -r"
KUBEVIRT = "xorrisofs -quiet -joliet -rock"
PACKED = [
    ("proxmox-static-two-nics", PROXMOX, "cidata"),
    ("proxmox-static-two-nics", PROXMOX_OLD, "cidata"),
    ("proxmox-configdrive2", PROXMOX, "config-2"),
    ("proxmox-configdrive2", PROXMOX_OLD, "config-2"),
    ("machine-controller-on-proxmox", PROXMOX, "cidata"),
    ("capmox", "xorriso -as mkisofs -quiet -R", "cidata"),
    ("ovirt", "genisoimage -quiet -R -J", "config-2"),
    ("openstack-ovirt-eni", "genisoimage -quiet -R -J", "config-2"),
    ("cloudstack-drive", CLOUDSTACK, "config-2"),
    ("cloudstack-drive-before-4.20", CLOUDSTACK, "config"),
    ("nova", NOVA, "config-2"),
    ("virt-install-empty-meta-data", "genisoimage -quiet -J -rational-rock", "cidata"),
    ("virt-install-empty-meta-data", "xorrisofs -quiet -J -rational-rock", "cidata"),
    ("kubevirt-json-meta-data", KUBEVIRT, "cidata"),
    ("kubevirt-config-drive", KUBEVIRT, "config-2"),
    ("packer-empty-meta-data", "genisoimage -quiet -joliet", "cidata"),
    ("packer-empty-meta-data", "xorriso -as mkisofs -quiet -joliet", "cidata"),
    ("terraform-libvirt", "genisoimage -quiet -allow-lowercase -relaxed-filenames -l -d", "cidata"),
    ("terraform-gzip-base64", "genisoimage -quiet -J -R", "cidata"),
]
VFAT = [
    ("nova", "config-2", 64 << 20),
    ("packer-empty-meta-data", "cidata", 1440 << 10),
    ("terraform-libvirt", "cidata", 10 << 20),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(case: str, here: Path) -> None:
    make_seed(CASES / case, here / "seed")
    make_root(CASES / case, here / "root")


def open_system() -> System:
    base = Root("root", writable=False)
    return System(base, Process(), Media(), State(base), False)


def seed_of(path: str) -> Seed:
    search = datasources.open_seed(path, open_system())
    assert search.seed is not None, search.reasons
    assert search.reasons == ()  # a boot would find it by its label
    return search.seed


def done_with(path: str) -> list[object]:
    seen = pipeline.run(pipeline.Order(STAGES, path, dry_run=True), open_system(), lambda line: None)
    assert isinstance(seen, Preview)
    return [(change.step.id, change.step.action, change.change) for change in seen.changes]


def check_same(image: str) -> None:
    packed, plain = seed_of(image), seed_of("seed")
    assert {document[0]: document[2] for document in packed.documents} == {
        document[0]: document[2] for document in plain.documents
    }
    assert (packed.datasource, packed.format) == (plain.datasource, plain.format)
    assert done_with(image) == done_with("seed")


@pytest.mark.parametrize(("case", "command", "label"), PACKED)
def test_an_iso_image(here: Path, case: str, command: str, label: str) -> None:
    program, *flags = command.split()
    need(program)
    prepare(case, here)
    run(program, *flags, "-V", label, "-o", "a.iso", "seed")
    check_same("a.iso")


@pytest.mark.parametrize(("case", "label", "size"), VFAT)
def test_a_vfat_image(here: Path, case: str, label: str, size: int) -> None:
    """platforms.md 14, quirk 3: vfat has its labels in upper case."""
    need("mkfs.vfat", "mcopy")
    prepare(case, here)
    with open("a.img", "wb") as file:
        file.truncate(size)
    run("mkfs.vfat", "-n", label.upper(), "a.img")
    for entry in (here / "seed").iterdir():
        run("mcopy", "-s", "-i", "a.img", entry, "::")
    check_same("a.img")
