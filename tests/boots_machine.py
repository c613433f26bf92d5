"""Boot a throw-away machine (benchmarks/stage.py) several times, with other drives each time.

    boots_machine.py DIRECTORY PYTHON < [{"drives": {"sr0": ["config-2", "/path/of/a/tree"]}, "files": {...}}, ...]

in namespaces of its own prints a list with an object for each boot: kind and reason of its status, `full` (whether the
whole program was needed), `mounts` (devices, in the order in which they were mounted) and `left` (mounts that stay).
`files` are written below the root before the boot; a null removes one. The drives are real ISO images; only mount(8),
which this kernel may not know iso9660 for, is a stand-in that copies the tree.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(REPOSITORY, "benchmarks"))

import stage  # noqa: E402

stage.STAND_INS["mount"] = 'echo "$5" >>/mounts; mkdir -p "$6"; cp -r "/drives/${5##*/}/." "$6"; touch "$6/.mounted"'
stage.STAND_INS["umount"] = 'for one; do :; done; find "$one" -mindepth 1 -delete'
FLAGS = ("-quiet", "-J", "-R")


def main(directory: str, python: str) -> None:
    boots = json.load(sys.stdin)
    machine = stage.make_machine(directory + "/machine", with_drive=False)
    launcher = [python, "-I", "-S", "-X", "importtime", directory + "/launcher", "run", "--stage"]
    print(json.dumps([boot(machine, launcher, **what) for what in boots]))


def boot(
    machine: str,
    launcher: list[str],
    drives: dict[str, tuple[str, str]],
    files: dict[str, str | None] | None = None,
) -> dict[str, object]:
    for path in ("/drives", "/mounts", "/dev", "/run/guestinit"):
        for name in os.listdir(machine + path) if path == "/dev" else [""]:
            if path != "/dev" or name.startswith(("sr", "vd")):
                stage._remove(f"{machine}{path}/{name}".rstrip("/"))
    if os.path.isdir(machine + "/sys/class/block"):
        shutil.rmtree(machine + "/sys/class/block")
    os.makedirs(machine + "/sys/class/block")
    for name, (label, tree) in drives.items():
        image = f"{machine}/dev/{name}"
        subprocess.run(["genisoimage", *FLAGS, "-V", label, "-o", image, tree], check=True)
        stage._write(f"{machine}/sys/class/block/{name}/size", f"{os.path.getsize(image) // 512}\n")
        shutil.copytree(tree, f"{machine}/drives/{name}")
    for path, text in (files or {}).items():
        stage._remove(machine + path)
        if text is not None:
            stage._write(machine + path, text)
    full = False
    for name in ("local", "late", "final"):
        if name != "local" and not os.path.exists(f"{machine}/run/guestinit/{name}.todo"):
            continue
        done = subprocess.run(["chroot", machine, *launcher, name], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        full = full or "guestinit.cli" in done.stderr
    with open(machine + "/run/guestinit/status.json", encoding="utf-8") as file:
        status = json.load(file)
    left = [name for name in os.listdir(machine + "/run/guestinit") if name.startswith("mnt-")]
    mounted = stage_text(machine + "/mounts").split()
    identity = status["identity"]
    return {
        "kind": identity["kind"], "reason": identity["reason"], "result": status["result"], "full": full,
        "mounts": [os.path.basename(node) for node in mounted], "left": left,
    }  # fmt: skip


def stage_text(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
