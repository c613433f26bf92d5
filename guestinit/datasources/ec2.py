"""EC2's metadata service, of AWS and of clouds that imitate it (platforms.md 9).

    PUT /latest/api/token       a token, which every request then carries (IMDSv2); imitations have none
    /                           a list of versions
    /<version>/meta-data/       a tree: `name/` is a directory, `0=name` a key in the directory `0`, the rest leaves
    /<version>/user-data        bytes

It is at 169.254.169.254, and at fd00:ec2::254 where IPv6 is enabled. What the tree says about the credentials of roles
is not read: nothing here needs them, and whatever is read is kept until the run has finished.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestinit.datasources import Search, asking
from guestinit.model.seed import Document, Seed

if TYPE_CHECKING:
    from guestinit.system.system import System
    from guestinit.system.uplink import Uplink

NAME = "ec2"
RENEWS = False
HOSTS = {4: "169.254.169.254", 6: "[fd00:ec2::254]"}
VERSIONS = ("2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04", "latest")
TTL = "21600"  # seconds that a token is good for: as long as they get
TOKEN_PATIENCE = (
    5.0  # seconds: answers to PUT get lost where the packet may make one hop only, and somebody forwards it
)
NO_TOKENS = (400, 404, 405, 501)  # what imitations say to PUT
SECRET = ("iam/security-credentials/", "identity-credentials/")
MOST_LEAVES, MOST_DEPTH = 1000, 12
# What acts on the machine. The rest of the tree may differ each time: a boot is no other one for that.
LASTING = ("instance-id", "local-hostname", "public-keys/")
LASTING_OF_NIC = ("device-number", "local-ipv4s", "ipv6s", "subnet-ipv4-cidr-block")


def fetch(uplink: Uplink, system: System, deadline: float) -> Search:
    """The tree and user-data over this uplink, or why there are none."""
    from guestinit.system.http import NoAnswer

    if uplink.family == 6 and all(address.startswith("fe80:") for address in uplink.addresses):
        return Search(None, (f"{NAME}: {uplink.nic} has no global IPv6 address",))
    session = _Session(f"http://{HOSTS[uplink.family]}", uplink.nic, deadline)
    try:
        session.open()
        version = session.version()
        top = f"/{version}/meta-data/"
        documents = [_document(f"meta-data/{path}", content) for path, content in session.walk(top).items()]
        user_data = session.get(f"/{version}/user-data")
        if user_data is not None:
            documents.append(_document("user-data", user_data))
    except NoAnswer as no_answer:
        where = f"{session.server}{session.path} over {uplink.nic}"
        return Search(None, (*session.said, f"{NAME}: {where}: {no_answer.reason}"))
    how = "with a token" if session.token else "without a token"
    reason = f"the metadata service, version {version}, {how}"
    return Search(Seed(NAME, f"{session.server} ({uplink.nic})", reason, tuple(documents), "ec2"), tuple(session.said))


def _document(name: str, content: bytes) -> Document:
    path = name.partition("/")[2]
    lasts = not path or path.startswith(LASTING)
    if path.startswith("network/interfaces/macs/"):
        lasts = path.rpartition("/")[2] in LASTING_OF_NIC
    return Document(name, f"{NAME}:{name}", content, fleeting=not lasts)


class _Session:
    """Requests to one server, with its token."""

    def __init__(self, server: str, nic: str, deadline: float) -> None:
        self.server = server
        self.token = ""  # a secret: it stands in headers and nowhere else
        self.said: list[str] = []
        self.path = ""  # what was asked for last
        self._nic = nic
        self._deadline = deadline

    def open(self) -> None:
        """Get a token. A server that has none, or whose answer does not come, is asked without one."""
        from guestinit.system.http import NoAnswer, Refused

        try:
            self._renew(min(self._deadline, time.monotonic() + TOKEN_PATIENCE))
        except NoAnswer as no_answer:
            if isinstance(no_answer, Refused) and no_answer.status == 403:
                raise NoAnswer("status 403: the metadata service is switched off for this instance") from None
            reason = f"no token: {no_answer.reason} (as with a hop limit of 1 and a router between); asked without one"
            self.said.append(f"{NAME}: {self.server}{self.path} over {self._nic}: {reason}")

    def _renew(self, deadline: float) -> None:
        self.path, self.token = "/latest/api/token", ""
        answer = asking.get(
            self.server + self.path, deadline, nic=self._nic, method="PUT", missing=NO_TOKENS,
            headers={"X-aws-ec2-metadata-token-ttl-seconds": TTL},
        )  # fmt: skip
        token = answer.body.decode("ascii", "replace").strip() if answer else ""
        # A header is made of it.
        self.token = token if token.isascii() and token.isprintable() and len(token) <= 4096 else ""

    def get(self, path: str, missing: tuple[int, ...] = (404,)) -> bytes | None:
        """What is at a path; None: nothing. A token that has run out is renewed once."""
        from guestinit.system.http import Refused

        self.path = path
        for renewed in (False, True):
            headers = {"X-aws-ec2-metadata-token": self.token} if self.token else {}
            try:
                answer = asking.get(
                    self.server + path, self._deadline, nic=self._nic, missing=missing, headers=headers,
                    empty=bool(missing),
                )  # fmt: skip
                return answer.body if answer else None
            except Refused as refused:
                if refused.status != 401 or renewed:
                    raise
            self._renew(self._deadline)
            self.path = path
        raise AssertionError("the second 401 is raised")

    def version(self) -> str:
        """The newest version that is known and listed; imitations that list none have "latest"."""
        from guestinit.system.http import Refused

        try:
            listed = self.get("/") or b""
        except Refused as refused:
            if refused.status in (401, 403):
                raise
            listed = b""
        given = {line.strip().strip("/") for line in listed.decode("utf-8", "replace").splitlines()}
        return next((version for version in VERSIONS if version in given), "latest")

    def walk(self, top: str) -> dict[str, bytes]:
        """Every leaf below a directory, by its path from there."""
        leaves: dict[str, bytes] = {}
        size = 0
        left = [""]
        while left:
            directory = left.pop(0)
            listed = self.get(top + directory, () if not directory else (404,))
            for entry in _entries(listed or b"", directory):
                path = directory + entry
                if path.startswith(SECRET):
                    continue
                if path.endswith("/"):
                    if path.count("/") <= MOST_DEPTH and len(left) < MOST_LEAVES:
                        left.append(path)
                    continue
                if len(leaves) >= MOST_LEAVES:
                    self.said.append(f"{NAME}: more than {MOST_LEAVES} leaves; {path} and what follows is not read")
                    return leaves
                content = self._leaf(top + path)
                if content is not None:
                    leaves[path] = content
                    size += len(content)
                if size > asking.MOST_BYTES:
                    self.said.append(f"{NAME}: more than 16 MiB of leaves; what follows {path} is not read")
                    return leaves
        return leaves

    def _leaf(self, path: str) -> bytes | None:
        """A leaf; None where the server lists what it does not hand out."""
        from guestinit.system.http import Refused

        try:
            return self.get(path)
        except Refused as refused:
            if refused.status in (401, 403):
                raise
            self.said.append(f"{NAME}: {path}: {refused.reason}; left out")
            return None


def _entries(listed: bytes, directory: str) -> list[str]:
    """The entries of a directory, as they are asked for."""
    found = []
    for line in listed.decode("utf-8", "replace").splitlines():
        entry = line.strip()
        if directory == "public-keys/" and "=" in entry:
            entry = f"{entry.partition('=')[0]}/"
        name = entry.rstrip("/")
        if name and name not in (".", "..") and name.isprintable() and not set(name) & set("/?#%"):
            found.append(entry)
    return found
