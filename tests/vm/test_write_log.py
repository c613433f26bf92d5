"""The recording of writes that the power-cut campaign is built on, against QEMU itself (no guest)."""

from __future__ import annotations

import pathlib
import random
import subprocess

from tests.vm.write_log import WriteLog

MIB = 1 << 20


def record(tmp_path: pathlib.Path, commands: list[str]) -> WriteLog:
    disk, log = tmp_path / "disk.raw", tmp_path / "log"
    disk.write_bytes(bytes(2 * MIB))
    log.write_bytes(b"")
    options = f"driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename={disk}"
    options += f",log.driver=file,log.filename={log},log-super-update-interval=1"
    argv = ["qemu-io", "--image-opts", options]
    for command in commands:
        argv += ["-c", command]
    subprocess.run(argv, check=True, stdout=subprocess.PIPE)
    return WriteLog(str(log))


def rebuilt(tmp_path: pathlib.Path, log: WriteLog, count: int) -> bytes:
    copy = tmp_path / "copy.raw"
    copy.write_bytes(bytes(2 * MIB))
    log.apply(str(copy), log.entries[:count])
    return copy.read_bytes()


def test_whole_recording_gives_the_disk_that_qemu_left(tmp_path: pathlib.Path) -> None:
    commands = ["write -P 1 0 64k", "flush", "write -P 2 32k 4k", "write -P 3 1M 512", "flush", "write -P 4 0 1k"]
    log = record(tmp_path, commands)
    assert rebuilt(tmp_path, log, len(log.entries)) == (tmp_path / "disk.raw").read_bytes()


def test_flush_points_are_moments_in_between(tmp_path: pathlib.Path) -> None:
    log = record(tmp_path, ["write -P 1 0 4k", "flush", "write -P 2 0 4k", "write -P 3 8k 4k", "flush"])
    points = log.flush_points(0, 1 << 40)
    assert len(points) >= 2
    first = rebuilt(tmp_path, log, points[0] + 1)
    assert first[:4096] == b"\1" * 4096 and first[8192:12288] == bytes(4096)
    last = rebuilt(tmp_path, log, points[-1] + 1)
    assert last[:4096] == b"\2" * 4096 and last[8192:12288] == b"\3" * 4096


def test_unflushed_writes_are_a_reproducible_part(tmp_path: pathlib.Path) -> None:
    log = record(tmp_path, ["flush", *(f"write -P {number + 1} {number}k 512" for number in range(20)), "flush"])
    point = log.flush_points(0, 1 << 40)[0]
    kept = log.unflushed_after(point, random.Random(7))
    assert kept == log.unflushed_after(point, random.Random(7))
    assert 0 < len(kept) < 20
