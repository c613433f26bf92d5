"""What interfaces(5) has no option for, as commands of ip-link(8), ip-route(8) and ip-rule(8).

Only iproute2 and /proc are used: ifupdown needs the one and no image lacks the other, while ifenslave, bridge-utils,
vlan and procps may be absent. `$IFACE` is the kernel's name of the interface, which ifupdown sets.
"""

from __future__ import annotations

from collections.abc import Iterable

from guestinit.model.network import BOND, BRIDGE, MAIN_TABLE, VLAN, VRF, Address, Link, Route, Rule
from guestinit.model.shell import quoted

# `ip` takes what the kernel wants here, hundredths of seconds, whatever its manual page says.
_CENTISECONDS = ("forward_delay", "hello_time", "max_age", "ageing_time")
_BRIDGE_NAMES = {"stp": "stp_state"}
_WITHOUT_DEVICE = ("blackhole", "unreachable", "prohibit", "throw")
ADDRESS_NONE = 1  # values of addr_gen_mode, Documentation/networking/ip-sysctl.rst
ADDRESS_EUI64 = 0

# Failing must not keep the rest of the interface from coming; what `ip` says about it is in the journal.
_GO_ON = " || true"


def sysctl6(name: str, value: object) -> str:
    """A setting of net.ipv6.conf.$IFACE. sysctl(8) is in no package that ifupdown needs."""
    return f"echo {value} >/proc/sys/net/ipv6/conf/$IFACE/{name}{_GO_ON}"


def stable_secret() -> str:
    """RFC 7217 addresses: the kernel wants 128 secret bits that stay, which the machine id is; it selects the mode."""
    return f"sed 's/..../&:/g; s/:$//' /etc/machine-id >/proc/sys/net/ipv6/conf/$IFACE/stable_secret{_GO_ON}"


def mac(address: str) -> str:
    """The options `hwaddress` and `mtu` leave the interface down where the hardware does not take them."""
    return f"ip link set dev $IFACE address {address}{_GO_ON}"


def mtu(size: int) -> str:
    """The size of packets, as above."""
    return f"ip link set dev $IFACE mtu {size}{_GO_ON}"


# making interfaces


def kind(link: Link) -> str:
    """What `ip link add` says of a virtual interface."""
    if link.kind == VLAN:
        return f"type vlan id {link.vlan_id}"
    if link.kind == BOND:
        return f"type bond mode {dict(link.parameters).get('mode', 'balance-rr')}"
    if link.kind == VRF:
        return f"type vrf table {link.table}"
    return f"type {link.kind}"


def make(link: Link, kind: str, parent: str) -> list[str]:
    """What brings a virtual interface into being, unless it is there."""
    add = f"ip link add {f'link {parent} name' if link.kind == VLAN else 'dev'} $IFACE {kind}"
    if "." not in link.name:
        return [f"[ -d /sys/class/net/$IFACE ] || {add}"]
    if link.kind == VLAN and _made_by_ifupdown(link.name) == (parent, link.vlan_id):
        return []
    # By its name ifupdown takes it for a VLAN, and has made that already if there is an interface to make it on.
    return [f"ip link delete dev $IFACE 2>/dev/null{_GO_ON}", add]


def unmake(link: Link) -> list[str]:
    """What removes it again. ifupdown does that itself where there is a dot in the name."""
    return [] if "." in link.name else ["ip link delete dev $IFACE"]


def _made_by_ifupdown(name: str) -> tuple[str, int]:
    """The parent and the id that ifupdown reads from the name of a VLAN (link.defn in its source)."""
    words = [word for word in name.split(".") if word]
    if len(words) < 2 or not (words[1].isascii() and words[1].isdecimal()):
        return "", 0
    return words[0], int(words[1])


def parameters(link: Link) -> list[str]:
    """The parameters of a bond or a bridge, before it has members."""
    words = []
    for name, value in link.parameters if link.kind in (BOND, BRIDGE) else ():
        if link.kind == BRIDGE:
            number = str(int(value) * 100) if name in _CENTISECONDS else value
            words.append(f"{_BRIDGE_NAMES.get(name, name)} {number}")
        elif name not in ("mode", "primary"):
            words.append(f"{name} {quoted(value)}")
    if not words:
        return []
    return [f"ip link set dev $IFACE type {link.kind} {' '.join(words)}{_GO_ON}"]


def join(link: Link, member: str) -> list[str]:
    """What makes an interface a member of a bond or a bridge, and brings it up."""
    if link.kind == BOND:  # which takes only what is down, and brings it up itself
        return [
            f"ip link set dev {member} down{_GO_ON}",
            f"ip link set dev {member} master $IFACE{_GO_ON}",
        ]
    return [f"ip link set dev {member} up master $IFACE{_GO_ON}"]


def port(member: str, cost: int | None, priority: int | None, flags: Iterable[tuple[str, bool]]) -> list[str]:
    """Path cost, priority and flags of a port."""
    numbers = [f"cost {cost}"] if cost is not None else []
    numbers += [f"priority {priority}"] if priority is not None else []
    switches = [f"{name} {'on' if is_on else 'off'}" for name, is_on in flags]
    given = (" ".join(words) for words in (numbers, switches) if words)
    return [f"ip link set dev {member} type bridge_slave {words}{_GO_ON}" for words in given]


