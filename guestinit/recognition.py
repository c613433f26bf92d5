"""Which machine is this: what a boot is recognised by, and what it is compared with."""

from __future__ import annotations

from guestinit import rooms
from guestinit.config import Config
from guestinit.datasources import DRIVES
from guestinit.model.identity import RECONFIGURED, Identity, Instance, differ, recognise
from guestinit.model.seed import Seed
from guestinit.system import boot
from guestinit.system.system import System


def describe_instance(seed: Seed, config: Config, system: System) -> Instance:
    """What this boot is recognised by."""
    from guestinit.system import facts, seed_line

    # Offline the host's own uuid says nothing about the image.
    uuid = facts.machine_uuid(system) if system.live else ""
    meta = config.inputs.meta
    content, from_image = system.state.content_digest(seed), id_from_image(seed, config, uuid)
    line = system.state.digest(seed_line.words(system.root.path)) if system.live else ""
    password = seed.document("password")
    return Instance(meta.instance_id, uuid, content, from_image, line, bool(password and password.fleeting))


def id_from_image(seed: Seed, config: Config, uuid: str) -> bool:
    """Whether all clones of an image would carry this instance-id.

    Proxmox VE derives its id from what it wrote, KubeVirt and CAPMOX use the machine's uuid; anything else that a
    NoCloud volume says is a constant in somebody's snippet, or was derived because there was none.
    """
    meta = config.inputs.meta
    if not meta.instance_id_given:
        return True
    if seed.format != "nocloud" and not lies_in_image(seed):
        return False  # the platform itself made it
    try:  # what hashlib wraps, without OpenSSL, whose import costs a third of a bare interpreter's start
        from _sha1 import sha1  # type: ignore[import-not-found]
    except ImportError:  # EL builds its Python without it
        from hashlib import sha1
    contents = [
        document.content if document else b"" for document in map(seed.document, ("user-data", "network-config"))
    ]
    return meta.instance_id.lower() not in (sha1(b"".join(contents), usedforsecurity=False).hexdigest(), uuid)


def lies_in_image(seed: Seed) -> bool:
    """Whether it is a seed directory that whoever built the image left in it: every clone has the same."""
    return seed.datasource in DRIVES and seed.where in rooms.one("datasources", seed.datasource).BAKED


def is_settled(system: System) -> bool:
    """Whether this very machine was settled before: a clone of one was not."""
    from guestinit.system import facts

    settled = system.state.settled
    return settled is not None and not differ(facts.machine_uuid(system), settled.instance.uuid)


def kept_seed(system: System) -> Seed | None:
    """The documents of the run that has not finished, unless it was another machine's: a template sealed halfway."""
    from guestinit.system import facts

    unfinished = system.state.unfinished()
    uuid = facts.machine_uuid(system)
    if unfinished is not None and differ(uuid, unfinished.instance.uuid):
        return None
    return system.state.pending_seed()


def recognise_machine(instance: Instance, again: tuple[str, ...], begins: bool, system: System) -> Identity:
    """New, reconfigured, same or resumed, always with the reason.

    `again`: modules that are to run once more. `begins`: whether this is the first stage; the later ones of the same
    boot go on with what that one found, and resume nothing.
    """
    adopted = (system.root.read("/var/lib/cloud/data/instance-id") or b"").decode("utf-8", "replace").strip()
    unfinished = system.state.unfinished()
    if unfinished is not None and unfinished.boot and not begins and unfinished.boot == boot.boot_id(system):
        unfinished = None
    identity = recognise(instance, system.state.settled, unfinished, adopted)
    if again:
        return identity._replace(kind=RECONFIGURED, reason=f"asked to run again: {', '.join(again)}", of="")
    return identity
