"""What a report says of the samples that its findings rest on."""

import json

from readiness.assessment.sampling import sampling
from readiness.evidence import Confidence, from_json
from readiness.report import FORMATS
from tests.judging import estimate, evidence, healthy, inventory, judged, service

API = inventory(service(criticality="critical"))
NEAR = estimate(450, 400, 510, n=900)


def test_each_sample_counts_once_and_each_check_is_decided_or_open() -> None:
    found = judged(
        API,
        *healthy(http_latency__p95_ms=NEAR, http_latency__looks=4),
        confidence=Confidence(asked=0.99, checks=6),
    ).sampling
    assert (found.confidence, found.planned) == (0.99, 6)
    assert (found.checks, found.decided) == (6, 5)
    assert found.samples == 2 * 1000  # of both probes: 900 are among those of the others
    (row,) = found.open
    assert (row.check, row.service, row.n) == ("latency-p95", "api", 900)
    assert row.more is not None
    assert f"about {row.more:,} more samples decide" in row.because


def test_what_the_looks_were_is_read_where_the_metric_is() -> None:
    values = {m.probe: dict(m.values) for m in healthy(http_latency__p95_ms=NEAR)}
    values["http_latency"]["looks"], values["http_concurrency"]["looks"] = 7, 1
    measurements = [m.model_copy(update={"values": values[m.probe]}) for m in healthy()]
    found = judged(API, *measurements).sampling
    assert [row.looks for row in found.open] == [7]
    assert found.at_first_look == 2  # both of http_concurrency


def test_no_number_of_samples_decides_at_the_limit_itself() -> None:
    at_limit = estimate(500, 480, 520)
    (row,) = judged(API, *healthy(http_latency__p95_ms=at_limit)).sampling.open
    assert row.more is None
    assert "no number of samples decides" in row.because


def test_too_few_samples_leave_a_check_open() -> None:
    (row,) = judged(API, *healthy(http_latency__p95_ms=estimate(None, n=50))).sampling.open
    assert row.because == "50 samples are too few for this quantity"


def test_the_report_says_it() -> None:
    found = judged(
        API,
        *healthy(http_latency__p95_ms=NEAR),
        confidence=Confidence(asked=0.99, checks=6),
    )
    report = FORMATS["markdown"].render(found)
    assert "6 checks of sampled values rest on 2,000 samples: 5 decided" in report
    assert "with a confidence of 99 %, 0.5 % at most fail any of 6 checks falsely" in report
    assert "| p95 response time | api | 900 |" in report
    plain = FORMATS["markdown"].render(judged(API, *healthy()))
    assert "Each interval has a confidence of 95 % for itself." in plain


def test_evidence_from_before_is_read_and_judged_the_same() -> None:
    made = evidence(API, *healthy(http_latency__p95_ms=NEAR))
    old = json.loads(made.to_json())
    del old["confidence"]
    again = from_json(json.dumps(old), "evidence.json")
    assert again == made
    before, after = judged(API, *made.measurements), judged(API, *again.measurements)
    assert sampling(before.model) == sampling(after.model)
    assert before.to_json() == after.to_json()
