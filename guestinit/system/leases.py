"""Which DHCP server gave a network card its address: what the client that runs here wrote down (platforms.md 7).

Every client has a format of its own. A lease counts only if the card has its address now: images come with the leases
of the machine that they were made on, and a card may have been given a static address since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from guestinit.system.system import System


class Lease(NamedTuple):
    """What a DHCP server gave."""

    address: str
    server: str  # its identifier: the address of the server itself
    domain: str = ""


# Directories of dhclient: Debian and SUSE, EL and Fedora, and NetworkManager where it is told to run dhclient.
DHCLIENT = ("/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/NetworkManager")
# Directories of dhcpcd; in that of version 5 and 6 names begin with "dhcpcd-".
DHCPCD = ("/var/lib/dhcpcd", "/var/lib/dhcpcd5", "/var/db/dhcpcd")


def find(nic: str, addresses: Iterable[str], system: System) -> Lease | None:
    """The lease that the card has one of these addresses ("10.1.1.23/24") from; None if they are from elsewhere."""
    mine = {address.partition("/")[0] for address in addresses}
    return next((lease for lease in _all(nic, system) if lease.address in mine), None)


def _all(nic: str, system: System) -> Iterator[Lease]:
    """Every lease that is recorded for a card, the newest of each client first."""
    root = system.root
    index = (root.read(f"/sys/class/net/{nic}/ifindex") or b"").decode().strip()
    if index:
        yield from parse_networkd(_text(root.read(f"/run/systemd/netif/leases/{index}")))
        yield from parse_network_manager(_text(root.read(f"/run/NetworkManager/devices/{index}")))
    for directory in DHCPCD:
        for name in (f"{nic}.lease", f"dhcpcd-{nic}.lease"):
            yield from parse_message(root.read(f"{directory}/{name}") or b"")
    for directory in DHCLIENT:
        for name in root.listdir(directory):
            if name.endswith((".lease", ".leases")):
                found = parse_dhclient(_text(root.read(f"{directory}/{name}")), nic)
                yield from reversed(found)


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


# the formats


def parse_networkd(text: str) -> tuple[Lease, ...]:
    """systemd-networkd: one assignment a line."""
    found = _assignments(text.splitlines())
    return _lease(found.get("ADDRESS", ""), found.get("SERVER_ADDRESS", ""), found.get("DOMAINNAME", ""))


def parse_network_manager(text: str) -> tuple[Lease, ...]:
    """NetworkManager's state of a device, where `dhcp4.` stands before each option of the lease."""
    found = _assignments(text.splitlines())
    server, domain = found.get("dhcp4.dhcp_server_identifier", ""), found.get("dhcp4.domain_name", "")
    return _lease(found.get("dhcp4.ip_address", ""), server, domain)


def parse_dhclient(text: str, nic: str) -> tuple[Lease, ...]:
    """dhclient.leases(5): a block for each lease, the newest last; those of other cards are left out."""
    found: list[Lease] = []
    for values in dhclient_blocks(text):
        if values.get("interface", nic) == nic:
            server, domain = values.get("dhcp-server-identifier", ""), values.get("domain-name", "")
            found += _lease(values.get("fixed-address", ""), server, domain)
    return tuple(found)


def dhclient_blocks(text: str) -> Iterator[dict[str, str]]:
    """The statements of each lease in a file of dhclient's, without the word `option` and the quotes."""
    for block in text.split("lease {")[1:]:
        values: dict[str, str] = {}
        for statement in block.partition("\n}")[0].split(";"):
            words = statement.split()
            if words[:1] == ["option"]:
                words = words[1:]
            if len(words) > 1:
                values[words[0]] = " ".join(words[1:]).strip('"')
        yield values


def parse_message(content: bytes) -> tuple[Lease, ...]:
    """dhcpcd: the server's message itself (RFC 2131), with its options behind the magic number."""
    if content[236:240] != b"\x63\x82\x53\x63":
        return ()
    options: dict[int, bytes] = {}
    at = 240
    while at + 1 < len(content) and content[at] != 255:
        if content[at] == 0:  # padding has no length
            at += 1
            continue
        options[content[at]] = content[at + 2 : at + 2 + content[at + 1]]
        at += 2 + content[at + 1]
    domain = options.get(15, b"").rstrip(b"\0").decode("ascii", "replace")
    return _lease(_dotted(content[16:20]), _dotted(options.get(54, b"")), domain)


def _assignments(lines: Iterable[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    return found


def _lease(address: str, server: str, domains: str) -> tuple[Lease, ...]:
    """A lease, if both are IPv4 addresses. Some servers send a list of domains to search; the first is ours."""
    domain = (domains.split() or [""])[0]
    return (Lease(address, server, domain),) if _is_address(address) and _is_address(server) else ()


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts
    )


def _dotted(content: bytes) -> str:
    return ".".join(str(byte) for byte in content)
