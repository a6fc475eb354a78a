"""What the load probes share: the one request they repeat, and how its results are put."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from readiness import __version__
from readiness.estimate import needed, quantile
from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.load.request import Endpoint, Request, preformat
from readiness.load.result import Result
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import dial, within
from readiness.probes._http import public_path, target
from readiness.probes._login import HeaderName


def _one_line(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isprintable() or any(ord(character) > 255 for character in text):
        raise ValueError("a header's value is one line of printable Latin-1 text")
    return value


class LoadSettings(ProbeSettings):
    """The request to repeat, and which answer is a success."""

    request: str | None = Field(
        None,
        pattern=r"^(GET|HEAD) /\S*$",
        description="what to ask, as in `GET /path` (GET or HEAD); the health path if not given",
    )
    headers: Mapping[HeaderName, Annotated[SecretStr, AfterValidator(_one_line)]] = Field(
        default_factory=dict, description="headers to send along"
    )
    expect_status: int | None = Field(
        None, ge=200, le=599, description="the one status that is a success; else any 2xx"
    )

    def is_success(self, status: int) -> bool:
        """Whether an answer with `status` is what was wanted."""
        return status == self.expect_status if self.expect_status else 200 <= status < 300

    def asked(self, service: Service) -> tuple[str, str]:
        """Return method and path of the request."""
        method, path = (self.request or f"GET {service.health_path}").split(" ", 1)
        return method, path

    def shown(self, service: Service) -> str:
        """Return the request as text, without its query, which may hold a secret."""
        method, path = self.asked(service)
        return f"{method} {public_path(path)}"


async def aim(
    service: Service, settings: LoadSettings, context: Context
) -> tuple[Endpoint, Request]:
    """Find an address of the service that accepts connections, and format the request once.

    Raises what names the target's fault if there is none, so that none is put under load.
    """
    method, path = settings.asked(service)
    to = target(service, path)
    async with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(to.host, to.port)
        watch.begin("connect")
        with await dial(addresses) as connection:
            family, (host, port) = connection.family, connection.getpeername()[:2]
    headers = {
        "host": to.authority,
        "user-agent": f"readiness/{__version__}",
        "readiness-run": context.run_id,
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    if to.authorization:
        headers["authorization"] = to.authorization
    own = {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    tls = context.tls() if to.tls else None
    endpoint = Endpoint(family, host, port, tls, to.host if tls else None)
    return endpoint, preformat(method, to.path, headers | own)


def reached(result: Result) -> Result:
    """Return `result`, unless no connection got as far as a request: then raise why."""
    fault = result.first_fault
    if fault and not result.statuses and set(result.faults) <= {"refused", "tls"}:
        raise ProbeError(fault.kind, fault.detail)
    return result


def errors(result: Result, settings: LoadSettings) -> str:
    """Return what went wrong and how often, the most frequent first; empty if nothing did."""
    found: dict[str, int] = {str(kind): count for kind, count in result.faults.items()}
    for status, count in result.statuses.items():
        if not settings.is_success(status):
            found[f"HTTP {status}"] = count
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name}: {count}" for name, count in ordered)


def because(result: Result, settings: LoadSettings) -> str:
    """Return the sentence that explains a success rate below 1."""
    failed = result.n - result.successes(settings.is_success)
    return f"{failed} of {result.n} requests failed: {errors(result, settings)}"


def latencies(samples: Sequence[float], *percentiles: int) -> Values:
    """Return `p<N>_ms` of samples in milliseconds, and for an empty one how many it takes."""
    values: Values = {}
    for percent in percentiles:
        metric, q = f"p{percent}_ms", percent / 100
        values[metric] = estimate = quantile(samples, q)
        if estimate.value is None:
            values[f"{metric}_because"] = (
                f"{len(samples)} timed successes, a p{percent} needs {needed(q)}"
            )
    return values
