"""The command line: argv, one verb, an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from guestinit.complaint import complain
from guestinit.model.report import EXIT_USAGE

if TYPE_CHECKING:
    import argparse

SUMMARY = "Turns a cloned VM template into this machine: finds what the platform left, shows what it would do, does it."
EPILOG = """\
examples:
  guestinit --dry-run                              what the next boot would change here
  guestinit --dry-run --seed ./seed --root ./root  the same for a seed and a root of your own, without root rights
  guestinit check ./seed                           every mistake in a seed, with line and column
  guestinit status --wait                          wait until this machine is ready
  guestinit clean --machine-id                     the last thing that a template builder runs

exit codes: 0 done, 1 failed, 2 degraded, 3 not finished (status), 64 wrong usage
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Units come through here too, so nothing that only people need is imported on the way."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:2] == ["run", "--stage"] and len(words) == 3:
        return run(words[2])
    if words[:2] == ["run", "--failed"] and len(words) == 3:  # the units' OnFailure=, not for people
        from guestinit import stages
        from guestinit.system.system import open_system

        return stages.report_failure(words[2], open_system("/"))
    try:
        code = dispatch(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `guestinit --dry-run | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except PermissionError as error:
        return complain(
            f"{error.filename or 'this'}: permission denied", "run it as root, or give a seed and a root of your own"
        )
    except OSError as error:  # a path that somebody named: a directory for a file, a full disk
        if error.filename is None:
            raise
        return complain(f"{error.filename}: {(error.strerror or str(error)).lower()}")


def run(stage: str) -> int:
    """One stage of a boot."""
    from guestinit import stages
    from guestinit.model.action import STAGES
    from guestinit.system.system import open_system

    if stage not in STAGES:
        return complain(f"unknown stage '{stage}'", f"one of {', '.join(STAGES)}", EXIT_USAGE)
    if os.geteuid() != 0:
        return complain("a stage changes the system and must run as root", "to look only: guestinit --dry-run")
    return stages.run_stage(stage, open_system("/"))


def dispatch(words: list[str]) -> int:
    """Parse for people: help, errors, and one function a verb."""
    options = build_parser().parse_args(words)
    verb = options.verb or ("preview" if options.dry_run else "")
    if not verb:
        build_parser().print_help()
        return EXIT_USAGE
    from guestinit import verbs

    answer = getattr(verbs, verb)(options)
    assert isinstance(answer, int)
    return answer


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their options; the man page and the completions say the same."""
    import argparse  # delayed: people only

    from guestinit import __version__, modules

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            self.print_usage(sys.stderr)
            sys.stderr.write(f"{self.prog}: {message}\n")
            raise SystemExit(EXIT_USAGE)

    preview = argparse.ArgumentParser(add_help=False)
    preview.add_argument("--dry-run", action="store_true", help="show what would change, touch nothing")
    preview.add_argument(
        "--seed",
        metavar="SEED",
        default="",
        help="a directory, an image file or a drive instead of what this machine has",
    )
    preview.add_argument("--root", metavar="DIR", default="/", help="the root directory to work on (default: /)")
    preview.add_argument("--format", choices=("text", "json"), default="text", help="for people or for programs")
    preview.add_argument(
        "--strict", action="store_true", help="refuse everything if the input has an error or a warning"
    )
    preview.add_argument(
        "--text", action="store_true", help="show the text of the user's commands, which may hold secrets"
    )

    parser = Parser(
        prog="guestinit", description=SUMMARY, epilog=EPILOG, parents=[preview], allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"guestinit {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    def add(name: str, about: str, **more: object) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".", allow_abbrev=False,
                                **more)  # type: ignore[arg-type]  # fmt: skip

    apply = add("apply", "do it now, on this system or offline on a mounted image", parents=[preview])
    names = ", ".join(name for name, _ in modules.ORDER)
    apply.add_argument(
        "--again", metavar="MODULE", nargs="+", default=[], help=f"run these once more on this machine: {names}"
    )

    clean = add("clean", "forget this instance: what a template builder runs last")
    clean.add_argument("--dry-run", action="store_true", help="show what would go, touch nothing")
    clean.add_argument("--logs", action="store_true", help="remove /var/log/guestinit.log too")
    clean.add_argument(
        "--machine-id", action="store_true", help="empty /etc/machine-id too, so that the next boot makes a new one"
    )
    clean.add_argument("--root", metavar="DIR", default="/", help="the root directory to work on (default: /)")

    stage = add("run", "run one stage of a boot: what the units call")
    stage.add_argument("--stage", required=True, choices=("local", "network", "late", "final"), help="which one")

    status = add("status", "say how far this boot is, and how it went")
    status.add_argument("--wait", action="store_true", help="return when everything is done, or cannot be")
    status.add_argument("--timeout", metavar="S", type=float, help="with --wait: give up after S seconds (exit code 3)")
    status.add_argument("--long", action="store_true", help="with sources, modules, commands and problems")
    status.add_argument("--format", choices=("text", "json"), default="text", help="for people or for programs")

    check = add("check", "name every problem of a seed as file:line:column")
    check.add_argument(
        "paths", metavar="FILE|DIR", nargs="+", help="a document by its name, or a directory or an image with a seed"
    )
    check.add_argument("--format", choices=("text", "json"), default="text", help="for people or for programs")

    net = add("net", "convert a network configuration, or undo a network change")
    net_verbs = net.add_subparsers(dest="net_verb", metavar="VERB", required=True, parser_class=Parser)
    undo = net_verbs.add_parser(
        "undo", help="put the network's files back as they were before the last change",
        description="Put the network's files back as they were before the last run that changed any of them.",
        allow_abbrev=False,
    )  # fmt: skip
    undo.add_argument("--dry-run", action="store_true", help="show what would change, touch nothing")
    undo.add_argument("--root", metavar="DIR", default="/", help="the root directory to work on (default: /)")
    render = net_verbs.add_parser(
        "render", help="convert a network configuration to the files of a renderer",
        description="Convert a network configuration to the files of a renderer, without touching this system.",
        allow_abbrev=False,
    )  # fmt: skip
    render.add_argument("file", metavar="FILE", help="-: standard input")
    render.add_argument(
        "--renderer", metavar="NAME", required=True, help="networkd, network-manager, netplan or ifupdown"
    )
    render.add_argument("--output", metavar="DIR", help="the directory to write below (default: show them)")
    render.add_argument(
        "--input-format", choices=("v1", "v2", "openstack", "eni"), help="default: what the file looks like"
    )
    render.add_argument(
        "--nic", metavar="NAME=MAC", action="append", default=[], help="an interface of the target machine"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
