"""A token and what is known of its keys -> the order in which forgeries of it are shown."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from readiness.failure import Failure
from readiness.inventory import Service, Step
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
    "confusable": "true or false: nor that, and the token is signed with a private key",
    "audience_named": "true or false: tokens are read, and this one names its audience",
    "issuer_named": "true or false: tokens are read, and this one names its issuer",
}


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


async def seals(trial: Trial, attack: Attack) -> dict[str, bool]:
    """Show what carries no good signature, the crudest first; return what may go on from there.

    What lets in a crude forgery lets in the finer ones for the same reason: one is the finding.
    """
    token = attack.token
    demanded = await trial.show("required", forge.missing(token))
    read = demanded and await trial.show("malformed_refused", forge.malformed(token))
    sealed = read and await trial.show("payload_protected", forge.tampered(token))
    signed = sealed and await trial.show("signature_required", forge.stripped(token))
    checked = confusable = False
    if signed:
        own = await own_key(token)
        await trial.show("none_refused", forge.none(token))
        checked = await trial.show("key_verified", forge.wrong_key(token, own))
        confusable = checked and not token.symmetric
    if checked:
        await trial.show("header_keys_ignored", forge.header_keys(token, own))
    if confusable:
        await trial.show("confusion_refused", forge.confused(token, await _publics(attack)))
    return {
        "token_demanded": demanded,
        "token_read": read,
        "claims_sealed": sealed,
        "signature_demanded": signed,
        "key_checked": checked,
        "confusable": confusable,
        "audience_named": read and "aud" in token.claims,
        "issuer_named": read and "iss" in token.claims,
    }


async def rules(trial: Trial, attack: Attack, showing: Showing) -> None:
    """Show well signed tokens that must not be accepted, if one that must be is."""
    token, now = attack.token, time.time()
    sign = await _signer(attack, trial, showing)
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
    if attack.signing_key is None:
        return "not tested: without a signing_key any such token is refused for its signature"
    sign = signing_key(attack.token, attack.signing_key)
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
    if not attack.jwks:
        return "not tested: no public key is declared"
    answer = await attempt(context, target(attack.service, attack.jwks, anonymous=True))
    where = f"GET {public_path(attack.jwks)}"
    if isinstance(answer, Failure):
        return f"{where}: {answer.kind}: {answer.detail}"
    return of_jwks(attack.token, answer.text) if answer.ok else f"{where} answered {answer.status}"
