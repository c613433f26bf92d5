"""The verbs that people type; each takes the parsed options and returns an exit code."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from guestinit import modules, pipeline
from guestinit.complaint import complain
from guestinit.model.action import STAGES
from guestinit.model.problem import ERROR, Problem, Problems
from guestinit.model.report import (
    DEGRADED,
    DISABLED,
    EXIT,
    EXIT_USAGE,
    FAILURE,
    RUNNING,
    UNSTARTED,
    Preview,
    counts,
)
from guestinit.model.unreadable import Unreadable
from guestinit.show import colour
from guestinit.system.system import open_system


def preview(options: Namespace) -> int:
    """`guestinit --dry-run`: what would change here."""
    from guestinit.show import plan as show

    if missing(options):
        return complain(missing(options), code=EXIT_USAGE)
    if os.geteuid() != 0 and not options.seed and options.root == "/":
        complain("not root: drives, serial numbers and what was done here before cannot be read", "a boot may see more")
    system = open_system(options.root, writable=False)
    if system.live and not options.seed and not getattr(options, "again", ()):
        from guestinit.stages import off_switch

        reason = off_switch(system)
        if reason:
            complain(f"a boot does nothing here: {reason}", "this is what it would do otherwise")
    order = pipeline.Order(STAGES, options.seed, True, options.strict, tuple(getattr(options, "again", ())))
    try:
        seen = pipeline.run(order, system, say)
    except Unreadable as unreadable:
        return show_unreadable(unreadable.problem)
    assert isinstance(seen, Preview)
    if options.seed and not seen.datasource:
        return complain(f"there is no seed in {options.seed}", "; ".join(seen.reasons))
    if options.format == "json":
        print(show.json(seen))
    else:
        width = os.get_terminal_size().columns if sys.stdout.isatty() else 100
        print(show.text(seen, colour.wanted(sys.stdout), width, reveal=options.text))
    if options.strict and counts(seen.problems):
        return complain(f"--strict: problems in the input: {counts(seen.problems)}; all would be refused")
    return EXIT[DEGRADED] if any(problem.severity == ERROR for problem in seen.problems) else 0


def apply(options: Namespace) -> int:
    """`guestinit apply`: do it now."""
    known = [name for name, _ in modules.ORDER]
    for name in options.again:
        if name not in known:
            return complain(f"unknown module '{name}'", f"one of {', '.join(known)}", EXIT_USAGE)
    if not options.seed and options.root != "/":
        return complain("--root needs a seed", "guestinit apply --seed SEED --root DIR", EXIT_USAGE)
    if not options.seed and not options.again:
        return complain("nothing to apply was named", "--seed SEED, or --again MODULE", EXIT_USAGE)
    if options.dry_run:
        return preview(options)
    if missing(options):
        return complain(missing(options), code=EXIT_USAGE)
    from guestinit.show import document as documents
    from guestinit.show import problems as show_problems
    from guestinit.system import announce, boot
    from guestinit.system.lock import Lock

    if os.geteuid() != 0:
        return complain("apply changes the system and must run as root", "to look only, add --dry-run")
    system = open_system(options.root)
    order = pipeline.Order(STAGES, options.seed, False, options.strict, tuple(options.again))
    started = boot.uptime(system) if system.live else None
    with Lock(options.root):
        try:
            ended = pipeline.run(order, system, say)
        except Unreadable as unreadable:
            return show_unreadable(unreadable.problem)
        assert isinstance(ended, pipeline.Ended)
        if options.seed and not ended.report.datasource:
            return complain(f"there is no seed in {options.seed}", "; ".join(ended.report.reasons))
        finished = boot.uptime(system) if system.live else None
        this = documents.Boot(boot.boot_id(system), started, finished, boot.addresses(system),
                              boot.host_key_fingerprints(system))  # fmt: skip
        document = documents.build(ended.report, this, {})
        if system.live:
            announce.write_status(document, system)
    for problem in ended.report.problems:
        sys.stderr.write(show_problems.format(problem, ended.report.sources, colour.wanted(sys.stderr)) + "\n")
    for step_id, secret in ended.revealed:
        print(f"{step_id} is {secret.reveal().decode('ascii', 'replace')}")
    if options.format == "json":
        import json

        print(json.dumps(document, indent=1))
    else:
        from guestinit.show import status as show

        print(show.text(document, long=True, colour=colour.wanted(sys.stdout)))
    if ended.report.refused:
        return complain(ended.report.refused)
    return EXIT[document["result"]]


def clean(options: Namespace) -> int:
    """`guestinit clean`: forget this instance."""
    from guestinit.system import clean as cleaning

    if not os.path.isdir(options.root):
        return complain(f"{options.root}: no such directory", code=EXIT_USAGE)
    if not options.dry_run and os.geteuid() != 0:
        return complain("clean changes the system and must run as root", "to look only, add --dry-run")
    system = open_system(options.root, writable=not options.dry_run)
    goes = cleaning.plan(system, logs=options.logs, machine_id=options.machine_id)
    for line in goes:
        print(f"{'would ' if options.dry_run else ''}{line.words}")
    if not goes:
        print("nothing to forget")
    if not options.dry_run:
        cleaning.apply(goes, system)
    return 0


def status(options: Namespace) -> int:
    """`guestinit status`: how far this boot is, and how it went."""
    from guestinit.show import status as show
    from guestinit.stages import off_switch
    from guestinit.system import announce, waiting

    system = open_system("/", writable=False)
    if options.timeout is not None and options.timeout < 0:
        return complain("--timeout takes seconds, 0 or more", code=EXIT_USAGE)
    if options.timeout is not None and not options.wait:
        return complain("--timeout is for --wait", "guestinit status --wait --timeout S", EXIT_USAGE)
    document = announce.read_status(system)
    if not document:
        reason = off_switch(system)
        if reason:
            document = {"version": 1, "state": DISABLED, "refused": reason}
    if options.wait and document.get("state", UNSTARTED) in (UNSTARTED, RUNNING):
        document = waiting.for_end(system, options.timeout) or document
    if not document:
        hint = "there is no report of this boot; see 'systemctl status guestinit-local'"
        document = {"version": 1, "state": UNSTARTED, "refused": hint}
    if options.format == "json":
        import json

        print(json.dumps(document, indent=1))
    else:
        print(show.text(document, long=options.long, colour=colour.wanted(sys.stdout)))
    return EXIT[document["state"]]


def check(options: Namespace) -> int:
    """`guestinit check`: every problem of a seed or a single file."""
    from guestinit import checking
    from guestinit.show import problems as show

    problems = Problems()
    sources: dict[str, str] = {}
    for path in options.paths:
        if not os.path.exists(path):
            return complain(f"{path}: no such file or directory", code=EXIT_USAGE)
        sources.update(checking.check(path, problems))
    bad = sum(problem.severity == ERROR for problem in problems.found)
    if options.format == "json":
        print(show.json(problems.in_order()))
    else:
        for problem in problems.in_order():
            print(show.format(problem, sources, colour.wanted(sys.stdout)))
        print(f"{number(bad, 'error')}, {number(counts(tuple(problems.found)) - bad, 'warning')}")
    return 1 if bad else 0


def net(options: Namespace) -> int:
    """`guestinit net render`: convert a network configuration offline; `guestinit net undo`: back to earlier files."""
    if options.net_verb == "undo":
        from guestinit.undo import undo

        return undo(options)
    from guestinit.convert import render

    return render(options)


def show_unreadable(problem: Problem) -> int:
    """Meta-data that cannot be trusted: nothing is planned."""
    hints = (problem.hint, "it is not known which machine this is, so nothing was planned")
    complain(str(problem), "; ".join(filter(None, hints)))
    return EXIT[FAILURE]


def missing(options: Namespace) -> str:
    """A place that was named and is not there, with the reason; empty if all are."""
    if not os.path.isdir(options.root):
        return f"{options.root}: no such directory"
    if options.seed and not os.path.exists(options.seed):
        return f"{options.seed}: no such file or directory"
    return ""


def number(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def say(line: str) -> None:
    """Progress of an apply."""
    sys.stderr.write(line + "\n")
