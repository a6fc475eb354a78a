"""What the sample system tells each of its processes when it starts them."""

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Config:
    """Sent as one line of JSON on stdin, so that no secret shows in a process list."""

    name: str
    fixed: bool
    database_url: str
    redis_url: str
    signing_secret: str
    api_key: str
    """What every service but `auth` and the Airtable gateway accepts in `X-API-Key`."""
    airtable_key: str
    """What the Airtable gateway ought to accept as bearer token."""
    email: str
    password: str
    other_email: str
    other_password: str
    """A second ordinary user, who must not see what belongs to the first."""
    admin_email: str
    admin_password: str
    gateway_url: str = ""
    """Where the API gateway answers; empty for those that start before it does."""
