"""A machine on OpenStack or EC2, told apart by its DMI: what a dry run shows, asked over what is configured already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestinit import pipeline
from guestinit.model.action import STAGES
from guestinit.model.report import Preview
from guestinit.show import plan as show
from guestinit.system.process import Finished, Process
from guestinit.system.root import Root
from guestinit.system.state import State
from guestinit.system.system import System
from tests.http.namespaces import OPENSTACK, OPENSTACK_LINK, Ends, link
from tests.http.servers import Ec2, OpenStack, ec2_files, openstack_files, serving
from tests.media.played import NoDrives

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

EXAMPLES = Path(__file__).parents[2] / "examples"


class OnlyIp(Process):
    """ip(8) in the guest's namespace; nothing else is there."""

    def run(self, argv: Any, *more: Any, **options: Any) -> Finished:
        if argv[0] == "ip":
            assert "show" in argv, f"a dry run changes nothing: {argv}"
            return super().run(argv, *more, **options)
        return Finished(127, "", 0.0)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Of each test: the ways that lost go on asking for a while."""
    with link() as both:
        yield both


def machine(directory: Path, **dmi: str) -> System:
    """A machine in a directory, with the card that the namespace has."""
    shutil.copytree(EXAMPLES / "root", directory, symlinks=True)
    for path, text in {
        **{f"dmi/id/{name}": value for name, value in dmi.items()},
        "net/eth0/address": "fa:16:3e:00:11:22", "net/eth0/flags": "0x1003", "net/eth0/type": "1",
        "net/eth0/carrier": "1", "net/eth0/device/vendor": "0x1af4",
    }.items():  # fmt: skip
        file = directory / "sys/class" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    root = Root(str(directory), writable=False)
    return System(root, OnlyIp(), NoDrives(), State(root), True)


def preview(ends: Ends, system: System) -> Preview:
    told = ends.guest.run(lambda: pipeline.run(pipeline.Order(STAGES, dry_run=True), system, lambda line: None))
    assert isinstance(told, Preview)
    return told


@pytest.mark.parametrize("address", [OPENSTACK, f"{OPENSTACK_LINK}%cloud0"])
def test_dry_run_on_openstack_asks_the_service(address: str, tmp_path: Path, ends: Ends) -> None:
    service = OpenStack(lambda: openstack_files(user_data=b"#cloud-config\nlocale: C.UTF-8\n"))
    with serving(ends, service, address):
        told = preview(
            ends, machine(tmp_path / "root", sys_vendor="OpenStack Foundation", product_name="OpenStack Nova")
        )
    host = address.partition("%")[0]
    assert told.datasource == "openstack"
    assert told.where == (f"http://[{host}] (eth0)" if ":" in host else f"http://{host} (eth0)")
    assert "openstack: DMI product is OpenStack Nova" in told.reasons
    assert told.identity.instance_id == "9f1c0d2e-3a4b-4c5d-8e6f-708192a3b4c5"
    text = show.text(told)
    assert "+app-1" in text and "Nothing was touched." in text
    assert "AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGUga2V5" in text  # the key that Nova gives
    assert not [line for line in service.log if not line.endswith((" 200", " 404"))]


def test_dry_run_on_ec2_asks_with_a_token_that_nothing_shows(tmp_path: Path, ends: Ends) -> None:
    service = Ec2(lambda: ec2_files(**{"user-data": b"#!/bin/sh\ntrue\n"}))
    service.tokens, service.token = "required", "AQAE-token-that-nobody-may-see-5Jk=="
    with serving(ends, service):
        told = preview(ends, machine(tmp_path / "root", sys_vendor="Amazon EC2", product_name="t3.micro"))
    assert (told.datasource, told.identity.instance_id) == ("ec2", "i-0000000a")
    assert "openstack: not asked: DMI says Amazon EC2, t3.micro" in told.reasons
    assert service.token not in repr(told) + show.text(told) and len(service.log) > 10


def test_network_of_an_ec2_instance_is_written_for_its_card(tmp_path: Path, ends: Ends) -> None:
    card = "meta-data/network/interfaces/macs/fa:16:3e:00:11:22"
    service = Ec2(lambda: ec2_files(**{
        f"{card}/device-number": b"0", f"{card}/local-ipv4s": b"10.0.0.5\n10.0.0.6",
        f"{card}/subnet-ipv4-cidr-block": b"10.0.0.0/24", f"{card}/ipv6s": b"2001:db8::5",
    }))  # fmt: skip
    with serving(ends, service):
        told = preview(ends, machine(tmp_path / "root", sys_vendor="Amazon EC2", product_name="t3.micro"))
    text = show.text(told)
    (line,) = [line for line in text.splitlines() if "10-guestinit-" in line]
    assert line.split() == ["+", "/etc/systemd/network/10-guestinit-nic0.network", "network", f"ec2:{card}"]
    for setting in ("MACAddress=fa:16:3e:00:11:22", "DHCP=yes", "IPv6AcceptRA=yes", "Address=10.0.0.6/24"):
        assert f"    +{setting}\n" in text


def test_nobody_is_asked_where_nothing_says_that_this_is_a_cloud(tmp_path: Path, ends: Ends) -> None:
    """A neighbour that answers on the link-local addresses is not listened to (CVE-2024-6174)."""
    service = OpenStack(openstack_files)
    with serving(ends, service, OPENSTACK, f"{OPENSTACK_LINK}%cloud0"):
        qemu = preview(
            ends, machine(tmp_path / "qemu", sys_vendor="QEMU", product_name="Standard PC (Q35 + ICH9, 2009)")
        )
        nothing = preview(ends, machine(tmp_path / "nothing"))
    assert (qemu.datasource, nothing.datasource, service.log) == ("", "", [])
    assert any(reason.startswith("openstack: not asked: DMI says QEMU") for reason in qemu.reasons)
    assert any(reason.startswith("ec2: not asked: there is no DMI") for reason in nothing.reasons)
