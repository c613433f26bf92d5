"""What Nova writes: a directory for each version of its metadata, JSON without line breaks (platforms.md 8.1, 8.3)."""

import base64
import json

UUID = "9f1c7d6e-0000-4000-8000-000000000001"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGUga2V5IHRoYXQgbm9ib2R5IGhhcyEhISEh Generated-by-Nova\n"
USER_DATA = b"#cloud-config\nruncmd:\n- echo ready\n"
META = {
    "uuid": UUID, "hostname": "app-1.novalocal", "name": "app-1", "launch_index": 0, "availability_zone": None,
    "random_seed": base64.b64encode(bytes(range(256)) * 2).decode(), "project_id": "a1b2" * 8,
    "public_keys": {"mykey": KEY}, "keys": [{"name": "mykey", "type": "ssh", "data": KEY}],
    "files": [{"path": "/etc/motd", "content_path": "/content/0000"}],
    "devices": [{"type": "nic", "bus": "pci", "address": "0000:00:03.0", "mac": "fa:16:3e:00:11:22", "tags": ["mgmt"]}],
    "dedicated_cpus": [],
}  # fmt: skip
NETWORK = {
    "links": [{"id": "tap5c1d7a3e-00", "vif_id": "5c1d7a3e-0000-4000-8000-000000000001", "type": "ovs", "mtu": 1450,
               "ethernet_mac_address": "fa:16:3e:00:11:22"}],
    "networks": [{"id": "network0", "type": "ipv4", "link": "tap5c1d7a3e-00", "ip_address": "192.0.2.7",
                  "netmask": "255.255.255.0", "network_id": "0f1e2d3c-0000-4000-8000-000000000001",
                  "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.1"},
                             {"network": "169.254.169.254", "netmask": "255.255.255.255", "gateway": "192.0.2.2"}],
                  "services": [{"type": "dns", "address": "192.0.2.53"}]}],
    "services": [{"type": "dns", "address": "192.0.2.53"}],
}  # fmt: skip
VENDOR = {"cloud-init": "#cloud-config\nlocale: C.UTF-8\n"}
# Since when each file is there.
SINCE = {
    "meta_data.json": ("2012-08-10", json.dumps(META).encode()),
    "user_data": ("2012-08-10", USER_DATA),
    "vendor_data.json": ("2013-10-17", json.dumps(VENDOR).encode()),
    "network_data.json": ("2015-10-15", json.dumps(NETWORK).encode()),
    "vendor_data2.json": ("2016-10-06", b'{"static": {}}'),
}
VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
    "2020-10-14", "2025-04-04", "latest",
)  # fmt: skip
FILES = {
    **{f"openstack/{version}/{name}": content
       for version in VERSIONS for name, (since, content) in SINCE.items() if version >= since},
    "openstack/content/0000": b"Welcome to app-1.\n",
    **{f"ec2/{version}/{name}": content for version in ("2009-04-04", "latest")
       for name, content in (("meta-data.json", b'{"instance-id": "i-00000001"}'), ("user-data", USER_DATA))},
}  # fmt: skip
