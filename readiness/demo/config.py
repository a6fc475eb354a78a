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
    """What gateway and file service accept in `X-API-Key`."""
    airtable_key: str
    """What the Airtable gateway ought to accept as bearer token."""
    email: str
    password: str
