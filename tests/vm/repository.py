"""A read-only HTTP server for one connection on standard input and output, and the small package repository it serves.

QEMU starts it for each connection that a guest makes to the repository's address: no port, no daemon.
"""

from __future__ import annotations

import os
import subprocess
import sys

CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: guestinit tests <tests@example.test>
Installed-Size: 1
Description: package made by a test
 It holds one file.
"""


def make_repository(directory: str, packages: dict[str, str]) -> str:
    """A flat apt repository of these packages (name to version), each with /usr/share/NAME/version; its path."""
    os.makedirs(directory)
    for name, version in packages.items():
        tree = os.path.join(directory, ".build", name)
        for path, content in (
            ("DEBIAN/control", CONTROL.format(name=name, version=version)),
            (f"usr/share/{name}/version", version + "\n"),
        ):
            os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
            with open(os.path.join(tree, path), "w") as out:
                out.write(content)
        deb = os.path.join(directory, f"{name}_{version}_all.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, stdout=subprocess.DEVNULL)
    for verb, name in (("packages", "Packages"), ("release", "Release")):
        index = subprocess.run(["apt-ftparchive", verb, "."], cwd=directory, check=True, stdout=subprocess.PIPE)
        with open(os.path.join(directory, name), "wb") as out:
            out.write(index.stdout)
    return directory


def serve(directory: str) -> None:
    """Answer GET and HEAD until the other side closes."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := requests.readline():
        method, _, rest = line.decode("latin-1").partition(" ")
        path = rest.split(" ")[0]
        while requests.readline() not in (b"\r\n", b"\n", b""):
            pass
        full = os.path.realpath(os.path.join(directory, path.lstrip("/")))
        found = full.startswith(os.path.realpath(directory) + os.sep) and os.path.isfile(full)
        body = b""
        if found:
            with open(full, "rb") as source:
                body = source.read()
        status = "200 OK" if found else "404 Not Found"
        answers.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        if method != "HEAD":
            answers.write(body)
        answers.flush()
        with open(os.path.join(directory, "requests.log"), "a") as log:
            log.write(f"{method} {path} {status}\n")


if __name__ == "__main__":
    serve(sys.argv[1])
