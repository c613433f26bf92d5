"""Keys and passwords in the configuration of networks, by the names that their settings have.

Keyfiles of NetworkManager (psk=, private-key=), networkd (PrivateKey=), netplan (password:, private:), ifupdown
(wpa-psk).
"""

from __future__ import annotations

_NAMES = ("key", "private", "shared", "pin", "cak", "mka-cak")
_PARTS = (
    "psk",
    "passw",
    "passphrase",
    "secret",
    "privatekey",
    "presharedkey",
    "sharedkey",
    "wepkey",
    "wirelesskey",
    "credential",
)
_SHORTEST = 4  # what is shorter stands in any text by chance


def values(text: str) -> tuple[str, ...]:
    """The values that nobody else may see, each once."""
    found = {}
    for line in text.splitlines():
        name, value = _setting(line)
        if len(value) >= _SHORTEST and _is_secret(name):
            found[value] = True
    return tuple(found)


def holds_any(text: str) -> bool:
    """Whether there may be one, in whatever syntax: also in one line with others."""
    if values(text):
        return True
    words = text.replace("{", "\n").replace(",", "\n")
    return any(value and _is_secret(name) for name, value in map(_setting, words.splitlines()))


def _setting(line: str) -> tuple[str, str]:
    """The name and the value of `name=value`, `name: value` or `name value`."""
    line = line.strip().lstrip("- ")
    end = next((index for index, sign in enumerate(line) if sign in "=: \t"), len(line))
    return line[:end].strip("\"'"), line[end:].lstrip("=: \t").rstrip("} \t").strip("\"'")


def _is_secret(name: str) -> bool:
    plain = name.lower()
    joined = plain.replace("-", "").replace("_", "")
    return plain in _NAMES or any(part in joined for part in _PARTS)
