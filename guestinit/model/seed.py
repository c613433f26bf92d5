"""What the platform left for this guest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from guestinit.model.problem import Position
from guestinit.model.secret import Secret
from guestinit.model.value import Given, Value

if TYPE_CHECKING:
    from guestinit.model.network import Network  # large, and not every boot has one
    from guestinit.model.password import GivenPassword


class Document(NamedTuple):
    """One file of a seed, as bytes, under the name that people see in messages.

    Whatever a platform calls its files, what they are has one name here: "user-data", "meta-data", "vendor-data",
    "vendor-data2", "network-config". Where meta-data is many small files (CloudStack, EC2) each is "meta-data/<path>".
    A file that the platform wants to be written is "content/<number>", a password that it hands over "password", and
    the address of the server that wants to hear of it "password-server". The domain of a lease is "domain".
    """

    name: str
    label: str  # where it was read, for positions: "cidata:user-data" or "seed/user-data"
    content: bytes
    fleeting: bool = False  # handed over once, or another one at each request: no part of what makes two boots equal


class Seed(NamedTuple):
    """All documents that one datasource handed over, unread."""

    datasource: str  # "nocloud"
    where: str  # "/dev/sr0 (label cidata, iso9660)" or "./seed"
    reason: str  # why this one, in one line
    documents: tuple[Document, ...]
    format: str = "nocloud"  # how its documents are written: "nocloud", "openstack", "cloudstack", "ec2"

    def document(self, name: str) -> Document | None:
        """The document of this name, if the seed has it."""
        for document in self.documents:
            if document.name == name:
                return document
        return None


class InjectedFile(NamedTuple):
    """A file that the platform's user gave to the platform (OpenStack calls it personality)."""

    path: Given[str]  # where it is to be written
    content: bytes


class MetaData(NamedTuple):
    """What a platform says about the machine itself, whichever way it spells it."""

    instance_id: str
    instance_id_given: bool  # False: derived, because the platform gave none (virt-install's empty meta-data)
    hostname: Optional[Given[str]] = None
    public_keys: tuple[Given[str], ...] = ()
    dsmode: str = "net"
    document: Any = None  # the whole document as a plain dict, for templates
    at: Position = Position("meta-data")
    network: Optional[Network] = None  # what the seed's network-config says; None: it says nothing
    network_document: Optional[Document] = (
        None  # a network that meta-data holds or points at (ENI); network-config wins
    )
    password: Optional[GivenPassword] = None  # of the default user, from the platform and not from user-data
    reset: Optional[GivenPassword] = None  # of the same, set by somebody through the platform: goes before all others
    password_server: str = ""  # the address of the server that waits to hear that it was applied
    files: tuple[InjectedFile, ...] = ()
    random_seed: Optional[Secret] = None  # for the kernel's pool; another one at each request


class Part(NamedTuple):
    """One piece of user-data or vendor-data: the whole document, or a part of a MIME message."""

    kind: str  # "cloud-config", "script", ... (reading.formats)
    label: str  # for positions: "cidata:user-data", "cidata:user-data[part-001]"
    text: str
    content: bytes = b""  # of a script: its very bytes, which need not be text (self-extracting archives)
    name: str = ""  # the file name that a MIME part gave


class Inputs(NamedTuple):
    """Everything that a seed says, read and merged."""

    meta: MetaData
    cloud_config: Value  # one mapping: for each top-level key the highest source that gives it
    scripts: tuple[Part, ...] = ()  # to be run at the end of the boot, in this order
    texts: Mapping[str, str] = {}  # what each label in a position stands for, to show a line; may hold secrets
