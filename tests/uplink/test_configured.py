"""Over what a metadata service is asked on a machine whose network is set up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guestinit.system import uplink
from guestinit.system.media import Media
from guestinit.system.process import Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.http.namespaces import Namespace

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/dev/net/tun"), reason="makes a network namespace with a tunnel"
)


def test_what_leads_out_is_asked_and_a_tunnel_is_not(tmp_path: Path) -> None:
    """All of these have a default route, and none is a card."""
    root = Root(str(tmp_path))
    system = System(root, Process(), Media(), State(root), live=True)
    guest = Namespace()
    try:
        guest.ip("link add br0 type bridge", "tuntap add dev vpn0 mode tun")
        for number, name in ((1, "br0"), (2, "vpn0")):
            guest.ip(f"link set {name} up", f"address add 10.9.{number}.2/24 dev {name}",
                     f"route add default via 10.9.{number}.1 dev {name} metric {number}")  # fmt: skip
        found = guest.run(lambda: uplink.configured(system, (4,)))
    finally:
        guest.close()
    assert found == (uplink.Uplink("br0", 4, ("10.9.1.2/24",), "10.9.1.1"),)
