"""CloudStack's virtual router: metadata on its port 80, passwords on its port 8080 (platforms.md 7).

The router is the guest's DHCP server, its gateway, or whatever `data-server.` resolves to, and knows its guests by
their addresses: another network's router answers with nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestinit.datasources import Search
from guestinit.model.cloudstack import PASSWORD_PORT
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

NAME = "cloudstack"
RENEWS = True  # a password that was reset, or another key, comes with the next boot

DATA_SERVER = "data-server."  # with the dot: no search domain is tried
_NAME_LIMIT = 1.0  # seconds for that name
_FIRST_LIMIT = 4.0  # seconds for the first answer of one router
_PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between two rounds; the last one again and again
# Seconds that the way out of the machine is ahead: each of several networks has a router that knows it and says nearly
# the same, but the password is at the one of the default network, whose lease alone has a gateway.
_AHEAD = 3.0
_MOST_KEYS = 100
# Says where the guest runs and not what it is: another one after each migration.
_PASSING = ("hypervisor-host-name",)


def fetch(uplink: Uplink, system: System, deadline: float) -> Search:
    """What the first router says that knows this machine."""
    from guestinit.system import http, password_server, race

    if uplink.family != 4:
        return Search(None)
    uplink = _with_lease(uplink, system)
    routers = find_routers(uplink, system)
    if not routers:
        return Search(None, (f"{NAME}: {uplink.nic} has no DHCP server, no gateway, and {DATA_SERVER} no address",))
    if not uplink.gateway:
        time.sleep(min(_AHEAD, max(0.0, deadline - time.monotonic())))
    until = deadline - password_server.LIMIT
    told: dict[str, str] = {}
    rounds = 0
    while not race.is_lost():
        for address, what in routers:
            try:
                documents = _read_tree(address, uplink.nic, until)
            except http.NoAnswer as no_answer:
                told[address] = f"{NAME}: {address} ({what}): {no_answer.reason}"
                continue
            handed, seen = _ask_for_password(routers, uplink.nic, deadline)
            where = f"http://{address}/latest ({what}, over {uplink.nic})"
            everything = (*documents, *_domain(uplink), *handed)
            return Search(Seed(NAME, where, f"{what} {address} answers", everything, NAME), seen)
        pause = _PAUSES[min(rounds, len(_PAUSES) - 1)]
        rounds += 1
        if time.monotonic() + pause >= until:
            break
        time.sleep(pause)
    return Search(None, tuple(told.values()))


def _with_lease(uplink: Uplink, system: System) -> Uplink:
    """The same, with what the lease says that another client than ours has taken."""
    from guestinit.system import leases

    lease = None if uplink.dhcp_server else leases.find(uplink.nic, uplink.addresses, system)
    if lease is None:
        return uplink
    return uplink._replace(dhcp_server=lease.server, domain=uplink.domain or lease.domain)


def find_routers(uplink: Uplink, system: System) -> tuple[tuple[str, str], ...]:
    """The addresses at which the router may be, each once, and what they are."""
    candidates = ((_resolve(system), "data-server"), (uplink.dhcp_server, "DHCP server"), (uplink.gateway, "gateway"))
    routers: dict[str, str] = {}
    for address, what in candidates:
        if address:
            routers.setdefault(address, what)
    return tuple(routers.items())


def _domain(uplink: Uplink) -> tuple[Document, ...]:
    """The domain of the network: the router names its guests without it, and leases of other clients may lack it."""
    if not uplink.domain:
        return ()
    return (Document("domain", f"the lease of {uplink.nic}", uplink.domain.encode(), fleeting=True),)


def _resolve(system: System) -> str:
    """The address of `data-server.`, if some server of names knows it without delay."""
    from guestinit.system.failed import Failed

    try:
        asked = system.process.run(("getent", "ahostsv4", DATA_SERVER), timeout=_NAME_LIMIT)
    except (Failed, OSError):
        return ""
    words = asked.output.split()
    return words[0] if asked.code == 0 and not asked.timed_out and words else ""


# metadata


def _read_tree(address: str, nic: str, until: float) -> tuple[Document, ...]:
    """All leaves and user-data. Raises http.NoAnswer if this router has nothing for us, or not yet."""
    from guestinit.datasources import asking
    from guestinit.system import http

    base = f"http://{address}/latest"
    found = []
    for key in _list_keys(f"{base}/meta-data/", nic, until):
        answer = asking.get(f"{base}/meta-data/{key}", until, nic=nic)
        if answer is not None and answer.body.strip():  # some routers say nothing where others say 404
            found.append(Document(f"meta-data/{key.lower()}", f"{base}/meta-data/{key}", answer.body, key in _PASSING))
            asking.require_size(found)
    if not any(document.name == "meta-data/instance-id" for document in found):
        raise http.NoAnswer("instance-id is empty: a router that is being built, or of another network")
    user_data = asking.get(f"{base}/user-data", until, nic=nic)
    if user_data is not None and user_data.body:
        found.append(Document("user-data", f"{base}/user-data", user_data.body))
        asking.require_size(found)
    return tuple(found)


def _list_keys(url: str, nic: str, until: float) -> list[str]:
    """The names of the leaves. Without the last slash of this address, routers redirect or say 404."""
    from guestinit.system import http

    answer = http.request(url, min(until, time.monotonic() + _FIRST_LIMIT), nic=nic)
    if answer.status != 200:
        raise http.NoAnswer(f"status {answer.status}")
    keys = answer.body.decode("utf-8", "replace").split()
    if not keys:
        raise http.NoAnswer("knows nothing of this machine")
    if len(keys) > _MOST_KEYS or not all(map(_is_key, keys)):
        raise http.NoAnswer("answers something that is no list of keys")
    return keys


def _is_key(word: str) -> bool:
    return word.isascii() and word[0].isalnum() and word.translate(str.maketrans("-_.", "000")).isalnum()


# the password


def _ask_for_password(
    routers: tuple[tuple[str, str], ...], nic: str, deadline: float
) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """The password and the server that handed it over, and what each server said.

    A pair of redundant routers has the server on one address only, and the password on the router that was active when
    it was set; on shared networks a neighbour's may answer. So all are asked until one has it.
    """
    from guestinit.system import password_server

    ranks = ("DHCP server", "data-server", "gateway")
    seen = []
    for address, _ in sorted(routers, key=lambda router: ranks.index(router[1])):
        secret, reason = password_server.ask(address, deadline, nic)
        seen.append(f"{NAME}: password server {address}: {reason}")
        if secret is not None:
            label = f"{address}:{PASSWORD_PORT}"
            return (
                Document("password", label, secret.reveal(), fleeting=True),
                Document("password-server", label, address.encode(), fleeting=True),
            ), tuple(seen)
    return (), tuple(seen)
