"""Every directory in cases/: the full text of all files and messages, and nothing else."""

from __future__ import annotations

import os
import shutil

import pytest

from guestinit.model.problem import Problem
from tests.network import documents

CASES = os.path.join(os.path.dirname(__file__), "cases")
WRITE = bool(os.environ.get("GUESTINIT_WRITE_CASES"))

TEXTS = ("problems", "state", "names")

Files = dict[str, str]


def names() -> list[str]:
    return sorted(name for name in os.listdir(CASES) if os.path.isdir(os.path.join(CASES, name)))


def slurp(*path: str) -> str:
    try:
        with open(os.path.join(CASES, *path), encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def expected(case: str) -> Files:
    found = {name: slurp(case, name) for name in TEXTS if slurp(case, name)}
    for renderer in documents.RENDERERS:
        directory = os.path.join(CASES, case, renderer)
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            found[f"{renderer}/{name}"] = slurp(case, renderer, name)
    return found


def made(case: str) -> Files:
    network, problems = documents.read(slurp(case, "network-config"))
    said = [_line("", problem) for problem in problems]
    found = {"state": (network.state if network else "absent") + "\n"}
    if network is not None:
        resolved, problems = documents.resolve(network, documents.nics(slurp(case, "nics")))
        said += [_line("", problem) for problem in problems]
        found["names"] = "".join(f"{mac} {name}\n" for mac, name in resolved.names)
        network = resolved.network
    for renderer in documents.RENDERERS if network else ():
        files, inexpressible = documents.render(renderer, network, resolved.nics)
        said += [_line(renderer, problem) for problem in inexpressible]
        for each in files:
            directory, name = each.path.rsplit("/", 1)
            assert (directory, each.mode) == documents.place(each), each.path
            assert f"{renderer}/{name}" not in found, f"{name} is written twice"
            found[f"{renderer}/{name}"] = each.content.decode()
    if said:
        found["problems"] = "".join(said)
    return {name: text for name, text in found.items() if text or "/" in name}


def _line(renderer: str, problem: Problem) -> str:
    return f"{renderer}{': ' if renderer else ''}{problem.severity} {problem} ({problem.hint})\n"


def write(case: str, files: Files) -> None:
    for name in TEXTS:
        if os.path.exists(os.path.join(CASES, case, name)):
            os.unlink(os.path.join(CASES, case, name))
    for renderer in documents.RENDERERS:
        shutil.rmtree(os.path.join(CASES, case, renderer), ignore_errors=True)
    for name, text in files.items():
        path = os.path.join(CASES, case, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)


@pytest.mark.parametrize("case", names())
def test_case(case: str) -> None:
    if WRITE:
        write(case, made(case))
    assert made(case) == expected(case)


def test_there_are_cases_for_every_source() -> None:
    found = {name.split("-")[0] for name in names()}
    assert {"proxmox", "mac", "v1", "v2", "disabled", "empty", "absent", "refused", "openstack", "eni"} <= found
