"""Which machine this is, compared with the one that was settled here before (design: identity and re-runs)."""

from __future__ import annotations

from typing import NamedTuple, Optional

NEW = "new"
RECONFIGURED = "reconfigured"
SAME = "same"
RESUMED = "resumed"
NO_SEED = "no seed"


class Identity(NamedTuple):
    """What kind of boot this is, and why, in one line."""

    kind: str
    reason: str
    instance_id: str = ""
    previous_id: str = ""
    of: str = ""  # of a resumed run: the kind of the run that did not finish

    @property
    def is_new(self) -> bool:
        """Whether what a clone inherited from its template (host keys, machine-id) is to be replaced."""
        return NEW in (self.kind, self.of)


class Instance(NamedTuple):
    """A machine and its input: what one boot is recognised by."""

    instance_id: str
    uuid: str  # of the machine (SMBIOS), lower case; "" where there is none or the run is offline
    content: str  # one keyed digest over all documents of the seed
    from_image: bool = False  # the id is the same for every clone: derived, or a constant in a snippet
    line: str = ""  # a keyed digest of what the serial number and the command line say to NoCloud
    has_password: bool = False  # of this boot only: the platform hands one over, and asks to hear that it was applied


class Settled(NamedTuple):
    """The instance that was settled here, or whose run has begun and not finished."""

    instance: Instance
    kind: str = NEW  # of an unfinished run: what it was
    offline: bool = False  # applied with --root; its first boot completes it
    boot: str = ""  # of an unfinished run: the boot in which it began; "" once it was resumed


def recognise(
    now: Instance, settled: Optional[Settled], unfinished: Optional[Settled], adopted_id: str = ""
) -> Identity:
    """Compare this boot with what is recorded. `adopted_id` is the instance-id that cloud-init recorded, if it did."""

    def identity(kind: str, reason: str, of: str = "") -> Identity:
        return Identity(kind, reason, now.instance_id, settled.instance.instance_id if settled else "", of)

    if unfinished is not None and not _another_machine(now, unfinished.instance):
        if now.content == unfinished.instance.content:
            return identity(RESUMED, "an earlier run did not finish", unfinished.kind)
        return identity(RESUMED, "an earlier run did not finish, and the seed has changed since", unfinished.kind)
    if settled is None:
        if adopted_id and adopted_id == now.instance_id:
            return identity(SAME, "settled by cloud-init with the same instance-id")
        return identity(NEW, "nothing is settled here")
    was = settled.instance
    if settled.offline and was.instance_id == now.instance_id:
        return identity(RECONFIGURED, "applied offline before; this first boot completes it")
    if _another_machine(now, was):
        if now.instance_id == was.instance_id:
            return identity(NEW, "another machine, and its instance-id is one that all clones of the image share")
        return identity(NEW, f"instance-id {was.instance_id} is now {now.instance_id}" + _uuid_words(now, was))
    if now.instance_id != was.instance_id:
        return identity(RECONFIGURED, f"same machine, but instance-id {was.instance_id} is now {now.instance_id}")
    if differ(now.uuid, was.uuid):
        return identity(RECONFIGURED, "same instance-id on another machine uuid (restored or moved)")
    if now.content != was.content:
        return identity(RECONFIGURED, "same instance-id, but the seed's content has changed")
    if now.has_password:
        return identity(RECONFIGURED, "the platform hands over a new password")
    return identity(SAME, "same instance-id, same content")


def swapped(uuid: str) -> str:
    """A uuid with the bytes of its first three groups in the other order, as SMBIOS before 2.6 and newer ones differ.

    An empty text for what is no uuid.
    """
    groups = uuid.split("-")
    if [len(group) for group in groups] != [8, 4, 4, 4, 12]:
        return ""
    turned = ["".join(reversed([group[at : at + 2] for at in range(0, len(group), 2)])) for group in groups[:3]]
    return "-".join((*turned, *groups[3:]))


def differ(one: str, other: str) -> bool:
    """Whether both uuids are known and those of two machines."""
    return bool(one and other) and one not in (other, swapped(other))


def _another_machine(now: Instance, was: Instance) -> bool:
    """Whether this is a clone and not the machine that the record speaks of."""
    if not now.uuid or not was.uuid:
        return now.instance_id != was.instance_id
    if not differ(now.uuid, was.uuid):
        return False
    return now.instance_id != was.instance_id or now.from_image


def _uuid_words(now: Instance, was: Instance) -> str:
    if now.uuid and was.uuid:
        return ", and the machine uuid differs"
    return "; no machine uuid to compare"
