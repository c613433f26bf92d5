"""One user of `users`: the keys of its mapping, and what they mean."""

from __future__ import annotations

from typing import Optional

from guestinit.model import password, ssh_key, sudoers
from guestinit.model.accounts import ROOT, Account, is_name
from guestinit.model.fields import FALSE, Fields, Key
from guestinit.model.problem import Problems
from guestinit.model.value import MAP, Given


def _key(name: str, expects: str, about: str, secret: bool = False) -> Key:
    # Old files and Lima write hyphens.
    return Key(name, expects, about, secret, (name.replace("_", "-"),) if "_" in name else ())


USER_KEYS = (
    _key("name", "name", "The login name."),
    _key("gecos", "text", "The person's name."),
    _key("groups", "list of names", "Supplementary groups; those that the account has already stay."),
    _key("primary_group", "name", "The primary group; without it, a new group of the user's name."),
    _key("create_groups", "true or false", "Whether groups that do not exist are made; true by default."),
    _key("no_user_group", "true or false", "No group of the user's name."),
    _key("uid", "number", "The numeric user id; without it, the next free one."),
    _key("homedir", "absolute path", "The home directory; without it, what useradd chooses."),
    _key("no_create_home", "true or false", "Do not make the home directory."),
    _key("shell", "absolute path", "The login shell."),
    _key("system", "true or false", "An account for a service: a low uid, and no home."),
    _key("no_log_init", "true or false", "No entry in lastlog and faillog."),
    _key("expiredate", "date YYYY-MM-DD", "The day on which the account expires."),
    _key("inactive", "number of days", "Days after which an account with an expired password is closed."),
    _key("selinux_user", "name", "The SELinux user for the login."),
    _key("sudo", "sudo rule, or list of rules, or false",
              "What the user may do through sudo, without the name in front: ALL=(ALL) NOPASSWD:ALL."),
    _key("lock_passwd", "true or false", "Whether the password is locked; true by default, also if one is given."),
    _key("passwd", "password hash", "The password as a crypt(5) hash.", True),
    _key("hashed_passwd", "password hash", "The same as passwd.", True),
    _key("plain_text_passwd", "text", "The password in clear text.", True),
    _key("ssh_authorized_keys", "list of public keys", "Who may log in with a key."),
    _key("ssh_redirect_user", "true or false",
              "The default user's keys, with a message to log in as the default user instead."),
    _key("ssh_import_id", "list of text", "Not supported: keys are not fetched from GitHub or Launchpad."),
    _key("doas", "list of text", "Not supported: no rules for doas are written."),
    _key("snapuser", "text", "Not supported: an account at Ubuntu's store."),
)  # fmt: skip

_LOCKED = ("*", "!", "!!", "!*", "*LK*")  # instead of a hash: no password at all


def check_name(name: Given[str], path: str, problems: Problems, what: str = "user") -> bool:
    """Whether useradd or groupadd takes this name; a problem if not."""
    if is_name(name.value):
        return True
    problems.error(
        name.at, path, f"this is not a name for a {what}",
        "left out; write letters, digits, '.', '_' and '-', at most 32, not only digits",
        0 if ":" in name.value else max(1, len(name.value)),  # "alice:password", in the wrong place
    )  # fmt: skip
    return False


def read_account(name: Given[str], fields: Fields) -> Account:
    """The account of this name, with everything in its mapping that can be used."""
    for unsupported in ("ssh_import_id", "doas"):
        if fields.raw(unsupported) is not None:
            fields.problems.error(
                fields.key_at(unsupported), fields.path_of(unsupported), "not supported",
                "left out; nothing is done for it", len(unsupported),
            )  # fmt: skip
    if fields.raw("snapuser") is not None:
        fields.problems.warning(fields.key_at("snapuser"), fields.path_of("snapuser"), "not supported", "left out")
    system = _flag(fields, "system", False)
    secret, lock = _password(fields)
    uid = fields.number("uid", 0 if name.value == ROOT else 1)  # another account with uid 0 would be root
    inactive = fields.number("inactive", 0, 99999)
    return Account(
        name.value,
        name.at,
        gecos=_gecos(fields),
        uid=uid.value if uid else None,
        primary_group=_one_name(fields, "primary_group"),
        groups=_groups(fields),
        create_groups=_flag(fields, "create_groups", True),
        home=_path(fields, "homedir"),
        shell=_path(fields, "shell"),
        system=system,
        create_home=not (_flag(fields, "no_create_home", False) or system),
        user_group=not _flag(fields, "no_user_group", False),
        log_init=not _flag(fields, "no_log_init", False),
        expires=_date(fields),
        inactive=inactive.value if inactive else None,
        selinux_user=_one_name(fields, "selinux_user"),
        sudo=_sudo(fields),
        keys=ssh_key.read_keys(fields, "ssh_authorized_keys"),
        redirect=_flag(fields, "ssh_redirect_user", False, safe=True),
        password=secret,
        lock=lock,
    )


