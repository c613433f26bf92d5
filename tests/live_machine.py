"""Boot a seed in the throw-away machine of benchmarks/stage.py, and report where given texts are found afterwards.

    live_machine.py DIRECTORY SEED PYTHON < {"name": "text", ...}       in namespaces of its own

prints a JSON object: codes, output and argv (if strace is here) of the three stages, files (path: names of the texts in
it), modes (path: mode), status (the document) and state (names in /var/lib/guestinit).

Everything that the three stages print counts as the journal's; every file that they changed is in the overlay's upper
directory or on a file system that was made for the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(REPOSITORY, "benchmarks"))

import stage  # noqa: E402

STATE = "/var/lib/guestinit"


def main(directory: str, seed: str, python: str) -> None:
    texts: dict[str, str] = json.load(sys.stdin)
    stage.SEED = seed
    stage.STAND_INS["mount"] = f'for point; do :; done\ncp {seed}/* "$point"'
    machine = stage.make_machine(directory + "/machine", with_drive=True)
    tracer = ["strace", "-f", "-qq", "-e", "trace=execve", "-s", "100000", "-o", "/run/trace"]
    launcher = [python, "-I", "-S", directory + "/launcher", "run", "--stage"]
    codes, output = [], ""
    for name in ("local", "late", "final"):
        argv = ["chroot", machine, *(tracer if shutil.which("strace") else ()), *launcher, name]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        codes.append(done.returncode)
        output += done.stdout
        if os.path.exists(machine + "/run/trace"):
            shutil.move(machine + "/run/trace", f"{directory}/machine/trace-{name}")
    argv_seen = ""
    for name in ("local", "late", "final"):
        trace = f"{directory}/machine/trace-{name}"
        argv_seen += read(trace).decode("utf-8", "replace") if os.path.exists(trace) else ""
    with open(machine + "/run/guestinit/status.json", encoding="utf-8") as file:
        status = json.load(file)
    found: dict[str, list[str]] = {}
    modes: dict[str, str] = {}
    for top in (directory + "/machine/upper", machine + "/run"):
        prefix = "" if top.endswith("/upper") else "/run"
        for base, _, names in os.walk(top):
            for name in names:
                path = os.path.join(base, name)
                info = os.lstat(path)
                if not stat.S_ISREG(info.st_mode):
                    continue
                shown = prefix + path[len(top) :]
                modes[shown] = f"{stat.S_IMODE(info.st_mode):04o}"
                content = read(path)
                hits = [name for name, text in texts.items() if text.encode() in content]
                if hits:
                    found[shown] = hits
    report = {"codes": codes, "output": output, "argv": argv_seen, "files": found, "modes": modes, "status": status}
    print(json.dumps({**report, "state": sorted(os.listdir(machine + STATE))}))


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
