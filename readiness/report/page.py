"""Assessment -> everything the templates of the Markdown reports lay out, in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from readiness.assessment import Assessment
from readiness.assessment.access import MatrixRow, TokenRow, matrix, tokens
from readiness.assessment.backends import backends
from readiness.assessment.beside import alone
from readiness.assessment.grades import GradeRow, grades
from readiness.assessment.leniency import (
    Loosened,
    WaiverRow,
    announced,
    eased,
    loosened,
    waivers,
)
from readiness.assessment.model import Model, Standing
from readiness.assessment.objectives import ObjectiveRow
from readiness.assessment.plan import Work
from readiness.assessment.reasons import reasons
from readiness.assessment.regression import Comparison
from readiness.assessment.services import ServiceRow
from readiness.assessment.stores import StoreRow, stores
from readiness.assessment.timings import (
    CrowdRow,
    KneeRow,
    RateRow,
    TimingRow,
    crowds,
    knees,
    rates,
    timings,
)
from readiness.baseline import FEWEST_RUNS
from readiness.finding import Finding, Outcome
from readiness.gate import blockers
from readiness.policy import Eased
from readiness.quantity import amount
from readiness.report.graph import Graph, graph
from readiness.report.rows import (
    SEVEREST_FIRST,
    AreaSection,
    Group,
    Load,
    ProofRow,
    QualitySection,
    counts,
    open_checks,
)
from readiness.report.trend import Point, trend
from readiness.report.words import NONE, SIGNS, Sign, demanded, hours, joined, plural, share
from readiness.score import CRITICALITY_WEIGHTS, SEVERITY_WEIGHTS, AreaScore, grade


@dataclass(frozen=True)
class Page:
    """One assessment as a page: `most` rows of a table stand open, the rest is folded."""

    a: Assessment
    most: int = 30
    fewest_runs: int = FEWEST_RUNS
    first: int = 5
    runs: int = 12
    """Points of the trend."""
    listed: bool = True
    """Whether the findings are listed one by one, area by area."""
    folded: int = 200
    """Rows that a fold holds at most: what is beyond them is in assessment.json alone."""

    @property
    def model(self) -> Model:
        """The judged model."""
        return self.a.model

    @property
    def checks(self) -> tuple[tuple[str, int], ...]:
        """How many findings have each outcome."""
        return counts(self.model.findings)

    @property
    def applied(self) -> int:
        """The number of checks that apply."""
        return sum(n for outcome, n in self.checks if outcome != "not_applicable")

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """What keeps the system from READY."""
        standing = self.model.standing
        policy, worse = self.model.evidence.policy, len(standing.regressed)
        return reasons(self.model.card, standing.open_blockers, policy, worse)

    @cached_property
    def blocking(self) -> tuple[str, ...]:
        """What the gate would fail by, where the stage lets it pass; empty where it does not."""
        decision, policy = self.model.decision, self.model.evidence.policy
        if decision.gated_exit_code != 1 or policy.stage == "gate":
            return ()
        vetoes = (f for f in self.model.standing.open_blockers if not f.waived)
        failed = {(f.check, f.service) for f in vetoes if f.outcome == "fail"}
        works = (work for work in self.a.work if work.keys & failed)
        named = [f"{self.problem(work)} on {work.head.service}" for work in works]
        if self.model.card.upper < policy.conditional.score:
            upper = self.model.card.upper
            named.append(f"the score is {upper} at best, below {policy.conditional.score}")
        if named and policy.fail_on == "not-ready":
            return tuple(named)
        standing = self.model.standing
        others = [f for f in standing.open_blockers if (f.check, f.service) not in failed]
        return (*named, *reasons(self.model.card, others, policy, len(standing.regressed)))

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return (self.a.evidence.finished_at - self.a.evidence.started_at).total_seconds()

    @property
    def unknown(self) -> int:
        """The number of checks without a result."""
        return dict(self.checks).get("unknown", 0)

    @property
    def at_best(self) -> str:
        """What the score could be if all that is not known were good; empty if that is no more."""
        decision = self.model.decision
        if decision.upper == decision.value or not self.model.card.applicable:
            return ""
        thin = [a.id for a in self.model.card.areas if a.applicable and a.because]
        if self.unknown:
            verb = "passes" if self.unknown == 1 else "pass"
            more = ", and the areas hardly tested" if any(map(self._too_few, thin)) else ""
            return f"{decision.upper} if the {plural(self.unknown, 'unknown check')} {verb}{more}"
        if thin:
            return f"{decision.upper} if the areas not tested pass"
        return f"{decision.upper} at the better end of every interval"

    def _too_few(self, area: str) -> bool:
        """Whether an area were hardly tested even if all that is unknown in it passed."""
        asked = sum(f.area == area and f.outcome != "not_applicable" for f in self.model.findings)
        return asked < self.model.criteria.areas[area].min_checks

    @property
    def previous(self) -> str:
        """The score of the run before, when that was, and the change since."""
        previous = self.a.evidence.previous
        if previous is None or self.model.criteria.only or self.a.evidence.only:
            return NONE
        change = self.model.decision.value - previous.value
        return f"{previous.value} on {previous.started_at:%Y-%m-%d} ({change:+d})"

    @property
    def comparison(self) -> Comparison | None:
        """What has changed since the baseline, if there is one."""
        return self.model.comparison

    @property
    def tolerances(self) -> str:
        """What may change without being a regression."""
        mine = self.a.evidence.inventory.regression
        each = [f"{check} {share(value)}" for check, value in mine.checks.items()]
        rates = amount(100 * mine.rate_tolerance, "")
        return joined(
            (f"{share(mine.tolerance)} of what it was", f"of rates {rates} points", *each), 8
        )

    @cached_property
    def trend(self) -> tuple[Point, ...]:
        """The last runs, this one at the end; empty without earlier ones."""
        return trend(self.a, self.runs)

    @cached_property
    def graph(self) -> Graph | None:
        """Who needs whom, as far as it is to be drawn."""
        return graph(self.a)

    def row(self, objective: str) -> ObjectiveRow:
        """Return the row of an objective."""
        return next(row for row in self.a.objectives if row.id == objective)

    def objective(self, name: str) -> str:
        """Return the current value of an objective and what it rests on."""
        row = self.row(name)
        return row.because if row.current is None else f"{share(row.current)} ({row.because})"

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """Service -> owner."""
        return {s.name: s.owner or NONE for s in self.a.evidence.inventory.subjects}

    @cached_property
    def matrix(self) -> tuple[tuple[ServiceRow, ...], tuple[ServiceRow, ...]]:
        """The rows that stand open and those folded away; of many, the ready ones are folded."""
        if len(self.a.services) <= self.most:
            return self.a.services, ()
        urgent = sorted(self.a.services, key=lambda row: _READINESS.index(row.readiness))
        return tuple(urgent[: self.most]), tuple(urgent[self.most :])

    @cached_property
    def areas(self) -> tuple[AreaSection, ...]:
        """Every area with its findings."""
        return tuple(self._area(score) for score in self.model.card.areas)

    def area(self, name: str) -> AreaSection | None:
        """Return the area called `name`, if it applies to this system."""
        return next((s for s in self.areas if s.score.id == name and s.score.applicable), None)

    def proofs(self, area: str) -> tuple[ProofRow, ...]:
        """Return for each service what of an area is proven, failed and not known."""
        found: dict[str, list[Finding]] = {}
        for f in self.model.findings:
            if f.area == area:
                found.setdefault(f.service, []).append(f)
        return tuple(
            ProofRow(name, mine)
            for name, mine in found.items()
            if any(f.outcome != "not_applicable" for f in mine)
        )

    @cached_property
    def access(self) -> tuple[tuple[str, ...], tuple[MatrixRow, ...]]:
        """The roles that were tried, and what each got, path by path."""
        rows = matrix(self.a.evidence.measurements)
        return tuple(dict.fromkeys(role for row in rows for role in row.cells)), rows

    @property
    def tokens(self) -> tuple[TokenRow, ...]:
        """Tokens that were forged."""
        return tokens(self.a.evidence.measurements)

    @property
    def unguarded(self) -> tuple[str, ...]:
        """HTTP services about whose access the inventory declares nothing."""
        return tuple(
            s.name
            for s in self.a.evidence.inventory.services
            if s.kind == "http" and "http_access" not in s.expected_probes
        )

    @cached_property
    def quality(self) -> tuple[QualitySection, ...]:
        """The parts of the platform that this system has, each with its score."""
        areas = [self.area(name) for name in _PLATFORM]
        return tuple(QualitySection(a, open_checks(a.findings, self.down)) for a in areas if a)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The parts of the platform that the inventory names nothing of."""
        return tuple(
            s.score.title for s in self.areas if s.score.id in _PLATFORM and not s.score.applicable
        )

    @cached_property
    def untested(self) -> tuple[tuple[tuple[str, ...], str, str], ...]:
        """What gave no result: the measurements that share a service and a reason, and both."""
        rows: dict[tuple[str, str], dict[str, None]] = {}
        for row in self.a.not_tested:
            because = row.because.removeprefix("not tested: ")  # as the heading says
            rows.setdefault((row.service, because), {})[row.probe] = None
        return tuple((tuple(probes), *key) for key, probes in rows.items())

    @property
    def stores(self) -> tuple[StoreRow, ...]:
        """The databases and caches."""
        return stores(self.a.services, self.a.evidence.measurements)

    @property
    def backends(self) -> tuple[StoreRow, ...]:
        """The backends of observability."""
        return backends(self.a.services, self.a.evidence.measurements)

    @cached_property
    def timings(self) -> Mapping[str, TimingRow]:
        """Service -> how its response times are spread."""
        return {row.service: row for row in timings(self.a.evidence.measurements)}

    @property
    def clock(self) -> str:
        """Who stamped the answers, as a sentence; empty if none was timed."""
        clocks = {row.clock for row in self.timings.values()}
        if not clocks:
            return ""
        if clocks == {"kernel"}:
            return "The kernel stamped the answers as they arrived."
        return "This tool stamped the answers as it read them, so its own delays are in the times."

    @property
    def unstable(self) -> tuple[str, ...]:
        """Services whose response times drifted while they were measured."""
        return tuple(row.service for row in self.timings.values() if row.stable is False)

    @property
    def rates(self) -> tuple[RateRow, ...]:
        """What happened at declared rates."""
        return rates(self.a.evidence.measurements)

    @property
    def knees(self) -> tuple[KneeRow, ...]:
        """The greatest rates that hold a limit."""
        return knees(self.a.evidence.measurements)

    @property
    def crowds(self) -> tuple[CrowdRow, ...]:
        """What else a load of users showed."""
        return crowds(self.a.evidence.measurements)

    @property
    def rival(self) -> str:
        """What services were compared with, by name."""
        known = self.a.evidence.against
        if known is None:
            return "the reference"
        version = f" {known.version}" if known.version else ""
        return f"{known.name}{version} ({known.environment})"

    @property
    def alone(self) -> tuple[tuple[str, str], ...]:
        """The services that there was nothing to compare with, and why."""
        return tuple(alone(self.model.findings).items())

    @property
    def standings(self) -> tuple[str, ...]:
        """How many services stand how beside the reference, the worst first, with their names."""
        order = ("slower", "too close to call", "not known", "as quick", "quicker")
        rows = {word: [r.service for r in self.a.beside if r.standing == word] for word in order}
        return tuple(
            f"{len(names)} {word}" + (f" ({joined(tuple(names), 5)})" if word in order[:3] else "")
            for word, names in rows.items()
            if names
        )

    @property
    def grades(self) -> tuple[GradeRow, ...]:
        """The letters of performance."""
        return grades(self.model)

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """The services whose concurrency was measured."""
        return tuple(Load(r.name, r.concurrency) for r in self.a.services if r.concurrency)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Services and capabilities by how ready they are, without empty groups."""
        titles: tuple[tuple[str, Sign], ...] = (
            ("Ready", "good"),
            ("Ready with fixes", "fair"),
            ("Not ready", "bad"),
            ("Unknown", "unknown"),
        )
        groups = (self._group(title, sign) for title, sign in titles)
        return tuple(g for g in groups if g.open or g.clear or g.capabilities)

    @cached_property
    def repaired(self) -> Standing:
        """What the score rests on when the whole plan is done."""
        mended = [finding for work in self.a.work for finding in work.findings]
        return self.model.standing.passing(mended)

    @property
    def remaining(self) -> tuple[str, ...]:
        """What keeps the system from READY when the whole plan is done."""
        left, policy = self.repaired, self.model.evidence.policy
        return reasons(left.ledger.card(), left.open_blockers, policy, len(left.regressed))

    @cached_property
    def planned(self) -> tuple[int, int]:
        """The score with the whole plan done, and with all that is unknown passing as well."""
        unknown = [f for f in self.model.findings if f.outcome == "unknown"]
        return self.repaired.value, self.repaired.passing(unknown).value

    @property
    def effort(self) -> str:
        """The hours of the whole plan."""
        return hours(sum(work.head.fix.effort_hours for work in self.a.work))

    @property
    def risks(self) -> tuple[tuple[str, Outcome, tuple[str, ...]], ...]:
        """Each level of risk with the outcome whose sign it bears and its texts."""
        found = self.a.risks
        return (
            ("High", "fail", found.high),
            ("Medium", "warn", found.medium),
            ("Low", "pass", found.low),
        )

    def demanded(self, finding: Finding) -> tuple[str, str]:
        """Return target and limit of a finding as conditions."""
        return demanded(finding, self.model.criteria.checks[finding.check])

    @property
    def waivers(self) -> tuple[WaiverRow, ...]:
        """What is excused."""
        return waivers(self.model)

    @property
    def announced(self) -> tuple[WaiverRow, ...]:
        """The waivers that someone has to look at."""
        return announced(self.model)

    @property
    def eased(self) -> tuple[Eased, ...]:
        """Settings of the policy that let more pass than usual."""
        return eased(self.model)

    @property
    def loosened(self) -> tuple[Loosened, ...]:
        """Targets that ask for less than usual."""
        return loosened(self.model)

    @property
    def added(self) -> tuple[str, ...]:
        """The checks that packs added."""
        return tuple(sorted(self.model.criteria.added))

    def down(self, finding: Finding) -> bool:
        """Whether the finding fails for no other reason than that its service is down."""
        return finding.failure is not None and finding.service in self._down

    def problem(self, work: Work) -> str:
        """Name what a piece of work is about."""
        if not self.down(work.head):
            return work.head.title
        return "TLS handshake fails" if self.untrusted(work) else "Service is down"

    def untrusted(self, work: Work) -> bool:
        """Whether the service may well be running, but its certificate is not accepted."""
        return work.head.failure is not None and work.head.failure.kind == "tls"

    @property
    def open_blockers(self) -> tuple[Finding, ...]:
        """The blockers that nothing in the plan decides: unknown or too close to call."""
        planned = {key for work in self.a.work for key in work.keys}
        return tuple(
            f
            for f in blockers(self.model.findings)
            if not f.waived and (f.check, f.service) not in planned
        )

    @cached_property
    def _work(self) -> Mapping[str, Sequence[Work]]:
        """Service -> what is to be done about it."""
        found: dict[str, list[Work]] = {}
        for work in self.a.work:
            found.setdefault(work.head.service, []).append(work)
        return found

    @cached_property
    def _unknown_blockers(self) -> Mapping[str, Sequence[Finding]]:
        found: dict[str, list[Finding]] = {}
        for f in self.model.standing.open_blockers:
            if f.outcome == "unknown":
                found.setdefault(f.service, []).append(f)
        return found

    @cached_property
    def _down(self) -> frozenset[str]:
        return frozenset(row.name for row in self.a.services if row.status == "down")

    def _area(self, score: AreaScore) -> AreaSection:
        findings = [f for f in self.model.findings if f.area == score.id]
        findings.sort(key=lambda f: SEVEREST_FIRST.index(f.outcome))
        return AreaSection(
            score=score,
            letter=NONE if score.score is None else grade(score.score),
            costs=self._costs(findings),
            findings=tuple(findings),
        )

    def _costs(self, findings: Sequence[Finding]) -> tuple[str, ...]:
        weights = {
            s.name: CRITICALITY_WEIGHTS[s.criticality] for s in self.a.evidence.inventory.subjects
        }

        def lost(f: Finding) -> float:
            return float(weights[f.service] * SEVERITY_WEIGHTS[f.severity]) * (1 - f.score)

        costly = [f for f in findings if f.outcome != "not_applicable" and f.score < 1]
        costly.sort(key=lost, reverse=True)
        return tuple(
            dict.fromkeys(
                f"{f.service} is down" if self.down(f) else f"{f.title} ({f.service})"
                for f in costly
            )
        )

    def _group(self, title: str, sign: Sign) -> Group:
        mine = [r for r in self.a.services if SIGNS[r.readiness] == sign]
        issues = [(r, self._issues.get(r.name, ())) for r in mine]
        return Group(
            title=title,
            sign=sign,
            capabilities=tuple(c for c in self.a.capabilities if SIGNS[c.label] == sign),
            open=tuple((row, found) for row, found in issues if found),
            clear=tuple(row.name for row, found in issues if not found),
        )

    @cached_property
    def _issues(self) -> Mapping[str, tuple[str, ...]]:
        """Service -> the work on it, and its blockers that no work mends before they are known."""
        found: dict[str, list[str]] = {}
        for cause in self.a.root_causes:
            for name in cause.explains:
                found.setdefault(name, []).append(f"down because of {cause.service}")
        for w in self.a.work:
            text = f"{self.problem(w)} ({hours(w.head.fix.effort_hours)})"
            found.setdefault(w.head.service, []).append(text)
        for f in self.model.standing.open_blockers:
            if f.outcome == "unknown":
                found.setdefault(f.service, []).append(f"{f.title}: not known")
        return {name: tuple(texts) for name, texts in found.items()}


_PLATFORM = ("data", "observability", "containers", "infrastructure", "tests")
"""Areas of what the services stand on, and of what was tested before."""

_READINESS = ("not_ready", "unknown", "ready_with_fixes", "ready")
