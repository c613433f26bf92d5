"""Which way out comes first where several compete: each gets a metric in the order of the document.

Without it two would differ by accident (who came first), the kernel would take only one of them, or use equal IPv6 ones
in turn. Metrics that the document gives stay.
"""

from __future__ import annotations

from typing import NamedTuple

from guestinit.model.network import LOOPBACK, MAIN_TABLE, VRF, Link
from guestinit.model.problem import Position, Problems

FIRST_METRIC = 100  # what NetworkManager gives a wired default route; the next link gets 200
_DEFAULT = ("0.0.0.0/0", "::/0")


class _Exits(NamedTuple):
    """The ways out of one link in one family and one table."""

    place: int  # of the link in the document
    routes: tuple[int, ...]  # places of the default routes whose metric is open
    given: tuple[tuple[int, Position], ...]  # metrics that the document gives
    leased: bool  # a server or router is asked for one, and its metric is open
    unasked: bool  # router advertisements that nobody asked for, which the system accepts by itself


def with_metrics(links: list[Link], problems: Problems) -> list[Link]:
    """The links with a metric wherever ways out compete: in one family, and in one table (a VRF has its own)."""
    links = list(links)
    table_of = {member.value: link.table for link in links if link.kind == VRF for member in link.members}
    for family in (4, 6):
        competing: dict[int, list[_Exits]] = {}
        for place, link in enumerate(links):
            home = link.table or table_of.get(link.name) or MAIN_TABLE
            for table, exits in _exits(place, link, family, home).items():
                competing.setdefault(table, []).append(exits)
        for found in competing.values():
            _settle(links, family, found, problems)
    return links


def _exits(place: int, link: Link, family: int, home: int) -> dict[int, _Exits]:
    """By table."""
    tables: dict[int, _Exits] = {}
    for number, route in enumerate(link.routes):
        if route.to in _DEFAULT and route.family == family and route.type in ("", "unicast"):
            table = route.table or home
            each = tables.get(table, _Exits(place, (), (), False, False))
            if route.metric is None:
                tables[table] = each._replace(routes=(*each.routes, number))
            else:
                tables[table] = each._replace(given=(*each.given, (route.metric, route.at)))
    lease = link.dhcp4 if family == 4 else link.dhcp6
    if family == 4:
        asked, metric = link.dhcp4 is not None, link.dhcp4.route_metric if link.dhcp4 else None
    else:
        asked = link.accept_ra is True or (lease is not None and link.accept_ra is not False)
        metric = link.ra_metric
    leased = asked and (lease is None or lease.use_routes is not False)
    local = link.link_local is None or 6 in link.link_local
    unasked = family == 6 and link.accept_ra is None and not asked and local and link.kind != LOOPBACK
    if leased or unasked:
        each = tables.get(home, _Exits(place, (), (), False, False))
        if metric is None:
            tables[home] = each._replace(leased=leased, unasked=unasked)
        else:
            tables[home] = each._replace(given=(*each.given, (metric, lease.at if lease else link.at)))
    return tables


def _settle(links: list[Link], family: int, competing: list[_Exits], problems: Problems) -> None:
    """Fill in what is open, if there is more than one way."""
    # A static IPv6 default competes with advertisements that nobody asked for, too.
    if not any(each.routes or each.given for each in competing):
        competing = [each for each in competing if not each.unasked]
    if sum(len(each.routes) + len(each.given) + (each.leased or each.unasked) for each in competing) < 2:
        return
    taken: dict[int, tuple[int, Position]] = {}  # by metric: the link and the place that has it
    for each in competing:
        for metric, at in each.given:
            place, other = taken.setdefault(metric, (each.place, at))
            if place != each.place:
                message = f"the default route in line {other.line} has the metric {metric} too"
                hint = "which one is used is chance; give another metric"
                problems.warning(at, links[each.place].path, message, hint)
    metrics = set(taken)
    for rank, each in enumerate(competing, 1):
        links[each.place] = _filled(links[each.place], family, each, rank * FIRST_METRIC, metrics)


def _filled(link: Link, family: int, exits: _Exits, metric: int, taken: set[int]) -> Link:
    """The link with its open metrics, from this one on."""
    routes = list(link.routes)
    for number in exits.routes:
        metric = _free(metric, taken)
        routes[number] = routes[number]._replace(metric=metric)
    link = link._replace(routes=tuple(routes))
    if not exits.leased and not exits.unasked:
        return link
    metric = _free(metric, taken)
    if family == 6:
        return link._replace(ra_metric=metric)
    assert link.dhcp4 is not None
    return link._replace(dhcp4=link.dhcp4._replace(route_metric=metric))


def _free(metric: int, taken: set[int]) -> int:
    while metric in taken:
        metric += 1
    taken.add(metric)
    return metric
