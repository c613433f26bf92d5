"""OpenStack's metadata service over real connections to its real addresses (platforms.md 8.2; 14, quirk 40)."""

from __future__ import annotations

import json
import os
import time
from functools import partial

import pytest

from guestinit.datasources import Search, asking, openstack
from guestinit.system.uplink import Uplink
from tests.http import fetching
from tests.http.fetching import seed_of
from tests.http.listener import Behave, Listener, answer, in_turn, say
from tests.http.namespaces import OPENSTACK, OPENSTACK_LINK, Ends
from tests.http.servers import KEY, NOT_FOUND, OpenStack, Reply, openstack_files, serving

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.usefixtures("soon"),
]

IPV6 = Uplink("eth0", 6, ("fe80::5/64",))
fetch = partial(fetching.fetch, openstack.fetch)


def refusal(ends: Ends, behave: Behave, seconds: float = 2) -> str:
    with Listener(ends.cloud, OPENSTACK, behave):
        search = fetch(ends, seconds=seconds)
    assert search.seed is None
    (reason,) = search.reasons
    return reason


def test_all_documents_of_the_newest_known_version_are_fetched(ends: Ends) -> None:
    files = openstack_files(user_data=b"#cloud-config\n")
    service = OpenStack(lambda: files)
    service.versions = (*service.versions, "2031-01-01")  # of a release that nobody knows yet
    with serving(ends, service):
        seed = seed_of(fetch(ends))
    assert seed.datasource == seed.format == "openstack"
    assert seed.where == "http://169.254.169.254 (eth0)"
    assert seed.reason == "the metadata service, version 2020-10-14"
    assert {document.name: (document.label, document.content) for document in seed.documents} == {
        "meta-data": ("openstack:meta_data.json", files["meta_data.json"]),
        "user-data": ("openstack:user_data", b"#cloud-config\n"),
        "network-config": ("openstack:network_data.json", files["network_data.json"]),
        "vendor-data": ("openstack:vendor_data.json", b"{}"),
        "vendor-data2": ("openstack:vendor_data2.json", b'{"static": {}}'),
    }
    assert service.log[0] == "GET /openstack 200" and len(service.log) == 6  # below ten, a limit that operators set


@pytest.mark.parametrize(
    ("versions", "taken"), [(("latest",), "latest"), (("2012-08-10", "2015-10-15", "latest"), "2015-10-15"),
                            (("2031-01-01", "latest"), "latest")],
)  # fmt: skip
def test_version_is_the_newest_that_both_know(versions: tuple[str, ...], taken: str, ends: Ends) -> None:
    service = OpenStack(openstack_files)
    service.versions = versions
    with serving(ends, service):
        assert seed_of(fetch(ends)).reason == f"the metadata service, version {taken}"


def test_link_local_address_alone_is_enough(ends: Ends) -> None:
    service = OpenStack(openstack_files)
    with serving(ends, service, f"{OPENSTACK_LINK}%cloud0"):
        seed = seed_of(fetch(ends, IPV6))
    assert seed.where == "http://[fe80::a9fe:a9fe] (eth0)"
    assert {headers["host"] for headers in service.headers} == {"[fe80::a9fe:a9fe]"}


def test_user_data_404_is_none_and_200_empty_is_empty_and_bytes_stay_bytes(ends: Ends) -> None:
    for files, content in (
        (openstack_files(), None),
        (openstack_files(user_data=b""), b""),
        (openstack_files(user_data=bytes(range(256)) * 300), bytes(range(256)) * 300),
    ):
        with serving(ends, OpenStack(lambda: files)):  # noqa: B023
            document = seed_of(fetch(ends)).document("user-data")
        assert (document.content if document else None) == content


def test_files_that_meta_data_names_are_fetched_and_no_others(ends: Ends) -> None:
    files = openstack_files()
    said = json.loads(files["meta_data.json"])
    said["files"] = [{"path": "/etc/motd", "content_path": "/content/0000"},
                     {"path": "/etc/one", "content_path": "../../../etc/shadow"},
                     {"path": "/etc/two", "content_path": "/content/../latest/user_data"},
                     {"path": "/etc/gone", "content_path": "/content/0007"},
                     {"path": "/etc/odd", "content_path": ["/content/0000"]}, None]  # fmt: skip
    said["network_config"] = {"name": "network_config", "content_path": "/content/0001"}
    files["meta_data.json"] = json.dumps(said).encode()
    files.update({"content/0000": b"hello\n", "content/0001": b"auto lo\n", "user_data": b"secret"})
    service = OpenStack(lambda: files)
    with serving(ends, service):
        seed = seed_of(fetch(ends))
    content = {document.name: document.content for document in seed.documents if document.name.startswith("content/")}
    assert content == {"content/0000": b"hello\n", "content/0001": b"auto lo\n"}
    assert [line for line in service.log[6:]] == [
        "GET /openstack/content/0000 200", "GET /openstack/content/0007 404", "GET /openstack/content/0001 200",
    ]  # fmt: skip


