"""Asking again: what passes is waited for, what does not ends it (platforms.md 14, quirk 40)."""

from __future__ import annotations

import os
import time

import pytest

from guestinit.datasources import asking
from guestinit.system import http
from guestinit.system.race import Race
from tests.http.listener import Listener, answer, in_turn
from tests.http.namespaces import OPENSTACK, Ends

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

URL = f"http://{OPENSTACK}/openstack/latest/meta_data.json"
GOOD = answer("200 OK", b'{"uuid": "1"}')


class Asked:
    """What asking brought, and how often the server was asked."""

    def __init__(self, ends: Ends, answers: tuple[bytes, ...], seconds: float, **more: object):
        guest, cloud = ends
        self.answer: http.Answer | None = None
        self.reason, self.status = "", 0
        start = time.monotonic()
        with Listener(cloud, OPENSTACK, in_turn(*answers)) as server:
            try:
                self.answer = guest.run(
                    lambda: asking.get(URL, time.monotonic() + seconds, nic="eth0", **more)  # type: ignore[arg-type]
                )
            except http.NoAnswer as no_answer:
                self.reason, self.status = no_answer.reason, getattr(no_answer, "status", 0)
        self.times, self.took = len(server.requests), time.monotonic() - start


@pytest.mark.parametrize("passing", ["500 Oops", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout",
                                     "429 Too Many Requests", "408 Request Timeout"])  # fmt: skip
def test_what_passes_is_asked_again(passing: str, ends: Ends) -> None:
    asked = Asked(ends, (answer(passing), answer(passing, b"<html>busy</html>"), GOOD), 30)
    assert asked.answer is not None and asked.answer.body == b'{"uuid": "1"}'
    assert asked.times == 3


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", b"no HTTP at all\r\n"])
def test_broken_answer_is_asked_for_again(broken: bytes, ends: Ends) -> None:
    asked = Asked(ends, (broken, GOOD), 30)
    assert asked.answer is not None and asked.times == 2


def test_404_is_nothing_and_an_empty_200_is_an_empty_document(ends: Ends) -> None:
    nothing = Asked(ends, (answer("404 Not Found", b"<html>nothing</html>"),), 30)
    assert (nothing.answer, nothing.reason, nothing.times) == (None, "", 1)
    empty = Asked(ends, (answer("200 OK"),), 30)
    assert empty.answer is not None and empty.answer.body == b"" and empty.times == 1


def test_404_passes_where_something_has_to_be_there_and_so_does_an_empty_200(
    ends: Ends,
) -> None:
    asked = Asked(ends, (answer("404 Not Found"), answer("200 OK", b"\n"), GOOD), 30, missing=(), empty=False)
    assert asked.answer is not None and asked.times == 3


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer("302 Found", b"", Location="http://10.0.0.2/"), "status 302: sends elsewhere, which is not followed"),
        (answer("401 Unauthorized"), "status 401"),
        (answer("403 Forbidden", b"<html>"), "status 403"),
        (answer("400 Bad Request"), "status 400"),
        (answer("501 Not Implemented"), "status 501"),
    ],
)
def test_what_will_not_change_ends_it_at_once(said: bytes, reason: str, ends: Ends) -> None:
    asked = Asked(ends, (said,), 30)
    assert (asked.reason, asked.status, asked.times) == (reason, int(said[9:12]), 1)


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><title>Sign in</title>",
        b"\n\n <HTML><body>",
        b"\xef\xbb\xbf<html lang=en>",
        b"<?xml version='1.0'?>\n<!DOCTYPE html>\n<html>",
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_page_of_a_portal_is_refused_whatever_it_is_called(page: bytes, kind: str, ends: Ends) -> None:
    asked = Asked(ends, (answer("200 OK", page, Content_Type=kind),), 30)
    assert asked.reason == "an HTML page: a captive portal or a proxy, not a metadata service"
    assert asked.times == 1


def test_document_that_is_sent_as_html_and_is_none_is_taken(ends: Ends) -> None:
    asked = Asked(ends, (answer("200 OK", b"#!/bin/sh\necho '<html>'\n", Content_Type="text/html"),), 30)
    assert asked.answer is not None


def test_deadline_ends_it_and_the_last_reason_is_told(ends: Ends) -> None:
    asked = Asked(ends, (answer("500 Oops"), answer("503 Service Unavailable")), 4)
    assert asked.reason == f"status 503 ({asked.times} attempts)" and asked.times >= 3
    assert asked.took < 15


def test_way_that_another_one_was_quicker_than_asks_no_more(ends: Ends) -> None:
    guest, cloud = ends
    lost: list[str] = []

    def ask_slow() -> http.Answer | None:
        try:
            return asking.get(f"http://{OPENSTACK}:81/", time.monotonic() + 300, nic="eth0")
        except http.NoAnswer as no_answer:
            lost.append(no_answer.reason)
            return None

    def run() -> None:
        both: Race[http.Answer] = Race()
        both.enter("slow", ask_slow)
        both.enter("quick", lambda: asking.get(URL, time.monotonic() + 30, nic="eth0"))
        until = time.monotonic() + 60
        while both.running and time.monotonic() < until:
            both.wait(None, until)
        assert both.answer is not None and both.running == set()

    with Listener(cloud, OPENSTACK, in_turn(answer("503 Oops"), GOOD)):
        guest.run(run)
    assert lost == ["an answer came another way"]


def test_server_that_comes_up_late_is_found(ends: Ends) -> None:
    guest, cloud = ends
    pending = guest._thread.submit(lambda: asking.get(URL, time.monotonic() + 30, nic="eth0"))
    time.sleep(1)  # while which connections are refused
    with Listener(cloud, OPENSTACK, in_turn(GOOD)):
        given = pending.result()
    assert given is not None and given.status == 200


def test_retry_after_is_honoured_within_the_deadline(ends: Ends) -> None:
    slow = answer("429 Too Many Requests", retry_after="3")
    asked = Asked(ends, (slow, GOOD), 30)
    assert asked.answer is not None and asked.took >= 3
    asked = Asked(ends, (answer("503 Service Unavailable", retry_after="3600"), GOOD), 4)  # asked once more, at the end
    assert asked.answer is not None and 2.5 <= asked.took < 15


@pytest.mark.parametrize("given", ["Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1e9", "", "９"])
def test_retry_after_that_is_no_number_of_seconds_is_ignored(given: str) -> None:
    assert asking._retry_after(http.Answer(503, {"retry-after": given}, b"")) == 0


def test_waits_grow_from_a_moment_to_some_seconds_and_no_two_guests_are_in_step() -> None:
    first = [asking._wait(1, 0) for _ in range(200)]
    late = [asking._wait(40, 0) for _ in range(200)]
    assert 0 < min(first) < max(first) <= 0.375
    assert 2.5 <= min(late) < max(late) <= 7.5
    assert len(set(late)) > 190 and max(late) - min(late) > 3
    told = [asking._wait(1, 10) for _ in range(200)]
    assert min(told) >= 10 and len(set(told)) > 190
