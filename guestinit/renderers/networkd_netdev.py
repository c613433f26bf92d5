"""systemd.netdev(5) files: bonds, bridges, VLANs, VRFs and dummies."""

from __future__ import annotations

from guestinit.model.network import BOND, BRIDGE, VLAN, VRF, Link
from guestinit.renderers.ini import Section, text

# The kernel's names of parameters, as networkd calls them. Those in milliseconds get their unit.
_BOND = (
    ("mode", "Mode", ""),
    ("xmit_hash_policy", "TransmitHashPolicy", ""),
    ("lacp_rate", "LACPTransmitRate", ""),
    ("miimon", "MIIMonitorSec", "ms"),
    ("updelay", "UpDelaySec", "ms"),
    ("downdelay", "DownDelaySec", "ms"),
    ("lp_interval", "LearnPacketIntervalSec", "s"),
    ("ad_select", "AdSelect", ""),
    ("fail_over_mac", "FailOverMACPolicy", ""),
    ("arp_validate", "ARPValidate", ""),
    ("arp_interval", "ARPIntervalSec", "ms"),
    ("arp_ip_target", "ARPIPTargets", ""),
    ("arp_all_targets", "ARPAllTargets", ""),
    ("primary_reselect", "PrimaryReselectPolicy", ""),
    ("resend_igmp", "ResendIGMP", ""),
    ("packets_per_slave", "PacketsPerSlave", ""),
    ("num_grat_arp", "GratuitousARP", ""),
    ("all_slaves_active", "AllSlavesActive", ""),
    ("min_links", "MinLinks", ""),
)
_BRIDGE = (
    ("stp", "STP", ""),
    ("forward_delay", "ForwardDelaySec", "s"),
    ("hello_time", "HelloTimeSec", "s"),
    ("max_age", "MaxAgeSec", "s"),
    ("ageing_time", "AgeingTimeSec", "s"),
    ("priority", "Priority", ""),
)


def content(link: Link) -> bytes:
    """One .netdev file."""
    device = Section("NetDev")
    device.set("Name", link.name)
    device.set("Kind", link.kind)
    device.set("MACAddress", link.mac)
    device.set("MTUBytes", link.mtu)
    section = None
    if link.kind == VLAN:
        section = Section("VLAN")
        section.set("Id", link.vlan_id)
    elif link.kind == VRF:
        section = Section("VRF")
        section.set("Table", link.table)
    elif link.kind in (BOND, BRIDGE):
        section = Section("Bond" if link.kind == BOND else "Bridge")
        parameters = dict(link.parameters)
        for name, theirs, unit in _BOND if link.kind == BOND else _BRIDGE:
            value = parameters.get(name)
            if value is not None:
                section.set(theirs, value.replace(",", " ") + unit)
    return text((device, section))
