"""A changed configuration on a running system.

An interface goes down with the stanzas that brought it up, and comes up with the new ones; so does what is made of it.
Nobody touches the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestinit.model.action import Because, Command, File, Step
from guestinit.model.facts import Ifupdown
from guestinit.model.interfaces import stanzas
from guestinit.renderers import MODULE

_EARLIER = "/run/guestinit/interfaces"  # what ifdown has to know of the past
_DOWN, _UP = 60.0, 300.0  # seconds; a lease may take its time


def reload(now: str, changed: tuple[str, ...], here: Ifupdown) -> Iterator[Step]:
    """Steps, if ifupdown has brought up anything already. `now`: our file, empty if it goes."""
    if not here.up:
        return  # networking.service is still to come, and reads the files then
    ours = stanzas(now)
    before: dict[str, str] = {}
    for _, text in here.files:
        before.update((name, before.get(name, "") + said) for name, said in stanzas(text).items())
    different = {name for name, said in ours.items() if before.get(name) != said}
    up = dict(here.up)
    # What only the earlier files have, and our earlier file had, is gone.
    different |= _gone(here, ours)
    different = _with_dependents(different, {**before, **ours})
    down = [name for name, logical in reversed(list(up.items())) if logical in different or name in different]
    # What somebody brought up by hand comes up again, too.
    by_hand = {logical: name if name == logical else f"{name}={logical}" for name, logical in here.up if name in down}
    back = [_selector(said) or by_hand.get(name, "") for name, said in ours.items() if name in different]
    back = [word for word in back if word]
    because = Because(text="its configuration changed")
    if down:
        text = "".join(text for _, text in here.files)
        action = File(_EARLIER, text.encode("utf-8", "surrogateescape"), 0o600)
        needed = Step(f"file:{_EARLIER}", MODULE, action, Because(text="for ifdown"), when_changed=changed, vital=True)
        yield needed
        yield _command(("ifdown", "-i", _EARLIER, *down), _DOWN, changed, because)._replace(needs=(needed.id,))
    if back:
        yield _command(("ifup", *back), _UP, changed, because)


def _gone(here: Ifupdown, ours: dict[str, str]) -> set[str]:
    return {
        name
        for path, text in here.files
        if path.endswith("/50-guestinit")
        for name in stanzas(text)
        if name not in ours
    }


def _with_dependents(different: set[str], said: dict[str, str]) -> set[str]:
    """Also what is made of them or with them: a VLAN goes with the interface below it, a port has to be taken again."""
    while True:
        more = {name for name, text in said.items() if name not in different and _mentions(name, text, different)}
        if not more:
            return different
        different = different | more


def _mentions(name: str, text: str, others: set[str]) -> bool:
    return bool(others & set(text.split())) or name.partition(".")[0] in others


def _selector(said: str) -> str:
    """The word in the `auto` line; empty if there is none."""
    first = said.partition("\n")[0].split()
    return first[1] if first[:1] == ["auto"] else ""


def _command(argv: tuple[str, ...], timeout: float, changed: tuple[str, ...], because: Because) -> Step:
    names = argv[3:] if argv[0] == "ifdown" else argv[1:]
    label = f"{argv[0]} {' '.join(names)}"
    action = Command(argv, label, timeout=timeout, may_repeat=True)
    return Step(f"command:{label}", MODULE, action, because, when_changed=changed, vital=True)
