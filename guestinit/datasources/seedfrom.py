"""Where NoCloud's `seedfrom` leads: a directory of this machine, or a server (platforms.md 1.5, 10.3).

The same four files lie there as on a volume. Of these meta-data and user-data have to be there, if only empty: a wrong
address must not look like a machine for which nothing is to be done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from guestinit.model.seed import Document

if TYPE_CHECKING:
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

REQUIRED = ("meta-data", "user-data")
OPTIONAL = ("vendor-data", "network-config")
# A file that is not there: a bucket of an object store says 403 to those who may not list it.
_MISSING = (403, 404, 410)

# The fields that an address can name, as dmidecode(8) calls them, and the kernel.
_DMI = {
    "baseboard-asset-tag": "board_asset_tag",
    "baseboard-manufacturer": "board_vendor",
    "baseboard-product-name": "board_name",
    "baseboard-serial-number": "board_serial",
    "baseboard-version": "board_version",
    "bios-release-date": "bios_date",
    "bios-vendor": "bios_vendor",
    "bios-version": "bios_version",
    "chassis-asset-tag": "chassis_asset_tag",
    "chassis-manufacturer": "chassis_vendor",
    "chassis-serial-number": "chassis_serial",
    "chassis-version": "chassis_version",
    "system-family": "product_family",
    "system-manufacturer": "sys_vendor",
    "system-product-name": "product_name",
    "system-serial-number": "product_serial",
    "system-sku-number": "product_sku",
    "system-uuid": "product_uuid",
    "system-version": "product_version",
}


class Unusable(Exception):
    """Nothing can be read there; the text says why, and what to write."""


class Place(NamedTuple):
    """Where the files are."""

    base: str  # an address without the names of the files, or an absolute path
    written: str = ""  # an address as it was given, before SMBIOS filled anything in; "" for a path

    @property
    def remote(self) -> bool:
        """Whether a server has to be asked."""
        return bool(self.written)

    def of(self, name: str) -> str:
        """The address, or the path, of one file."""
        return _joined(self.base, name)

    def shown(self, name: str = "") -> str:
        """The same for people. Everybody reads messages: a query may hold a password, SMBIOS has the machine's uuid."""
        if not self.remote:
            return self.of(name)
        address, mark, _ = _joined(self.written, name).partition("?")
        if not mark:
            return address
        return f"{address}?...:{name}" if name else f"{address}?..."


def _joined(base: str, name: str) -> str:
    return base.replace("%s", name) if "%s" in base else base + name


def place(text: str, system: System) -> Place:
    """What a `seedfrom` means on this machine. Raises Unusable."""
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower() if mark else ""
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host.lower() not in ("", "localhost") or not slash:
            raise Unusable(f"{_named(text)}: write file:///path/, with three slashes")
        text, scheme = slash + path, ""
    if not scheme and text.startswith("/"):
        return Place(_ended(_expanded(text, system, lambda value: value)))
    if scheme in ("http", "https"):
        from urllib.parse import quote  # delayed: whoever fetches over http needs it

        if "@" in rest.partition("/")[0]:
            raise Unusable(f"{scheme}://...: a user name in front of the host is not supported")
        base, written = _expanded(rest, system, lambda value: quote(value, safe="")), rest
        if "?" not in rest:
            base, written = _ended(base), _ended(written)
        return Place(f"{scheme}://{base}", f"{scheme}://{written}")
    known = "http://, https://, file:/// and absolute paths are read"
    wrong = f"{scheme}:// is not supported" if scheme else f"{_named(text)}: no place for a seed"
    raise Unusable(f"{wrong}; {known}")


def _named(text: str) -> str:
    """An address that is wrong, for people: a query may hold a password, and so may what is in front of an @."""
    return "..." if "@" in text else text.partition("?")[0]


def _ended(base: str) -> str:
    return base if base.endswith("/") or "%s" in base else base + "/"


def _expanded(text: str, system: System, quoted: Callable[[str], str]) -> str:
    """With every `__dmi.FIELD__` replaced by what SMBIOS says. Raises Unusable where it says nothing."""
    from guestinit.system.platform_facts import read_dmi

    pieces = text.split("__dmi.")
    expanded = pieces[0]
    for piece in pieces[1:]:
        field, mark, rest = piece.partition("__")
        name = _DMI.get(field.lower())
        if not mark or name is None:
            raise Unusable(f"__dmi.{_named(field)}__: no field of SMBIOS; known: {', '.join(_DMI)}")
        value = read_dmi(name, system)
        if not value:
            raise Unusable(f"__dmi.{field}__: this machine's SMBIOS does not say it")
        expanded += quoted(value) + rest
    return expanded


def read(at: Place, system: System) -> tuple[Document, ...]:
    """The files of a directory of this machine. Raises Unusable."""
    documents = []
    for name in (*REQUIRED, *OPTIONAL):
        path = at.of(name)
        try:
            content = system.root.read(path)
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror}") from None
        if content is not None:
            documents.append(Document(name, path, content))
        elif name in REQUIRED:
            raise Unusable(f"{path}: no such file; meta-data and user-data have to be there, if only empty")
    return tuple(documents)


def fetch(at: Place, nic: str, deadline: float) -> tuple[Document, ...]:
    """The files that a server has, asked until this time.monotonic(). Raises Unusable."""
    from guestinit.datasources import asking
    from guestinit.system import http

    documents = []
    for name in (*REQUIRED, *OPTIONAL):
        shown = at.shown(name)
        try:
            answer = asking.get(at.of(name), deadline, nic=nic, missing=(404,) if name in REQUIRED else _MISSING)
            if answer is not None:
                documents.append(Document(name, shown, answer.body))
                asking.require_size(documents)
        except http.Refused as refused:
            listing = "; the address has to end in the directory that holds meta-data" if refused.status == 200 else ""
            raise Unusable(f"{shown}: {refused.reason}{listing}") from None
        except http.NoAnswer as no_answer:
            raise Unusable(f"{shown}: {no_answer.reason}") from None
        if answer is None and name in REQUIRED:
            raise Unusable(
                f"{shown}: the server has no such file; meta-data and user-data have to be there, if only empty"
            )
    return tuple(documents)


def family(at: Place) -> int:
    """4 or 6, the family of the server's address; 0: it has a name."""
    host = at.base.partition("://")[2].partition("/")[0]
    return 6 if host.startswith("[") else 4 if host.partition(":")[0].replace(".", "").isdigit() else 0


def obstacle(at: Place, uplink: Uplink) -> str:
    """Why this uplink cannot lead there; an empty text if it can."""
    needed = family(at)
    if needed and needed != uplink.family:
        return f"not an IPv{uplink.family} address"
    if not needed and all(own.startswith("fe80:") for own in uplink.addresses):
        return f"no name leads over a link-local address, and {uplink.nic} has no other"
    return ""
