"""What a platform hands over and nobody may see: admin_pass, random_seed, injected files, a vendor's password."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from guestinit import cli, pipeline
from guestinit.model.action import STAGES
from guestinit.show import document as documents
from guestinit.show import problems as show_problems
from guestinit.show import status as show_status
from guestinit.system.media import Media
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.test_secrets import Recorder, root

__all__ = ["root"]

PASSWORD, VENDORS = "admin-pass-Kx7Wq", "vendor-pass-Zu4Rt"
RANDOM = b"random-seed-bytes-" * 4
FILE = "injected-file-token-9Lp"
SECRETS = (PASSWORD, VENDORS, RANDOM.decode(), base64.b64encode(RANDOM).decode()[:40], FILE)

META: dict[str, Any] = {
    "uuid": "9f1c7d6e-0000-4000-8000-00000000abcd", "hostname": "app-1", "admin_pass": PASSWORD,
    "random_seed": base64.b64encode(RANDOM).decode(),
    "files": [{"path": "/opt/secret", "content_path": "/content/0000"}],
}  # fmt: skip
# One mistake each; the password and the seed stand in the same line, which is the only one.
MISTAKES: dict[str, dict[str, Any]] = {
    "none": {},
    "a list for a password": {"admin_pass": [PASSWORD]},
    "a mapping for a password": {"admin_pass": {"a": PASSWORD}},
    "a line break in a password": {"admin_pass": PASSWORD + "\nroot:x"},
    "a seed that is no base64": {"random_seed": RANDOM.decode() + "!"},
    "a list for a seed": {"random_seed": [RANDOM.decode()]},
    "a wrong uuid": {"uuid": []},
    "a wrong hostname": {"hostname": "-not a name-"},
    "a long hostname": {"hostname": "a" * 70},
    "a wrong dsmode": {"dsmode": "never"},
    "a key that is none": {"public_keys": {"a": "no key"}},
    "keys that are none": {"keys": ["no key"]},
    "content that is missing": {"files": [{"path": "/opt/secret", "content_path": "/content/0009"}]},
    "a path that leads elsewhere": {"files": [{"path": "../secret", "content_path": "/content/0000"}]},
    "the same path twice": {"files": META["files"] * 2},
    "a network that is missing": {"network_config": {"content_path": "/content/0009"}},
    "a misspelled key": {"adminpass": PASSWORD, "admin_pass": None},
}


def write(directory: Path, meta: str, vendor: str) -> Path:
    for path, content in (
        ("latest/meta_data.json", meta), ("latest/vendor_data.json", vendor), ("content/0000", FILE),
        ("latest/network_data.json", "{}"),
    ):  # fmt: skip
        place = directory / "openstack" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return directory


def vendor_data() -> str:
    return json.dumps(
        {"cloud-init": f"#cloud-config\nchpasswd:\n  users: [{{name: root, password: {VENDORS}, type: text}}]\n"}
    )


def expect_none(*texts: str) -> None:
    assert [(secret, text) for text in texts for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_show_none(name: str, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = str(write(tmp_path / "seed", json.dumps({**META, **MISTAKES[name]}), vendor_data()))
    outputs = []
    for words in (
        ["check", seed], ["check", "--format", "json", seed],
        ["--dry-run", "--seed", seed, "--root", str(root)],
        ["--dry-run", "--seed", seed, "--root", str(root), "--format", "json"],
        ["--dry-run", "--seed", seed, "--root", str(root), "--text"],
    ):  # fmt: skip
        cli.main(words)
        printed = capsys.readouterr()
        outputs.append(printed.out + printed.err)
    expect_none(*outputs)
    assert "Traceback" not in "".join(outputs)
    assert name == "none" or name.startswith(("a misspelled", "a long")) or "meta_data.json:1:" in outputs[0]


@pytest.mark.parametrize(
    "broken", ['{{"admin_pass": "{0}", "a" "b"}}', '{{"admin_pass": {0}: "x"}}', '["{0}"]', '{{"admin_pass": "{0}',
               '{{"random_seed": "{0}" "x"', "admin_pass: @{0}"],
)  # fmt: skip
def test_broken_documents_show_none(
    broken: str, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = broken.format(PASSWORD)
    for meta, vendor in ((text, "{}"), (json.dumps(META), text)):
        seed = str(write(tmp_path / "seed", meta, vendor))
        for words in (["check", seed], ["--dry-run", "--seed", seed, "--root", str(root)]):
            cli.main(words)
            printed = capsys.readouterr()
            assert "_data.json" in printed.out + printed.err
            expect_none(printed.out, printed.err)


@pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made with shadow-utils, which need root")
def test_apply_keeps_all(tmp_path: Path, root: Path) -> None:
    seed = str(write(tmp_path / "seed", json.dumps(META), vendor_data()))
    process, said = Recorder(), []
    base = Root(str(root))
    system = System(base, process, Media(), State(base), False)
    ended = pipeline.run(pipeline.Order(STAGES, seed), system, said.append)
    assert isinstance(ended, pipeline.Ended)
    status = documents.build(ended.report, documents.Boot("", 0.0, 1.0), {})
    expect_none(
        *said, *process.started, json.dumps(status), show_status.text(status, long=True),
        *(show_problems.format(problem, ended.report.sources) for problem in ended.report.problems),
    )  # fmt: skip
    # What has to wait for the first boot rests with its documents, for root alone; the file is where it belongs.
    found = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and any(secret.encode() in path.read_bytes() for secret in SECRETS)
    }
    assert {path.parent.relative_to(root).as_posix() for path in found} == {"opt", "var/lib/guestinit/pending"}
    assert set(found.values()) == {0o600}
    assert (root / "opt/secret").read_text() == FILE