def _flag(fields: Fields, name: str, default: bool, safe: Optional[bool] = None) -> bool:
    given = fields.flag(name, safe)
    return given.value if given else default


def _password(fields: Fields) -> tuple[Optional[password.GivenPassword], Optional[bool]]:
    """The password, and whether it is locked; None: nothing is said of that."""
    flag = fields.flag("lock_passwd", safe=True)
    lock = flag.value if flag else None
    plain = fields.text("plain_text_passwd")
    hashed = fields.text("hashed_passwd") or fields.text("passwd")
    if plain is not None:
        secret = password.read_text(plain, fields.path_of("plain_text_passwd"), fields.problems)
    elif hashed is None:
        return None, lock
    elif hashed.value in _LOCKED:
        return None, True
    else:
        if hashed.value.startswith("!"):
            lock = True
        bare = Given(hashed.value.lstrip("!"), hashed.at)
        secret = password.read_hash(bare, fields.path_of("passwd"), fields.problems)
    if secret is None:
        # An account whose new password cannot be used must not be opened with its old one.
        return None, lock or None
    if lock is None:
        fields.problems.warning(
            secret.at, fields.path_of("lock_passwd"), "the password is locked, as by default even one that is given is",
            "write lock_passwd: false to log in with it", 0,
        )  # fmt: skip
    return secret, lock


def _gecos(fields: Fields) -> str | None:
    gecos = fields.text("gecos")
    if gecos is None:
        return None
    if ":" in gecos.value or not gecos.value.isprintable():
        fields.problems.error(
            gecos.at, fields.path_of("gecos"), "expected text without ':' and line breaks", "left out"
        )
        return None
    return gecos.value


def _path(fields: Fields, name: str) -> str:
    path = fields.text(name)
    if path is None:
        return ""
    text = path.value
    if not text.startswith("/") or ".." in text.split("/") or ":" in text or not text.isprintable():
        fields.problems.error(path.at, fields.path_of(name), "expected an absolute path", "left out", len(text))
        return ""
    return text


def _date(fields: Fields) -> str:
    date = fields.text("expiredate")
    if date is None:
        return ""
    parts = date.value.split("-")
    if [len(part) for part in parts] == [4, 2, 2] and all(part.isascii() and part.isdecimal() for part in parts):
        year, month, day = map(int, parts)
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if 1 <= month <= 12 and 1 <= day <= (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]:
            return date.value
    fields.problems.error(
        date.at, fields.path_of("expiredate"), "expected a date such as 2030-12-31", "left out: it never expires",
        len(date.value),
    )  # fmt: skip
    return ""


def _one_name(fields: Fields, key: str) -> str:
    name = fields.text(key)
    return name.value if name and check_name(name, fields.path_of(key), fields.problems, "group or user") else ""


def _groups(fields: Fields) -> tuple[str, ...] | None:
    value, path = fields.raw("groups"), fields.path_of("groups")
    if value is None:
        return None
    # Old files give a mapping, with the names as keys.
    given = (
        [Given(name.text, name.at) for name, _ in value.pairs] if value.kind == MAP else fields.texts("groups") or ()
    )
    names = [Given(name.strip(), text.at) for text in given for name in text.value.split(",") if name.strip()]
    return tuple(dict.fromkeys(name.value for name in names if check_name(name, path, fields.problems, "group")))


def _sudo(fields: Fields) -> tuple[str, ...] | None:
    written = fields.value.get("sudo")
    if written is not None and written.is_null:
        return ()
    given = fields.texts("sudo")
    if given is None:
        return None if written is None else ()
    rules = []
    for rule in given:
        if rule.value.strip().lower() in (*FALSE, ""):
            continue
        if sudoers.is_rule(rule.value):
            rules.append(rule.value)
        else:
            fields.problems.error(
                rule.at, fields.path_of("sudo"), "expected a sudo rule such as ALL=(ALL) NOPASSWD:ALL",
                "left out: one that sudo cannot read could make every rule void", len(rule.value.split("\n")[0]) or 1,
            )  # fmt: skip
    return tuple(rules)
