"""Flaws of access tokens and ID tokens: what is let in that must not be, and what tokens say."""

from typing import Any

from tests.mutants import jws
from tests.mutants.accounts import User
from tests.mutants.call import Call, Refused, Reply, told
from tests.mutants.flaw import flaw
from tests.mutants.jws import Claims, Jws
from tests.mutants.service import Service


@flaw("jwt-required")
class IdTokenOptional(Service):
    """Who shows no ID token is taken for the first user."""

    def userinfo(self, call: Call) -> Reply:
        return super().userinfo(call) if call.bearer else told({"sub": "u1"})


@flaw("jwt-malformed-refused")
class AnyWordOpens(Service):
    """What cannot be read as an ID token is let in as the first user."""

    def userinfo(self, call: Call) -> Reply:
        try:
            jws.read(call.bearer or "..")
        except ValueError:
            return told({"sub": "u1"}) if call.bearer else super().userinfo(call)
        return super().userinfo(call)


@flaw("jwt-payload-protected", "forged-refused")
class SignatureIgnored(Service):
    """The signature of tokens is not verified."""

    def signature_holds(self, token: Jws) -> bool:
        return True


@flaw("jwt-signature-required")
class SignatureOptional(Service):
    """A token without a signature is let in."""

    def signature_holds(self, token: Jws) -> bool:
        return token.signature == b"" or super().signature_holds(token)


@flaw("jwt-none-refused")
class UnsignedByItsOwnWord(Service):
    """A token whose header says `alg: none` is let in."""

    def signature_holds(self, token: Jws) -> bool:
        return token.algorithm == "none" or super().signature_holds(token)


@flaw("jwt-none-refused")
class UnsignedInCapitals(Service):
    """A token whose header says `alg: NONE` is let in, though `none` is not."""

    def signature_holds(self, token: Jws) -> bool:
        return token.algorithm in ("None", "NONE", "nOnE") or super().signature_holds(token)


@flaw("jwt-key-verified")
class EmptyKeyToo(Service):
    """Tokens signed with an empty key are let in."""

    def signature_holds(self, token: Jws) -> bool:
        return super().signature_holds(token) or jws.by_hmac(token, b"")


@flaw("jwt-header-keys-ignored")
class KeyFromFile(Service):
    """The key is read from the file that the token's kid names."""

    def signature_holds(self, token: Jws) -> bool:
        if "dev/null" in str(token.header.get("kid")):
            return jws.by_hmac(token, b"")
        return super().signature_holds(token)


@flaw("jwt-header-keys-ignored")
class KeyFromQuery(Service):
    """The key is looked up by a query that the token's kid is put into as it is."""

    def signature_holds(self, token: Jws) -> bool:
        _, injected, rest = str(token.header.get("kid")).partition("' UNION SELECT '")
        if injected:
            return jws.by_hmac(token, rest.partition("'")[0].encode())
        return super().signature_holds(token)


@flaw("jwt-header-keys-ignored")
class KeyFromToken(Service):
    """An ID token is verified with the key that it brings along (CVE-2018-0114)."""

    def id_signature_holds(self, token: Jws) -> bool:
        if isinstance(brought := token.header.get("jwk"), dict):
            return jws.by_rsa(token, jws.public_key(brought))
        return super().id_signature_holds(token)


@flaw("jwt-header-keys-ignored")
class KidIgnoredWithAddress(Service):
    """An ID token that says where its key is to be found is not verified at all."""

    def id_signature_holds(self, token: Jws) -> bool:
        return "jku" in token.header or super().id_signature_holds(token)


@flaw("jwt-confusion-refused")
class PublicKeyAsSecret(Service):
    """The public key is taken for a shared secret when the token asks for that (CVE-2015-9235)."""

    def id_signature_holds(self, token: Jws) -> bool:
        if token.algorithm == "HS256":
            return jws.by_hmac(token, jws.pem(self.key.public_key()))
        return super().id_signature_holds(token)


@flaw("jwt-expiry-enforced")
class ExpiryIgnored(Service):
    """Expired tokens are let in."""

    def check_time(self, claims: Claims, now: float) -> None:
        super().check_time({**claims, "exp": now + 1}, now)


@flaw("jwt-not-before-enforced")
class BeginningIgnored(Service):
    """Tokens are let in before they begin to be valid."""

    def check_time(self, claims: Claims, now: float) -> None:
        super().check_time({**claims, "nbf": 0}, now)


@flaw("jwt-audience-enforced")
class AudienceIgnored(Service):
    """Access tokens for another audience are let in."""

    def check_claims(self, claims: Claims, *_: str) -> None:
        super().check_claims(claims, str(claims.get("aud")))


@flaw("jwt-issuer-enforced")
class IssuerIgnored(Service):
    """Tokens of another issuer are let in."""

    def check_claims(self, claims: Claims, *audience: str) -> None:
        super().check_claims({**claims, "iss": self.origin}, *audience)


@flaw("jwt-crit-refused")
class CriticalIgnored(Service):
    """Extensions that the token calls critical are passed over."""

    def understood(self, token: Jws) -> bool:
        return True


@flaw("jwt-no-server-error", untestable=("jwt",))
class BreaksOnNonsense(Service):
    """A token that cannot be read is answered 500."""

    def verified(self, token: str) -> Claims:
        try:
            jws.read(token)
        except ValueError:
            raise Refused(500, "internal error") from None
        return super().verified(token)


@flaw("jwt-algorithm", "jwt-payload-protected", untestable=("jwt",))
class NeverSigns(Service):
    """The service itself hands out tokens that are not signed."""

    def access_token(self, user: User, session: str) -> str:
        head, body, _ = jws.signed(self.claims(user, session), self.secret, alg="none").split(".")
        return f"{head}.{body}."

    def signature_holds(self, token: Jws) -> bool:
        return token.algorithm == "none"


@flaw("jwt-strong-secret")
class WeakSecret(Service):
    """Tokens are signed with a secret from a tutorial."""

    def new_secret(self) -> bytes:
        return b"changeme"


@flaw("jwt-expires")
class NeverEnds(Service):
    """Access tokens never expire."""

    def claims(self, user: User, session: str) -> Claims:
        return {k: v for k, v in super().claims(user, session).items() if k != "exp"}

    def end_of(self, claims: Claims) -> float:
        return float(claims.get("exp", "inf"))


@flaw("jwt-lifetime")
class EndsNextMonth(Service):
    """Tokens are good for thirty days."""

    lifetime = 30 * 86400


@flaw("jwt-no-secrets-in-payload")
class PasswordInPayload(Service):
    """The password stands in the access token, where anyone can read it."""

    def claims(self, user: User, session: str) -> dict[str, Any]:
        return {**super().claims(user, session), "password": user.password}
