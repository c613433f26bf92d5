"""Documents as people write them: every key of version 2 with values that mostly fit, so that renderers see it all."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

from guestinit.model.tunnel import MODES

Any_ = st.SearchStrategy[Any]

NAMES = ("eth0", "eth1", "eth2", "ens3", "bond0", "bond1", "br0", "br1", "vlan5", "vrf0", "dum0", "tun0", "tun1", "wg0")
FLAG = st.booleans()
V4 = st.builds("10.{}.{}.{}".format, st.integers(0, 3), st.integers(0, 3), st.integers(1, 9))
V6 = st.builds("2001:db8:{:x}::{:x}".format, st.integers(0, 3), st.integers(1, 9))
ADDRESS = st.builds("{}/{}".format, V4, st.sampled_from((8, 16, 24, 31, 32))) | st.builds(
    "{}/{}".format, V6, st.sampled_from((48, 64, 128))
)
IP = V4 | V6
MAC = st.builds("02:00:00:00:00:{:02x}".format, st.integers(0, 5))
KEY = st.binary(min_size=32, max_size=32).map(lambda data: base64.b64encode(data).decode())
NUMBER = st.integers(1, 4000)
DOMAINS = st.lists(st.sampled_from(("a.test", "b.test")), max_size=2)
ROUTE = st.fixed_dictionaries(
    {"to": st.sampled_from(("default", "0.0.0.0/0", "::/0", "10.9.0.0/16", "2001:db8:9::/48"))},
    optional={
        "via": IP, "metric": NUMBER, "on-link": FLAG, "table": NUMBER,
        "scope": st.sampled_from(("global", "link", "host")),
        "type": st.sampled_from(("unicast", "blackhole", "unreachable", "prohibit", "throw", "local")), "from": IP,
        "mtu": st.integers(1280, 9000), "congestion-window": NUMBER, "advertised-receive-window": NUMBER,
        "advertised-mss": NUMBER,
    },
)  # fmt: skip
RULE = st.fixed_dictionaries(
    {"table": NUMBER},
    optional={
        "from": ADDRESS, "to": ADDRESS, "priority": NUMBER, "mark": NUMBER, "type-of-service": st.integers(0, 255),
    },
)  # fmt: skip
OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("use-dns", "use-routes", "use-mtu", "use-ntp", "use-hostname", "send-hostname"), FLAG),
        "use-domains": st.sampled_from((True, False, "route")), "hostname": st.just("web01"), "route-metric": NUMBER,
    },
)  # fmt: skip
COMMON: dict[str, Any_] = {
    "dhcp4": FLAG, "dhcp6": FLAG, "dhcp4-overrides": OVERRIDES, "dhcp6-overrides": OVERRIDES,
    "dhcp-identifier": st.sampled_from(("mac", "duid")), "accept-ra": FLAG, "addresses": st.lists(ADDRESS, max_size=3),
    "gateway4": V4, "gateway6": V6, "routes": st.lists(ROUTE, max_size=3), "routing-policy": st.lists(RULE, max_size=2),
    "nameservers": st.fixed_dictionaries({}, optional={"addresses": st.lists(IP, max_size=3), "search": DOMAINS}),
    "macaddress": MAC, "mtu": st.integers(1280, 9000), "ipv6-mtu": st.integers(1280, 1500), "ipv6-privacy": FLAG,
    "ipv6-address-generation": st.sampled_from(("eui64", "stable-privacy")), "ipv6-address-token": st.just("::5"),
    "link-local": st.lists(st.sampled_from(("ipv4", "ipv6")), max_size=2), "optional": FLAG, "ignore-carrier": FLAG,
    "activation-mode": st.sampled_from(("manual", "off")), "hairpin": FLAG, "port-mac-learning": FLAG,
    "neigh-suppress": FLAG,
}  # fmt: skip
MATCH = st.fixed_dictionaries(
    {},
    optional={
        "macaddress": MAC, "name": st.sampled_from(("en*", "ens3")), "driver": st.sampled_from(("virtio_*", "e1000")),
    },
)  # fmt: skip
HARDWARE: dict[str, Any_] = {
    "match": MATCH, "set-name": st.sampled_from(("lan0", "lan1")), "wakeonlan": FLAG, "emit-lldp": FLAG,
    "infiniband-mode": st.sampled_from(("datagram", "connected")), "receive-checksum-offload": FLAG,
    "large-receive-offload": FLAG,
}  # fmt: skip
MEMBERS = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
BOND = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(("balance-rr", "active-backup", "802.3ad", 6)),
        "mii-monitor-interval": st.sampled_from((0, 100, "1s")),
        "lacp-rate": st.sampled_from(("slow", "fast")), "primary": st.sampled_from(NAMES), "up-delay": NUMBER,
        "arp-interval": NUMBER, "arp-ip-targets": st.lists(V4, max_size=2), "all-members-active": FLAG,
        "transmit-hash-policy": st.sampled_from(("layer2", "layer3+4", "vlan+srcmac")), "gratuitous-arp": NUMBER,
    },
)  # fmt: skip
BRIDGE = st.fixed_dictionaries(
    {},
    optional={
        "stp": FLAG, "forward-delay": st.integers(2, 30), "priority": NUMBER, "ageing-time": NUMBER,
        "path-cost": st.dictionaries(st.sampled_from(NAMES), NUMBER, max_size=2),
        "port-priority": st.dictionaries(st.sampled_from(NAMES), st.integers(0, 63), max_size=2),
    },
)  # fmt: skip
PEER = st.fixed_dictionaries(
    {"keys": st.fixed_dictionaries({"public": KEY}, optional={"shared": KEY | st.just("/etc/shared.key")})},
    optional={
        "endpoint": st.sampled_from(("192.0.2.1:51820", "[2001:db8::1]:1", "vpn.example.test:443", "nowhere")),
        "allowed-ips": st.lists(ADDRESS | st.just("0.0.0.0/0"), max_size=2), "keepalive": st.integers(0, 70000),
    },
)  # fmt: skip
WIREGUARD = st.fixed_dictionaries(
    {"mode": st.just("wireguard"), "key": KEY | st.just("/etc/wg.key") | st.just("no key")},
    optional={**COMMON, "port": st.just("auto") | NUMBER, "mark": NUMBER, "peers": st.lists(PEER, max_size=2)},
)
VXLAN = st.fixed_dictionaries(
    {"mode": st.just("vxlan"), "id": NUMBER},
    optional={
        **COMMON, "local": V4, "remote": V4 | st.just("239.1.1.1"), "link": st.sampled_from(NAMES),
        "ttl": st.integers(0, 255), "port": NUMBER, "mac-learning": FLAG, "ageing": NUMBER, "limit": NUMBER,
        "arp-proxy": FLAG, "short-circuit": FLAG,
        "notifications": st.lists(st.sampled_from(("l2-miss", "l3-miss")), max_size=2),
        "checksums": st.lists(st.sampled_from(("udp", "remote-rx")), max_size=2),
        "extensions": st.lists(st.sampled_from(("group-policy", "generic-protocol")), max_size=2),
        "port-range": st.just([4000, 5000]) | st.just([5, 4]), "flow-label": NUMBER, "do-not-fragment": FLAG,
        "type-of-service": st.integers(0, 255),
    },
)  # fmt: skip
TUNNEL_KEY = st.integers(0, 2**32 - 1) | V4 | st.just("none")
IP_TUNNEL = st.fixed_dictionaries(
    {"mode": st.sampled_from(sorted(MODES)), "remote": IP},
    optional={
        **COMMON, "local": IP, "ttl": st.integers(0, 256), "link": st.sampled_from(NAMES), "key": TUNNEL_KEY,
        "keys": st.fixed_dictionaries({}, optional={"input": TUNNEL_KEY, "output": TUNNEL_KEY}),
    },
)  # fmt: skip
SECTIONS: dict[str, tuple[tuple[str, ...], Any_]] = {
    "ethernets": (("eth0", "eth1", "eth2", "ens3"), st.fixed_dictionaries({}, optional={**COMMON, **HARDWARE})),
    "bonds": (("bond0", "bond1"), st.fixed_dictionaries({"interfaces": MEMBERS, "parameters": BOND}, optional=COMMON)),
    "bridges": (("br0", "br1"), st.fixed_dictionaries({"interfaces": MEMBERS, "parameters": BRIDGE}, optional=COMMON)),
    "vlans": (
        ("vlan5",),
        st.fixed_dictionaries({"id": st.integers(0, 4094), "link": st.sampled_from(NAMES)}, optional=COMMON),
    ),
    "vrfs": (
        ("vrf0",),
        st.fixed_dictionaries(
            {"table": NUMBER, "interfaces": MEMBERS},
            optional={"routes": st.lists(ROUTE, max_size=2), "routing-policy": st.lists(RULE, max_size=1)},
        ),
    ),
    "dummy-devices": (("dum0",), st.fixed_dictionaries({}, optional=COMMON)),
    "tunnels": (("tun0", "tun1", "wg0"), WIREGUARD | VXLAN | IP_TUNNEL),
}
# Each interface by itself, so that one strategy makes one link with its section.
LINK = st.one_of(
    [
        st.tuples(st.just(section), st.sampled_from(names), content)
        for section, (names, content) in SECTIONS.items()
    ]
)  # fmt: skip


def document(links: list[tuple[str, str, Any]]) -> dict[str, Any]:
    """A version 2 mapping of these links."""
    found: dict[str, Any] = {"version": 2}
    for section, name, content in links:
        found.setdefault(section, {})[name] = content
    return found


DOCUMENTS = st.lists(LINK, min_size=1, max_size=6).map(document)
