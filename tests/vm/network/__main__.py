"""Try cases by hand: `python3 -m tests.vm.network up DIRECTORY` keeps a guest on; in another shell
`python3 -m tests.vm.network run DIRECTORY RENDERER [CASE...]` proves cases in it with the code as it is now."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.vm import image
from tests.vm.guest import Machine
from tests.vm.network import cases
from tests.vm.network.session import HARDWARE, Jobs, wait_socket


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--template", default="network", help="up: network or ifupdown")
    parser.add_argument("--log", action="store_true", help="run: show the manager's log of what is wrong")
    parser.add_argument("verb", choices=["up", "run"])
    parser.add_argument("directory", help="of the machine")
    parser.add_argument("renderer", nargs="?", default="networkd")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if options.verb == "up":
        return up(options.template, os.path.abspath(options.directory))
    jobs = Jobs(os.path.join(os.path.abspath(options.directory), "job.sock"))
    bad = 0
    for result in jobs.prove(options.renderer, options.cases or cases.proved_with(options.renderer)):
        wrong = bool(result["differences"] or result["error"])
        bad += wrong
        print(f"{result['renderer']:16} {result['case']:32} {'WRONG' if wrong else 'right':6} {result['seconds']:6} s",
              ", ".join(result.get("steps", ())), flush=True)  # fmt: skip
        for line in result.get("first", ()):
            print(f"    at first: {line}")
        for line in result["differences"]:
            print(f"    {line}")
        if result["error"]:
            print(result["error"])
        if wrong and options.log:
            print(result["log"])
    return bad


def up(template: str, directory: str) -> int:
    machine = Machine(image.build(template), directory)
    with machine.power_on(HARDWARE) as guest:
        link = os.path.join(directory, "job.sock")
        if os.path.lexists(link):
            os.unlink(link)
        wait_socket(os.path.join(guest.directory, "job.sock"))
        os.symlink(os.path.join(guest.directory, "job.sock"), link)
        print(f"on: {guest.directory}", flush=True)
        while guest.process.poll() is None:
            time.sleep(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
