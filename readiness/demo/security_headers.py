"""The headers that each answer of a service carries, whatever its handler says.

After OWASP's REST Security and HTTP Headers cheat sheets: https://cheatsheetseries.owasp.org
"""

from readiness.demo.config import Config

_EVERYWHERE = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
_NOT_STORED = ("Cache-Control", "no-store")
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def of(config: Config) -> list[tuple[str, str]]:
    """Return the headers of the service that `config` names; the broken frontend lacks a policy."""
    if config.name == "frontend":
        policy = [("Content-Security-Policy", _PAGE_POLICY)] if config.fixed else []
    else:
        policy = [("Content-Security-Policy", _API_POLICY)]
    return [*_EVERYWHERE, _NOT_STORED, *policy]
