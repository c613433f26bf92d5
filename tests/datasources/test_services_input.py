"""What metadata services list is input: nothing in it leads a request anywhere else."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from guestinit.datasources import asking, ec2, openstack
from guestinit.model.openstack import VERSIONS

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(
        ["/content/0000", "content/../../x", "/content/", "content/a/b", "//content//0001", "/content/%2e%2e"]
    )),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(
        st.sampled_from(["files", "content_path", "network_config", "path"]), inner, max_size=4)),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_only_plain_names_in_content_are_fetched(document: object) -> None:
    for name in openstack._content(json.dumps(document).encode()):
        assert re.fullmatch(r"content/[A-Za-z0-9_-]+", name)


@given(st.binary(max_size=200))
def test_any_bytes_name_no_file_and_no_foreign_version(said: bytes) -> None:
    assert openstack._content(said) == []
    assert openstack._newest(said) in ("", *VERSIONS)


def test_deep_nesting_names_no_file() -> None:
    assert openstack._content(b"[" * 100_000) == []


@given(
    st.one_of(st.binary(max_size=80), st.sampled_from([b"a/\nb\n", b"0=x\n", b"../\n..\n.\n", b"a/b/c\n", b"x?y\n"]))
)
def test_entries_of_a_directory_stay_in_it(listed: bytes) -> None:
    for directory in ("", "public-keys/"):
        for entry in ec2._entries(listed, directory):
            assert "/" not in entry[:-1] and entry.strip("/") not in ("", ".", "..")
            assert not re.search(r"[?#%\x00-\x1f]", entry)


@given(st.binary(max_size=40))
def test_page_is_told_by_how_it_begins(body: bytes) -> None:
    assert asking._is_page(b" \r\n<!DOCTYPE html>" + body) and asking._is_page(b"<HTML>" + body)
    assert not asking._is_page(b"#" + body) and not asking._is_page(b"{" + body)
