"""A metadata service asked by a guest: what a datasource brings over the guest's card."""

from __future__ import annotations

import time
from typing import Any, Callable

from guestinit.datasources import Search
from guestinit.model.seed import Seed
from guestinit.system.uplink import Uplink
from tests.http.namespaces import Ends

IPV4 = Uplink("eth0", 4, ("10.0.0.5/24",), "10.0.0.2")


def fetch(source: Callable[..., Search], ends: Ends, uplink: Uplink = IPV4, seconds: float = 30) -> Search:
    """What `openstack.fetch` or `ec2.fetch` finds in this time."""
    machine: Any = None  # nothing of it is looked at
    return ends.guest.run(lambda: source(uplink, machine, time.monotonic() + seconds))


def seed_of(search: Search) -> Seed:
    assert search.seed is not None, search.reasons
    return search.seed
