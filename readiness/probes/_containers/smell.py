"""Names and values of a container's environment and command -> whether a secret stands in them.

No value is ever returned: only that there is one.
"""

import re

from readiness.probes._containers.template import HOLE, LONGEST

_NAME = re.compile(
    r"(?:^|[_.-])(?:passwords?|passwd|passphrase|pwd|pass|secrets?|tokens?|credentials?"
    r"|api_?keys?|apikey|access_?keys?|private_?keys?|secret_?keys?(?:_base)?"
    r"|salt|redis_auth|encryption_?keys?|signing_?keys?|jwt_?keys?|master_?keys?|auth_?keys?|license_?keys?)"
    r"(?:[_.-]?\d+)?$|password$|passwd$|(?:^|_)secret_key(?:_base)?$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"(?i)(?:^|_)(?:allow_?empty|random_?root|allow_?anonymous|require|enabled?|disabled?|reset"
    r"|forgot|min|max)_"
)
"""In names of switches about passwords, not of passwords."""

_PLAIN = re.compile(
    r"(?i)|true|false|yes|no|on|off|none|null|\d{1,3}|/[\w./-]*|\{\{.*\}\}|file:.*|<.*>"
)
"""Switches, small numbers, paths of files that hold it, templates filled by another."""

_USERINFO = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^\s/@:'\"]*:(?P<password>[^\s/@'\"]+)@",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?:^|\s)(?:--?[\w-]{0,60}(?:password|passwd|requirepass|secret|token|api-?key)"
    r"(?!-?file|-?path)(?:=|\s+))(?P<value>[^\s'\"]+|'[^']*'|\"[^\"]*\")",
    re.IGNORECASE,
)
_CLIENT = re.compile(
    r"(?:redis-cli\b[^|;&]{0,300}?\s-a\s+|(?:mysql|mysqladmin|mariadb|mariadb-admin)\b[^|;&]{0,300}?\s-p)"
    r"(?P<value>[^\s'\"]+|'[^']*'|\"[^\"]*\")"
)


def in_variable(name: str, value: str) -> bool:
    """Whether the variable `name` holds a literal secret in `value`, its defaults put in."""
    if in_url(value):
        return True
    name = name[:200]
    if not _NAME.search(name) or _NO_SECRET.search(name):
        return False
    return _literal(value)


def in_url(value: str) -> bool:
    """Whether a URL in `value` holds a password that is written out."""
    found = _USERINFO.finditer(value[:LONGEST])
    return any(_literal(one["password"]) for one in found)


def in_command(text: str) -> bool:
    """Whether a password is written out among the words of a command."""
    text = text[:LONGEST]
    if in_url(text):
        return True
    found = [*_OPTION.finditer(text), *_CLIENT.finditer(text)]
    return any(_literal(one["value"].strip("'\"")) for one in found)


def _literal(value: str) -> bool:
    text = value.strip()
    return HOLE not in text and not text.startswith("$") and not _PLAIN.fullmatch(text)
