"""What an unchanged boot is told to compare where the seed came from a metadata service, or from nowhere it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestinit.datasources import again
from guestinit.model.image import Image
from guestinit.model.seed import Document, Seed
from guestinit.system import digest, unchanged
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System

UUID = "9f1c7d6e-0000-4000-8000-000000000001"
SERVICE = Seed("openstack", "http://169.254.169.254/openstack", "", (Document("meta-data", "x", b"{}"),), "openstack")
NAMED = Seed("nocloud", "./seed", "named with --seed ./seed", (Document("user-data", "seed/user-data", b""),))


def write(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def settle(root: Path, seed: Seed, uuid: str = UUID) -> str:
    """The description of a settled machine, which is written where a boot looks for it."""
    base, unused = Root(str(root)), None
    state = State(base)
    system: Any = System(base, unused, unused, state, True)  # type: ignore[arg-type]
    state._key = b"k" * 32
    places = again.lines(seed, Image(), system, uuid)
    text = unchanged.describe(places, digest.keyed(b"k" * 32, (uuid.encode(),)), (), {"kind": "@kind@"}, "")
    write(root, "var/lib/guestinit/fast", text.encode())
    write(root, "var/lib/guestinit/key", b"k" * 32)
    write(root, "sys/class/dmi/id/product_uuid", f"{uuid.upper()}\n".encode())
    return text


def boot(root: Path) -> tuple[str, str] | None:
    found = unchanged.compare(str(root))
    return found and found[:2]


def test_a_service_is_not_asked_again_by_the_same_machine(tmp_path: Path) -> None:
    settle(tmp_path, SERVICE)
    same = ("same", "same machine; its openstack seed is asked for on a first boot only")
    assert boot(tmp_path) == same
    write(tmp_path, "sys/class/dmi/id/product_uuid", b"5f0f1f4c-1111-4222-8333-944455556666\n")
    assert boot(tmp_path) is None


def test_a_clone_without_a_uuid_would_look_like_its_template(tmp_path: Path) -> None:
    assert settle(tmp_path, SERVICE, uuid="") == ""
    assert boot(tmp_path) is None


@pytest.mark.parametrize("seed", [SERVICE, NAMED])
@pytest.mark.parametrize("directory", ["nocloud", "nocloud-net", "config_drive"])
def test_a_seed_that_lies_in_the_machine_comes_first(tmp_path: Path, seed: Seed, directory: str) -> None:
    settle(tmp_path, seed)
    (tmp_path / "var/lib/cloud/seed" / directory).mkdir(parents=True)
    assert boot(tmp_path) is not None  # an empty one is none
    write(tmp_path, f"var/lib/cloud/seed/{directory}/user-data", b"")
    assert boot(tmp_path) is None


def test_a_seed_that_somebody_named_is_gone_at_the_next_boot(tmp_path: Path) -> None:
    settle(tmp_path, NAMED)
    assert boot(tmp_path) == ("no seed", "the drive is gone; the machine stays as it was settled")


def test_an_older_description_means_a_full_run(tmp_path: Path) -> None:
    text = settle(tmp_path, NAMED)
    write(tmp_path, "var/lib/guestinit/fast", text.replace(unchanged.MAGIC, "guestinit unchanged 1").encode())
    assert boot(tmp_path) is None
