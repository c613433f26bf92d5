"""Jinja templates (platforms.md 14, 24)."""

from __future__ import annotations

import pytest

from guestinit.model.problem import Position, Problems
from guestinit.model.seed import MetaData
from guestinit.model.value import Given
from guestinit.reading import template

META = MetaData(
    "i-1",
    True,
    hostname=Given("web1", Position("meta-data", 1, 1)),
    public_keys=(Given("ssh-ed25519 AAAA", Position("meta-data", 1, 1)),),
    document={
        "local-hostname": "web1",
        "instance-id": "i-1",
        "provider-id": "pve://1",
        "nested": {"a-b": [{"c-d": 5}]},
    },
)


def render(body: str) -> tuple[str | None, list[str]]:
    problems = Problems()
    variables = template.variables(META, "nocloud", {"distro": "debian"})
    text = template.render(f"## template: jinja\n{body}", "user-data", variables, problems)
    return text, [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{{ v1.local_hostname }}", "web1"),
        ("{{ local_hostname }}", "web1"),
        ("{{ ds.meta_data.local_hostname }}", "web1"),
        ("{{ ds.meta_data['local-hostname'] }}", "web1"),
        ("{{ ds.meta_data.provider_id }}", "pve://1"),
        ("{{ ds.meta_data.nested.a_b[0].c_d }}", "5"),
        ("{{ v1.instance_id }} {{ ds.meta_data.instance_id }}", "i-1 i-1"),
        ("{{ v1.cloud_name }}", "nocloud"),
        ("{{ v1.distro }}", "debian"),
        ("{{ v1.public_ssh_keys[0] }}", "ssh-ed25519 AAAA"),
        ("{{ v1.region | default('none', true) }}", "none"),
        ("{{ ds.meta_data.absent | default('x') }}", "x"),
        ("{% if v1.distro == 'debian' %}\nyes\n{% endif %}\n", "yes\n"),
        ("{{ 'a.b' | replace('.', '-') }}", "a-b"),
    ],
)
def test_variables(body: str, expected: str) -> None:
    assert ("\n" + expected, []) == render(body)


def test_lines_keep_their_numbers() -> None:
    text, _ = render("#cloud-config\nhostname: {{ v1.local_hostname }}\n")
    assert text == "\n#cloud-config\nhostname: web1\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "#cloud-config\n\nhostname: {{ nowhere }}\n",
            "user-data:4:1: the template asks for 'nowhere', which is not known",
        ),
        ("a\n{{ ds.meta_data.nowhere }}\n", "user-data:3:1: the template asks for 'nowhere', which is not known"),
        ("a\n{% for x in %}\n", "user-data:3:1: not a valid template: "),
        ("a\nb {{ x\n", "user-data:3:1: not a valid template: "),
        ("a\n{{ 1 / 0 }}\n", "user-data:3:1: the template fails: ZeroDivisionError"),
        ("{{ ().__class__.__bases__ }}\n", "user-data:2:1: "),
        ("{% for a in range(100000) %}{% for b in range(1000) %}xxxxxxxx{% endfor %}{% endfor %}",
         "user-data: the template grows beyond 16 MiB"),
        ("#" * (3 << 20), "user-data: a template longer than 2 MiB"),
        ("{{ " + "(" * 3000 + ")" * 3000 + " }}", "user-data:2:1: "),
    ],
)  # fmt: skip
def test_mistakes(body: str, said: str) -> None:
    text, messages = render(body)
    assert text is None
    (message,) = messages
    assert message.startswith(said)


def test_only_a_header() -> None:
    assert template.render("## template: jinja", "user-data", {}, Problems()) == ""


@pytest.mark.parametrize(
    ("hostname", "short"), [("app-1.novalocal", "app-1"), ("app-1", "app-1"), ("203.0.113.9", "ip-203-0-113-9")]
)
def test_local_hostname_is_the_short_one_and_meta_data_stays_as_it_is(hostname: str, short: str) -> None:
    """Cluster API calls a node of OpenStack `{{ local_hostname }}`; Nova appends its domain to it."""
    meta = MetaData("i-1", True, hostname=Given(hostname, Position("meta_data.json")), document={"hostname": hostname})
    variables = template.variables(meta, "openstack", {})
    body = "{{ local_hostname }} {{ v1.local_hostname }} {{ ds.meta_data.local_hostname }} {{ ds.meta_data.hostname }}"
    text = template.render(f"## template: jinja\n{body}", "user-data", variables, Problems())
    assert text == f"\n{short} {short} {hostname} {hostname}"
