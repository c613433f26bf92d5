"""timezone: a link to a zone, and nothing outside of the directory of zones."""

from __future__ import annotations

import pytest

from guestinit.model.action import CONVERGE, LOCAL, File, Link
from guestinit.modules import timezone
from tests.modules.sections import facts, messages, steps


def test_a_link_and_debians_own_file() -> None:
    link, file = steps(timezone, "timezone: Europe/Berlin\n", facts(paths=frozenset({"/etc/timezone"})))
    assert (link.id, link.stage, link.frequency) == ("link:/etc/localtime", LOCAL, CONVERGE)
    assert link.action == Link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin", must_exist=True)
    assert str(link.because) == "user-data:1:11"
    assert (file.id, file.action, file.needs) == (
        "file:/etc/timezone", File("/etc/timezone", b"Europe/Berlin\n"), ("link:/etc/localtime",)
    )  # fmt: skip


def test_only_the_link_where_the_image_has_no_such_file() -> None:
    assert [step.id for step in steps(timezone, "timezone: UTC")] == ["link:/etc/localtime"]


@pytest.mark.parametrize("name", ["Etc/GMT+1", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "EST5EDT"])
def test_names_of_all_shapes(name: str) -> None:
    (step,) = steps(timezone, f"timezone: {name}")
    assert isinstance(step.action, Link)
    assert step.action.target == f"/usr/share/zoneinfo/{name}"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "Europe/../Berlin", "'Europe Berlin'", "Europe/", ".x"]
)
def test_a_name_cannot_lead_elsewhere(name: str) -> None:
    got = repr(name.strip("'"))
    assert messages(timezone, f"timezone: {name}") == [
        f"error user-data:1:11: timezone: expected a time zone such as Europe/Berlin, got {got}"
    ]


@pytest.mark.parametrize(("written", "got"), [("[UTC]", "a list"), ("{a: b}", "a mapping")])
def test_wrong_types(written: str, got: str) -> None:
    assert messages(timezone, f"timezone: {written}") == [f"error user-data:1:11: timezone: expected text, got {got}"]


def test_nothing_given() -> None:
    assert steps(timezone, "timezone:\n") == []
