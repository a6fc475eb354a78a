"""What the load probes share: the one request they repeat, and how its results are put."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, Secret, SecretStr, model_validator

from readiness.estimate import EVEN, Sides, needed, rate
from readiness.inventory import Service
from readiness.load.check import BODY_FAILED, Check
from readiness.load.machine import Machine, load_average
from readiness.load.result import Result
from readiness.measurement import Values
from readiness.probes import ProbeSettings
from readiness.probes._http import public_path
from readiness.probes._login import HeaderName

_PATH = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d{1,4})\]")
READING = frozenset({"GET", "HEAD"})
SPARE_SECONDS = 30.0
"""What finding a pace, and requests that time out, may add to the time that was asked for."""
_LIMITED_SHARE = 0.01
"""With more refusals for coming too often, what is left does not show what the service can do."""


def one_line(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isprintable() or any(ord(character) > 255 for character in text):
        raise ValueError("a header's value is one line of printable Latin-1 text")
    return value


JsonPath = Annotated[str, Field(pattern=r"^\$(\.[A-Za-z0-9_-]+|\[\d{1,4}\])+$")]
Scalar = str | bool | int | float | None


class LoadSettings(ProbeSettings):
    """The request to repeat, and which answer is a success."""

    request: str | None = Field(
        None,
        pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*$",
        description="what to ask, as in `GET /path`; the health path if not given; "
        "anything but GET and HEAD needs the write tier",
    )
    headers: Mapping[HeaderName, Annotated[SecretStr, AfterValidator(one_line)]] = Field(
        default_factory=dict, description="headers to send along"
    )
    payload: Secret[JsonValue] | None = Field(
        None, alias="json", description="the body, sent as JSON"
    )
    expect_status: int | None = Field(
        None, ge=200, le=599, description="the one status that is a success; else any 2xx"
    )
    expect_text: str | None = Field(
        None, min_length=1, description="text that the body of a success contains"
    )
    expect_json: Mapping[JsonPath, Scalar] = Field(
        default_factory=dict,
        description="values in the JSON body of a success, as in `{$.status: ok}`",
    )

    @model_validator(mode="after")
    def _bodies(self) -> Self:
        method = (self.request or "GET").partition(" ")[0]
        if self.payload is not None and method in READING:
            raise ValueError("json is sent with POST, PUT, PATCH or DELETE")
        if method == "HEAD" and (self.expect_text or self.expect_json):
            raise ValueError("the answer to HEAD has no body to expect anything of")
        return self

    @property
    def check(self) -> Check:
        """What counts as a success."""
        return Check(
            statuses=frozenset({self.expect_status}) if self.expect_status else None,
            text=self.expect_text.encode() if self.expect_text else None,
            fields=tuple(
                (tuple(name or place for name, place in _PATH.findall(path)), wanted)
                for path, wanted in self.expect_json.items()
            ),
        )

    def asked(self, service: Service) -> tuple[str, str]:
        """Return method and path of the request."""
        method, path = (self.request or f"GET {service.health_path}").split(" ", 1)
        return method, path

    def shown(self, service: Service) -> str:
        """Return the request as text, without its query, which may hold a secret."""
        method, path = self.asked(service)
        return f"{method} {public_path(path)}"


def errors(result: Result) -> str:
    """Return what went wrong and how often, the most frequent first; empty if nothing did."""
    found: dict[str, int] = {str(kind): count for kind, count in result.faults.items()}
    for code, count in result.codes.items():
        if code > 0 and not result.check.succeeded(code):
            name = f"HTTP {code % BODY_FAILED}"
            found[f"{name} with another body" if code >= BODY_FAILED else name] = count
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name}: {count}" for name, count in ordered)


def success(result: Result, sides: Sides = EVEN) -> Values:
    """Return `success_rate` with what explains it, and `errors` where there were any."""
    values: Values = {"n": result.n}
    counted = result.n - result.limited
    doubted = result.faults.get("timeout", 0) if result.doubted_timeouts else 0
    failed = counted - result.successes - doubted
    if result.limited > _LIMITED_SHARE * result.n:
        values["success_rate_because"] = (
            f"{result.limited} of {result.n} requests were refused with 429 for coming too often: "
            "let this client through, or ask for less"
        )
    elif (doubt := result.doubted_timeouts) and failed <= _LIMITED_SHARE * counted:
        values["success_rate_because"] = f"local_limit: of {counted} requests {doubt}"
    elif counted > doubted:
        values["success_rate"] = rate(result.successes, counted - doubted, sides)
    if result.successes < counted:
        because = f"{counted - result.successes} of {counted} requests failed: {errors(result)}"
        values["success_rate_because"] = values.get("success_rate_because", because)
    if found := errors(result):
        values["errors"] = found
    return values


def latencies(result: Result, percentiles: Sequence[int], sides: Callable[[str], Sides]) -> Values:
    """Return `p<N>_ms` of the response times, and for one that is not known the reason.

    `sides` says of each metric how sure its interval must be.
    """
    values: Values = {}
    for percent in percentiles:
        metric, q = f"p{percent}_ms", percent / 100
        if result.untrusted:
            values[f"{metric}_because"] = (
                f"{result.untrusted} timed answers came over connections that answered unasked"
            )
            continue
        estimate = result.response.quantile(q, sides(metric))
        if estimate.value is None:
            values[metric] = estimate
            values[f"{metric}_because"] = too_few(estimate.n, percent)
        elif not (doubt := result.doubt(q)):
            values[metric] = estimate
        elif result.only_late:
            served = result.service.quantile(q, sides(metric)).low
            low = min(estimate.low or 0.0, served or 0.0)
            values[metric] = estimate.model_copy(update={"low": low, "sides": None})
            values[f"{metric}_because"] = f"{doubt}, so that the service may be quicker"
        else:
            values[f"{metric}_because"] = f"local_limit: {doubt}"
    return values


def too_few(n: int, percent: int, kind: str = "timed successes") -> str:
    """Return why so many samples bound no percentile."""
    fewest = needed(percent / 100)
    if n < fewest:
        return f"{n} {kind}, a p{percent} needs {fewest}"
    return f"{n} {kind} that came in bursts, alike within: too few of those for a p{percent}"


def company(before: Machine) -> Values:
    """Return what else the machine was busy with since `before`, as far as it says."""
    found = {"steal": Machine.now().steal(before), "load_average": load_average()}
    return {name: round(value, 3) for name, value in found.items() if value is not None}
