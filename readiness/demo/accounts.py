"""The users, in Postgres: who they are, what they may, and whether a password is theirs."""

import asyncio
import hashlib
import hmac
import secrets
import uuid
from dataclasses import asdict, dataclass

import asyncpg

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id text PRIMARY KEY, email text UNIQUE NOT NULL, role text NOT NULL,
    salt bytea NOT NULL, password bytea NOT NULL
);
"""
INSERT = "INSERT INTO users VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
BY_EMAIL = "SELECT id, email, role, salt, password FROM users WHERE email = $1"
BY_ID = "SELECT id, email, role FROM users WHERE id = $1"
_NOBODY = {"salt": b"no salt", "password": b"no password"}


@dataclass(frozen=True)
class Account:
    """One user as others may see them. `role` is `user` or `admin`."""

    id: str
    email: str
    role: str

    def shown(self) -> dict[str, str]:
        """Return it in the form of the API."""
        return asdict(self)


class Accounts:
    """All users of one database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, email: str, password: str, role: str = "user") -> Account | None:
        """Register a user, None if the email is taken."""
        account = Account(str(uuid.uuid4()), normal(email), role)
        salt = secrets.token_bytes(16)
        held = (account.id, account.email, role, salt, await _hash(password, salt))
        return account if await self._pool.execute(INSERT, *held) == "INSERT 0 1" else None

    async def with_password(self, email: str, password: str) -> Account | None:
        """Return the user of `email` if `password` is theirs.

        It takes as long for an email that nobody has, so that the time betrays no account.
        """
        row = await self._pool.fetchrow(BY_EMAIL, normal(email))
        held = row or _NOBODY
        right = hmac.compare_digest(held["password"], await _hash(password, held["salt"]))
        return Account(row["id"], row["email"], row["role"]) if row and right else None

    async def find(self, user: str) -> Account | None:
        """Return the user whose id is `user`."""
        row = await self._pool.fetchrow(BY_ID, user)
        return Account(**row) if row else None

    async def every(self) -> list[Account]:
        """Return the first hundred users by email."""
        rows = await self._pool.fetch("SELECT id, email, role FROM users ORDER BY email LIMIT 100")
        return [Account(**row) for row in rows]

    async def remove(self, user: str) -> None:
        """Delete the user whose id is `user`."""
        await self._pool.execute("DELETE FROM users WHERE id = $1", user)


def normal(email: str) -> str:
    """Return `email` as it is stored: who types it in capitals is the same user."""
    return email.strip().lower()


async def _hash(password: str, salt: bytes) -> bytes:
    return await asyncio.to_thread(hashlib.scrypt, password.encode(), salt=salt, n=2**12, r=8, p=1)
