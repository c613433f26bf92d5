"""Which platform is believed to be there, and by what (platforms.md 1.4, 1.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model.platform import Platform, command_line_source, evidence

SERVICES = ("openstack", "ec2", "cloudstack")
QEMU = Platform("QEMU", "Standard PC (Q35 + ICH9, 2009)", uuid="ec2ae145-d1dc-13b2-94ed-0123456789ab")
XEN_ON_AWS = Platform("Xen", "HVM domU", "ec2ae145-d1dc-13b2-94ed-0123456789ab", "ec2ae145-d1dc-13b2-94ed-0123456789ab")


@pytest.mark.parametrize(
    ("platform", "service", "reason"),
    [
        (Platform("OpenStack Foundation", "OpenStack Nova"), "openstack", "DMI product is OpenStack Nova"),
        (Platform("RDO", "OpenStack Compute"), "openstack", "DMI product is OpenStack Compute"),
        (
            Platform("VMware, Inc.", "x", asset_tag="SAP CCloud VM"),
            "openstack",
            "DMI chassis asset tag is SAP CCloud VM",
        ),
        (Platform("OTC", "x", asset_tag="OpenTelekomCloud"), "openstack", "DMI chassis asset tag is OpenTelekomCloud"),
        (Platform("Amazon EC2", "t3.micro"), "ec2", "DMI vendor is Amazon EC2"),
        (XEN_ON_AWS, "ec2", "DMI vendor is Xen, and uuid and serial begin with ec2"),
        (
            XEN_ON_AWS._replace(uuid="45e12aec-dcd1-b213-94ed-0123456789ab"),
            "ec2",
            "DMI vendor is Xen, and uuid and serial begin with ec2",
        ),
        (Platform("x", "y", "abc.gb1.brightbox.com"), "ec2", "DMI serial ends in .brightbox.com"),
        (Platform("x", "y", asset_tag="q.zstack.io"), "ec2", "DMI chassis asset tag ends in .zstack.io"),
        (Platform("e24cloud", "y"), "ec2", "DMI vendor is e24cloud"),
        (
            Platform("Apache Software Foundation", "CloudStack KVM Hypervisor"),
            "cloudstack",
            "DMI product is CloudStack KVM Hypervisor",
        ),
        (
            XEN_ON_AWS._replace(vendor="Apache Software Foundation", product="CloudStack KVM Hypervisor"),
            "cloudstack",
            "DMI product is CloudStack KVM Hypervisor",
        ),
        (Platform("Apache Software Foundation", "renamed"), "cloudstack", "DMI vendor is Apache Software Foundation"),
    ],
)
def test_one_service_and_no_other(platform: Platform, service: str, reason: str) -> None:
    assert evidence(service, platform) == (True, reason)
    assert [name for name in SERVICES if evidence(name, platform)[0]] == [service]


@pytest.mark.parametrize(
    "platform",
    [
        Platform(),
        QEMU,  # one random uuid of 4096 begins with ec2
        Platform("QEMU", "Standard PC (i440FX + PIIX, 1996)", "ec2-something"),
        Platform("oVirt", "RHEL"),
        XEN_ON_AWS._replace(vendor="oVirt", product="RHEL"),  # where the serial is the uuid, one of 4096 again
        Platform("KubeVirt", "None"),
        Platform("VMware, Inc.", "VMware7,1"),
    ],
)
def test_nothing_is_asked_without_proof(platform: Platform) -> None:
    assert [evidence(name, platform) for name in SERVICES] == [(False, platform.words)] * 3


def test_without_dmi_the_reason_says_so() -> None:
    assert evidence("openstack", Platform())[1] == "there is no DMI to say where this machine runs"


def test_the_uuid_does_not_stand_in_a_reason() -> None:
    assert QEMU.words == "DMI says QEMU, Standard PC (Q35 + ICH9, 2009)"


def test_the_image_names_the_service_of_a_platform_without_dmi() -> None:
    platform = Platform(configured="cloudstack")
    assert evidence("cloudstack", platform) == (True, "the image configuration names cloudstack")
    assert evidence("openstack", platform) == (False, "the image configuration names cloudstack")


def test_the_image_can_forbid_all_services() -> None:
    platform = Platform(product="OpenStack Nova", configured="none")
    assert evidence("openstack", platform) == (False, "the image configuration names none")


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("root=/dev/vda1 ro quiet", ""),
        ("ds=openstack", "openstack"),
        ("ci.ds=OpenStack", "openstack"),
        ("ci.datasource=Ec2", "ec2"),
        ("ci.ds=['CloudStack','None']", "cloudstack"),
        ("ds=nocloud;s=http://10.0.0.1/", "nocloud"),
        ("ds=nocloud-net", "nocloud"),
        ("ds=ec2 ds=openstack", "openstack"),
        ("ds=", ""),
        ("addons=openstack", ""),
    ],
)
def test_what_the_command_line_names(line: str, source: str) -> None:
    assert command_line_source(line) == source


def test_the_command_line_comes_before_everything() -> None:
    platform = Platform(product="OpenStack Nova", command_line="ds=ec2", configured="openstack")
    assert evidence("ec2", platform) == (True, "the kernel command line names ec2")
    assert evidence("openstack", platform) == (False, "the kernel command line names ec2")


@given(st.text())
def test_any_command_line_is_read(line: str) -> None:
    assert isinstance(command_line_source(line), str)
