"""What of a lease that was taken for a moment must go, whatever else goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guestinit.model.facts import Nic
from guestinit.system.lease import Loan
from guestinit.system.media import Media
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System


class Programs(Process):
    """Notes what is started; dhcpcd gets no lease."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[str] = []

    def run(self, argv: Any, *_: Any, **__: Any) -> Finished:
        self.started.append(" ".join(argv))
        return Finished(1, "", 0.0)


def test_a_lease_file_that_cannot_be_put_back_leaves_no_address(tmp_path: Path) -> None:
    place = tmp_path / "var/lib/dhcpcd"
    place.mkdir(parents=True)
    (place / "eth0.lease").write_bytes(b"the network manager's")
    root, programs = Root(str(tmp_path)), Programs()
    loan = Loan("dhcpcd", Nic("eth0", "52:54:00:12:34:56"), System(root, programs, Media(), State(root), live=True))
    assert loan.take(0) is None
    place.rmdir()
    place.write_text("now it is no directory")
    loan.give_back()
    assert programs.started[-4:] == [
        "dhcpcd --ipv4only --release eth0", "ip -4 address flush dev eth0", "ip -4 route flush dev eth0",
        "ip neighbour flush dev eth0",
    ]  # fmt: skip
