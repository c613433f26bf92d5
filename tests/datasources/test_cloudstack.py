"""CloudStack's virtual router at the addresses that it has, in network namespaces (platforms.md 7 and 14, quirk 41)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guestinit.datasources import Search, cloudstack
from guestinit.model.problem import Problems
from guestinit.model.seed import Seed
from guestinit.reading import metadata
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from guestinit.system.uplink import Uplink
from tests.http.cloudstack_router import KINDS, Router, fill
from tests.http.listener import Listener, answer, say
from tests.http.namespaces import Ends, router_link

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

VM = "5f0f1f4c-1111-4222-8333-944455556666"
PASSWORD = " fQ7x Kp2 "
UPLINK = Uplink("eth0", 4, ("10.1.1.23/24",), "10.1.1.1", "10.1.1.1")
Make = Callable[..., Router]


class Names(Process):
    """getent(1), with what it would say of `data-server.`."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def run(self, argv: Any, *_: Any, **named: Any) -> Finished:
        assert tuple(argv) == ("getent", "ahostsv4", "data-server.")
        assert named["timeout"] <= 2
        lines = "".join(f"{self.address:<16}{kind}  data-server.\n" for kind in ("STREAM", "DGRAM", "RAW"))
        return Finished(0, lines, 0.0) if self.address else Finished(2, "", 0.0)


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    with router_link() as both:
        yield both


@pytest.fixture
def make(ends: Ends, tmp_path: Path) -> Iterator[Make]:
    made: list[Router] = []

    def one(address: str = "10.1.1.1", kind: str = "python3", password: str = "", **leaves: str) -> Router:
        state = fill(tmp_path / address, **leaves)
        if password:
            (state / "password").write_text(password)
        made.append(ends.cloud.run(lambda: Router(address, state, kind)))
        return made[-1]

    yield one
    for router in made:
        router.close()


@pytest.fixture
def fetch(ends: Ends, tmp_path: Path) -> Callable[..., Search]:
    def ask(uplink: Uplink = UPLINK, name: str = "", seconds: float = 15) -> Search:
        root = Root(str(tmp_path / "guest"), writable=False)
        media: Any = None
        system = System(root, Names(name), media, State(root), True)
        return ends.guest.run(lambda: cloudstack.fetch(uplink, system, time.monotonic() + seconds))

    (tmp_path / "guest").mkdir()
    return ask


Fetch = Callable[..., Search]


def documents(search: Search) -> dict[str, bytes]:
    assert search.seed is not None, search.reasons
    return {document.name: document.content for document in search.seed.documents}


def password(search: Search) -> bytes | None:
    return documents(search).get("password")


# metadata


def test_tree_of_the_router(make: Make, fetch: Fetch) -> None:
    """Keys without a line break at the end, public-keys as a plain file, and user-data byte by byte."""
    router = make()
    script = b"#!/bin/sh\n\xff\x00"
    (router.state / "user-data").write_bytes(script)
    search = fetch()
    found = documents(search)
    assert found["user-data"] == script
    assert found["meta-data/instance-id"] == VM.encode()
    assert found["meta-data/public-keys"].endswith(b"ops@bastion\n")
    assert search.seed is not None
    assert search.seed.where == "http://10.1.1.1/latest (DHCP server, over eth0)"
    meta = metadata.read(search.seed, Problems())
    assert (meta.instance_id, meta.hostname and meta.hostname.value) == (VM, "vm-web-1")
    assert [key.value.split()[-1] for key in meta.public_keys] == ["ops@bastion"]
    assert meta.document["service-offering"] == "Small Instance"


def test_list_of_keys_is_asked_with_the_last_slash(make: Make, fetch: Fetch) -> None:
    """Quirk 41: without it a router sends elsewhere or says 404."""
    router = make()
    assert documents(fetch())
    assert router.log[0] == "GET /latest/meta-data/"
    assert "GET /latest/meta-data" not in router.log


def test_no_user_data_is_404_and_no_document(make: Make, fetch: Fetch) -> None:
    make()
    assert "user-data" not in documents(fetch())


