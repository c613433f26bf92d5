"""Cloud-config: the parts of a seed as mappings, and these merged into one.

For each top-level key the highest source that gives it wins whole: user-data over vendor-data2 over vendor-data over
the image's defaults. Between the parts of one source the first one that gives a key keeps it, as with cloud-init's
default; there a second `runcmd` is lost in silence, here it is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from guestinit.model.fields import FALSE, MOST_GUESSES, nearest, shorten
from guestinit.model.problem import Problems
from guestinit.model.seed import Part
from guestinit.model.value import MAP, SCALAR, Value

# Top-level keys with an older spelling that people still write.
RENAMED = {
    "apt_update": "package_update",
    "apt_upgrade": "package_upgrade",
    "apt_reboot_if_required": "package_reboot_if_required",
}

# Accepted, and rightly without effect.
WITHOUT_EFFECT = {
    "autoinstall": "it is for the Ubuntu installer",
    "version": "there is one version of this format",
    "migrate": "it belongs to a module that cloud-init removed",
    "final_message": "the report of guestinit says how the boot went",
    "output": "what commands print is in /var/log/guestinit.log",
    "network": "a network is read from the document network-config only",
    "no_ssh_fingerprints": "fingerprints of users' keys are never printed",
    "apt_pipelining": "apt needs no such setting any more",
    "coreos": "it is for Flatcar's own agent",
}

# What cloud-init knows (its schema) and this version does not act on.
UNSUPPORTED = frozenset(
    (
        "ansible", "apk_repos", "apt", "authkey_hash", "byobu_by_default", "ca-certs", "ca_certs", "chef",
        "cloud_config_modules", "cloud_final_modules", "cloud_init_modules", "datasource", "datasource_list",
        "debug", "device_aliases", "disable_ec2_metadata", "disk_setup", "drivers", "fan", "fs_setup", "grub-dpkg",
        "grub_dpkg", "keyboard", "landscape", "launch-index", "lxd", "manage_resolv_conf", "mcollective",
        "merge_how", "merge_type", "mount_default_fields", "mounts", "ntp", "phone_home", "power_state", "puppet",
        "random_seed", "reporting", "resolv_conf", "rh_subscription", "rpi", "rsyslog", "salt_minion", "snap",
        "spacewalk", "ssh_fp_console_blacklist", "ssh_import_id", "ssh_key_console_blacklist", "swap",
        "system_info", "ubuntu_advantage", "ubuntu_pro", "updates", "wireguard", "yum_repo_dir", "yum_repos",
        "zypper",
    )
)  # fmt: skip

# By which the user switches a vendor's document off: `vendor_data: {enabled: false}`.
_SWITCHES = {"vendor-data": "vendor_data", "vendor-data2": "vendor_data2"}


def read(parts: Sequence[Part], known: Sequence[str], problems: Problems) -> Value | None:
    """The cloud-config parts of one source as one mapping; None if there is none."""
    if not parts:
        return None
    from guestinit.reading import salvage  # delayed: regular expressions, which an empty document does not need

    merged: Value | None = None
    for part in parts:
        value = salvage.read(part.text, part.label, problems)
        if value is None or value.is_null:
            continue
        if value.kind != MAP:
            problems.error(value.at, "", f"expected a mapping of keys to values, got a {value.kind}", _advice(value))
            continue
        mapping = check(value, known, problems)
        merged = mapping if merged is None else _join(merged, mapping, problems)
    return merged


def check(value: Value, known: Sequence[str], problems: Problems) -> Value:
    """The mapping with every key once and in its present spelling; those that are without effect are reported."""
    found: dict[str, tuple[Value, Value]] = {}
    guesses = 0
    for key, content in value.pairs:
        name = RENAMED.get(key.text, key.text)
        if name != key.text:
            problems.note(key.at, key.text, f"old spelling of '{name}'", "it is read all the same", len(key.text))
            key = key._replace(text=name)
        path = shorten(name)
        if name in found:
            first = found.pop(name)[0].at
            problems.warning(
                key.at, path, f"given twice, first in line {first.line}", "the last one is taken", len(path)
            )
        found[name] = (key, content)
        if name in known or name in _SWITCHES.values() or name.startswith("x-"):
            continue
        if name in WITHOUT_EFFECT:
            problems.note(key.at, path, "has no effect here", WITHOUT_EFFECT[name], len(path))
        elif name in UNSUPPORTED:
            problems.warning(key.at, path, "not supported by this version", "left out", len(path))
        else:
            guesses += 1
            guess = nearest(name, [*known, *WITHOUT_EFFECT, *UNSUPPORTED]) if guesses <= MOST_GUESSES else ""
            hint = f"did you mean '{guess}'?" if guess else "it is ignored; names that begin with 'x-' are free"
            problems.warning(key.at, path, "unknown key", hint, max(1, len(path)))
    return value._replace(pairs=tuple(found.values()))


def merge(given: Sequence[Value | None], defaults: Value, known: Sequence[str], problems: Problems) -> Value:
    """One mapping out of the sources, of which the first has the highest rank and the image's defaults the lowest."""
    sources = [source for source in given if source is not None]
    sources.append(check(defaults, known, problems))
    found: dict[str, tuple[Value, Value]] = {}
    for source in sources:
        for key, content in source.pairs:
            found.setdefault(key.text, (key, content))
    for name in _SWITCHES.values():
        found.pop(name, None)
    return Value(MAP, sources[0].at, pairs=tuple(found.values()))


def switched_off(name: str, user: Value | None) -> bool:
    """Whether user-data refuses this document of the vendor's."""
    setting = user.get(_SWITCHES[name]) if user is not None else None
    enabled = setting.get("enabled") if setting is not None else None
    return enabled is not None and enabled.kind == SCALAR and enabled.text.lower() in FALSE


def _join(first: Value, later: Value, problems: Problems) -> Value:
    given = {key.text: key.at for key, _ in first.pairs}
    pairs = list(first.pairs)
    for key, content in later.pairs:
        if key.text not in given:
            pairs.append((key, content))
        else:
            path = shorten(key.text)
            hint = "the first one stays; put both in one part"
            problems.warning(key.at, path, f"given already in {given[key.text]}", hint, len(path))
    return first._replace(pairs=tuple(pairs))


def _advice(value: Value) -> str:
    if "=" in value.text.split("\n")[0]:
        return "nothing of it is used; write 'key: value', not 'key = value'"
    return "nothing of it is used; write 'key: value' lines"
