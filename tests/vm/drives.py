"""Config drives as Nova and CloudStack build them: the trees of platforms.md 8.1 and 6.2, with their own ISO calls."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from typing import Any, NamedTuple, Optional

NOVA_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
    "2020-10-14", "2025-04-04", "latest",
)  # fmt: skip
NOVA_FLAGS = ("-ldots", "-allow-lowercase", "-allow-multidot", "-l", "-publisher", "OpenStack Nova 31.0.0")
CLOUDSTACK_FLAGS = ("-ldots", "-allow-lowercase", "-allow-multidot", "-cache-inodes", "-l")
VFAT_SIZE = 64 << 20  # what Nova makes


class Server(NamedTuple):
    """One OpenStack server, on a config drive or behind the metadata service."""

    uuid: str
    name: str
    key: str
    network_data: dict[str, Any]
    admin_pass: str = ""
    user_data: Optional[str] = None
    vendor_data: Any = None  # None: the operator has configured nothing
    vendor_data2: Any = None
    files: tuple[tuple[str, bytes], ...] = ()  # injected: path and content

    def meta_data(self, version: str) -> dict[str, Any]:
        """meta_data.json of a version; each has a random_seed of its own."""
        found: dict[str, Any] = {"uuid": self.uuid}
        if self.admin_pass:
            found["admin_pass"] = self.admin_pass
        found["public_keys"] = {"ops": self.key + "\n"}
        found["keys"] = [{"name": "ops", "type": "ssh", "data": self.key + "\n"}]
        found["hostname"] = f"{self.name}.novalocal"
        found["name"] = self.name
        found["launch_index"] = 0
        found["availability_zone"] = "nova"
        found["meta"] = {"role": "web"}
        found["random_seed"] = self.random_seed(version)
        found["project_id"] = "6f70656e737461636b000000000000a1"
        if self.files:
            found["files"] = [
                {"path": path, "content_path": f"/content/{index:04}"} for index, (path, _) in enumerate(self.files)
            ]
        if version >= "2016-06-30":
            found["devices"] = []
        if version >= "2020-10-14":
            found["dedicated_cpus"] = []
        return found

    def random_seed(self, version: str) -> str:
        """512 bytes that look like any others, and are the same ones again, so that they can be looked for."""
        start = f"{self.uuid} {version}".encode()
        return base64.b64encode(hashlib.shake_256(start).digest(512)).decode()

    def random_seeds(self) -> list[str]:
        """A piece of each version's random_seed, in the form in which it is handed over."""
        return [self.random_seed(version)[40:80] for version in NOVA_VERSIONS]

    def files_of(self, version: str) -> dict[str, bytes]:
        """The documents of one version by name."""
        found = {"meta_data.json": _json(self.meta_data(version))}
        if self.user_data is not None:
            found["user_data"] = self.user_data.encode()
        if version >= "2013-10-17":
            found["vendor_data.json"] = _json(self.vendor_data or {})
        if version >= "2015-10-15":
            found["network_data.json"] = _json(self.network_data)
        if version >= "2016-10-06":
            found["vendor_data2.json"] = _json(self.vendor_data2 or {})
        return found

    def tree(self) -> dict[str, bytes]:
        """The whole drive: path and content."""
        found = {}
        for version in NOVA_VERSIONS:
            for name, content in self.files_of(version).items():
                found[f"openstack/{version}/{name}"] = content
        for index, (_, content) in enumerate(self.files):
            found[f"openstack/content/{index:04}"] = content
        ec2 = {"instance-id": "i-0000002a", "hostname": f"{self.name}.novalocal", "local-hostname": self.name}
        for version in ("2009-04-04", "latest"):
            found[f"ec2/{version}/meta-data.json"] = _json(ec2)
            if self.user_data is not None:
                found[f"ec2/{version}/user-data"] = self.user_data.encode()
        return found