def test_keys_that_are_empty_or_404_are_the_same(make: Make, fetch: Fetch) -> None:
    make(public_keys="", availability_zone=" \n")
    found = documents(fetch())
    assert "meta-data/public-keys" not in found and "meta-data/availability-zone" not in found


def test_empty_instance_id_is_asked_again(make: Make, fetch: Fetch) -> None:
    """While a router is rebuilt, everything is there and nothing is in it."""
    router = make(instance_id="")
    silent = fetch(seconds=7)
    assert silent.seed is None
    assert silent.reasons == (
        "cloudstack: 10.1.1.1 (DHCP server): instance-id is empty: a router that is being built, or of another network",
    )
    import threading

    threading.Timer(1.5, fill, (router.state,), {"instance_id": "i-2-34-VM"}).start()
    assert documents(fetch())["meta-data/instance-id"] == b"i-2-34-VM"


def test_router_of_another_network_is_passed_over(make: Make, fetch: Fetch) -> None:
    """It knows its guests by their addresses: the others get 404."""
    wrong, right = make("10.1.1.2"), make("10.1.1.1")
    (wrong.state / "clients").write_text("10.1.1.99\n")
    search = fetch(UPLINK._replace(dhcp_server="10.1.1.2"))
    assert search.seed is not None and search.seed.where.startswith("http://10.1.1.1/latest (gateway")
    assert right.log and wrong.log[0] == "GET /latest/meta-data/"


def test_router_with_an_empty_list_is_passed_over(make: Make, fetch: Fetch) -> None:
    wrong = make("10.1.1.2")
    for leaf in (wrong.state / "meta-data").iterdir():
        leaf.unlink()
    make("10.1.1.1")
    assert fetch(UPLINK._replace(dhcp_server="10.1.1.2")).seed is not None


def test_page_of_a_portal_is_no_list(ends: Ends, fetch: Fetch) -> None:
    page = answer("200 OK", b"<!DOCTYPE html><html><body>Log in</body></html>")
    with Listener(ends.cloud, "10.1.1.1", say(page)):
        search = fetch(seconds=6)
    assert search.seed is None
    assert search.reasons == ("cloudstack: 10.1.1.1 (DHCP server): answers something that is no list of keys",)


def test_data_server_is_asked_first_then_dhcp_server_then_gateway(make: Make, fetch: Fetch) -> None:
    for address in ("10.1.1.1", "10.1.1.2", "10.1.1.3"):
        make(address)
    uplink = UPLINK._replace(dhcp_server="10.1.1.2")
    assert [
        search.seed.where.split("/")[2]
        for search in (fetch(uplink, "10.1.1.3"), fetch(uplink), fetch(uplink._replace(dhcp_server="")))
        if search.seed is not None
    ] == ["10.1.1.3", "10.1.1.2", "10.1.1.1"]


def test_dhcp_server_of_a_card_that_was_configured_by_others_is_in_its_lease(
    make: Make, fetch: Fetch, tmp_path: Path
) -> None:
    make("10.1.1.2")
    lease = tmp_path / "guest/var/lib/dhcp/dhclient.eth0.leases"
    lease.parent.mkdir(parents=True)
    lease.write_text(
        'lease {\n  interface "eth0";\n  fixed-address 10.1.1.23;\n  option dhcp-server-identifier 10.1.1.2;\n}\n'
    )
    search = fetch(UPLINK._replace(dhcp_server="", gateway=""))
    assert search.seed is not None and search.seed.where == "http://10.1.1.2/latest (DHCP server, over eth0)"


@pytest.mark.parametrize(
    ("domain", "hostname", "full"),
    [
        ("cs1cloud.example", "vm-web-1", "vm-web-1.cs1cloud.example"),
        ("cs1cloud.example", "vm-web-1.cosmic.example", "vm-web-1.cosmic.example"),
        ("not a domain", "vm-web-1", "vm-web-1"),
        ("", "vm-web-1", "vm-web-1"),
    ],
)
def test_name_gets_the_domain_of_the_lease(domain: str, hostname: str, full: str, make: Make, fetch: Fetch) -> None:
    """The router knows short names; Cosmic, a fork, full ones."""
    make(local_hostname=hostname)
    search = fetch(UPLINK._replace(domain=domain))
    assert search.seed is not None
    meta = metadata.read(search.seed, Problems())
    assert meta.hostname is not None and meta.hostname.value == full
    assert meta.document["local-hostname"] == hostname


