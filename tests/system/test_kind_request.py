"""A server is told something, and has to say that it heard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestinit.model.action import Because, Request, Step
from guestinit.model.plan import LEFT, RUN, Change
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, request
from guestinit.system.root import Root
from tests.http.cloudstack_router import Router
from tests.http.listener import Listener, in_turn, say
from tests.http.namespaces import Namespace
from tests.system.machine import machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

HEARD = (("DomU_Request", "saved_password"),)
STEP = Step("request:x", "x", Request("http://10.1.1.1:8080/", "x", HEARD, "saved_password"), Because(text="x"))


@pytest.fixture(scope="module")
def here() -> Iterator[Namespace]:
    namespace = Namespace()
    namespace.ip("address add 10.1.1.1/32 dev lo")
    yield namespace
    namespace.close()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_BETWEEN", 0.1)
    monkeypatch.setattr(request, "_EACH", 2.0)


def tell(here: Namespace, tmp_path: Path) -> Done:
    return here.run(lambda: request.apply(Change(STEP, RUN), machine(tmp_path)))


@pytest.mark.parametrize("kind", ["python3", "python2", "shell", "nothing"])
def test_server_that_heard_forgets_the_password(kind: str, here: Namespace, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("fQ7x")
    router = here.run(lambda: Router("10.1.1.1", tmp_path, "python3" if kind == "nothing" else kind))
    try:
        assert tell(here, tmp_path) == Done()
        assert router.log == ["saved_password"] and not (tmp_path / "password").exists()
        assert tell(here, tmp_path) == Done()  # twice does no harm
    finally:
        router.close()


def test_all_is_on_the_disk_before_anybody_is_told(here: Namespace, tmp_path: Path) -> None:
    """Or the server forgets a password that a power cut takes from the guest."""
    (tmp_path / "password").write_text("fQ7x")
    router = here.run(lambda: Router("10.1.1.1", tmp_path))
    asked: list[list[str]] = []

    class Synced(Root):
        def sync_all(self) -> None:
            asked.append(router.log)

    system = machine(tmp_path)._replace(root=Synced(str(tmp_path)))
    try:
        assert here.run(lambda: request.apply(Change(STEP, RUN), system)) == Done()
    finally:
        router.close()
    assert (asked, router.log) == ([[]], ["saved_password"])


def test_nobody_listens(here: Namespace, tmp_path: Path) -> None:
    with pytest.raises(Failed) as raised:
        tell(here, tmp_path)
    assert raised.value.message == "10.1.1.1:8080: connection refused (3 attempts)"


def test_answer_to_something_else_is_no_answer_and_is_not_told(here: Namespace, tmp_path: Path) -> None:
    with Listener(here, "10.1.1.1", say(b"fQ7x"), 8080) as server, pytest.raises(Failed) as raised:
        tell(here, tmp_path)
    assert raised.value.message == "10.1.1.1:8080: it answered something else (3 attempts)"
    assert len(server.requests) == 3
    assert server.requests[0] == b"GET / HTTP/1.0\r\nHost: 10.1.1.1:8080\r\nDomU_Request: saved_password\r\n\r\n"


def test_server_that_is_coming_up_is_told_again(here: Namespace, tmp_path: Path) -> None:
    with Listener(here, "10.1.1.1", in_turn(b"HTTP/1.0 503 Busy\r\n\r\n", b"saved_password\n"), 8080) as server:
        assert tell(here, tmp_path) == Done()
    assert len(server.requests) == 2


def test_it_is_shown_and_not_done_before_it_is_due(tmp_path: Path) -> None:
    change = request.observe(STEP, machine(tmp_path))
    assert (change.change, change.note) == (RUN, "GET http://10.1.1.1:8080/ with DomU_Request: saved_password")
    assert request.observe(STEP, machine(tmp_path, live=False)).change == LEFT
