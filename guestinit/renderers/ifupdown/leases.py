"""Name servers of the seed beside those of a lease, where /etc/resolv.conf is a plain file.

DHCP clients write that file anew from each lease. dhclient does it with a shell script that reads hooks; dhcpcd keeps
what stands in resolv.conf.head and resolv.conf.tail.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit.model.action import Because, Lines, Step
from guestinit.model.facts import Facts
from guestinit.model.network import Network, Rendered
from guestinit.model.shell import quoted
from guestinit.renderers import HEADER, MODULE

DHCLIENT, DHCPCD = "/etc/dhcp/dhclient-enter-hooks.d", "/etc/dhcpcd.conf"  # what their packages bring
_HOOK = f"{DHCLIENT}/50-guestinit"


def has_leases(network: Network) -> bool:
    """Whether anything asks for one."""
    return any(link.dhcp4 or link.dhcp6 for link in network.links)


def hook(network: Network, facts: Facts) -> tuple[Rendered, ...]:
    """The hook of dhclient, if the image has that. `network.dns` and `network.search` are those of all links."""
    if DHCLIENT not in facts.paths or not has_leases(network) or not (network.dns or network.search):
        return ()
    servers = " ".join(quoted(given.value) for given in network.dns)
    domains = quoted(" ".join(given.value for given in network.search))
    lines = ["# dhclient writes /etc/resolv.conf, in which what the seed says comes before what a lease says."]
    for name, search in (
        ("new_domain_name_servers", "new_domain_search"),
        ("new_dhcp6_name_servers", "new_dhcp6_domain_search"),
    ):
        lines.append(f'if [ -n "${name}${search}$new_domain_name" ]; then')
        lines += [f'    {name}="{servers} ${name}"'] if network.dns else []
        lines += [f"    {search}={domains}", "    new_domain_name="] if network.search else []
        lines.append("fi")
    content = HEADER + "".join(line + "\n" for line in lines)
    return (Rendered(_HOOK, content.encode(), 0o644, network.at),)


def lines(network: Network, facts: Facts) -> Iterator[Step]:
    """The same for dhcpcd. Of resolv.conf(5) the first name servers and the last `search` count."""
    if DHCPCD not in facts.paths:
        return
    is_wanted = has_leases(network)
    servers = [f"nameserver {given.value}" for given in network.dns] if is_wanted else []
    search = [f"search {' '.join(given.value for given in network.search)}"] if network.search and is_wanted else []
    because = Because(network.at, "a lease does not replace them")
    for path, wanted in (("/etc/resolv.conf.head", servers), ("/etc/resolv.conf.tail", search)):
        action = Lines(path, tuple(wanted), managed=True)
        yield Step(f"lines:{path}", MODULE, action, because, vital=True)
