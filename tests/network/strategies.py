"""Network documents that nobody would write, made of the words of the formats."""

from __future__ import annotations

import json

from hypothesis import strategies as st

WORDS = st.sampled_from(
    (
        "eth0", "eth1", "br0", "bond0", "eth0.5", "10.0.0.1", "10.0.0.2/24", "10.0.1.1", "2001:db8::1/64", "fe80::1",
        "fe80::1%eth0", "0.0.0.0/0", "::/0", "default", "255.255.255.0", "255.0.255.0", "64", "ffff::", "yes", "no",
        "dhcp", "dhcp4", "dhcp6", "static", "static6", "ipv6_slaac", "manual", "disabled", "active-backup", "802.3ad",
        "02:00:00:00:00:01", "02-00-00-00-00-02", "41135085296", "02:xx:00:00:00:01", "en*", "virtio_net",
        "a.test b.test",
        "a\nb=c", "[x]", "", " ", "%n", "\\", "\u00e9", "x" * 20, "9999999999999", "-1", "ipv4", "ipv6", "link", "off",
        "stable-privacy", "100", "5", "0",
    )
)  # fmt: skip
KEYS_V1 = st.sampled_from(
    (
        "type", "name", "mac_address", "mtu", "subnets", "accept-ra", "bond_interfaces", "bridge_interfaces", "params",
        "vlan_link", "vlan_id", "address", "search", "interface", "destination", "network", "netmask", "prefix",
        "gateway",
        "metric", "dns_nameservers", "dns_search", "routes", "control", "bond-mode", "miimon", "bridge_stp", "primary",
        "arp_ip_target", "bridge_pathcost", "wakeonlan", "optional",
    )
)  # fmt: skip
KEYS_V2 = st.sampled_from(
    (
        "match", "macaddress", "name", "driver", "set-name", "wakeonlan", "dhcp4", "dhcp6", "dhcp4-overrides",
        "dhcp6-overrides", "accept-ra", "addresses", "gateway4", "gateway6", "routes", "to", "via", "on-link", "table",
        "scope", "from", "routing-policy", "nameservers", "search", "mtu", "ipv6-mtu", "ipv6-privacy", "link-local",
        "ipv6-address-generation", "ipv6-address-token", "optional", "activation-mode", "interfaces", "parameters",
        "mode",
        "primary", "mii-monitor-interval", "id", "link", "use-dns", "use-domains", "route-metric", "hostname",
        "priority",
        "metric", "type",
    )
)  # fmt: skip
SCALARS = st.one_of(WORDS, st.integers(-5, 70000), st.booleans(), st.none(), st.text(max_size=8))


def values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    """Any nesting of lists and mappings with these keys."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)),
        max_leaves=12,
    )


def _dump(document: object) -> str:
    return json.dumps(document)


TYPES = st.sampled_from(("physical", "bond", "bridge", "vlan", "nameserver", "route", "loopback", "infiniband", "x"))
ITEMS_V1 = st.one_of(
    values(KEYS_V1),
    st.builds(lambda kind, rest: {**rest, "type": kind}, TYPES, st.dictionaries(KEYS_V1, values(KEYS_V1), max_size=8)),
)
DOCUMENTS_V1 = st.builds(lambda items: _dump({"version": 1, "config": items}), st.lists(ITEMS_V1, max_size=5))
LINKS_V2 = st.dictionaries(KEYS_V2, values(KEYS_V2), max_size=8) | values(KEYS_V2)
SECTIONS_V2 = st.dictionaries(WORDS, LINKS_V2, max_size=4)
DOCUMENTS_V2 = st.builds(
    lambda sections: _dump({"network": {"version": 2, **sections}}),
    st.dictionaries(
        st.sampled_from(("ethernets", "bonds", "bridges", "vlans", "vrfs", "dummy-devices", "tunnels")),
        SECTIONS_V2,
        max_size=4,
    ),
)
KEYS_OPENSTACK = st.sampled_from(
    (
        "id", "name", "type", "link", "mtu", "ethernet_mac_address", "vlan_link", "vlan_id", "vlan_mac_address",
        "bond_links",
        "bond_mode", "bond_miimon", "ip_address", "netmask", "gateway", "routes", "services", "network", "address",
        "dns_nameservers", "dns_search",
    )
)  # fmt: skip
TYPES_OPENSTACK = st.sampled_from(("bond", "vlan", "ovs", "ipv4", "ipv6", "ipv4_dhcp", "ipv6_slaac", "dns", "x"))
ITEMS_OPENSTACK = values(KEYS_OPENSTACK) | st.builds(
    lambda kind, rest: {**rest, "type": kind},
    TYPES_OPENSTACK,
    st.dictionaries(KEYS_OPENSTACK, values(KEYS_OPENSTACK), max_size=8),
)
DOCUMENTS_OPENSTACK = st.builds(
    _dump,
    st.dictionaries(
        st.sampled_from(("links", "networks", "services")), st.lists(ITEMS_OPENSTACK, max_size=4), min_size=1
    ),
)
ENI_WORDS = st.sampled_from(
    (
        "auto", "iface", "inet", "inet6", "static", "dhcp", "manual", "loopback", "lo", "bond-master", "bond_slaves",
        "mtu",
        "bridge_ports", "vlan-raw-device", "address", "netmask", "gateway", "dns-nameservers", "hwaddress", "ether",
        "post-up", "accept_ra", "metric", "source", "#", "\\",
    )
)  # fmt: skip
TEXTS_ENI = st.lists(st.lists(ENI_WORDS | WORDS, max_size=5).map(" ".join), max_size=10).map(
    lambda lines: "auto eth0\niface eth0 inet dhcp\n" + "\n".join(lines)
)
DOCUMENTS = st.one_of(DOCUMENTS_V1, DOCUMENTS_V2, DOCUMENTS_OPENSTACK, TEXTS_ENI)
