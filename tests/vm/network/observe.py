"""What the kernel and the resolver of the guest hold, as lines."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from tests.vm.network import lines
from tests.vm.network.lines import Item
from tests.vm.network.run import run

Json = dict[str, Any]

_HUNDREDTHS = ("forward_delay", "hello_time", "max_age", "ageing_time")  # of a second, in ip(8)
# What the modules of tunnels make by themselves.
FALLBACKS = ("gre0", "gretap0", "erspan0", "sit0", "tunl0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0")
_DEFAULT_MTU = {"": "1500", "bond": "1500", "bridge": "1500", "dummy": "1500", "vlan": "1500"}
_PRIORITIES = {"0": "local", "32766": "main", "32767": "default"}  # the rules that every machine has
MOST_SERVERS = 3  # MAXNS of resolv.conf(5)
_LOOPBACK_NETS = ("127.0.0.0/8", "127.0.0.1/32", "::1/128")


class Seen:
    """The state at one moment."""

    def __init__(self, real_macs: dict[str, str], prefixes: tuple[str, ...]) -> None:
        """`real_macs`: the cards' MACs with those of the case; `prefixes`: what routers announce."""
        self._macs = real_macs
        self._prefixes = [ipaddress.ip_network(prefix) for prefix in prefixes]
        texts = run("ip", "-j", "-d", "-batch", "/dev/stdin", stdin="address\nroute show table all\nrule\n")
        self.links, self._routes, self._rules = (json.loads(text) for text in texts.splitlines())
        self.links = [link for link in self.links if link["ifname"] not in FALLBACKS]
        self._rules += json.loads(run("ip", "-j", "-6", "rule"))
        self._names = {link["ifindex"]: link["ifname"] for link in self.links}
        self._mtus = {link["ifname"]: str(link["mtu"]) for link in self.links}
        self._masters = {link["ifname"]: link["master"] for link in self.links if "master" in link}
        self._tables = {
            link["ifname"]: str(link["linkinfo"]["info_data"]["table"])
            for link in self.links
            if link.get("linkinfo", {}).get("info_kind") == "vrf"
        }

    def kernel(self) -> list[Item]:
        """Links, addresses, routes and rules."""
        return [*self._link_items(), *self._address_items(), *self._route_items(), *self._rule_items()]

    # links

    def _link_items(self) -> Iterator[Item]:
        for link in self.links:
            name = link["ifname"]
            info = link.get("linkinfo", {})
            kind = info.get("info_kind", "")
            if link["link_type"] == "loopback":
                continue
            state = "" if "LOWER_UP" in link["flags"] else "no-carrier" if "UP" in link["flags"] else "down"
            values = {key: _text(key, value) for key, value in info.get("info_data", {}).items()}
            slave = info.get("info_slave_kind", "")
            if slave == "bridge":
                values.update({f"port-{key}": str(info["info_slave_data"][key]) for key in ("cost", "priority")})
            if kind in ("bond", "bridge", "vrf"):
                values["members"] = ",".join(sorted(each for each, master in self._masters.items() if master == name))
            if kind == "vlan":
                values["link"] = link.get("link", "")
            local = [str(each["local"]) for each in link.get("addr_info", ()) if _is_link_local(each)]
            values["link-local"] = ",".join(sorted(f"ipv{6 if ':' in ip else 4}" for ip in local)) or "no"
            values["ipv6-mtu"] = _sysctl(f"net/ipv6/conf/{name}/mtu")
            values["mtu"] = "" if str(link["mtu"]) == _DEFAULT_MTU.get(kind, str(link["mtu"])) else str(link["mtu"])
            values["any-mtu"] = str(link["mtu"])
            mac, own = link.get("address", ""), link.get("permaddr", link.get("address", ""))
            if kind or slave == "bond" or mac == own:
                values["own-mac"] = self._macs.get(mac, mac)
            else:
                values["mac"] = self._macs.get(mac, mac)
            values["master"] = self._masters.get(name, "")
            yield lines.link(name, kind, state, values)

    # addresses

    def _address_items(self) -> Iterator[Item]:
        for link, each in self._addresses():
            address = ipaddress.ip_interface(f"{each['local']}/{each['prefixlen']}")
            if _is_link_local(each) or str(address.network) in _LOOPBACK_NETS:
                continue
            words = [link["ifname"], self._address_text(link, each, address)]
            if each.get("label", link["ifname"]) != link["ifname"]:
                words += ["label", each["label"]]
            if each.get("deprecated"):
                words.append("deprecated")
            if each.get("dadfailed"):
                words.append("dadfailed")
            if "address" in each:
                words += ["peer", each["address"]]
            yield Item("address", tuple(words))

    def _addresses(self) -> Iterator[tuple[Json, Json]]:
        for link in self.links:
            for each in link.get("addr_info", ()):
                if "local" in each:
                    yield link, each

    def _address_text(self, link: Json, each: Json, address: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> str:
        """An address that was made of an announced prefix, by how its second half was made."""
        if not any(address.ip in prefix and prefix.prefixlen == 64 == address.network.prefixlen
                   for prefix in self._prefixes):  # fmt: skip
            return str(address)
        half = int(address.ip) & (1 << 64) - 1
        start = str(address.network.network_address)
        if each.get("temporary"):
            return f"{start}temporary/64"
        if half in (_eui64(str(link["address"])), _eui64(str(link.get("permaddr")))):
            return f"{start}eui64/64"
        return str(address) if half < 1 << 32 else f"{start}opaque/64"

    # routes

    def _route_items(self) -> Iterator[Item]:
        connected = self._connected()
        for route in self._routes:
            to = _cidr(route["dst"], route)
            pairs = self._route_pairs(route)
            if pairs.get("mtu") == self._mtus.get(pairs.get("dev", "")):
                pairs.pop("mtu", None)  # as the router announces it, it says nothing new
            place = (to, pairs.get("dev", ""), pairs.get("table", ""))
            if place in connected and "via" not in pairs:
                connected[place] = True
            elif not self._is_of_the_kernel(route, to) and not _says_nothing_new(to, pairs, connected):
                yield lines.paired("route", ["default" if to in ("0.0.0.0/0", "::/0") else to], pairs)
        for (to, name, table), found in connected.items():
            if not found:
                yield Item("no route to the subnet", (to, "dev", name, *(("table", table) if table else ())))

    def _connected(self) -> dict[tuple[str, str, str], bool]:
        """The subnets that must be reachable because an address is in them: a route to each is as good as any other."""
        found = {}
        for link, each in self._addresses():
            net = str(ipaddress.ip_interface(f"{each['local']}/{each['prefixlen']}").network)
            host = each["prefixlen"] == (128 if ":" in each["local"] else 32)
            up = "UP" in link["flags"]
            if link["link_type"] != "loopback" and up and not (_is_link_local(each) and ":" in net):
                table = self._tables.get(self._masters.get(link["ifname"], ""), "")
                found[net, link["ifname"], table] = host or ("noprefixroute" in each and not _has_own_route(each))
        return found

    def _route_pairs(self, route: Json) -> dict[str, str]:
        pairs: dict[str, str] = {key: str(route[key]) for key in ("metric", "table") if key in route}
        pairs.pop("table", None) if pairs.get("table") == "main" else None
        if "gateway" in route:
            pairs["via"] = route["gateway"]
        elif "via" in route:
            pairs["via"] = route["via"]["host"]
        if "dev" in route and route.get("type", "unicast") in ("unicast", "local"):
            pairs["dev"] = route["dev"]
        if "prefsrc" in route:
            pairs["src"] = route["prefsrc"]
        for metrics in route.get("metrics", ()):
            if "mtu" in metrics:
                pairs["mtu"] = str(metrics["mtu"])
        if route.get("type", "unicast") != "unicast":
            pairs["type"] = route["type"]
        natural = "link" if "via" not in pairs and "type" not in pairs else "global"
        if ":" not in route["dst"] and route.get("scope", natural) != natural and "type" not in pairs:
            pairs["scope"] = route["scope"]
        if "onlink" in route.get("flags", ()):
            pairs["onlink"] = ""
        return pairs

    def _is_of_the_kernel(self, route: Json, to: str) -> bool:
        """What the kernel adds by itself."""
        if route.get("table") == "local" or to in _LOOPBACK_NETS or to in ("fe80::/64", "fe80::/10"):
            return True
        if route.get("type") in ("multicast", "broadcast", "anycast") or to in ("ff00::/8", "224.0.0.0/4"):
            return True
        own = {each["local"] for link, each in self._addresses() if link["ifname"] == route.get("dev")}
        if route.get("type") == "local" and to.partition("/")[0] in own:  # of an interface that is in a VRF
            return True
        return (route.get("type") == "unreachable" and route.get("metric", 0) >= 4278198272) or False

    # rules

    def _rule_items(self) -> Iterator[Item]:
        for rule in self._rules:
            table = str(rule.get("table", ""))
            if "l3mdev" in rule or _PRIORITIES.get(str(rule["priority"])) == table:
                continue
            pairs = {"priority": str(rule["priority"]), "lookup": table}
            for ours, theirs in (("from", "src"), ("to", "dst")):
                if rule.get(theirs, "all") != "all":
                    pairs[ours] = f"{rule[theirs]}/{rule.get(theirs + 'len', 128 if ':' in rule[theirs] else 32)}"
            for key in ("fwmark", "tos", "iif", "oif", "ipproto", "action"):
                if key in rule:
                    pairs[key] = str(rule[key])
            yield lines.paired("rule", [], pairs)


def resolver() -> list[Item]:
    """The servers and domains by interface, as systemd-resolved has them; by `-` where the resolver knows no links."""
    if not os.path.exists("/usr/bin/resolvectl"):
        return _resolv_conf()
    found = []
    for kind, verb in (("dns", "dns"), ("search", "domain")):
        for line in run("resolvectl", verb).splitlines():
            head, _, rest = line.partition(":")
            name = head.rpartition("(")[2].rstrip(")") if "(" in head else "-"
            words = [word.partition("#")[0].partition("%")[0] for word in rest.split() if word != "~."]
            if words:
                # IPv6 or IPv4 first, is up to the manager.
                found.append(Item(kind, (name, *sorted(words, key=lambda word: ":" in word))))
    return found


def _resolv_conf() -> list[Item]:
    servers: list[str] = []
    domains: list[str] = []
    with open("/etc/resolv.conf") as file:
        for line in file:
            key, _, rest = line.strip().partition(" ")
            if key == "nameserver":
                servers.append(rest.strip().partition("%")[0])
            elif key in ("search", "domain"):
                domains += [each for each in rest.split() if each not in domains]
    found = [Item("dns", ("-", *servers))] if servers else []
    return found + ([Item("search", ("-", *domains))] if domains else [])


def without_links(items: list[Item]) -> list[Item]:
    """What a resolver that knows no links has of it: each server and domain once."""
    found = [item for item in items if item.kind not in ("dns", "search")]
    for kind in ("dns", "search"):
        words = dict.fromkeys(word for item in items if item.kind == kind for word in item.fixed[1:])
        if words:
            found.append(Item(kind, ("-", *sorted(words))))
    return found


def as_far_as_it_goes(wanted: list[Item], seen: list[Item]) -> tuple[list[Item], list[Item]]:
    """resolv.conf(5) holds three servers: if it has that many, the others are not missing."""
    full = [item for item in seen if item.kind == "dns" and len(item.fixed) > MOST_SERVERS]
    for item in full:
        wanted = [item if each.kind == "dns" and set(item.fixed) <= set(each.fixed) else each for each in wanted]
    return wanted, seen


def with_known(wanted: list[Item], seen: list[Item]) -> list[Item]:
    """The resolver's servers; one that it asks by another interface anyway is not missing.

    NetworkManager leaves out those of an interface without a way out or without addresses of that family.
    """
    known = {word for item in seen if item.kind == "dns" for word in item.fixed[1:]}
    found = {item.fixed[0]: item for item in seen if item.kind == "dns"}
    for item in wanted:
        name, *servers = item.fixed
        has = found[name].fixed[1:] if name in found else ()
        if item.kind == "dns" and set(has) <= set(servers) <= known:
            found[name] = item if has == tuple(each for each in servers if each in has) else found[name]
    return [item for item in seen if item.kind != "dns"] + list(found.values())


def _is_link_local(each: Json) -> bool:
    ip = ipaddress.ip_address(each["local"])
    return ip.is_link_local and (ip.version == 6 or each["scope"] == "link")


def _has_own_route(each: Json) -> bool:
    """Whether a manager that takes the route from the kernel must make one itself: of a lease, a router may not."""
    return "dynamic" not in each or ":" not in each["local"]


def _says_nothing_new(to: str, pairs: dict[str, str], connected: Iterable[tuple[str, str, str]]) -> bool:
    """A route to one host of a subnet that is on the same link: networkd makes them for gateways and resolvers."""
    host = ipaddress.ip_network(to)
    if "via" in pairs or "type" in pairs or host.num_addresses != 1:
        return False
    places = [net for net, name, table in connected if (name, table) == (pairs.get("dev"), pairs.get("table", ""))]
    return any(host.version == net.version and host.network_address in net for net in map(ipaddress.ip_network, places))


def _cidr(dst: str, route: Json) -> str:
    if dst == "default":
        family6 = ":" in route.get("gateway", "") or "pref" in route or route.get("family") == "inet6"
        return "::/0" if family6 else "0.0.0.0/0"
    if "/" in dst:
        return dst
    return dst + ("/128" if ":" in dst else "/32")


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return ",".join(map(str, value))
    if key in _HUNDREDTHS:
        return f"{value / 100:g}"
    return str(value)


def _sysctl(path: str) -> str:
    try:
        with open(f"/proc/sys/{path}") as file:
            return file.read().strip()
    except OSError:
        return ""


def _eui64(mac: str) -> int:
    if len(mac) != 17:
        return -1
    data = bytes.fromhex(mac.replace(":", ""))
    return int.from_bytes(bytes([data[0] ^ 2]) + data[1:3] + b"\xff\xfe" + data[3:], "big")
