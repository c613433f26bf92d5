"""`ds=nocloud;...` with every accident on its way through boot loaders and shells (platforms.md 1.5, 10.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestinit.model import line_configuration as line

URL = "http://10.0.2.2:8000/__dmi.chassis-serial-number__/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ds=nocloud", {}),
        ("ds=nocloud;", {}),
        (f"ds=nocloud;s={URL}", {"seedfrom": URL}),
        (f"ds=nocloud-net;s={URL}", {"seedfrom": URL}),
        (f"ds=nocloud;seedfrom={URL};h=web1;i=i-1", {"seedfrom": URL, "local-hostname": "web1", "instance-id": "i-1"}),
        ("ds=nocloud;local-hostname=web1;instance-id=i-1;dsmode=local",
         {"local-hostname": "web1", "instance-id": "i-1", "dsmode": "local"}),
        ("ds=nocloud;instance_id=i-1;local_hostname=a", {"instance-id": "i-1", "local-hostname": "a"}),
        # QEMU's -smbios type=1,serial=ds='...': the quotes arrive.
        (f"ds='nocloud;s={URL}'", {"seedfrom": URL}),
        (f"'ds=nocloud;s={URL}'", {"seedfrom": URL}),
        (f'"ds=nocloud;s={URL}"', {"seedfrom": URL}),
        (f'ds=nocloud;"s={URL}"', {"seedfrom": URL}),
        # GRUB: escaped, or escaped once too often.
        (f"autoinstall ds=nocloud-net\\;s={URL} ---", {"seedfrom": URL}),
        (f"ds=nocloud\\\\;s={URL}", {"seedfrom": URL}),
        (f'ds="nocloud-net\\;s={URL}"', {"seedfrom": URL}),
        # The last one wins, in one word and over several.
        ("ds=nocloud;h=a;h=b", {"local-hostname": "b"}),
        ("ds=nocloud;h=a quiet ds=nocloud;i=i-1;h=b", {"local-hostname": "b", "instance-id": "i-1"}),
        # Nothing said, or nothing that is known.
        ("ds=nocloud;h=;=x;;i", {}),
        ("ds=nocloud;colour=blue", {"colour": "blue"}),
        ("ds=nocloud;s=http://h/?a=b=c", {"seedfrom": "http://h/?a=b=c"}),
        # Not for NoCloud.
        ("ds=nocloudy;h=a xds=nocloud;h=b ds=openstack;h=c ci.ds=nocloud;h=d nocloud;h=e", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_pairs(text: str, expected: dict[str, str]) -> None:
    assert line.pairs(text) == expected
    assert line.pairs(f"BOOT_IMAGE=/vmlinuz root=/dev/vda1 {text} console=ttyS0\n") == expected


def test_an_unquoted_semicolon_that_grub_took() -> None:
    """All that is left is a bare ds=nocloud: no error, and no place to fetch from."""
    assert line.words("root=/dev/vda1 ds=nocloud") == ("ds=nocloud",)
    assert line.pairs("root=/dev/vda1 ds=nocloud") == {}


@given(st.text())
def test_any_text(text: str) -> None:
    for key, value in line.pairs(text).items():
        assert key and value and not set(key + value) & set("'\"\\; \t\n")
    line.without_seedfrom(text)


WORD = st.text(st.characters(codec="ascii", exclude_characters="'\"\\;=", categories=("L", "N", "P")), min_size=1)


@given(st.dictionaries(WORD, WORD), st.sampled_from(["ds=nocloud", "ds='nocloud", '"ds=nocloud-net']), st.booleans())
def test_what_is_written_is_what_is_read(said: dict[str, str], kind: str, escaped: bool) -> None:
    text = (r"\;" if escaped else ";").join((kind, *(f"{key}={value}" for key, value in said.items())))
    pairs = line.pairs(f"quiet {text}'")
    assert set(pairs.values()) <= set(said.values())
    assert all(said[key] == value for key, value in pairs.items() if key in said)
    rest = line.without_seedfrom(text)
    assert line.pairs(rest) == {key: value for key, value in pairs.items() if key != "seedfrom"}