def test_web_page_that_the_user_injects_is_a_file_like_any_other(ends: Ends) -> None:
    """Only there: in the place of a document an HTML page is a portal's."""
    page = b"<!DOCTYPE html><html><body>It works!</body></html>"
    meta_data = {"uuid": "9f1c", "files": [{"path": "/var/www/html/index.html", "content_path": "/content/0000"}]}
    files = openstack_files(**{"meta_data.json": json.dumps(meta_data).encode(), "content/0000": page})
    with serving(ends, OpenStack(lambda: files)):
        document = seed_of(fetch(ends)).document("content/0000")
    assert document is not None and document.content == page
    with serving(ends, OpenStack(lambda: {**files, "user_data": page})):
        assert "user_data over eth0: an HTML page" in fetch(ends).reasons[0]


def test_all_documents_together_are_bounded(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a drive are; half of a seed is none."""
    files = openstack_files(user_data=b"x" * 5000)
    monkeypatch.setattr(asking, "MOST_BYTES", sum(map(len, files.values())))
    with serving(ends, OpenStack(lambda: files)):
        seed_of(fetch(ends))
        files["user_data"] += b"x"
        search = fetch(ends)
    where = "http://169.254.169.254/openstack/2020-10-14/vendor_data2.json over eth0"
    assert search == Search(None, (f"openstack: {where}: more than 16 MiB with what came before it",))


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"null", b"\xff", b'{"files": 7}', b'{"files": {"a": "b"}}'])
def test_broken_meta_data_is_handed_over_as_it_is(broken: bytes, ends: Ends) -> None:
    service = OpenStack(lambda: openstack_files(**{"meta_data.json": broken}))
    with serving(ends, service):
        search = fetch(ends, seconds=3)
    if broken:
        assert seed_of(search).documents[0].content == broken
    else:  # an empty body is what a proxy says whose backend is not there yet
        assert search.seed is None and "status 200 with nothing in it" in search.reasons[0]


# what passes


@pytest.mark.parametrize("status", [404, 429, 500, 502, 503, 504])
def test_service_that_does_not_know_the_port_yet_is_asked_again(status: int, ends: Ends) -> None:
    service = OpenStack(openstack_files)
    service.faults["/openstack"] = [Reply(status, NOT_FOUND), Reply(status), Reply(200, b"")]
    with serving(ends, service):
        seed_of(fetch(ends))
    assert service.log[:4] == [f"GET /openstack {status}"] * 2 + ["GET /openstack 200"] * 2


@pytest.mark.parametrize("file", ["meta_data.json", "user_data", "vendor_data2.json"])
def test_document_that_fails_for_a_moment_is_not_lost(file: str, ends: Ends) -> None:
    files = openstack_files(user_data=b"#!/bin/sh\n")
    service = OpenStack(lambda: files)
    service.faults[f"/openstack/2020-10-14/{file}"] = [Reply(500), Reply(429, b"", Retry_After="1")]
    with serving(ends, service):
        seed = seed_of(fetch(ends))
    assert {document.label[10:] for document in seed.documents} == set(files)


def test_document_that_never_comes_leaves_no_half_seed(ends: Ends) -> None:
    service = OpenStack(openstack_files)
    service.faults["/openstack/2020-10-14/user_data"] = [Reply(500)] * 100
    with serving(ends, service):
        search = fetch(ends, seconds=3)
    assert search.seed is None
    assert search.reasons[0].startswith(
        "openstack: http://169.254.169.254/openstack/2020-10-14/user_data over eth0: status 500 ("
    )


# what does not


def test_foreign_answers_are_refused_with_a_reason(ends: Ends) -> None:
    at = "openstack: http://169.254.169.254/openstack over eth0: "
    page = answer("200 OK", b"<!DOCTYPE html><html><body>Please log in</body></html>")
    assert refusal(ends, say(page)) == f"{at}an HTML page: a captive portal or a proxy, not a metadata service"
    moved = answer("302 Found", b"", Location="http://login.example.com/")
    assert refusal(ends, say(moved)) == f"{at}status 302: sends elsewhere, which is not followed"
    assert refusal(ends, say(answer("403 Forbidden"))) == f"{at}status 403"
    assert refusal(ends, say(answer("200 OK", b"hello"))) == f"{at}not a list of versions: not OpenStack"


def test_servers_that_do_not_answer_properly_end_at_the_deadline(ends: Ends) -> None:
    start = time.monotonic()
    assert "does not speak HTTP (" in refusal(ends, say(b"hello"))
    assert "cut short: 6 of 60 bytes (" in refusal(ends, say(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nlatest"))
    assert "no answer in time" in refusal(ends, lambda connection, _: connection.recv(1), 2)
    assert "connection refused (" in fetch(ends, seconds=3).reasons[0]
    assert time.monotonic() - start < 60


def test_redirect_is_not_followed_even_after_the_list(ends: Ends) -> None:
    moved = answer("301 Moved Permanently", b"", Location="http://10.0.0.2/x")
    assert "meta_data.json over eth0: status 301" in refusal(ends, in_turn(answer("200 OK", b"latest"), moved))


def test_nothing_but_the_key_of_the_guest_is_told(ends: Ends) -> None:
    """The reasons go into the status and the journal: nothing that the service said stands in them."""
    service = OpenStack(lambda: openstack_files(user_data=b"password: hunter2"))
    service.faults["/openstack/2020-10-14/vendor_data.json"] = [Reply(403, b"hunter2")]
    with serving(ends, service):
        search = fetch(ends)
    assert search.seed is None and KEY not in str(search.reasons) and "hunter2" not in str(search.reasons)
