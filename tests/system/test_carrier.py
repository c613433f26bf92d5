"""Which card has a carrier, on real links in a network namespace: the end of a veth pair has one if its peer is up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import subprocess, sys, threading
from guestinit.model.facts import Nic
from guestinit.system import carrier, facts
from guestinit.system.process import Process
from guestinit.system.root import Root
from guestinit.system.system import System

def ip(*words):
    subprocess.run(("ip", "link", *words), check=True)

names = ["va", "vb", "vc"]
for name in names:
    ip("add", name, "type", "veth", "peer", "name", "peer" + name)
if sys.argv[2]:
    ip("set", sys.argv[2], "up")  # by somebody else
for word in sys.argv[1].split():
    name, _, seconds = word.partition("=")
    threading.Timer(float(seconds), ip, ("set", "peer" + name, "up")).start()
system = System(Root("/", writable=False), Process(), None, None, True)
cards = [nic for nic in facts.find_nics(system) if nic.name in names]
found = carrier.find(cards, system, float(sys.argv[3]), float(sys.argv[4]))
still = [nic.name for nic in facts.find_nics(system) if nic.name in names and nic.up]
print(found or "none", *still)
"""


LONG = 600.0  # seconds: whoever waits so long has failed


@pytest.mark.parametrize(
    ("plugged", "up", "limit", "grace", "said"),
    [
        ("va=0 vb=0", "", LONG, LONG, "va"),  # the first one has it: nothing is waited for
        ("vb=0", "", LONG, 0.1, "vb"),  # the first one may only be slower
        ("vc=0 va=0.5", "", LONG, LONG, "va"),
        ("vc=0.2", "vc", LONG, 0.1, "vc vc"),  # who was up stays so
        ("", "", 0.1, LONG, "none"),
    ],
)
def test_which_card_has_a_carrier(plugged: str, up: str, limit: float, grace: float, said: str) -> None:
    inside = ["mount", "-t", "sysfs", "none", "/sys"]
    program = [sys.executable, "-c", PROGRAM, plugged, up, str(limit), str(grace)]
    script = f'{" ".join(inside)} && exec "$@"'
    argv = ["unshare", "--net", "--mount", "sh", "-c", script, "sh", *program]
    done = subprocess.run(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True, timeout=LONG / 2)
    assert done.stdout.strip() == said
