"""netplan: the interface itself, that is which hardware is meant or what is made, its sizes and when it comes up."""

from __future__ import annotations

from guestinit.model.network import BOND, BRIDGE, HARDWARE, VLAN, VRF, Link
from guestinit.model.problem import Problems
from guestinit.model.yaml_text import Tree

# The kernel's names of parameters, as netplan calls them.
_BOND = {
    "mode": "mode",
    "miimon": "mii-monitor-interval",
    "updelay": "up-delay",
    "downdelay": "down-delay",
    "lacp_rate": "lacp-rate",
    "xmit_hash_policy": "transmit-hash-policy",
    "min_links": "min-links",
    "ad_select": "ad-select",
    "all_slaves_active": "all-slaves-active",
    "arp_interval": "arp-interval",
    "arp_ip_target": "arp-ip-targets",
    "arp_validate": "arp-validate",
    "arp_all_targets": "arp-all-targets",
    "fail_over_mac": "fail-over-mac-policy",
    "num_grat_arp": "gratuitous-arp",
    "packets_per_slave": "packets-per-slave",
    "primary_reselect": "primary-reselect-policy",
    "resend_igmp": "resend-igmp",
    "lp_interval": "learn-packet-interval",
}
_BRIDGE = {
    "stp": "stp",
    "forward_delay": "forward-delay",
    "hello_time": "hello-time",
    "max_age": "max-age",
    "ageing_time": "ageing-time",
    "priority": "priority",
}
# By the name of systemd.link(5).
_OFFLOADS = {
    "ReceiveChecksumOffload": "receive-checksum-offload",
    "TransmitChecksumOffload": "transmit-checksum-offload",
    "TCPSegmentationOffload": "tcp-segmentation-offload",
    "TCP6SegmentationOffload": "tcp6-segmentation-offload",
    "GenericSegmentationOffload": "generic-segmentation-offload",
    "GenericReceiveOffload": "generic-receive-offload",
    "LargeReceiveOffload": "large-receive-offload",
}
_FLAGS = ("stp", "all_slaves_active")


def describe(link: Link, ids: dict[str, str], waited_for: bool, problems: Problems) -> dict[str, Tree]:
    """What the definition of a link begins with. `ids`: what each link is called in the file."""
    found: dict[str, Tree] = {}
    if link.kind in HARDWARE:
        match = _match(link, ids[link.name], problems)
        if match:
            found["match"] = match
        if link.set_name:
            found["set-name"] = link.set_name
        if link.wake_on_lan:
            found["wakeonlan"] = True
        found.update((_OFFLOADS[name], is_on) for name, is_on in link.offloads)
        if link.infiniband_mode:
            found["infiniband-mode"] = link.infiniband_mode
            message = "systemd-networkd does not set what netplan writes for it"
            problems.warning(link.at, link.path, message, "with NetworkManager behind netplan the mode is set")
    elif link.kind == VLAN:
        found["id"] = link.vlan_id
        found["link"] = ids[link.parent]
    elif link.kind in (BOND, BRIDGE, VRF):
        found["interfaces"] = [ids[member.value] for member in link.members]
        if link.kind == VRF:  # before 1.0 it takes nothing else about itself
            return {"table": link.table or 0, **found}
        parameters = _parameters(link, ids, problems)
        if parameters:
            found["parameters"] = parameters
    for name, value in (
        ("macaddress", link.mac or None), ("mtu", link.mtu), ("optional", None if waited_for else True),
        ("activation-mode", link.activation or None), ("ignore-carrier", link.ignore_carrier or None),
        ("emit-lldp", link.emit_lldp),
    ):  # fmt: skip
        if value is not None:
            found[name] = value
    return found


def _match(link: Link, link_id: str, problems: Problems) -> dict[str, Tree]:
    """Nothing, if the name of the definition says it all."""
    found: dict[str, Tree] = {}
    if link.match.exact_name == link_id:
        return found
    if link.match.mac:
        found["macaddress"] = link.match.mac
    if link.match.names:
        found["name"] = link.match.names[0]
    if len(link.match.names) > 1:
        message = f"netplan matches one pattern of names, not {len(link.match.names)}"
        problems.error(link.at, link.path, message, f"only {link.match.names[0]} is matched")
    if link.match.drivers:
        found["driver"] = link.match.drivers if len(link.match.drivers) > 1 else link.match.drivers[0]
    return found


def _parameters(link: Link, ids: dict[str, str], problems: Problems) -> dict[str, Tree]:
    given = dict(link.parameters)
    if link.kind == BRIDGE:
        given.setdefault("stp", "0")  # the kernel's default; netplan's is another
    found: dict[str, Tree] = {}
    for name, theirs in (_BOND if link.kind == BOND else _BRIDGE).items():
        value = given.get(name, "")
        if name == "arp_ip_target" and value:
            found[theirs] = value.split(",")
        elif name in _FLAGS and value:
            found[theirs] = value == "1"
        elif value:
            found[theirs] = int(value) if value.isdecimal() else value
    members = {member.value for member in link.members}
    if given.get("primary") in members:
        found["primary"] = ids[given["primary"]]
    for theirs, pairs in (("path-cost", link.costs), ("port-priority", link.priorities)):
        by_member = {ids[name]: number for name, number in pairs if name in members}
        if by_member:
            found[theirs] = by_member
    return found
