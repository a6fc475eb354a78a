"""A service on a free port, assessed by the whole pipeline -> what was found of it."""

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from readiness import assessment, document, evidence, inventory
from readiness.assessment import Assessment
from readiness.assessment.model import Model, evaluate
from readiness.collect import Collector
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence, Tool
from readiness.failure import FailureKind
from readiness.finding import Finding
from readiness.inventory import Tier
from readiness.steps import plan
from tests import chains, servers
from tests.mutants import certificates, jws
from tests.mutants.accounts import PASSWORDS
from tests.mutants.service import Service

INVENTORY = Path(__file__).with_name("services.yaml")
ALLOWED: frozenset[Tier] = frozenset({"observe", "load", "write", "intrusive"})
TIMES = frozenset({"resolve-time", "connect-time"})
"""Checks of times, which are this machine's."""
OFF = "switched off in the inventory"
RUN_ID = "mutants"
_SECONDS = 60.0


@dataclass(frozen=True)
class Found:
    """What the assessment of one service says."""

    evidence: Evidence
    residue: tuple[str, ...]

    @functools.cached_property
    def whole(self) -> Assessment:
        """Everything that is said of it."""
        return assessment.assess(self.evidence, bundled_criteria())

    @functools.cached_property
    def model(self) -> Model:
        """Every finding and what they add up to."""
        return evaluate(self.evidence, bundled_criteria())

    @property
    def findings(self) -> Iterator[Finding]:
        """Every finding but those on times, and of what the inventory switches off."""
        for finding in self.model.findings:
            if finding.because != OFF and finding.check not in TIMES:
                yield finding

    @property
    def caught(self) -> Mapping[str, str]:
        """Check -> what the report says, of each that was judged and did not pass."""
        bad = [f for f in self.findings if f.outcome in ("fail", "warn") and not f.failure]
        return {f.check: f.because for f in reversed(bad)}

    @property
    def outages(self) -> frozenset[FailureKind]:
        """How probes failed that got no answer, so that all their checks fail alike."""
        return frozenset(
            f.failure.kind for f in self.findings if f.failure and f.outcome in ("fail", "warn")
        )

    @property
    def untested(self) -> frozenset[str]:
        """The probes of which something is not known."""
        return frozenset(f.probe for f in self.findings if f.outcome == "unknown")

    @property
    def passed(self) -> frozenset[str]:
        """Checks that passed somewhere."""
        return frozenset(f.check for f in self.findings if f.outcome == "pass")


async def assess(service: Service, folder: Path, allowed: frozenset[Tier] = ALLOWED) -> Found:
    """Start `service`, run every probe at it that is `allowed`, judge what they measured."""
    async with running(service, folder) as port:
        service.origin = f"https://localhost:{port}"
        with trusting(folder):
            return await _assessed(service, allowed)


@contextlib.asynccontextmanager
async def running(service: Service, folder: Path) -> AsyncIterator[int]:
    """Yield the port at which `service` is found."""
    tls, web = service.tls(folder), servers.Web(service.answer)
    async with servers.serving(web, tls=tls) as port:
        if service.beside is None:
            yield port
            return
        raw, version = service.beside
        async with chains.in_front(port, raw, at=version) as front:
            yield front


@contextlib.contextmanager
def trusting(folder: Path) -> Iterator[None]:
    """Let this process trust our root, by the variable that OpenSSL itself reads."""
    roots = folder / "roots.pem"
    roots.write_bytes(certificates.root().pem)
    with mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(roots)}):
        yield


def environ(service: Service) -> dict[str, str]:
    """Return what the inventory needs to know of a service."""
    named = {email.partition("@")[0].upper(): word for email, word in PASSWORDS.items()}
    return {
        **named,
        "SHOP_URL": service.origin,
        "SHOP_KEY": service.secret.decode(),
        "PROVIDER_KEY": jws.pem(service.key).decode(),
    }


async def _assessed(service: Service, allowed: frozenset[Tier]) -> Found:
    source, rules = document.read(INVENTORY), bundled_criteria()
    wanted = inventory.from_document(source, environ(service))
    asked = plan(wanted, source, allowed, (), rules.limits)
    collector, began = Collector(asked, RUN_ID, _SECONDS, lambda *_: None), datetime.now(UTC)
    await collector.run()
    found = Evidence(
        tool=Tool(version="0"),
        run_id=RUN_ID,
        inventory=wanted,
        environment="test",
        allowed=tuple(allowed),
        started_at=began,
        finished_at=datetime.now(UTC),
        measurements=collector.measurements("the deadline came first"),
    )
    saved = evidence.from_json(found.to_json(), "evidence.json")
    return Found(saved, collector.residue)
