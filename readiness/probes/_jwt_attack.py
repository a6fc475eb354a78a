"""A token and what is known of its keys -> the order in which forgeries of it are shown."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from readiness.failure import Failure
from readiness.inventory import Service, Step
from readiness.measurement import Values
from readiness.probes import _jwt_forgery as forge
from readiness.probes._http import attempt, public_path, target
from readiness.probes._jwt_keyring import of_jwks, of_pem, own_key, signing_key
from readiness.probes._jwt_token import Signer, Token
from readiness.probes._jwt_trial import Trial
from readiness.probes._shown_token import Showing
from readiness.probes._visitor import Visitor

SEALS: Mapping[str, str] = {
    "required": "true or false: a request without the token is refused",
    "malformed_refused": "true or false: what has not the form of a token is refused",
    "payload_protected": "true or false: other claims under the same signature are refused",
    "signature_required": "true or false: the token without its signature is refused",
    "none_refused": "true or false: the token is refused where its header says `alg: none`",
    "key_verified": "true or false: the token is refused when it is signed with another key",
    "header_keys_ignored": "true or false: keys that kid, jku, x5u or jwk point to are not used",
    "confusion_refused": "true or false: the public key is not taken for a shared secret",
}
RULES: Mapping[str, str] = {
    "expiry_enforced": "true or false: an expired token is refused",
    "not_before_enforced": "true or false: a token that is not yet valid is refused",
    "audience_enforced": "true or false: a token for another audience is refused",
    "issuer_enforced": "true or false: a token of another issuer is refused",
    "crit_refused": "true or false: a token with an unknown critical extension is refused",
}
FACTS: Mapping[str, str] = {
    "token_demanded": "true or false: nothing was let in without a token",
    "token_read": "true or false: nor with what is no token",
    "claims_sealed": "true or false: nor with other claims under the same signature",
    "signature_demanded": "true or false: nor without a signature",
    "key_checked": "true or false: nor signed with another key",
    "confusable": "true or false: nor that, and the public half of the token's key is declared",
    "forgeable": "true or false: tokens are read, and others can be signed as they are",
    "audience_named": "true or false: that, and the token names its audience",
    "issuer_named": "true or false: that, and the token names its issuer",
}
_CRUDER = "a simpler forgery is let in already"
_NO_SIGNING_KEY = "not tested: without a signing_key any such token is refused for its signature"
_NO_PUBLIC_KEY = (
    "not tested: without a public_key or jwks no token can be signed with the public key"
)


@dataclass(frozen=True)
class Attack:
    """What forgeries are made with, and whom they are shown to."""

    service: Service
    step: Step
    visitor: Visitor
    token: Token
    public_key: str | None
    jwks: str | None
    signing_key: str | None = field(repr=False)

    @property
    def moot(self) -> Mapping[str, str]:
        """The facts that are not so whatever the service answers, and why."""
        public, signing = bool(self.public_key or self.jwks), bool(self.signing_key)
        return moot(self.token, public=public, signing=signing)


async def seals(trial: Trial, attack: Attack) -> Values:
    """Show what carries no good signature, the crudest first; return what may go on from there.

    What lets in a crude forgery lets in the finer ones for the same reason: one is the finding.
    """
    token = attack.token
    demanded = await trial.show("required", forge.missing(token))
    read = demanded and await trial.show("malformed_refused", forge.malformed(token))
    sealed = read and await trial.show("payload_protected", forge.tampered(token))
    signed = sealed and await trial.show("signature_required", forge.stripped(token))
    checked = False
    if signed:
        own = await own_key(token)
        await trial.show("none_refused", forge.none(token))
        checked = await trial.show("key_verified", forge.wrong_key(token, own))
    because = {
        "token_demanded": "" if demanded else _CRUDER,
        "token_read": "" if read else _CRUDER,
        "claims_sealed": "" if sealed else _CRUDER,
        "signature_demanded": "" if signed else _CRUDER,
        "key_checked": "" if checked else _CRUDER,
        "confusable": "" if checked else _CRUDER,
        **dict.fromkeys(("forgeable", "audience_named", "issuer_named"), "" if read else _CRUDER),
        **attack.moot,
    }
    if checked:
        await trial.show("header_keys_ignored", forge.header_keys(token, own))
    confused = because["confusable"] or forge.confused(token, await _publics(attack))
    await trial.show("confusion_refused", confused)
    return facts(because)


def moot(token: Token | None, *, public: bool, signing: bool) -> dict[str, str]:
    """Return the facts that are not so whatever the service answers, and why.

    `public` and `signing` say whether these keys are declared; without a token, none was seen.
    """
    found: dict[str, str] = {}
    if not signing:
        found = dict.fromkeys(("forgeable", "audience_named", "issuer_named"), _NO_SIGNING_KEY)
    if token and token.symmetric:
        found["confusable"] = "the token is signed with a shared secret"
    elif not public:
        found["confusable"] = _NO_PUBLIC_KEY
    for claim, fact in (("aud", "audience_named"), ("iss", "issuer_named")):
        if token and claim not in token.claims:
            found[fact] = f"the token has no {claim}"
    return found


def facts(because: Mapping[str, str]) -> Values:
    """Return whether each fact holds, and why not where it does not."""
    told: Values = {f"{name}_because": why for name, why in because.items() if why}
    return {**{name: not why for name, why in because.items()}, **told}


async def rules(trial: Trial, attack: Attack, showing: Showing, unforgeable: str) -> None:
    """Show well signed tokens that must not be accepted, if one that must be is.

    `unforgeable` says why there can be none, where that is so.
    """
    token, now = attack.token, time.time()
    sign = unforgeable or await _signer(attack, trial, showing)
    if isinstance(sign, str):
        for metric in RULES:
            await trial.show(metric, sign)
        return
    await trial.show("expiry_enforced", forge.expired(token, sign, now))
    await trial.show("not_before_enforced", forge.early(token, sign, now))
    await trial.show("audience_enforced", forge.misdirected(token, "aud", sign))
    await trial.show("issuer_enforced", forge.misdirected(token, "iss", sign))
    await trial.show("crit_refused", forge.critical(token, sign))


async def _signer(attack: Attack, trial: Trial, showing: Showing) -> Signer | str:
    """Return what signs as the service does, or why that is not to be had."""
    sign = signing_key(attack.token, attack.signing_key or "")
    if isinstance(sign, str) or trial.halted:
        return trial.halted or sign
    genuine = showing.showing(forge.genuine(attack.token, sign))
    reply = await trial.door.ask(genuine)
    if reply.reaction != "accepted":
        return f"a token made with the signing_key is not accepted either ({reply.said})"
    return sign


async def _publics(attack: Attack) -> list[bytes] | str:
    """Return the spellings of the service's public key, or why it is not known."""
    context = attack.visitor.context
    if attack.public_key:
        return of_pem(attack.token, attack.public_key)
    path = attack.jwks or ""
    answer = await attempt(context, target(attack.service, path, anonymous=True))
    where = f"GET {public_path(path)}"
    if isinstance(answer, Failure):
        return f"{where}: {answer.kind}: {answer.detail}"
    return of_jwks(attack.token, answer.text) if answer.ok else f"{where} answered {answer.status}"
