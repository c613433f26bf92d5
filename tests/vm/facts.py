"""Runs inside the guest: gathers what the tests look at, writes it as one JSON document to /dev/ttyS1, powers off.

It is handed to the guest through QEMU's fw_cfg, so a change here needs no new image. Standard library only.
What a test wants beyond the fixed list comes with it as a small document (opt/vmtest.request): `addresses` (wait for
these, or for prefixes of them), `files`, `trees` (paths), `secrets` (strings to search for), `commands` (argv lists),
`units` (whose properties to show beside ours), `dry_run`, `verify` (whether to run these), `stay` (do not power off),
`patience` (seconds).
"""

import base64
import glob
import hashlib
import json
import os
import stat
import subprocess
import sys
import termios
import time
import tty

REQUEST = "/sys/firmware/qemu_fw_cfg/by_name/opt/vmtest.request/raw"
UNITS = ["guestinit-local.service", "guestinit-network.service", "guestinit-late.service", "guestinit-final.service"]
PROPERTIES = (
    "Id,LoadState,UnitFileState,ActiveState,SubState,Result,ExecMainStatus,ConditionResult,"
    "ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,ActiveEnterTimestampMonotonic,CPUUsageNSec"
)
CONFIG_TREES = [
    "/etc/systemd/network", "/etc/NetworkManager/system-connections", "/etc/sudoers.d", "/etc/ssh/sshd_config.d",
    "/etc/netplan", "/etc/network/interfaces.d", "/etc/systemd/resolved.conf.d", "/etc/guestinit",
]  # fmt: skip
CONFIG_FILES = [
    "/etc/hostname", "/etc/hosts", "/etc/machine-id", "/etc/timezone", "/etc/default/locale", "/etc/locale.conf",
    "/etc/locale.gen", "/etc/resolv.conf", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid",
    "/run/guestinit/status.json", "/var/log/guestinit.log",
]  # fmt: skip


def run(*argv, limit=120):
    """Exit status and output of one command; a missing or stuck one is a fact too."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)
    except FileNotFoundError:
        return {"code": 127, "out": "", "err": "not found"}
    except subprocess.TimeoutExpired:
        return {"code": -1, "out": "", "err": "timed out"}
    return {"code": done.returncode, "out": text(done.stdout), "err": text(done.stderr)}


def run_json(*argv):
    result = run(*argv)
    try:
        return json.loads(result["out"])
    except ValueError:
        return {"unreadable": result}


def read(path):
    with open(path) as source:
        return source.read().strip()


def text(data):
    return data.decode("utf-8", "backslashreplace")


def describe(path, content=True):
    """Mode, owner, and content or link target of one path; None if there is none."""
    try:
        info = os.lstat(path)
    except OSError:
        return None
    facts = {"mode": f"{stat.S_IMODE(info.st_mode):04o}", "uid": info.st_uid, "gid": info.st_gid}
    facts["mtime"] = info.st_mtime
    facts["size"] = info.st_size
    if stat.S_ISLNK(info.st_mode):
        facts["link"] = os.readlink(path)
    facts["kind"] = "directory" if stat.S_ISDIR(info.st_mode) else "file" if stat.S_ISREG(info.st_mode) else "other"
    if content and os.path.isfile(path) and os.path.getsize(path) < 1 << 20:
        with open(path, "rb") as source:
            data = source.read()
        facts["content"] = text(data)
        facts["sha256"] = hashlib.sha256(data).hexdigest()
    return facts


def tree(top, content=False):
    found = {}
    for directory, folders, files in os.walk(top):
        for name in sorted(folders + files):
            path = os.path.join(directory, name)
            found[path] = describe(path, content)
    return found


def accounts():
    """passwd, shadow and group lines by name, each a list of lines, so that a duplicate shows."""
    found = {}
    for database in ("passwd", "shadow", "group", "gshadow"):
        table = found[database] = {}
        try:
            with open("/etc/" + database) as lines:
                for line in lines:
                    table.setdefault(line.split(":")[0], []).append(line.rstrip("\n"))
        except OSError:
            continue
    return found


def authorized_keys(table):
    """Every home's ~/.ssh: the directory and the key file with modes and owners."""
    found = {}
    for name, lines in table["passwd"].items():
        home = lines[0].split(":")[5]
        ssh = os.path.join(home, ".ssh")
        if os.path.isdir(ssh) or name in ("root", "debian", "admin"):
            keys = os.path.join(ssh, "authorized_keys")
            found[name] = {"home": describe(home), "ssh": describe(ssh), "keys": describe(keys)}
    return found


