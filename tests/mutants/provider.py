"""The part of the service that is an OpenID provider: discovery, keys, ID tokens (RS256)."""

import time
from typing import Any

from tests.mutants import jws
from tests.mutants.accounts import Accounts
from tests.mutants.call import Call, Refused, Reply, told
from tests.mutants.jws import Claims, Jws

CLIENT = "shop-web"


class Provider(Accounts):
    """What clients configure themselves by, and a token that they can verify alone."""

    @property
    def key(self) -> Any:
        """The private key that signs ID tokens."""
        return jws.rsa_key()

    def discovery(self, call: Call) -> Reply:
        return told(self.metadata())

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "userinfo_endpoint": f"{self.origin}/userinfo",
            "jwks_uri": f"{self.origin}/jwks.json",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }

    def keys(self, call: Call) -> Reply:
        return told({"keys": self.published()})

    def published(self) -> list[dict[str, Any]]:
        return [jws.jwk(self.key)]

    def id_token(self, call: Call) -> Reply:
        """Give an ID token for a password."""
        user = self.proven(call.data.get("email"), call.data.get("password"))
        return told({"id_token": jws.signed(self.id_claims(user.id), self.key)})

    def id_claims(self, user: str) -> Claims:
        now = int(time.time())
        times = {"iat": now, "exp": now + self.lifetime}
        return {"iss": self.origin, "aud": CLIENT, "sub": user, **times}

    def userinfo(self, call: Call) -> Reply:
        """Tell who an ID token is of."""
        try:
            found = jws.read(call.bearer or "")
        except ValueError:
            raise Refused(401, "a token is needed") from None
        if not self.understood(found) or not self.id_signature_holds(found):
            raise Refused(401, "the token's signature is wrong")
        self.check_claims(found.claims, CLIENT)
        if found.claims.get("sub") not in self.users:
            raise Refused(401, "there is no such user")
        return told({"sub": found.claims["sub"]})

    def id_signature_holds(self, token: Jws) -> bool:
        known = token.algorithm == "RS256" and token.header.get("kid") == jws.KID
        return known and jws.by_rsa(token, self.key.public_key())
