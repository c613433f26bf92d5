"""EC2's metadata service over real connections to its real addresses (platforms.md 9; 14, quirk 40)."""

from __future__ import annotations

import gzip
import os
import time
from functools import partial

import pytest

from guestinit.datasources import Search, asking, ec2
from guestinit.model.seed import Seed
from guestinit.system.uplink import Uplink
from tests.http import fetching
from tests.http.fetching import seed_of
from tests.http.listener import Listener, answer, say
from tests.http.namespaces import EC2_IPV6, OPENSTACK, Ends
from tests.http.servers import NOT_FOUND, Ec2, Reply, ec2_files, serving

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.usefixtures("soon"),
]

IPV6 = Uplink("eth0", 6, ("fe80::5/64", "fd00:5::5/64"))
MAC = "network/interfaces/macs/fa:16:3e:00:11:22"
AWS = (*Ec2.versions[:-1], "2016-09-02", "2018-09-24", "2021-03-23", "latest")
fetch = partial(fetching.fetch, ec2.fetch)


def service_with(tokens: str, **more: bytes) -> Ec2:
    """EC2's own has newer versions than the imitations without tokens."""
    service = Ec2(lambda: ec2_files(**more))
    service.tokens = tokens
    if tokens != "none":
        service.versions = AWS
    return service


def content(seed: Seed) -> dict[str, bytes]:
    return {document.name: document.content for document in seed.documents}


def test_whole_tree_and_user_data_of_an_imitation_without_tokens(ends: Ends) -> None:
    with serving(ends, service_with("none", **{"user-data": b"#cloud-config\n"})) as service:
        search = fetch(ends)
    seed = seed_of(search)
    assert content(seed) == ec2_files(**{"user-data": b"#cloud-config\n"})
    assert (seed.datasource, seed.format, seed.where) == ("ec2", "ec2", "http://169.254.169.254 (eth0)")
    assert seed.reason == "the metadata service, version 2009-04-04, without a token"
    assert search.reasons == () and service.log[0] == "PUT /latest/api/token 405"
    assert seed.documents[0].label == "ec2:meta-data/ami-id"


@pytest.mark.parametrize("tokens", ["required", "optional"])
def test_every_request_carries_the_token(tokens: str, ends: Ends) -> None:
    with serving(ends, service_with(tokens)) as service:
        seed = seed_of(fetch(ends))
    assert seed.reason == "the metadata service, version 2021-03-23, with a token"
    assert content(seed) == ec2_files()
    first, *rest = service.headers
    assert first["x-aws-ec2-metadata-token-ttl-seconds"] == "21600" and first["content-length"] == "0"
    assert {headers.get("x-aws-ec2-metadata-token") for headers in rest} == {service.token}


def test_token_that_ran_out_is_renewed_once(ends: Ends) -> None:
    with serving(ends, service_with("required")) as service:
        service.faults["/2021-03-23/user-data"] = [Reply(401)]
        seed = seed_of(fetch(ends))
    assert [line for line in service.log if "PUT" in line or "401" in line] == [
        "PUT /latest/api/token 200", "GET /2021-03-23/user-data 401", "PUT /latest/api/token 200",
    ]  # fmt: skip
    assert content(seed) == ec2_files()


def test_second_401_is_the_end(ends: Ends) -> None:
    with serving(ends, service_with("required")) as service:
        service.faults["/2021-03-23/user-data"] = [Reply(401), Reply(401)]
        search = fetch(ends)
    assert search.seed is None
    assert search.reasons == ("ec2: http://169.254.169.254/2021-03-23/user-data over eth0: status 401",)


def test_403_says_that_the_service_is_switched_off(ends: Ends) -> None:
    with serving(ends, service_with("off")) as service:
        search = fetch(ends)
    assert search.seed is None and len(service.log) == 1
    (reason,) = search.reasons
    assert reason.endswith("/latest/api/token over eth0: status 403: the metadata service is switched off for this"
                           " instance")  # fmt: skip


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_server_without_tokens_is_asked_without(status: int, ends: Ends) -> None:
    with serving(ends, service_with("none")) as service:
        service.faults["/latest/api/token"] = [Reply(status, NOT_FOUND)]
        assert seed_of(fetch(ends)).reason.endswith("without a token")


