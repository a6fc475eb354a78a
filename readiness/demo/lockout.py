"""Failed logins, counted per account in Redis: after five in a minute the account waits."""

import hashlib

from redis.asyncio import Redis

from readiness.demo.accounts import normal
from readiness.demo.refusals import Refused

FAILURES = 5
WINDOW_SECONDS = 60


class Lockout:
    """The counters; an account that does not exist has one too, so that none is betrayed."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def demand_open(self, email: str) -> None:
        """Refuse with 429 while `email` has FAILURES behind it, whatever the password is."""
        async with self._redis.pipeline(transaction=True) as commands:
            commands.get(_key(email))
            commands.ttl(_key(email))
            count, seconds = await commands.execute()
        if count is not None and int(count) >= FAILURES:
            headers = {"Retry-After": str(max(1, seconds))}
            raise Refused(429, "too many failed logins: try again later", headers)

    async def count(self, email: str) -> None:
        """Count a failure; the minute begins with the first."""
        async with self._redis.pipeline(transaction=True) as commands:
            commands.set(_key(email), 0, ex=WINDOW_SECONDS, nx=True)
            commands.incr(_key(email))
            await commands.execute()

    async def forget(self, email: str) -> None:
        """Forget the failures of `email`, whose owner has logged in."""
        await self._redis.delete(_key(email))


def _key(email: str) -> str:
    return f"failures:{hashlib.sha256(normal(email).encode()).hexdigest()}"
