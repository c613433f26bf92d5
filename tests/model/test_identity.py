"""The table of the design, row by row: which machine is this?"""

from __future__ import annotations

import pytest

from guestinit.model.identity import (
    NEW,
    RECONFIGURED,
    RESUMED,
    SAME,
    Identity,
    Instance,
    Settled,
    recognise,
)

U1, U2 = "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000"


def settled(instance_id: str, uuid: str, content: str, offline: bool = False) -> Settled:
    return Settled(Instance(instance_id, uuid, content), offline=offline)


@pytest.mark.parametrize(
    ("now", "was", "kind"),
    [
        (Instance("a", U1, "c"), None, NEW),
        (Instance("a", U1, "c"), settled("a", U1, "c"), SAME),
        # Proxmox hashes user-data and network-config: an edited IP is another id on the same machine.
        (Instance("b", U1, "d"), settled("a", U1, "c"), RECONFIGURED),
        (Instance("a", U1, "d"), settled("a", U1, "c"), RECONFIGURED),
        # A clone: another id and another uuid.
        (Instance("b", U2, "d"), settled("a", U1, "c"), NEW),
        # Restored or moved: the platform's own id, another uuid.
        (Instance("a", U2, "c"), settled("a", U1, "c"), RECONFIGURED),
        # A constant id in a snippet, or an empty meta-data: all clones say the same.
        (Instance("a", U2, "c", from_image=True), settled("a", U1, "c"), NEW),
        (Instance("a", U1, "c", from_image=True), settled("a", U1, "c"), SAME),
        # The firmware shows the same uuid with the bytes of its first groups in the other order.
        (
            Instance("a", "33221100-5544-7766-8899-aabbccddeeff", "c"),
            settled("a", "00112233-4455-6677-8899-aabbccddeeff", "c"),
            SAME,
        ),
        (
            Instance("b", "33221100-5544-7766-8899-aabbccddeeff", "d"),
            settled("a", "00112233-4455-6677-8899-aabbccddeeff", "c"),
            RECONFIGURED,
        ),
        # No uuid readable: the id alone decides.
        (Instance("a", "", "c"), settled("a", U1, "c"), SAME),
        (Instance("b", "", "c"), settled("a", U1, "c"), NEW),
        (Instance("a", U1, "c", from_image=True), settled("a", "", "c"), SAME),
        (Instance("a", U1, "d"), settled("a", "", "c"), RECONFIGURED),
        # Applied offline: the first boot completes it, unless it is a clone with another id.
        (Instance("a", U1, "c"), settled("a", "", "c", offline=True), RECONFIGURED),
        (Instance("b", U1, "c"), settled("a", "", "c", offline=True), NEW),
    ],
)
def test_table(now: Instance, was: Settled | None, kind: str) -> None:
    identity = recognise(now, was, None)
    assert identity.kind == kind
    assert identity.reason
    assert "\n" not in identity.reason


def test_what_cloud_init_settled_is_adopted() -> None:
    assert recognise(Instance("a", U1, "c"), None, None, adopted_id="a").kind == SAME
    assert recognise(Instance("a", U1, "c"), None, None, adopted_id="b").kind == NEW


@pytest.mark.parametrize(
    ("now", "unfinished", "kind", "of"),
    [
        (Instance("a", U1, "c"), Settled(Instance("a", U1, "c"), NEW), RESUMED, NEW),
        (Instance("a", U1, "c"), Settled(Instance("a", U1, "c"), RECONFIGURED), RESUMED, RECONFIGURED),
        # Edited while the machine was off: still the run that did not finish.
        (Instance("b", U1, "d"), Settled(Instance("a", U1, "c"), NEW), RESUMED, NEW),
        # A clone of a machine that was not through: a new one, not the resumed one.
        (Instance("b", U2, "d"), Settled(Instance("a", U1, "c"), NEW), NEW, ""),
    ],
)
def test_unfinished_runs(now: Instance, unfinished: Settled, kind: str, of: str) -> None:
    identity = recognise(now, None, unfinished)
    assert (identity.kind, identity.of) == (kind, of)


def test_only_a_new_machine_loses_what_it_inherited() -> None:
    assert Identity(NEW, "").is_new
    assert Identity(RESUMED, "", of=NEW).is_new
    assert not Identity(RESUMED, "", of=RECONFIGURED).is_new
    assert not Identity(RECONFIGURED, "").is_new
    assert not Identity(SAME, "").is_new
