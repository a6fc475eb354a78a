"""One Set-Cookie header -> the cookie's name and attributes; its value is a secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from readiness.escape import line

_LONGEST_NAME = 60
_SESSION = re.compile(
    r"(?<!as)sess|auth(?!or(?!iz))|token|jwt|login|remember|(?<![a-z])sid(?![a-z])"
)
_READ_BY_SCRIPTS = re.compile(r"csrf|xsrf|forgery|verification")
_NO_SESSION = re.compile(r"affinity|sticky|^serverid$|^routeid$|^awsalb")
"""Load balancers' own, such as heroku-session-affinity, which MDN Observatory leaves out too."""


@dataclass(frozen=True)
class SetCookie:
    """What a server asks browsers to keep. Names of attributes are in lower case."""

    name: str
    value: str = field(repr=False)
    attributes: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The name, fit to be shown."""
        return line(self.name, _LONGEST_NAME) or "a cookie without a name"

    @property
    def session(self) -> bool:
        """Whether its name is that of a session or a credential that scripts need not read."""
        return bool(_SESSION.search(self.name.lower())) and not is_no_session(self.name)

    @property
    def deletes(self) -> bool:
        """Whether it only makes browsers forget the cookie."""
        age = self.attributes.get("max-age", "")
        return (
            not self.value
            or bool(re.fullmatch(r"-\d{1,20}|0", age))
            or (not age and "1970" in self.attributes.get("expires", ""))
        )

    @property
    def secure(self) -> bool:
        """Whether it is sent over TLS only."""
        return "secure" in self.attributes

    @property
    def http_only(self) -> bool:
        """Whether scripts cannot read it."""
        return "httponly" in self.attributes

    @property
    def same_site(self) -> str:
        """`strict`, `lax` or `none`; empty if nothing of the kind is said."""
        said = self.attributes.get("samesite", "").lower()
        return said if said in ("strict", "lax", "none") else ""

    @property
    def rejected(self) -> str:
        """Why browsers do not keep it (RFC 6265bis, section 5.7); empty if they do."""
        name = self.name.lower()
        if self.same_site == "none" and not self.secure:
            return "SameSite=None without Secure"
        if name.startswith(("__secure-", "__host-")) and not self.secure:
            return "its prefix without Secure"
        if name.startswith("__host-") and self.attributes.get("path") != "/":
            return "__Host- without Path=/"
        return "__Host- with a Domain" if name.startswith("__host-") and self._domain else ""

    @property
    def _domain(self) -> str:
        return self.attributes.get("domain", "")


def is_no_session(name: str) -> bool:
    """Whether a cookie is called like what scripts are to read, or a load balancer's own."""
    return bool(_READ_BY_SCRIPTS.search(name.lower()) or _NO_SESSION.search(name.lower()))


def read(header: str) -> SetCookie:
    """Read one Set-Cookie header as browsers do; of attributes named twice the last counts."""
    pair, *rest = header.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    attributes = {}
    for text in rest:
        key, _, said = text.partition("=")
        attributes[key.strip().lower()] = said.strip()
    return SetCookie(name.strip(), value.strip().strip('"'), attributes)