def host_keys():
    found = {}
    for path in sorted(glob.glob("/etc/ssh/ssh_host_*")):
        found[os.path.basename(path)] = dict(describe(path, content=path.endswith(".pub")))
        if path.endswith(".pub"):
            found[os.path.basename(path)]["fingerprint"] = run("ssh-keygen", "-lf", path)["out"].split(" ")[1:2]
    return found


def unit_facts(more):
    shown = {}
    listing = run("systemctl", "show", "-p", PROPERTIES, *UNITS, "guestinit.target", "ssh.service", *more)["out"]
    for block in listing.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields:
            shown[fields.get("Id", "?")] = fields
    return shown


def find_secrets(secrets):
    """Where each secret (by index) was found: files by path, the journal, command lines of running processes."""
    hits = {}
    needles = [(str(index), secret.encode()) for index, secret in enumerate(secrets)]
    if not needles:
        return hits

    def search(where, data):
        for index, needle in needles:
            if needle in data:
                hits.setdefault(index, []).append(where)

    boot = "_BOOT_ID=" + read("/proc/sys/kernel/random/boot_id").replace("-", "")
    export = ["journalctl", "--merge", "-o", "export", "--no-pager", boot]
    journal = subprocess.run(export, capture_output=True).stdout
    if not journal:
        hits["no journal"] = ["an empty journal proves nothing"]
    search("journal", journal)
    search("dmesg", run("dmesg")["out"].encode())
    for top in ("/run/guestinit", "/var/lib/guestinit", "/var/log", "/run/log", "/tmp", "/var/tmp"):
        for directory, _, files in os.walk(top):
            for name in files:
                path = os.path.join(directory, name)
                if "/journal/" in path or os.path.islink(path) or not os.path.isfile(path):
                    continue
                with open(path, "rb") as source:
                    search(path, source.read(1 << 24))
    return hits


