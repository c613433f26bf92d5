"""hostname: which name counts, where it goes, and what can be no name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model.action import CONVERGE, EVERY_BOOT, Command, File, Lines, Live, Step
from guestinit.model.facts import Facts
from guestinit.model.fields import Fields
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import MetaData
from guestinit.model.value import MAP, SCALAR, Given, Value
from guestinit.modules import hostname
from tests.modules.sections import FEDORA, NOBODY, facts
from tests.values import parse

HERE = facts(paths=frozenset({"/etc/hosts"}), hostname="localhost")


def read(text: str, meta: str = "") -> tuple[hostname.Section, list[str]]:
    problems = Problems()
    given = Given(meta, Position("meta-data", 2, 17)) if meta else None
    fields = Fields(parse(text), "", hostname.KEYS, problems, check=False)
    found = hostname.read(fields, MetaData("i-1", True, hostname=given))
    return found, [f"{problem.severity} {problem}" for problem in problems.found]


def steps(text: str, meta: str = "", machine: Facts = HERE) -> list[Step]:
    found, problems = read(text, meta)
    assert problems == []
    return list(hostname.plan(found, machine, NOBODY))


def name(text: str, meta: str = "", machine: Facts = HERE) -> str:
    """The name that the machine gets, the same in the file and in the kernel."""
    file, live = steps(text, meta, machine)[:2]
    assert isinstance(file.action, File) and isinstance(live.action, Live)
    assert file.action == File("/etc/hostname", live.action.value.encode() + b"\n")
    assert (file.id, live.id, live.action.name) == ("file:/etc/hostname", "live:hostname", "hostname")
    assert file.frequency == live.frequency == CONVERGE
    return live.action.value


def hosts(text: str, machine: Facts = HERE) -> tuple[str, ...]:
    (step,) = [step for step in steps(text, machine=machine) if isinstance(step.action, Lines)]
    assert isinstance(step.action, Lines)
    assert (step.id, step.frequency, step.action.path) == ("lines:/etc/hosts", EVERY_BOOT, "/etc/hosts")
    return step.action.add


def test_network_manager_is_told_if_it_runs_already() -> None:
    machine = facts(managers=("networkd", "network-manager"), hostname="localhost")
    _, _, told = steps("hostname: web01", machine=machine)
    assert isinstance(told.action, Command)
    assert told.action.argv == ("systemctl", "--no-block", "restart", "systemd-hostnamed.service")
    assert (told.action.unit_active, told.when_changed) == ("NetworkManager.service", ("live:hostname",))
    assert steps("{hostname: web01, preserve_hostname: true}", machine=machine) == []
    assert len(steps("hostname: web01", machine=facts(managers=("networkd",)))) == 2


def test_what_proxmox_writes() -> None:
    text = "hostname: web01\nmanage_etc_hosts: true\nfqdn: web01.example.test\n"
    assert name(text) == "web01"
    assert hosts(text) == ("127.0.1.1 web01.example.test web01",)
    assert [str(step.because) for step in steps(text)] == ["user-data:1:11", "user-data:1:11", "user-data:2:19"]


@pytest.mark.parametrize(
    ("text", "meta", "expected"),
    [
        ("hostname: web01", "", "web01"),
        ("hostname: web01.example.test", "", "web01"),
        ("fqdn: web01.example.test", "", "web01"),
        ("hostname: a\nfqdn: b.example.test", "", "a"),
        ("hostname: a\nfqdn: b", "", "a"),
        ("{}", "from-meta.example.test", "from-meta"),
        ("hostname: web01", "from-meta", "web01"),
        ("hostname:\nfqdn: ''", "from-meta", "from-meta"),
        ("hostname: 123", "", "123"),
        ("hostname: no", "", "no"),
        ("hostname: 1e5", "", "1e5"),
        ("hostname: VM104", "", "VM104"),
        ("hostname: with_underscore", "", "with_underscore"),
        ("fqdn: web01.example.test.", "", "web01"),
    ],
)
def test_which_name(text: str, meta: str, expected: str) -> None:
    assert name(text, meta) == expected


@pytest.mark.parametrize(
    "text", ["{}", "manage_etc_hosts: true", "hostname:", "hostname: ''", "preserve_hostname: false"]
)
def test_without_a_name_nothing_is_touched(text: str) -> None:
    assert steps(text) == []


@pytest.mark.parametrize(
    ("text", "machine", "expected"),
    [
        ("", HERE, "web01"),
        ("prefer_fqdn_over_hostname: true", HERE, "web01.example.test"),
        ("", HERE._replace(distro=FEDORA._replace(prefer_fqdn=True)), "web01.example.test"),
        ("prefer_fqdn_over_hostname: no", HERE._replace(distro=FEDORA._replace(prefer_fqdn=True)), "web01"),
    ],
)
def test_the_full_name_where_it_is_preferred(text: str, machine: Facts, expected: str) -> None:
    assert name(f"hostname: web01\nfqdn: web01.example.test\n{text}", machine=machine) == expected


def test_a_full_name_that_the_kernel_cannot_take() -> None:
    full = "web01." + ".".join(["a" * 20] * 3) + ".test"
    assert name(f"fqdn: {full}\nprefer_fqdn_over_hostname: true") == "web01"


def test_the_name_may_be_kept() -> None:
    text = "hostname: web01\npreserve_hostname: true\nmanage_etc_hosts: localhost"
    assert [step.id for step in steps(text)] == ["lines:/etc/hosts"]


def test_no_file_where_there_is_none() -> None:
    text = "hostname: web01\ncreate_hostname_file: false"
    assert [step.id for step in steps(text, machine=HERE._replace(hostname=""))] == ["live:hostname"]
    assert [step.id for step in steps(text)] == ["file:/etc/hostname", "live:hostname"]


@pytest.mark.parametrize("value", ["true", "True", "localhost", "template"])
def test_the_line_in_etc_hosts(value: str) -> None:
    assert hosts(f"hostname: web01\nmanage_etc_hosts: {value}") == ("127.0.1.1 web01",)


@pytest.mark.parametrize("value", ["", "false", "no"])
def test_etc_hosts_is_left_alone(value: str) -> None:
    assert len(steps(f"hostname: web01\nmanage_etc_hosts: {value}")) == 2


def test_etc_hosts_is_made_with_localhost() -> None:
    assert hosts("hostname: web01\nmanage_etc_hosts: true", HERE._replace(paths=frozenset())) == (
        "127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", "127.0.1.1 web01"
    )  # fmt: skip


def test_only_our_line_of_etc_hosts_is_replaced() -> None:
    step = steps("hostname: web01\nmanage_etc_hosts: true")[2]
    assert isinstance(step.action, Lines)
    there = ("127.0.1.1 old", "127.0.1.1\told.x old", "127.0.1.10 x", "127.0.0.1 localhost", "#127.0.1.1 x")
    replaced = [line for line in there if re.search(step.action.replace, line)]
    assert replaced == ["127.0.1.1 old", "127.0.1.1\told.x old"]


@pytest.mark.parametrize(
    ("text", "expected", "short"),
    [
        ("hostname: a\nfqdn: a.b.test c.test", ["warning user-data:2:7: fqdn: several names"], "a"),
        ("hostname: 10.0.0.5", ["note user-data:1:11: hostname: an address is not a name"], "ip-10-0-0-5"),
        ("hostname: -web", ["error user-data:1:11: hostname: this is not a host name"], "meta"),
        ("hostname: a/b", ["error user-data:1:11: hostname: this is not a host name"], "meta"),
        ("hostname: a..b", ["error user-data:1:11: hostname: this is not a host name"], "meta"),
        ("hostname: " + "a" * 64, ["error user-data:1:11: hostname: this is not a host name"], "meta"),
        ("hostname: [a]", ["error user-data:1:11: hostname: expected text, got a list"], "meta"),
        ("fqdn: a b$.c\nhostname: x", ["warning user-data:1:7: fqdn: several names"], "x"),
        ("fqdn: $.c\nhostname: x", ["error user-data:1:7: fqdn: this is not a host name"], "x"),
        ("hostname: x\nmanage_etc_hosts: perhaps",
         ["error user-data:2:19: manage_etc_hosts: expected true, localhost or false, got 'perhaps'"], "x"),
        ("hostname: x\npreserve_hostname: perhaps",
         ["error user-data:2:20: preserve_hostname: expected true or false, got 'perhaps'"], "x"),
    ],
)  # fmt: skip
def test_mistakes(text: str, expected: list[str], short: str) -> None:
    found, problems = read(text, "meta")
    assert (problems, found.short) == (expected, short)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_whatever_stands_there_a_name_is_one_line_of_plain_characters(first: str, second: str, third: str) -> None:
    at = Position("x", 1, 1)
    pairs = tuple(
        (Value(SCALAR, at, key), Value(SCALAR, at, text, False))
        for key, text in (("hostname", first), ("fqdn", second))
    )
    fields = Fields(Value(MAP, at, pairs=pairs), "", hostname.KEYS, Problems(), check=False)
    found = hostname.read(fields, MetaData("i", True, hostname=Given(third, at)))
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,63}", found.short)
    assert re.fullmatch(r"[A-Za-z0-9_.-]*", found.full)
    for step in hostname.plan(found._replace(prefer_full=True, hosts=at), HERE, NOBODY):
        if isinstance(step.action, Live):
            assert 0 < len(step.action.value) <= 64
