"""`guestinit net render`: a network configuration as the files of a network manager, without any machine."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from guestinit import renderers
from guestinit.complaint import complain
from guestinit.model import key_material
from guestinit.model.network import Rendered
from guestinit.model.problem import ERROR, Problems
from guestinit.model.report import DEGRADED, EXIT, EXIT_USAGE
from guestinit.model.seed import Document
from guestinit.show import colour

_STANDARD_INPUT = "-"


def render(options: Namespace) -> int:
    """Below the directory `--output`, or, without one, shown one after the other."""
    from guestinit.reading import config as reading
    from guestinit.renderers import naming
    from guestinit.show import problems as show

    if options.renderer not in renderers.NAMES:
        return complain(f"unknown renderer '{options.renderer}'", f"one of {', '.join(renderers.NAMES)}", EXIT_USAGE)
    problems = Problems()
    try:
        content = _read(options.file)
        nics = renderers.parse_nics(options.nic)
    except OSError as error:
        return complain(f"{options.file}: {error.strerror}", code=EXIT_USAGE)
    except ValueError as error:
        return complain(str(error), "--nic NAME=MAC, such as eth0=52:54:00:12:34:56", EXIT_USAGE)
    label = "standard input" if options.file == _STANDARD_INPUT else options.file
    network = reading.read_network(Document("network-config", label, content), problems, options.input_format or "")
    files: tuple[Rendered, ...] = ()
    if network is not None:
        network, nics, _ = naming.resolve(network, nics, problems)
        files = renderers.render(options.renderer, network, nics, problems)
    for each in files:
        if options.output:
            print(_write(each, options.output))
        else:
            print(_shown(each))
    for problem in problems.in_order():
        sources = {label: content.decode("utf-8", "replace")}
        sys.stderr.write(show.format(problem, sources, colour.wanted(sys.stderr)) + "\n")
    if any(problem.severity == ERROR for problem in problems.found):
        return EXIT[DEGRADED]
    if not files:
        complain(f"{label}: configures no interface, so there is no file", "--input-format says what it is")
    return 0


def _read(path: str) -> bytes:
    if path == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def _write(file: Rendered, directory: str) -> str:
    """Where it was written."""
    path = os.path.join(directory, file.path.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, file.mode)
    os.fchmod(descriptor, file.mode)
    with os.fdopen(descriptor, "wb") as output:
        output.write(file.content)
    return path


def _shown(file: Rendered) -> str:
    """The text under its path and mode. What is shown may end in a log: keys are only written, with `--output`."""
    text = file.content.decode("utf-8", "replace")
    for secret in key_material.values(text):
        text = text.replace(secret, "(not shown)")
    owner = f" root:{file.group}" if file.group else ""
    return f"--- {file.path} {file.mode:04o}{owner}\n{text}"