def wait_for_addresses(wanted, limit=90):
    """Network managers configure on their own time: wait until these addresses are there and usable."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        usable = set()
        for link in run_json("ip", "-j", "address"):
            for address in link.get("addr_info", ()):
                if not address.get("tentative"):
                    usable.add(address.get("local", ""))
        if all(any(have.startswith(want) for have in usable) for want in wanted):
            return
        time.sleep(0.5)


def jobs_left(limit=60):
    """The jobs that do not end. D-Bus starts services at any time (a dispatcher, hostnamed), which are soon done."""
    deadline = time.monotonic() + limit
    while True:
        jobs = run("systemctl", "list-jobs", "--no-legend")["out"]
        if not jobs or time.monotonic() > deadline:
            return jobs
        time.sleep(0.5)


def gather(request):
    state = run("systemctl", "is-system-running", "--wait", limit=request.get("patience", 900))
    facts = {"system_state": state["out"].strip(), "state_error": state["err"], "waited_until": time.monotonic()}
    wait_for_addresses(request.get("addresses", ()))
    facts["jobs"] = jobs_left()
    boot_id = facts["boot_id"] = read("/proc/sys/kernel/random/boot_id")
    facts["userspace"] = run("systemctl", "show", "--value", "-p", "UserspaceTimestampMonotonic")["out"].strip()
    facts["cmdline"] = read("/proc/cmdline")
    facts["kernel"] = os.uname().release
    facts["hostname"] = os.uname().nodename
    facts["fqdn"] = run("hostname", "--fqdn")
    facts["accounts"] = accounts()
    facts["authorized_keys"] = authorized_keys(facts["accounts"])
    facts["host_keys"] = host_keys()
    facts["addresses"] = run_json("ip", "-j", "address")
    facts["routes"] = run_json("ip", "-j", "route", "show", "table", "main")
    facts["routes6"] = run_json("ip", "-j", "-6", "route", "show", "table", "main")
    facts["resolvectl"] = run("resolvectl", "status", "--no-pager") if os.path.exists("/usr/bin/resolvectl") else None
    facts["nmcli"] = run("nmcli", "-t", "connection", "show", "--active") if os.path.exists("/usr/bin/nmcli") else None
    facts["files"] = {}
    for path in CONFIG_FILES + list(request.get("files", ())):
        facts["files"][path] = describe(path)
    for top in CONFIG_TREES:
        facts["files"].update(tree(top, content=True))
    facts["trees"] = {}
    for top in ["/var/lib/guestinit", "/run/guestinit", *request.get("trees", ())]:
        facts["trees"][top] = describe(top) and {".": describe(top), **tree(top)}
    facts["localtime"] = os.path.realpath("/etc/localtime")
    facts["locales"] = run("locale", "-a")["out"].split()
    facts["lsblk"] = run_json("lsblk", "-J", "-b", "-o", "NAME,TYPE,SIZE,FSTYPE,LABEL,MOUNTPOINT")
    size = os.statvfs("/")
    facts["root_bytes"] = size.f_blocks * size.f_frsize
    facts["mounts"] = read("/proc/self/mounts")
    facts["failed"] = run("systemctl", "list-units", "--failed", "--plain", "--no-legend")["out"].split("\n")[:-1]
    facts["units"] = unit_facts(request.get("units", ()))
    # --merge: in a boot that replaced the machine-id, the journal is still kept under the old one.
    journal = ["journalctl", "--merge", "-o", "short-monotonic", "--no-pager", "_BOOT_ID=" + boot_id.replace("-", "")]
    facts["journal"] = run(*journal, "SYSLOG_IDENTIFIER=guestinit")["out"]
    facts["journal_errors"] = run(*journal, "--priority=warning")["out"]
    if os.path.exists("/usr/bin/guestinit"):
        facts["status"] = run("guestinit", "status")
        facts["status_json"] = run("guestinit", "status", "--format", "json")
        facts["pending"] = os.path.exists("/var/lib/guestinit/pending")
        if request.get("dry_run", True):
            facts["dry_run"] = run("guestinit", "--dry-run")
        if request.get("verify"):
            units = [unit for unit in UNITS if os.path.exists("/usr/lib/systemd/system/" + unit)]
            facts["verify"] = run("systemd-analyze", "verify", "--man=no", *units, "guestinit.target")
    facts["sudo"] = run("visudo", "-c")
    facts["sshd_config"] = run("sshd", "-T")
    facts["commands"] = [run(*argv) for argv in request.get("commands", ())]
    facts["secrets"] = find_secrets(request.get("secrets", ()))
    return facts


def send(document):
    """Framed by its length and digest, so that a boot that was cut short is never taken for a whole document."""
    data = base64.b64encode(json.dumps(document).encode())
    head = f"VMTEST {len(data)} {hashlib.sha256(data).hexdigest()}\n".encode()
    port = os.open("/dev/ttyS1", os.O_WRONLY | os.O_NOCTTY)
    tty.setraw(port)
    left = head + data + b"\nEND\n"
    while left:
        left = left[os.write(port, left[:4096]) :]
    termios.tcdrain(port)
    os.close(port)


def main():
    with open(REQUEST, "rb") as source:
        request = json.loads(source.read())
    started = time.monotonic()
    try:
        facts = gather(request)
    except Exception as error:  # the host must hear of it, or it would wait in vain
        facts = {"error": repr(error)}
    facts["gathered_in"] = time.monotonic() - started
    send(facts)
    if not request.get("stay"):
        subprocess.run(["systemctl", "--no-block", "poweroff"], check=True)


if __name__ == "__main__":
    sys.exit(main())
