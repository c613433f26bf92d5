"""What /etc/shadow says of an account's password. Nothing here ever shows one, nor a hash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Optional

from guestinit.model.action import Password, Step
from guestinit.model.plan import LEFT, MODIFY, UNCHANGED, Change
from guestinit.model.secret import Secret
from guestinit.system import passwd
from guestinit.system.failed import Failed
from guestinit.system.kinds import Done, shadow

if TYPE_CHECKING:
    from guestinit.system.passwd import ShadowEntry
    from guestinit.system.system import System

# crypt(5): "$method$...", the thirteen characters of DES, or marks that no password matches.
_PART = r"[^$\s:*!;\\\x00-\x1f\x7f-\xff]"
_HASH = re.compile(rf"!{{0,2}}(\$[A-Za-z0-9-]+\$({_PART}*\$)+{_PART}+|[./A-Za-z0-9]{{13}})|[!*]{{1,2}}")
# For passwords made here: no two characters that look alike. 20 of 54 are 115 bits.
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 20


def observe(step: Step, system: System) -> Change:
    """Whether it is as asked; a clear text cannot be compared with a hash, so setting one is always a change."""
    action = _action(step)
    if not system.live and (action.random or (action.secret is not None and not action.hashed)):
        return Change(step, LEFT, note="a clear text is hashed by the running system's own rules")
    accounts = passwd.read(system.root)
    if accounts.shadow is None:
        return Change(step, MODIFY, None, None, "cannot be compared: /etc/shadow cannot be read")
    entry = accounts.shadow.get(action.user)
    if entry is None and action.secret is None and action.locked is False and not action.random:
        return Change(step, UNCHANGED, note="a new account has no password to unlock")
    if entry is None:
        return Change(step, MODIFY, "", f"{_words_after(action, None)}\n")
    if action.only_if_unset and _is_usable(entry.password):
        return Change(step, UNCHANGED, note="it has a password of its own")
    if not (_sets(action, entry) or _locks(action, entry) or (action.expire and entry.changed != 0)):
        bare = action.locked is False and _is_locked(entry.password)
        return Change(step, UNCHANGED, note="there is no password to unlock" if bare else "")
    return Change(step, MODIFY, f"{_words_now(entry)}\n", f"{_words_after(action, entry)}\n")


def apply(change: Change, system: System) -> Done:
    """One call for each account (one bad line drops a whole batch), the password on standard input."""
    action = _action(change.step)
    shadow.check_name(action.user)
    shadow.prepare(system)
    if action.user not in passwd.read(system.root).users:
        raise Failed(f"there is no user {action.user}")
    before = _entry(action.user, system)
    if action.only_if_unset and before is not None and _is_usable(before.password):
        return Done("it has a password of its own")
    made: Optional[Secret] = None
    secret = action.secret
    if action.random:
        import secrets  # delayed: hardly anybody asks for one

        made = secret = Secret("".join(secrets.choice(_LETTERS) for _ in range(LENGTH)))
    if secret is not None:
        _set(action.user, secret, action.hashed and made is None, before, system)
    entry = _entry(action.user, system)
    if entry is None:
        raise Failed(f"{action.user} has no entry in /etc/shadow")
    message = _lock(action, entry, system)
    if action.expire:
        shadow.run(system, ("chage", *shadow.chroot(system), "-d", "0", action.user))
        now = _entry(action.user, system)
        if now is None or now.changed != 0:
            raise Failed("chage reported no error, but the password does not have to be changed")
    shadow.sync(system)
    return Done(message, reveal=made)


def _set(user: str, secret: Secret, hashed: bool, before: Optional[ShadowEntry], system: System) -> None:
    content = secret.reveal()
    if not content or b"\n" in content or b"\r" in content or b"\0" in content:
        raise Failed("a password cannot be empty or hold a line break")
    if hashed and not _HASH.fullmatch(content.decode("latin-1")):
        raise Failed("this is not a password hash; it would lock everybody out")
    argv = ["chpasswd", *(("-e", *shadow.chroot(system)) if hashed else ())]
    line = user.encode("utf-8", "surrogateescape") + b":" + content + b"\n"
    shadow.run(system, argv, stdin=line, secrets=(secret,))
    entry = _entry(user, system)
    now = entry.password.encode("utf-8", "surrogateescape") if entry is not None else b""
    if hashed and now != content:
        raise Failed("chpasswd reported no error, but /etc/shadow does not have the hash")
    same = before is not None and entry is not None and before.password == entry.password
    if not hashed and (same or not _is_usable(now.decode("latin-1"))):
        raise Failed("chpasswd reported no error, but /etc/shadow has not changed")


def _lock(action: Password, entry: ShadowEntry, system: System) -> str:
    """Lock or unlock, after a new password is in its place. Returns what people should know."""
    if not _locks(action, entry):
        bare = action.locked is False and _is_locked(entry.password)
        return "there is no password to unlock; it stays locked" if bare else ""
    wanted = bool(action.locked)
    shadow.run(system, ("usermod", *shadow.prefix(system), "--lock" if wanted else "--unlock", action.user))
    now = _entry(action.user, system)
    if now is None or _is_locked(now.password) != wanted:
        raise Failed(f"usermod reported no error, but the password is {'not locked' if wanted else 'still locked'}")
    return ""


def _entry(user: str, system: System) -> ShadowEntry | None:
    return (passwd.read(system.root).shadow or {}).get(user)


# comparing


def _is_usable(password: str) -> bool:
    """Whether some password lets the user in."""
    return not password.startswith(("!", "*")) and _HASH.fullmatch(password) is not None


def _is_locked(password: str) -> bool:
    return password != "" and not _is_usable(password)


def _sets(action: Password, entry: ShadowEntry) -> bool:
    if action.random or (action.secret is not None and not action.hashed):
        return True
    if action.secret is None:
        return False
    wanted = action.secret.reveal().decode("utf-8", "surrogateescape")
    if action.locked:
        return entry.password.lstrip("!") != wanted.lstrip("!")
    return entry.password != wanted


def _locks(action: Password, entry: ShadowEntry) -> bool:
    """Whether usermod has to lock or unlock. A mere `!` cannot be unlocked: there would be no password at all."""
    if action.locked is None:
        return False  # a password that is set replaces the whole field, and so unlocks
    if action.locked:
        return not _is_locked(entry.password)
    return entry.password.startswith("!") and _is_usable(entry.password.lstrip("!"))


def _words_now(entry: ShadowEntry) -> str:
    if entry.password == "":
        text = "no password needed"
    elif _is_usable(entry.password):
        text = "password set"
    else:
        text = "password locked"
    return text + (", to be changed at the next login" if entry.changed == 0 else "")


def _words_after(action: Password, entry: Optional[ShadowEntry]) -> str:
    if action.random:
        text = "password made here, shown once on the console"
    elif action.secret is not None:
        text = "password set anew" if entry is not None and _is_usable(entry.password) else "password set"
    else:
        text = "password as it is"
    if action.locked:
        text = "password locked" if action.secret is None else text + ", locked"
    elif action.locked is False and entry is not None and _locks(action, entry):
        text = "password unlocked" if action.secret is None else text
    return text + (", to be changed at the next login" if action.expire else "")


def _action(step: Step) -> Password:
    assert isinstance(step.action, Password)
    return step.action