def primary(member: str) -> str:
    """The preferred member of a bond."""
    return f"ip link set dev $IFACE type bond primary {member}{_GO_ON}"


# addresses, routes, rules


def address(each: Address) -> str:
    """An address for which there is no method: with a label, not for new connections, or of the loopback."""
    words = [f"ip address replace {each} dev $IFACE"]
    if each.family == 4 and each.prefix < 31:
        words.append("broadcast +")
    if each.label:
        words.append(f"label {quoted(each.label)}")
    if each.deprecated:
        words.append("preferred_lft 0")
    return " ".join(words) + _GO_ON


def route(each: Route, table: int | None) -> tuple[str, str]:
    """A route, and what removes it where the interface does not take it along. `table`: where it goes unless it says"""
    table = each.table if each.table is not None else table
    words = [each.type] if each.type not in ("", "unicast") else []
    words.append(each.to)
    tail = [f"table {table}"] if table not in (None, MAIN_TABLE) else []
    if each.metric is not None:
        tail.insert(0, f"metric {each.metric}")
    ip = "ip -6 route" if each.family == 6 else "ip route"
    if each.type in _WITHOUT_DEVICE:
        spec = " ".join((*words, *tail))
        return f"{ip} replace {spec}{_GO_ON}", f"{ip} delete {spec}{_GO_ON}"
    if each.via:
        words.append(f"via {'inet6 ' if each.family == 4 and ':' in each.via else ''}{each.via}")
    words.append("dev $IFACE")
    words += tail
    if each.on_link:
        words.append("onlink")
    if each.scope and each.family == 4:
        words.append(f"scope {each.scope}")
    if each.source:
        words.append(f"src {each.source}")
    if each.mtu is not None:
        words.append(f"mtu {each.mtu}")
    for name, value in (
        ("initcwnd", each.congestion_window), ("initrwnd", each.receive_window), ("advmss", each.advertised_mss),
    ):  # fmt: skip
        if value is not None:
            words.append(f"{name} {value}")
    return f"{ip} replace {' '.join(words)}{_GO_ON}", ""


def rule(each: Rule, family: int) -> tuple[str, str]:
    """A rule, and what removes it. The kernel takes the same rule once."""
    words = []
    if each.source:
        words.append(f"from {each.source}")
    if each.to:
        words.append(f"to {each.to}")
    if each.mark is not None:
        words.append(f"fwmark {each.mark:#x}")
    if each.tos is not None:
        words.append(f"tos {each.tos:#x}")
    words.append(f"table {each.table if each.table is not None else MAIN_TABLE}")
    if each.priority is not None:
        words.append(f"priority {each.priority}")
    spec = " ".join(words)
    ip = "ip -6 rule" if family == 6 else "ip rule"
    return f"{ip} add {spec}{_GO_ON}", f"{ip} delete {spec}{_GO_ON}"


# leases


def lease6(only: bool) -> tuple[str, str]:
    """A DHCPv6 client, and what ends it; `only`: nothing else asks for a lease.

    The method `inet6 dhcp` knows dhclient only, fails without it, and waits for ever where nobody answers. Where the
    client is dhcpcd, it does both families once it is started for IPv4.
    """
    files = "-pf /run/dhclient6.$IFACE.pid -lf /var/lib/dhcp/dhclient6.$IFACE.leases $IFACE"
    start = f"if command -v dhclient >/dev/null; then /lib/ifupdown/wait-for-ll6.sh; dhclient -6 -nw {files}"
    stop = f"if command -v dhclient >/dev/null; then dhclient -6 -r {files}"
    if only:
        start += "; else dhcpcd -6 -b $IFACE"
        stop += "; else dhcpcd -6 -k $IFACE"
    return start + "; fi", stop + "; fi"


def subnet_of_lease(table: int) -> tuple[str, str]:
    """What gives a leased address in a VRF the route to its subnet, after the DHCP client.

    dhcpcd forbids the kernel to make that route (IFA_F_NOPREFIXROUTE) and makes it in the main table, where the kernel
    refuses it, since the address is in the table of the VRF. This one is as the kernel makes it: it goes with the
    address. dhcpcd may go on before it has an IPv4 lease, so there is some patience first.
    """
    addresses = "ip -4 -o address show dev $IFACE"
    octets = (f"$(({octet} & mask{f' >> {shift}' if shift else ''}))" for octet, shift in zip("abcd", (24, 16, 8, 0)))
    subnet = f"{'.'.join(octets)}/$length"  # `ip` takes none with bits of the host in it
    words = (
        f"{addresses} | sed -n 's/.* inet \\(.* noprefixroute .*\\)/\\1/p'",
        "while IFS='./ ' read -r a b c d length more; do mask=$((0xffffffff << (32 - length)));"
        f" ip route replace {subnet} dev $IFACE table {table} proto kernel scope link src $a.$b.$c.$d; done",
    )
    return (
        f"for n in 1 2 3 4 5 6 7 8 9 10; do {addresses} | grep -q ' dynamic\\| noprefixroute' && break; sleep 1; done",
        " | ".join(words) + _GO_ON,
    )
