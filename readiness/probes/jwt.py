"""Whether forged tokens are refused where a journey's own token is accepted (write tier)."""

import time
from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field, SecretStr, model_validator

from readiness.failure import ProbeError
from readiness.inventory import SAFE, Inventory, Journey, Service, Step, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named, ProbeSettings, _jwt_claims
from readiness.probes._jwt_attack import FACTS, RULES, SEALS, Attack, facts, moot, rules, seals
from readiness.probes._jwt_token import parse
from readiness.probes._jwt_trial import Trial
from readiness.probes._shown_token import Doorkeeper, Reply, Showing
from readiness.probes._template import spelt
from readiness.probes._visit import NotReached, journey_called, step_called, visit
from readiness.probes._visitor import Visitor

TIER: Tier = "write"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
_TRIED = (*SEALS, *RULES, *FACTS, "no_server_error", "control_kept")
METRICS: Mapping[str, str] = {
    "is_jwt": "true or false: the token is a JSON Web Token that is signed and can be read",
    "control_accepted": "true or false: the token itself is accepted before any forgery",
    "control_kept": "true or false: it is accepted before the forgeries and after them",
    **SEALS,
    **RULES,
    "no_server_error": "true or false: no forgery made the service answer 5xx",
    "forgeries": "count of forgeries shown",
    "forgeries_refused": "count of forgeries refused",
    **FACTS,
    **_jwt_claims.METRICS,
}
_SECONDS = 120.0


class Settings(ProbeSettings):
    """Which journey yields the token, which of its steps shows it, and what is known of its key."""

    journey: str = Field(description="a journey that logs in")
    captured: str = Field(description="the name under which one of its steps keeps the token")
    step: str = Field(description="the step that shows the token: a GET that needs it")
    public_key: str | None = Field(None, description="the public key of the tokens, in PEM")
    jwks: str | None = Field(
        None, pattern=r"^/\S*$", description="path below the service's URL where that is published"
    )
    signing_key: SecretStr | None = Field(
        None,
        description="a test system's key (shared secret, or private key in PEM): with it expired "
        "tokens and those for others are tried",
    )

    @model_validator(mode="after")
    def _one_public_key(self) -> "Settings":
        if self.public_key and self.jwks:
            raise ValueError("give either public_key or jwks, not both")
        return self

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings."""
        return _SECONDS

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield ("journey",), self.journey, [j.name for j in inventory.journeys], "journey"
        yield ("step",), self.step, inventory.steps_of(self.journey), "step"
        kept = [key for j in inventory.journeys if j.name == self.journey for key in j.captured]
        yield ("captured",), self.captured, kept, "variable"


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Walk to the step, show forgeries in place of its token, then clean up.

    At most 55 requests beside the journey's own, one at a time.
    """
    if settings.signing_key:
        context.conceal(settings.signing_key.get_secret_value())
    try:
        journey = journey_called(settings.journey, context.inventory)
        step = _step(journey, settings.step, service)
        async with visit(journey, step.name, context) as visitor:
            return await _measured(service, settings, step, visitor)
    except NotReached as error:
        if error.failure and journey.depends_on == (service.name,):
            raise ProbeError(error.failure.kind, error.failure.detail) from error
        public, signing = bool(settings.public_key or settings.jwks), bool(settings.signing_key)
        known = facts(moot(None, public=public, signing=signing))
        return _untold(tuple(METRICS), error.because) | known


def _step(journey: Journey, name: str, service: Service) -> Step:
    """Return the step that shows the token; NotReached if it cannot be the control."""
    step = step_called(name, journey)
    if step.method not in SAFE:
        raise NotReached(f"the step {name} is a {step.method}; only a GET or HEAD is repeated")
    asked = step.service or journey.service
    if asked != service.name:
        raise NotReached(f"the step {name} asks {asked}; write jwt under that service")
    return step


async def _measured(service: Service, settings: Settings, step: Step, visitor: Visitor) -> Values:
    if settings.captured not in visitor.variables:
        raise NotReached(f"no step up to {step.name} captures {settings.captured}")
    text = spelt(visitor.variables[settings.captured]).rpartition(" ")[2]
    token = parse(text)
    if isinstance(token, str):
        return facts(dict.fromkeys(("is_jwt", "symmetric", "expires", *FACTS), token))
    values: Values = {"is_jwt": True, **_jwt_claims.read(token, time.time())}
    whole = Showing(visitor.asked[step.name], text)
    key = settings.signing_key
    attack = Attack(
        service=service,
        step=step,
        visitor=visitor,
        token=token,
        public_key=settings.public_key,
        jwks=settings.jwks,
        signing_key=key.get_secret_value() if key else None,
    )
    if not whole.carried:
        because = f"the step {step.name} shows the token in no header"
        return values | _untold(_TRIED, because) | facts(attack.moot)
    return values | await _tried(attack, whole)


async def _tried(attack: Attack, whole: Showing) -> Values:
    """Show the token, all that must be refused, and the token again."""
    step, context = attack.step, attack.visitor.context
    door = Doorkeeper(attack.visitor, step)
    showing, control = await _control(door, whole)
    if control.reaction != "accepted":
        because = f"{step.shown} answered {control.said} to the token itself when it came again"
        controls = facts(dict.fromkeys(("control_accepted", "control_kept"), because))
        return _untold(_TRIED, because) | facts(attack.moot) | controls
    trial = Trial(door, showing, context.deadline - context.timeout)
    known = await seals(trial, attack)
    if trial.accepted("required") and showing is whole:
        because = "the step is answered without the token too, for the other credentials it sends"
        return {"control_accepted": True, **_untold(_TRIED, because), **facts(attack.moot)}
    await rules(trial, attack, showing, str(known.get("forgeable_because", "")))
    await trial.close()
    values = facts({"control_accepted": "", "control_kept": trial.doubt})
    for metric in (*SEALS, *RULES):
        values |= trial.verdict(metric, step.shown)
    broken = trial.broken("no_server_error", step.shown)
    return {**values, **known, **trial.counts, **broken}


async def _control(door: Doorkeeper, whole: Showing) -> tuple[Showing, Reply]:
    """Ask with the token alone, or, where that is not enough, with all that the step sends."""
    alone = whole.alone
    reply = await door.control(alone.asked)
    if reply.reaction == "accepted" or alone == whole:
        return alone, reply
    return whole, await door.control(whole.asked)


def _untold(metrics: Sequence[str], because: str) -> Values:
    return {f"{metric}_because": because for metric in metrics}
