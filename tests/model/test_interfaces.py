"""interfaces(5) as others wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model import interfaces

DEBIAN = """\
# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

source /etc/network/interfaces.d/*

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
allow-hotplug ens18
iface ens18 inet dhcp
# This is an autoconfigured IPv6 interface
iface ens18 inet6 auto
\tprivext 2
"""


def test_the_stanzas_of_an_interface_are_disabled_and_nothing_else() -> None:
    assert (
        interfaces.disable(DEBIAN, {"ens18"})
        == DEBIAN[: DEBIAN.index("allow-hotplug")]
        + """\
# disabled by guestinit: allow-hotplug ens18
# disabled by guestinit: iface ens18 inet dhcp
# This is an autoconfigured IPv6 interface
# disabled by guestinit: iface ens18 inet6 auto
# disabled by guestinit: \tprivext 2
"""
    )
    assert interfaces.disable(DEBIAN, {"eth0"}) == DEBIAN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "auto lo eth0 eth1\n  \\\n",
            "# replaced by guestinit with the line below: auto lo eth0 eth1\nauto lo eth1\n  \\\n",
        ),
        (
            "auto eth0 \\\n  eth1\nmtu 9000\n",
            "# replaced by guestinit with the line below: auto eth0 \\\n"
            "# replaced by guestinit with the line below:   eth1\nauto eth1\nmtu 9000\n",
        ),
        ("auto eth0=home", "# disabled by guestinit: auto eth0=home"),
        ("mapping eth0\n script /x\n", "# disabled by guestinit: mapping eth0\n# disabled by guestinit:  script /x\n"),
        ("mapping eth0 eth1\n script /x\n", "mapping eth0 eth1\n script /x\n"),
        ("iface eth00 inet dhcp\n", "iface eth00 inet dhcp\n"),
        (
            "iface eth0 inet static\n\n  address 10.0.0.1/24\n#iface\n  up a \\\n b\nauto x\n",
            "# disabled by guestinit: iface eth0 inet static\n\n"
            "# disabled by guestinit:   address 10.0.0.1/24\n#iface\n"
            "# disabled by guestinit:   up a \\\n# disabled by guestinit:  b\nauto x\n",
        ),
    ],
)
def test_what_is_about_an_interface(text: str, expected: str) -> None:
    assert interfaces.disable(text, {"eth0"}) == expected
    assert interfaces.restore(expected) == text


WORDS = st.sampled_from(
    ("auto", "allow-hotplug", "iface", "mapping", "source", "eth0", "eth1", "lo", "inet", "#", "\\")
)
TEXTS = st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=8).map("\n".join)


@given(TEXTS.map(lambda text: text + "\n"), st.sets(st.sampled_from(("eth0", "eth1", "lo"))))
def test_any_text_comes_back(text: str, names: set[str]) -> None:
    once = interfaces.disable(text, names)
    assert interfaces.restore(once) == text
    assert interfaces.disable(once, names) == once
    assert not interfaces.configured(once) & names
    assert "".join(line for part in interfaces.split(text) for line in part.lines) == text


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("source /etc/network/interfaces.d/*\n", True),
        ("source interfaces.d/*\n", True),
        ("source-directory /etc/network/interfaces.d\n", True),
        ("source-directory interfaces.d/\n", True),
        ("source /etc/network/interfaces.d/*.cfg\n", False),
        ("#source /etc/network/interfaces.d/*\n", False),
        ("auto lo\n", False),
    ],
)
def test_whether_our_file_is_read(text: str, reads: bool) -> None:
    assert interfaces.sources(text, "/etc/network/interfaces.d/50-guestinit") is reads


def test_all_that_is_said_of_an_interface() -> None:
    text = "auto eth0 mac/02:00:00:00:00:01/1=lan0\n" + DEBIAN + "iface lan0 inet manual\n  mtu 9000\n"
    found = interfaces.stanzas(text)
    assert found["ens18"] == "iface ens18 inet dhcp\niface ens18 inet6 auto\n\tprivext 2\n"
    assert found["lan0"] == "auto mac/02:00:00:00:00:01/1=lan0\niface lan0 inet manual\n  mtu 9000\n"
    assert interfaces.patterns(text) == ["mac/02:00:00:00:00:01/1=lan0"]
    assert interfaces.configured(text) == {"lo", "ens18", "lan0"}