class CloudStackMachine(NamedTuple):
    """One virtual machine of CloudStack, as its config drive describes it."""

    uuid: str
    name: str
    key: str
    password: str = ""  # a new one: at deployment, or after a reset
    user_data: str = ""

    def tree(self) -> dict[str, bytes]:
        """The whole drive: path and content. Text files have no final newline, and blank values have no file."""
        values = {
            "availability-zone": "zone-1",
            "service-offering": "Small Instance",
            "local-hostname": self.name,
            "local-ipv4": "10.20.0.100",
            "public-ipv4": "203.0.113.9",
            "public-hostname": "203.0.113.9",
            "instance-id": self.uuid,
            "public-keys": self.key,
            "cloud-identifier": "CloudStack-{c1d2e3f4-0000-4000-8000-0000000000a1}",
        }
        found = {f"cloudstack/metadata/{name}.txt": text.encode() for name, text in values.items()}
        found["cloudstack/metadata/vm-id.txt"] = self.uuid.encode()
        if self.user_data:
            found["cloudstack/userdata/user_data.txt"] = self.user_data.encode()
            found["openstack/latest/user_data"] = self.user_data.encode()
        if self.password:
            found["cloudstack/password/vm_password.txt"] = self.password.encode()
        meta = {
            "availability_zone": "zone-1",
            "hostname": self.name,
            "uuid": self.uuid,
            "name": "203.0.113.9",
            "cloud-name": "CloudStack",
            "public_keys": {"key": self.key},
            "keys": [{"type": "ssh", "data": self.key, "name": "key"}],
        }
        found["openstack/latest/meta_data.json"] = _json(meta)
        found["openstack/latest/vendor_data.json"] = b"{}"
        found["openstack/latest/network_data.json"] = b"{}"
        return found


def static_network(mac: str, net: str, net6: str, host: int) -> dict[str, Any]:
    """network_data.json of a port with a fixed address of each family: NET.HOST/24 and NET6:HOST/64."""
    link = "tap0c7b5b5e-3c"
    return {
        "links": [{"id": link, "vif_id": "0c7b5b5e-3c39-4c9f-8a5e-0d0a5e2a9d51", "type": "ovs", "mtu": 1500,
                   "ethernet_mac_address": mac}],
        "networks": [
            {"id": "network0", "type": "ipv4", "link": link, "ip_address": f"{net}.{host}", "netmask": "255.255.255.0",
             "network_id": "da5bb487-5193-4a65-a3df-4a0055a8c0d7", "services": [{"type": "dns", "address": f"{net}.3"}],
             "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": f"{net}.1"}]},
            {"id": "network1", "type": "ipv6", "link": link, "ip_address": f"{net6}:{host}",
             "netmask": "ffff:ffff:ffff:ffff::", "network_id": "da5bb487-5193-4a65-a3df-4a0055a8c0d7", "services": [],
             "routes": [{"network": "::", "netmask": "::", "gateway": f"{net6}:1"}]},
        ],
        "services": [{"type": "dns", "address": f"{net}.3"}],
    }  # fmt: skip


def write_iso(tree: dict[str, bytes], path: str, flags: tuple[str, ...], label: str = "config-2") -> str:
    """An ISO by the platform's own call, of which `flags` are the part that differs. Returns the path."""
    top = write_tree(tree, path + ".tree")
    argv = ["genisoimage", "-quiet", *flags, "-J", "-r", "-V", label, "-o", path, top]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def write_vfat(tree: dict[str, bytes], path: str) -> str:
    """Nova's other format: 64 MiB of vfat on a whole disk, the label in lower case. Returns the path."""
    top = write_tree(tree, path + ".tree")
    with open(path, "wb") as volume:
        volume.truncate(VFAT_SIZE)
    subprocess.run(["mkfs.vfat", "-n", "config-2", path], check=True, capture_output=True)
    entries = [os.path.join(top, name) for name in sorted(os.listdir(top))]
    subprocess.run(["mcopy", "-s", "-i", path, *entries, "::"], check=True)
    return path


def _json(document: Any) -> bytes:
    """UTF-8, one line, no newline at its end."""
    return json.dumps(document, ensure_ascii=False).encode()


def write_tree(tree: dict[str, bytes], top: str) -> str:
    """The files below a directory, which is made anew. Returns it."""
    shutil.rmtree(top, ignore_errors=True)
    for name, content in tree.items():
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content)
    return top
