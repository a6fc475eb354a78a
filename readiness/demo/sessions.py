"""Sessions in Redis: opened, kept alive by refresh tokens that rotate, and ended.

A refresh token serves once. Whoever brings a used one has stolen it or was stolen from, so the
session ends for both (RFC 9700, section 4.14.2). Redis holds digests, never the tokens.
"""

import hashlib
import secrets

from redis.asyncio import Redis

from readiness.demo.tokens import Claims

SESSION_SECONDS = 8 * 3600

_ROTATE = """
local session = redis.call('GET', KEYS[1])
if not session then return nil end
local key = 'session:' .. session
if redis.call('HGET', key, 'refresh') ~= ARGV[1] then
  redis.call('DEL', key)
  return nil
end
redis.call('HSET', key, 'refresh', ARGV[2])
redis.call('SET', KEYS[2], session, 'EX', ARGV[3])
local of = redis.call('HMGET', key, 'user', 'role')
return {of[1], session, of[2]}
"""


class Sessions:
    """All sessions in one Redis, whose client decodes its answers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._rotate = redis.register_script(_ROTATE)

    async def open(self, user: str, role: str) -> tuple[Claims, str]:
        """Begin a session of `user`; return its claims and its first refresh token."""
        claims, refresh = Claims(user, secrets.token_urlsafe(16), role), secrets.token_urlsafe(32)
        held = ("user", user, "role", role, "refresh", _digest(refresh))
        async with self._redis.pipeline(transaction=True) as commands:
            commands.hset(_key(claims.session), items=list(held))
            commands.expire(_key(claims.session), SESSION_SECONDS)
            commands.set(_refresh_key(refresh), claims.session, ex=SESSION_SECONDS)
            commands.sadd(_user_key(user), claims.session)
            commands.expire(_user_key(user), SESSION_SECONDS)
            await commands.execute()
        return claims, refresh

    async def rotate(self, refresh: str) -> tuple[Claims, str] | None:
        """Trade a refresh token for the session's claims and the next one, None if refused."""
        following = secrets.token_urlsafe(32)
        found = await self._rotate(
            keys=[_refresh_key(refresh), _refresh_key(following)],
            args=[_digest(refresh), _digest(following), SESSION_SECONDS],
        )
        return (Claims(*found), following) if found else None

    async def is_live(self, session: str) -> bool:
        """Whether `session` has begun and not ended."""
        return bool(await self._redis.exists(_key(session)))

    async def end(self, session: str) -> None:
        """End `session`: neither its access tokens nor its refresh token serve any more."""
        await self._redis.delete(_key(session))

    async def end_all(self, user: str) -> None:
        """End every session of `user`."""
        sessions = await self._redis.smembers(_user_key(user))
        await self._redis.delete(_user_key(user), *(_key(str(session)) for session in sessions))


def _key(session: str) -> str:
    return f"session:{session}"


def _user_key(user: str) -> str:
    return f"sessions:{user}"


def _refresh_key(token: str) -> str:
    return f"refresh:{_digest(token)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
