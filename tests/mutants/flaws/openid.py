"""Flaws of what an OpenID provider publishes of itself."""

from typing import Any

from tests.mutants import jws
from tests.mutants.call import Call, Refused, Reply, page
from tests.mutants.flaw import flaw
from tests.mutants.service import Service


@flaw("oidc-discovery", untestable=("oidc_discovery",))
class NoDiscovery(Service):
    """The discovery document is not there."""

    def discovery(self, call: Call) -> Reply:
        raise Refused(404, "there is nothing here")


@flaw("oidc-discovery", untestable=("oidc_discovery",))
class DiscoveryIsAPage(Service):
    """A page is given in place of the discovery document."""

    def discovery(self, call: Call) -> Reply:
        return page("Welcome to the shop")


class Publishing(Service):
    """Publishes some metadata otherwise; None takes a member away."""

    def changes(self) -> dict[str, Any]:
        raise NotImplementedError

    def metadata(self) -> dict[str, Any]:
        whole = super().metadata() | self.changes()
        return {name: value for name, value in whole.items() if value is not None}


@flaw("oidc-issuer")
class AnotherIssuer(Publishing):
    """The document names another issuer."""

    def changes(self) -> dict[str, Any]:
        return {"issuer": "https://login.shop.example"}


@flaw("oidc-metadata")
class IncompleteMetadata(Publishing):
    """A required member of the document is missing."""

    def changes(self) -> dict[str, Any]:
        return {"subject_types_supported": None}


@flaw("oidc-https")
class EndpointOverHttp(Publishing):
    """An endpoint is published without TLS."""

    def changes(self) -> dict[str, Any]:
        return {"token_endpoint": "http://localhost/token"}


@flaw("oidc-pkce")
class NoPkce(Publishing):
    """PKCE is not offered."""

    def changes(self) -> dict[str, Any]:
        return {"code_challenge_methods_supported": None}


@flaw("oidc-pkce")
class PlainPkce(Publishing):
    """PKCE is offered with the method `plain` alone."""

    def changes(self) -> dict[str, Any]:
        return {"code_challenge_methods_supported": ["plain"]}


@flaw("oidc-unsigned")
class UnsignedAssertions(Publishing):
    """Clients may prove who they are by assertions that are not signed."""

    def changes(self) -> dict[str, Any]:
        return {"token_endpoint_auth_signing_alg_values_supported": ["RS256", "none"]}


@flaw("oidc-implicit")
class ImplicitFlow(Publishing):
    """Access tokens are handed to the browser's address."""

    def changes(self) -> dict[str, Any]:
        return {"response_types_supported": ["code", "token"]}


@flaw("oidc-keys", untestable=("oidc_discovery", "jwt"))
class NoKeys(Service):
    """The key set is not there."""

    def keys(self, call: Call) -> Reply:
        raise Refused(404, "there is nothing here")


@flaw("oidc-signing-key", untestable=("jwt",))
class EmptyKeySet(Service):
    """The key set is empty."""

    def published(self) -> list[dict[str, Any]]:
        return []


@flaw("oidc-private-keys")
class PublishesPrivateKey(Service):
    """The private key is published with the public one."""

    def published(self) -> list[dict[str, Any]]:
        private = self.key.private_numbers().d
        part = jws.packed(private.to_bytes((private.bit_length() + 7) // 8, "big"))
        return [{**jws.jwk(self.key), "d": part}]


@flaw("oidc-key-size")
class ShortKey(Service):
    """ID tokens are signed with a key of 1024 bits."""

    @property
    def key(self) -> Any:
        return jws.rsa_key(1024)


@flaw("oidc-key-ids")
class KeysAlike(Service):
    """Two keys are published under the same kid."""

    def published(self) -> list[dict[str, Any]]:
        return [*super().published(), dict(jws.jwk(jws.rsa_key(number=1)))]
