"""The files `kernel` of the cases: the state that must come of a document, whichever manager brings it there."""

from __future__ import annotations

import pytest

from tests.network.test_cases_of_network import slurp
from tests.vm.network import cases
from tests.vm.network.lines import differences, parse


@pytest.mark.parametrize("case", cases.names())
def test_every_line_is_understood_and_nothing_is_said_twice(case: str) -> None:
    wanted = cases.load(case).wanted
    for line in wanted:
        assert parse(str(parse(line))) == parse(line)
    assert len(set(wanted)) == len(wanted)


@pytest.mark.parametrize("case", cases.names())
def test_an_exception_is_said_to_the_user(case: str) -> None:
    """A manager that cannot do what all others do says so, in a problem that names what is lost."""
    loaded = cases.load(case)
    said = slurp(case, "problems").splitlines()
    for renderer, exception in loaded.exceptions.items():
        if loaded.unproved(renderer):
            assert len(exception) == 1
            continue
        reasons = [line[2:] for line in exception if line.startswith("# ")]
        assert reasons or any(line[0] == "~" for line in exception), f"kernel.{renderer} does not say why"
        for reason in reasons:
            assert any(line.startswith(f"{renderer}: ") and reason in line for line in said), reason
        assert loaded.wanted_of(renderer) != loaded.wanted_of("")


def test_what_a_line_leaves_open_may_be_anything() -> None:
    seen = [parse("route default via 10.0.0.1 dev eth0 metric 100 src 10.0.0.5")]
    assert differences([parse("route default via 10.0.0.1 dev eth0")], seen) == []
    assert differences([parse("route default via 10.0.0.1 dev eth0 metric 100")], seen) == []
    assert differences([parse("route default via 10.0.0.1 dev eth0 metric 200")], seen) == [
        "+ route default via 10.0.0.1 dev eth0 metric 100 src 10.0.0.5",
        "- route default via 10.0.0.1 dev eth0 metric 200",
    ]


def test_what_a_line_does_not_say_must_not_be_there() -> None:
    for wanted, seen in (
        ("link eth0", "link eth0 mtu=9000"),
        ("link eth0", "link eth0 down"),
        ("link eth0", "link eth0 master=br0"),
        ("route 10.0.0.0/8 via 10.0.0.1 dev eth0", "route 10.0.0.0/8 via 10.0.0.1 dev eth0 table 5"),
        ("address eth0 10.0.0.5/24", "address eth0 10.0.0.5/24 deprecated"),
    ):
        assert len(differences([parse(wanted)], [parse(seen)])) == 2
    assert differences([parse("link eth0 bond mode=802.3ad")], [parse("link eth0 bond miimon=5 mode=802.3ad")]) == []


def test_the_line_that_says_most_takes_its_match_first() -> None:
    seen = [parse("rule 5 from 10.0.0.0/8 lookup 7"), parse("rule 6 from 10.0.0.0/8 lookup 7")]
    wanted = [parse("rule from 10.0.0.0/8 lookup 7"), parse("rule 5 from 10.0.0.0/8 lookup 7")]
    assert differences(wanted, seen) == []
