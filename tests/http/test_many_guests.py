"""Many guests at one service that refuses what is above its limit are all served (benchmarks/metadata: a thousand)."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from guestinit.datasources import Search, openstack
from guestinit.system.uplink import Uplink
from tests.http.namespaces import link
from tests.http.servers import OpenStack, openstack_files, serving

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

GUESTS = 60


def test_guests_that_boot_together_are_all_served_below_the_limit() -> None:
    service = OpenStack(openstack_files, limit=60)
    service.late = 1.0
    served: list[Search] = []
    machine: Any = None  # nothing of it is looked at

    def boot() -> None:
        served.append(openstack.fetch(Uplink("eth0", 4, ("10.0.0.5/24",)), machine, time.monotonic() + 120))

    def boot_all() -> None:
        threads = [threading.Thread(target=boot) for _ in range(GUESTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with link() as ends, serving(ends, service):
        ends.guest.run(boot_all)
    assert [search.reasons for search in served if search.seed is None] == [] and len(served) == GUESTS
    assert {line.rpartition(" ")[2] for line in service.log} == {"200", "404", "429", "503"}
