"""NoCloud's line configuration: `ds=nocloud;s=http://192.0.2.1/web1/;h=web1` (platforms.md 1.5, 10.3).

It stands among other words in the SMBIOS serial number or on the kernel command line. Quotes and backslashes that boot
loaders and shells leave behind are no part of it, wherever they stand: no key and no value needs any.

An unchanged boot may read this: it imports nothing.
"""

from __future__ import annotations

# The second spelling once meant that the network is needed; Packer and autoinstall still write it.
_KINDS = ("ds=nocloud", "ds=nocloud-net")
_LONG = {
    "h": "local-hostname", "i": "instance-id", "s": "seedfrom",
    "local_hostname": "local-hostname", "hostname": "local-hostname", "instance_id": "instance-id",
}  # fmt: skip
SEEDFROM = "seedfrom"
OVERRIDES = ("instance-id", "local-hostname", "dsmode")  # keys that replace those of meta-data


def words(text: str) -> tuple[str, ...]:
    """The words of a text that speak to NoCloud, without quotes and backslashes."""
    cleaned = text.replace("'", "").replace('"', "").replace("\\", "").replace("\0", " ").split()
    return tuple(word for word in cleaned if word.partition(";")[0] in _KINDS)


def pairs(text: str) -> dict[str, str]:
    """What these words say, keys in their long spelling; the last one of a key wins, and an empty one says nothing."""
    found: dict[str, str] = {}
    for word in words(text):
        for pair in word.split(";")[1:]:
            key, _, value = pair.partition("=")
            if key:
                found[_LONG.get(key, key)] = value
    return {key: value for key, value in found.items() if value}


def without_seedfrom(text: str) -> str:
    """The same said in one word, but for where the documents lie; an empty text if nothing else is said.

    However it was spelled and in which order, the same is said in the same way.
    """
    said = [f"{key}={value}" for key, value in sorted(pairs(text).items()) if key != SEEDFROM]
    return ";".join((_KINDS[0], *said)) if said else ""
