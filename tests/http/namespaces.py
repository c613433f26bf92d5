"""Network namespaces that belong to a thread: whatever happens, they are gone when it is.

A function run in one sees its links and addresses only, and what it opens stays there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

CLONE_NEWNET = 0x40000000
T = TypeVar("T")

# The addresses that metadata services really have, on the far end of the guest's card.
OPENSTACK = "169.254.169.254"
OPENSTACK_LINK = "fe80::a9fe:a9fe"
EC2_IPV6 = "fd00:ec2::254"


class Namespace:
    """A network namespace of its own, with the loopback up."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, initializer=_unshare)
        self.task = self.run(threading.get_native_id)
        self.ip("link set lo up")

    def run(self, function: Callable[[], T]) -> T:
        """What a function says in here."""
        return self._thread.submit(function).result()

    def ip(self, *commands: str) -> None:
        """Commands of ip(8), without its name."""

        def run_all() -> None:
            for command in commands:
                subprocess.run(["ip", *command.split()], check=True)

        self.run(run_all)

    def close(self) -> None:
        self._thread.shutdown()


def _unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Ends(NamedTuple):
    """The two ends of a cable."""

    guest: Namespace
    cloud: Namespace


@contextmanager
def two() -> Iterator[Ends]:
    """Two namespaces, with nothing between them yet."""
    with contextlib.closing(Namespace()) as guest, contextlib.closing(Namespace()) as cloud:
        yield Ends(guest, cloud)


@contextmanager
def link() -> Iterator[Ends]:
    """A guest with eth0, and a cloud at the other end of it that has all the real addresses of metadata services."""
    with two() as (guest, cloud):
        guest.ip(
            "link add eth0 address fa:16:3e:00:11:22 type veth peer name cloud0",
            f"link set cloud0 netns {cloud.task}",
        )
        cloud.ip(
            "link set cloud0 addrgenmode none up",
            "address add 10.0.0.2/24 dev cloud0",
            f"address add {OPENSTACK}/32 dev cloud0",
            f"address add {OPENSTACK_LINK}/64 dev cloud0 nodad",
            "address add fd00:5::2/64 dev cloud0 nodad",
            f"address add {EC2_IPV6}/128 dev cloud0 nodad",
        )
        guest.ip(
            "link set eth0 addrgenmode none up",
            "address add 10.0.0.5/24 dev eth0",
            "address add fe80::5/64 dev eth0 nodad",
            "address add fd00:5::5/64 dev eth0 nodad",
            "route add default via 10.0.0.2",
            "route add default via fd00:5::2",
        )
        yield Ends(guest, cloud)


@contextmanager
def router_link() -> Iterator[Ends]:
    """A guest with 10.1.1.23, and CloudStack's side with the addresses of a router, its pair and a DHCP server."""
    with two() as (guest, cloud):
        guest.ip(
            "link add eth0 type veth peer name vr0",
            f"link set vr0 netns {cloud.task}",
            "link set eth0 up",
            "address add 10.1.1.23/24 dev eth0",
        )
        cloud.ip("link set vr0 up", *(f"address add 10.1.1.{host}/24 dev vr0" for host in (1, 2, 3)))
        guest.ip("route add default via 10.1.1.1")
        yield Ends(guest, cloud)
