"""A password that the platform hands over."""

from __future__ import annotations

from typing import Any

from guestinit.model.accounts import Account, Accounts
from guestinit.model.action import FINAL, LOCAL, ONCE, Password, Request
from guestinit.model.fields import Fields
from guestinit.model.password import GivenPassword
from guestinit.model.problem import Position, Problem, Problems
from guestinit.model.secret import Secret
from guestinit.model.seed import MetaData
from guestinit.modules import password_reset
from tests.modules.sections import facts, planned
from tests.values import parse

DEFAULT = Accounts(default=Account(""))  # as without a word about users
GIVEN = GivenPassword(Position("10.1.1.1:8080"), Secret("fQ7x"))


def section(**meta: Any) -> Any:
    fields = Fields(parse("{}"), "", (), Problems(), check=False)
    return password_reset.read(fields, MetaData("i-1", True, **meta))


def test_nothing_is_handed_over() -> None:
    assert planned(password_reset, section()) == []
    assert planned(password_reset, section(password=GIVEN)) == []  # what Nova made up is for modules/passwords.py


def test_default_user_has_it_and_the_server_is_told_afterwards() -> None:
    applied, told = planned(password_reset, section(reset=GIVEN, password_server="10.1.1.1"), declared=DEFAULT)
    assert (applied.id, applied.action, applied.stage) == ("password:reset", Password("debian", GIVEN.secret), LOCAL)
    assert (applied.frequency, applied.basis, applied.needs) == (ONCE, GIVEN.secret, ("user:debian",))
    assert isinstance(told.action, Request)
    assert told.action.url == "http://10.1.1.1:8080/" and told.action.headers == (("DomU_Request", "saved_password"),)
    assert (told.stage, told.needs) == (FINAL, ("password:reset",))
    assert told.frequency != ONCE  # a server that hands it over again has not heard


def test_drive_hands_it_over_and_nobody_is_told() -> None:
    assert [step.id for step in planned(password_reset, section(reset=GIVEN), declared=DEFAULT)] == ["password:reset"]


def test_without_a_default_user_it_is_left_out_and_the_server_keeps_it() -> None:
    (problem,) = password_reset.plan(section(reset=GIVEN, password_server="10.1.1.1"), facts(), Accounts(default=None))
    assert isinstance(problem, Problem)
    assert problem.severity == "warning" and "no default user" in problem.message