def test_token_that_gets_lost_is_said_and_v1_is_tried(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hop limit of one: the answer to PUT does not reach a guest behind a router."""
    monkeypatch.setattr(ec2, "TOKEN_PATIENCE", 1.5)
    with serving(ends, service_with("optional")) as service:
        right = service.right

        def lose(method: str, path: str, headers: dict[str, str]) -> Reply:
            if method == "PUT":
                time.sleep(3)
            return right(method, path, headers)

        service.right = lose  # type: ignore[method-assign]
        service._lock = __import__("contextlib").nullcontext()  # a request that waits holds up no other
        search = fetch(ends)
    assert content(seed_of(search)) == ec2_files()
    (said,) = search.reasons
    assert "no token: no answer in time" in said and said.endswith("asked without one")


def test_user_data_is_bytes(ends: Ends) -> None:
    packed = gzip.compress(b"#cloud-config\n", mtime=0)
    for given in (packed, bytes(range(256)), b"", b"\x7fELF\0\0"):
        with serving(ends, service_with("required", **{"user-data": given})):
            assert content(seed_of(fetch(ends)))["user-data"] == given


def test_tree_rules(ends: Ends) -> None:
    """`name/` is a directory, `0=name` a key, a listed leaf may be missing, and credentials are not asked for."""
    files = {
        "meta-data/iam/info": b'{"Code": "Success"}', "meta-data/iam/security-credentials/role": b"key-of-the-role",
        "meta-data/identity-credentials/ec2/security-credentials/ec2-instance": b"key-of-the-instance",
        f"meta-data/{MAC}/device-number": b"0", f"meta-data/{MAC}/local-ipv4s": b"10.0.0.5",
        "meta-data/public-keys/1/openssh-key": b"ssh-ed25519 AAAA other", "meta-data/tags/instance/Name": b"web",
    }  # fmt: skip
    with serving(ends, service_with("required", **files)) as service:
        service.faults["/2021-03-23/meta-data/public-ipv4"] = [Reply(404)]
        service.faults["/2021-03-23/meta-data/ami-id"] = [Reply(400)]
        search = fetch(ends)
    seed = seed_of(search)
    left_out = {"meta-data/public-ipv4", "meta-data/ami-id"} | {name for name in files if "credentials" in name}
    assert content(seed) == {name: text for name, text in ec2_files(**files).items() if name not in left_out}
    assert not [line for line in service.log if "credentials/" in line]
    assert search.reasons == ("ec2: /2021-03-23/meta-data/ami-id: status 400; left out",)
    lasting = {document.name for document in seed.documents if not document.fleeting}
    assert lasting == {
        "meta-data/instance-id", "meta-data/local-hostname", "meta-data/public-keys/0/openssh-key",
        "meta-data/public-keys/1/openssh-key", f"meta-data/{MAC}/device-number", f"meta-data/{MAC}/local-ipv4s",
    }  # fmt: skip


def test_tree_without_end_is_not_walked_to_its_end(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2, "MOST_LEAVES", 20)
    endless = "".join(f"leaf{number}\n" for number in range(100)) + "deeper/\n../\n..\na/b\nwhat?\n\x01\n"
    with Listener(ends.cloud, OPENSTACK, say(answer("200 OK", endless.encode()))):
        search = fetch(ends)
    assert len(seed_of(search).documents) == 21  # with user-data
    assert "more than 20 leaves" in search.reasons[-1]
    monkeypatch.setattr(ec2, "MOST_LEAVES", 1000)
    monkeypatch.setattr(asking, "MOST_BYTES", 3 * len(endless))
    with Listener(ends.cloud, OPENSTACK, say(answer("200 OK", endless.encode()))):
        search = fetch(ends)
    assert len(seed_of(search).documents) == 5  # four of this size are too much, but what was read counts
    assert search.reasons[-1] == "ec2: more than 16 MiB of leaves; what follows leaf3 is not read"
    with Listener(ends.cloud, OPENSTACK, say(answer("200 OK", b"deeper/\n"))) as server:
        seed_of(fetch(ends))
    assert len(server.requests) < 20


def test_imitation_without_a_list_of_versions_has_latest(ends: Ends) -> None:
    for root in (Reply(404), Reply(200, b"<html>It works!</html>"), Reply(400), Reply(200, b"")):
        with serving(ends, service_with("none")) as service:
            service.faults["/"] = [root]
            assert "version latest" in seed_of(fetch(ends)).reason


def test_ipv6_address_needs_a_global_one(ends: Ends) -> None:
    with serving(ends, service_with("required"), EC2_IPV6) as service:
        assert seed_of(fetch(ends, IPV6)).where == "http://[fd00:ec2::254] (eth0)"
        before = len(service.log)
        search = fetch(ends, Uplink("eth0", 6, ("fe80::5/64",)))
    assert search == Search(None, ("ec2: eth0 has no global IPv6 address",)) and len(service.log) == before


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_tree_that_is_not_there_yet_is_asked_for_again(status: int, ends: Ends) -> None:
    with serving(ends, service_with("required")) as service:
        service.faults["/2021-03-23/meta-data/"] = [Reply(status), Reply(status)]
        service.faults["/latest/api/token"] = [Reply(503)]
        assert content(seed_of(fetch(ends))) == ec2_files()


def test_page_of_a_portal_is_refused(ends: Ends) -> None:
    with Listener(ends.cloud, OPENSTACK, say(answer("200 OK", b"<html>log in</html>"))):
        search = fetch(ends)
    assert search.seed is None
    assert search.reasons[-1].endswith("an HTML page: a captive portal or a proxy, not a metadata service")


@pytest.mark.parametrize("token", [b"", b"a\r\nX-Evil: 1", b"\xff\xfe", b"x" * 5000])
def test_token_that_no_header_can_hold_is_not_sent(token: bytes, ends: Ends) -> None:
    with serving(ends, service_with("optional")) as service:
        service.faults["/latest/api/token"] = [Reply(200, token)]
        assert seed_of(fetch(ends)).reason.endswith("without a token")
    assert not any("x-evil" in headers or "x-aws-ec2-metadata-token" in headers for headers in service.headers[1:])


def test_token_is_in_nothing_that_is_told_or_kept(ends: Ends) -> None:
    with serving(ends, service_with("required")) as service:
        service.token = "AQAE-token-that-nobody-may-see-5Jk=="
        service.faults["/2021-03-23/meta-data/ami-id"] = [Reply(400, service.token.encode())]
        good = fetch(ends)
        service.faults["/2021-03-23/user-data"] = [Reply(403, service.token.encode())]
        bad = fetch(ends)
    assert seed_of(good) and bad.seed is None
    assert service.token not in repr(good) and service.token not in repr(bad)