def test_nobody_to_ask(fetch: Fetch) -> None:
    search = fetch(UPLINK._replace(dhcp_server="", gateway=""))
    assert search == Search(None, ("cloudstack: eth0 has no DHCP server, no gateway, and data-server. no address",))
    assert fetch(UPLINK._replace(family=6, addresses=("fe80::1/64",))) == Search(None)


# the password server


@pytest.mark.parametrize("kind", ["python3", "python2", "shell", "nothing", "empty"])
def test_password_of_each_kind_of_server(kind: str, make: Make, fetch: Fetch) -> None:
    """Quirk 41: two Server headers, no length, HTTP/0.9; only line breaks are taken off."""
    router = make(kind=kind, password=PASSWORD)
    search = fetch()
    assert search.seed is not None and search.reasons == (
        "cloudstack: password server 10.1.1.1: hands over a password",
    )
    meta = metadata.read(search.seed, Problems())
    assert meta.reset is not None and meta.reset.secret is not None
    assert meta.reset.secret.reveal() == PASSWORD.encode()
    assert meta.password_server == "10.1.1.1"
    assert "password" not in repr(meta.document).lower() and PASSWORD not in repr(meta)
    assert router.log[-1] == "send_my_password"
    fleeting = {document.name for document in search.seed.documents if document.fleeting}
    assert fleeting == {"password", "password-server"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mute"])
def test_no_password_of_each_kind_of_server(kind: str, make: Make, fetch: Fetch) -> None:
    """Quirk 41: saved_password, empty, bad_request inside 200, closed without bytes, closed port."""
    make(kind=kind)
    search = fetch()
    assert password(search) is None
    assert search.reasons[0].startswith("cloudstack: password server 10.1.1.1: ")
    expected = {"refusing": "refuses the request", "closed": "connection refused"}
    assert search.reasons[0].endswith(expected.get(kind, "has no password for this machine"))


def test_mute_password_server_costs_a_few_seconds_and_no_seed(make: Make, fetch: Fetch) -> None:
    make(kind="mute", password=PASSWORD)
    started = time.monotonic()
    search = fetch(seconds=60)
    assert time.monotonic() - started < 20
    assert password(search) is None
    assert search.reasons == ("cloudstack: password server 10.1.1.1: no answer in time",)


def test_password_of_another_candidate(make: Make, fetch: Fetch) -> None:
    """A redundant pair: the DHCP server's address has no password server; the gateway's has the password."""
    make("10.1.1.2", kind="closed")
    make("10.1.1.1", password=PASSWORD)
    search = fetch(UPLINK._replace(dhcp_server="10.1.1.2"))
    assert search.reasons == (
        "cloudstack: password server 10.1.1.2: connection refused",
        "cloudstack: password server 10.1.1.1: hands over a password",
    )
    assert documents(search)["password-server"] == b"10.1.1.1"


def test_neighbour_that_answers_for_us_does_not_keep_the_password_from_us(make: Make, fetch: Fetch) -> None:
    """Wrong router: on a shared network the server of another one says that it has nothing."""
    make("10.1.1.2")
    make("10.1.1.1", password=PASSWORD)
    assert password(fetch(UPLINK._replace(dhcp_server="10.1.1.2"))) == PASSWORD.encode()


def test_asking_takes_nothing_from_the_server(make: Make, fetch: Fetch) -> None:
    router = make(password=PASSWORD)
    assert password(fetch()) == password(fetch()) == PASSWORD.encode()
    assert "saved_password" not in router.log


@pytest.mark.parametrize("text", ["", " \n", "saved_password"])
def test_leaf_of_a_drive_that_says_the_same(text: str) -> None:
    from guestinit.model.seed import Document

    seed = Seed("x", "x", "", (Document("meta-data/instance-id", "x", b"a"), Document("password", "x", text.encode())),
                "cloudstack")  # fmt: skip
    assert metadata.read(seed, Problems()).reset is None
