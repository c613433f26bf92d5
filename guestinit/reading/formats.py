"""What a piece of user-data is: told by its first line, or by the type that a MIME part names.

The markers are those of cloud-init's user-data formats (cloud-config.md section 3).
"""

from __future__ import annotations

EMPTY = "empty"
CLOUD_CONFIG = "cloud-config"
SCRIPT = "script"
TEMPLATE = "template"
MIME = "mime"
ARCHIVE = "cloud-config-archive"
JSON_PATCH = "cloud-config-jsonp"
BOOTHOOK = "cloud-boothook"
INCLUDE = "include"
PART_HANDLER = "part-handler"
PER_BOOT = "script per boot"
PER_ONCE = "script once per machine"
IGNITION = "ignition"
WINDOWS = "windows script"
HEAT = "heat"
UNKNOWN = "unknown"

# Formats that are recognised and not acted on: what they are, for the message.
UNSUPPORTED = {
    ARCHIVE: "a cloud-config archive",
    JSON_PATCH: "a JSON patch of cloud-config",
    BOOTHOOK: "a cloud-boothook",
    INCLUDE: "a list of addresses to include",
    PART_HANDLER: "a part-handler (Python code)",
    PER_BOOT: "a script for every boot",
    PER_ONCE: "a script for once per machine",
    IGNITION: "an Ignition configuration",
    WINDOWS: "a PowerShell script",
    HEAT: "data for OpenStack Heat's own tools",
}

_MARKERS = {
    "#cloud-config": CLOUD_CONFIG,
    "#cloud-config-archive": ARCHIVE,
    "#cloud-config-jsonp": JSON_PATCH,
    "#cloud-boothook": BOOTHOOK,
    "#include": INCLUDE,
    "#include-once": INCLUDE,
    "#part-handler": PART_HANDLER,
    "#ps1": WINDOWS,
    "#ps1_sysnative": WINDOWS,
    "#ps1_x86": WINDOWS,
}

_TYPES = {
    "text/cloud-config": CLOUD_CONFIG,
    "text/x-shellscript": SCRIPT,
    "text/x-shellscript-per-instance": SCRIPT,
    "text/x-shellscript-per-boot": PER_BOOT,
    "text/x-shellscript-per-once": PER_ONCE,
    "text/jinja2": TEMPLATE,
    "text/cloud-config-archive": ARCHIVE,
    "text/cloud-config-jsonp": JSON_PATCH,
    "text/cloud-boothook": BOOTHOOK,
    "text/x-include-url": INCLUDE,
    "text/x-include-once-url": INCLUDE,
    "text/part-handler": PART_HANDLER,
    "text/x-cfninitdata": HEAT,
}


def recognise(text: str) -> str:
    """The format of a text, by how it begins. Blank lines and blanks may come first; the case does not matter."""
    head = text[:4096].lstrip().lower()
    if not head:
        return EMPTY if not text.strip() else UNKNOWN
    if head.startswith("#!"):
        return SCRIPT
    first_line = head.split("\n", 1)[0].strip()
    if is_template(first_line):
        return TEMPLATE
    word = first_line.split()[0]
    if word in _MARKERS:
        return _MARKERS[word]
    if text.strip() in ("null", "~", "{}", "---"):
        return EMPTY
    if head.startswith("{") and '"ignition"' in text:
        return IGNITION
    if is_mime(head):
        return MIME
    return UNKNOWN


def of_type(content_type: str, text: str) -> str:
    """The format of a MIME part. What the text itself says in its first line goes before a type that says less."""
    named = _TYPES.get(content_type)
    found = recognise(text)
    if named is None or found in (TEMPLATE, EMPTY):
        return found
    return named


def is_template(line: str) -> bool:
    """Whether a first line asks for Jinja: `## template: jinja`."""
    return line.startswith("##") and line.lstrip("# \t").lower().replace(" ", "").startswith("template:jinja")


def is_mime(head: str) -> bool:
    """Whether this begins with the header of a MIME message."""
    for line in head.split("\n")[:50]:
        name, colon, _ = line.partition(":")
        if name.lower() in ("content-type", "mime-version"):
            return True
        # Other headers, the lines that continue them, and the "From " line of a mailbox may come first.
        if not line[:1].isspace() and not line.startswith("from ") and (not colon or " " in name or not name):
            return False
    return False


def marker_below_comments(text: str) -> int:
    """The line, from 1, in which `#cloud-config` stands below other comments; 0 if it does not."""
    for number, line in enumerate(text[:4096].split("\n"), 1):
        if line.strip().lower() == "#cloud-config":
            return number
        if line.strip() and not line.startswith("#"):
            return 0
    return 0
