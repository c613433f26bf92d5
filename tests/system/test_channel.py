"""The rules of the QEMU channel, on ports that behave like the real ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

from guestinit.system import channel
from guestinit.system.agent import MASK


def make_port(root: Path) -> str:
    port = f"{root}{channel.AGENT_PORT}"
    os.makedirs(os.path.dirname(port))
    os.mkfifo(port)
    return port


def test_one_line_of_json_reaches_a_listener(tmp_path: Path) -> None:
    port = make_port(tmp_path)
    reader = os.open(port, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert channel.report_to_agent_port({"state": "done"}, 12.5, str(tmp_path)) == ""
        data = os.read(reader, 65536)
    finally:
        os.close(reader)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    document = json.loads(data)
    assert document == {
        "event": "GUESTINIT_REPORT",
        "data": {"state": "done"},
        "timestamp": {"seconds": 12, "microseconds": 500000},
    }


def test_nobody_listens(tmp_path: Path) -> None:
    make_port(tmp_path)
    # Opening a FIFO for writing without a reader gives ENXIO, as a busy port gives EBUSY: said, never waited for.
    assert channel.report_to_agent_port({"state": "done"}, 1.0, str(tmp_path)) != ""


def test_a_full_port_is_given_up(tmp_path: Path) -> None:
    port = make_port(tmp_path)
    reader = os.open(port, os.O_RDONLY | os.O_NONBLOCK)
    filler = os.open(port, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                os.write(filler, b"x" * 4096)
            except BlockingIOError:
                break
        assert channel.push(port, b"{}\n", patience=0.2) == "no listener"
    finally:
        os.close(filler)
        os.close(reader)


def test_never_beside_qemu_ga(tmp_path: Path) -> None:
    port = make_port(tmp_path)
    reader = os.open(port, os.O_RDONLY | os.O_NONBLOCK)
    agent = tmp_path / "usr/sbin/qemu-ga"
    agent.parent.mkdir(parents=True)
    agent.touch()
    try:
        assert "qemu-ga" in channel.report_to_agent_port({"state": "done"}, 1.0, str(tmp_path))
        mask = f"{tmp_path}{MASK}"
        os.makedirs(os.path.dirname(mask))
        os.symlink("/dev/null", mask)
        assert channel.report_to_agent_port({"state": "done"}, 1.0, str(tmp_path)) == ""
    finally:
        os.close(reader)


def test_no_port(tmp_path: Path) -> None:
    assert channel.report_to_agent_port({}, 1.0, str(tmp_path)) == "no port"
    assert channel.report_to_private_port({}, str(tmp_path)) == "no port"


def test_a_line_is_never_longer_than_four_kibibytes() -> None:
    line = channel.agent_line({"state": "done", "addresses": ["x" * 5000]}, 1.0)
    assert len(line) <= channel.LONGEST
    assert json.loads(line)["data"] == {"state": "done"}


def test_the_private_port_gets_the_document_and_an_end_mark(tmp_path: Path) -> None:
    port = f"{tmp_path}{channel.PRIVATE_PORT}"
    os.makedirs(os.path.dirname(port))
    Path(port).touch()  # a chardev of type file: always writable
    assert channel.report_to_private_port({"state": "done"}, str(tmp_path)) == ""
    assert Path(port).read_text() == '{"state": "done"}\n{}\n'
