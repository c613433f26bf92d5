"""Where every start begins: is this the machine that is settled already? Then an ordinary boot ends here.

Nothing else is imported before that is known: an unchanged boot costs some milliseconds.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Answer the unit of the first stage if nothing has changed; everything else is the command line's."""
    if arguments == ["run", "--stage", "local"] and answer_unchanged():
        return 0
    from guestinit import cli  # delayed: only when there is something to do

    return cli.main(arguments)


def answer_unchanged(root: str = "") -> bool:
    """Whether this boot is settled: then its status is written and nothing else is to be done."""
    from guestinit.system import unchanged

    found = unchanged.compare(root)
    if found is None:
        return False
    names = unchanged.names_to_give(root)
    if names:
        from guestinit.system.kinds import rename  # delayed: two cards that exchange names are rare

        if not rename.give(names, root or "/"):
            return False
        sys.stderr.write(
            f"<6>interface names were given again: {', '.join(name for _, name in names)}\n"
        )  # sd-daemon(3)
    from guestinit.system import announce_unchanged

    announce_unchanged.write(*found, root=root)
    return True
