"""Boot one guest by hand: `python3 -m tests.vm.boot --suite bookworm --deb X.deb --seed DIR`.

Without --seed a Proxmox VE seed is made (name web01, user admin, 10.20.0.40/24). Prints a summary; everything else
(console, the facts document, QEMU's own output) stays in the directory that is named at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from tests.vm import image, seeds
from tests.vm.guest import Boot, Hardware, Machine

MAC = "bc:24:11:0a:1b:2c"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=sorted(image.TEMPLATES), default="bookworm")
    parser.add_argument("--deb", help="the package under test; without it the bare template boots")
    parser.add_argument("--seed", help="a directory with the seed's files, an .iso or .img file, or 'none'")
    parser.add_argument("--bus", choices=["ide", "scsi", "disk"], default="ide", help="how the seed is attached")
    parser.add_argument("--machine", help="directory of the machine: made if absent, used again if there")
    parser.add_argument("--uuid", default=Hardware().uuid, help="SMBIOS system uuid")
    parser.add_argument("--args", default="", help="further kernel arguments")
    parser.add_argument("--slim", action="store_true", help="an initrd without any CD-ROM driver")
    parser.add_argument("--stay", action="store_true", help="leave it on and give a shell by ssh until Ctrl-C")
    parser.add_argument("--verify", action="store_true", help="also run systemd-analyze verify inside")
    parser.add_argument("--show", action="append", default=[], help="a key of the facts to print (repeatable)")
    return parser.parse_args()


def main() -> int:
    options = parse()
    built = image.build(options.suite, options.deb)
    directory = options.machine or tempfile.mkdtemp(prefix="vm-", dir="/tmp")
    key = os.path.join(directory, "id_ed25519")
    if not os.path.exists(key):
        os.makedirs(directory, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    machine = Machine(built, os.path.join(directory, "m"))
    seed = make_seed(options.seed, directory, key)
    hardware = Hardware(
        uuid=options.uuid, seed=seed, seed_bus=options.bus, kernel_args=options.args, slim_initrd=options.slim,
        private_port=True,
    )  # fmt: skip
    with machine.power_on(hardware, {"stay": options.stay, "verify": options.verify}) as guest:
        if options.stay:
            facts = guest.wait_facts()
            boot = Boot(facts, guest.console(), b"", "", time.monotonic() - guest.started, {})
        else:
            boot = guest.finish()
        with open(os.path.join(guest.directory, "facts.json"), "w") as out:
            json.dump(boot.facts, out, indent=1)
        summarise(boot, options.show)
        print(f"everything is in {guest.directory} (facts.json, console); ssh key {key}")
        if options.stay:
            print(f"ssh -i {key} -p {guest.ssh_port} -o StrictHostKeyChecking=no USER@127.0.0.1   (Ctrl-C ends it)")
            try:
                guest.process.wait()
            except KeyboardInterrupt:
                print("off")
    return 0


def make_seed(wanted: str | None, directory: str, key: str) -> str | None:
    path = os.path.join(directory, "seed.iso")
    if wanted == "none":
        return None
    if wanted and os.path.isfile(wanted):
        return wanted
    if wanted:
        files = {}
        for name in sorted(os.listdir(wanted)):
            with open(os.path.join(wanted, name), "rb") as source:
                files[name] = source.read()
    else:
        with open(key + ".pub") as public:
            pub = public.read().strip()
        nic = seeds.Nic(MAC, "10.20.0.40/24", "10.20.0.1")
        files = seeds.ProxmoxSeed(
            name="web01", nics=(nic,), user="admin", password=seeds.crypt_sha256("secret"), sshkeys=(pub,),
            nameservers=("10.20.0.3",), searchdomain="example.test", upgrade=False,
        ).files()  # fmt: skip
    shutil.rmtree(path + ".tree", ignore_errors=True)
    return seeds.write_iso(files, path)


def summarise(boot: Boot, keys: list[str]) -> None:
    facts = boot.facts
    print(f"{boot.seconds:.1f} s; system {facts['system_state']}; kernel {facts['kernel']}; host {facts['hostname']}")
    print(f"facts waited until {facts['waited_until']:.1f} s of uptime, gathered in {facts['gathered_in']:.1f} s")
    print("failed units:", facts["failed"] or "none")
    for name, unit in facts["units"].items():
        if unit.get("LoadState") == "loaded":
            begin, end = (int(unit.get(f"ExecMain{edge}TimestampMonotonic", 0)) / 1e6 for edge in ("Start", "Exit"))
            print(f"  {name}: {unit['ActiveState']} {unit.get('Result', '')} {begin:.2f}..{end:.2f} s")
    for line in boot.console.splitlines():
        if line.startswith("guestinit: "):
            print(line)
    for link in facts["addresses"]:
        print(" ", link["ifname"], [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])])
    for wanted in keys:
        value = facts.get(wanted)
        print(f"{wanted}:", value if isinstance(value, str) else json.dumps(value, indent=1))


if __name__ == "__main__":
    sys.exit(main())
