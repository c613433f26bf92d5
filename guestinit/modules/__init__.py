"""What a section of the configuration means, one file each.

A module has `KEYS` (the top-level keys that it reads), a `Section` record, `read(fields, meta) -> Section` and
`plan(section, facts, accounts) -> steps`. It imports the model and nothing else of ours.
"""

from __future__ import annotations

# In the order in which they are planned and, within a stage, applied: root access first, what can fail last.
# Beside each name the keys that make it take part; a module marked `*` takes part always. Some take part because of
# what meta-data says, or for scripts (config.read_config).
ORDER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("random_seed", ()),  # before keys are made
    ("host_keys", ("*", "ssh_keys", "ssh_deletekeys", "ssh_genkeytypes", "ssh_quiet_keygen", "ssh_publish_hostkeys",
                   "ssh")),
    ("accounts", ("*", "users", "user", "groups")),
    ("ssh_keys", ("*", "ssh_authorized_keys", "disable_root", "disable_root_opts", "allow_public_ssh_keys")),
    ("passwords", ("*", "password", "chpasswd", "ssh_pwauth")),
    ("password_reset", ()),
    ("hostname", ("*", "hostname", "fqdn", "prefer_fqdn_over_hostname", "preserve_hostname", "create_hostname_file",
                  "manage_etc_hosts")),
    ("machine_id", ("*",)),
    ("network", ("*",)),
    ("timezone", ("timezone",)),
    ("locale", ("locale", "locale_configfile")),
    ("bootcmd", ("bootcmd",)),
    ("grow", ("*", "growpart", "resize_rootfs")),
    ("packages", ("packages", "package_update", "package_upgrade", "package_reboot_if_required",
                  "apt_update", "apt_upgrade", "apt_reboot_if_required")),
    ("files", ("write_files",)),  # deferred files come after the packages whose directories they need
    ("runcmd", ("runcmd",)),
)  # fmt: skip
