"""Asking a metadata or seed server until it answers: patience with what passes, none with what does not.

A server that is coming up refuses connections, says 404 for a port that it does not know yet, 429 where many guests
boot at once, or 5xx; all of that is asked again, quickly at first, then every few seconds, and never in step with other
guests. What will not change (a redirect, a page of a captive portal, 403) ends it at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from guestinit.model.seed import Document
    from guestinit.system.http import Answer

MOST_BYTES = 16 << 20  # of all documents of a seed together, as of a drive
ATTEMPT = 10.0  # seconds for one request: what takes longer on a link is lost
FIRST, CAP = 0.25, 5.0  # seconds before the second attempt, doubled each time, and at most
LAST = 1.0  # seconds that the last attempt is left with
PASSING = (408, 425, 429)  # besides every 5xx but 501 and 505
LASTING = (501, 505)


def get(
    url: str,
    deadline: float,
    *,
    nic: str = "",
    headers: Union[Mapping[str, str], Iterable[tuple[str, str]]] = (),
    method: str = "GET",
    missing: Collection[int] = (404,),
    empty: bool = True,
    page: bool = False,
) -> Answer | None:
    """What a server has at this address, asked until the deadline (a time.monotonic()); None: it says there is nothing.

    `missing` are the statuses that say so; without 404 among them that one passes too. With empty=False an empty body
    is no answer yet, with page=True an HTML page is one. Raises NoAnswer, of which the reason is to be put after the
    address; Refused for a status that will not change.
    """
    from guestinit.system import http, race

    attempts = 0
    while True:
        attempts += 1
        until = min(deadline, time.monotonic() + ATTEMPT)
        asked = 0.0
        try:
            answer = http.request(url, until, nic=nic, headers=headers, method=method)
        except http.Refused:
            raise
        except http.NoAnswer as no_answer:
            reason = no_answer.reason
        else:
            if answer.status in missing:
                return None
            reason = _why_not(answer, empty, page)
            if not reason:
                return answer
            asked = _retry_after(answer)
        if race.is_lost():
            raise http.NoAnswer("an answer came another way")
        wait = min(_wait(attempts, asked), deadline - time.monotonic() - LAST)
        if wait <= 0:
            raise http.NoAnswer(f"{reason} ({attempts} attempts)" if attempts > 1 else reason)
        time.sleep(wait)


def require_size(documents: Iterable[Document]) -> None:
    """Raises Refused where the documents of a seed are more than a boot keeps in memory: half of a seed is none."""
    from guestinit.system.http import Refused

    if sum(len(document.content) for document in documents) > MOST_BYTES:
        raise Refused("more than 16 MiB with what came before it", 0)


def _why_not(answer: Answer, empty: bool, page: bool) -> str:
    """Why this is no answer yet; "" if it is one. Raises Refused if it never will be."""
    from guestinit.system.http import Refused

    status = answer.status
    if 200 <= status < 300:
        if not page and _is_page(answer.body):
            raise Refused("an HTML page: a captive portal or a proxy, not a metadata service", status)
        return "" if answer.body.strip() or empty else f"status {status} with nothing in it"
    if 300 <= status < 400:
        raise Refused(f"status {status}: sends elsewhere, which is not followed", status)
    if status == 404 or status in PASSING or (status >= 500 and status not in LASTING):
        return f"status {status}"
    raise Refused(f"status {status}", status)


def _is_page(body: bytes) -> bool:
    """By what it is: services send documents as text/html, and a portal its page as anything."""
    start = body[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<?xml"):
        return b"<html" in start
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _retry_after(answer: Answer) -> float:
    """How long the server wants to be left alone, in seconds. A date is not read: clocks may still be wrong."""
    given = answer.headers.get("retry-after", "").strip()
    return float(given) if given.isascii() and given.isdigit() and len(given) < 6 else 0.0


def _wait(attempts: int, asked: float) -> float:
    """Seconds until the next attempt, by chance between half and one and a half of what is due.

    Guests that boot together come again apart; what a server asked for is never shortened.
    """
    due = min(CAP, FIRST * (1 << min(attempts - 1, 10)))
    chance = int.from_bytes(os.urandom(4), "big") / 2**32
    return max(asked, due * 0.5) + due * chance
