from typing import Any

import pytest

from readiness.assessment.beside import Standing, alone
from readiness.estimate import Estimate
from readiness.report.markdown import render
from readiness.report.words import apart, change
from tests.judging import estimate, inventory, judged, measured, service

PAIRED = {"http_paired": {"reference": True}}


def compared(on: str = "api", **values: Any) -> Any:
    return measured("http_paired", on, has_reference=True, **values)


@pytest.mark.parametrize(
    ("ratio", "standing", "outcome"),
    [
        ((0.9, 0.85, 0.95), "quicker", "pass"),
        ((1.0, 0.98, 1.02), "as quick", "pass"),
        ((1.03, 1.02, 1.04), "as quick", "pass"),
        ((1.1, 1.08, 1.12), "slower", "warn"),
        ((1.05, 0.9, 1.2), "too close to call", "warn"),
        ((1.3, 1.2, 1.4), "slower", "fail"),
        ((None, None, None), "not known", "unknown"),
    ],
)
def test_how_a_service_stands(
    ratio: tuple[float | None, ...], standing: Standing, outcome: str
) -> None:
    value, low, high = ratio
    measurement = compared(time_ratio=Estimate(value=value, low=low, high=high, n=400))
    found = judged(inventory(service(probes=PAIRED)), measurement)
    (row,) = found.beside
    assert (row.standing, row.outcome) == (standing, outcome)
    assert bool(row.because) is (standing == "not known")


def test_a_reference_that_was_down_leaves_both_checks_unknown_and_earns_nothing() -> None:
    of = inventory(service(probes=PAIRED))
    because = "the reference could not be asked: connection refused"
    lost = judged(of, compared(time_ratio_because=because, failure_excess_because=because))
    good = estimate(1.0)
    kept = judged(of, compared(time_ratio=good, failure_excess=estimate(0.0)))
    assert [f.outcome for f in lost.model.findings if f.probe == "http_paired"] == ["unknown"] * 2
    assert lost.model.card.raw <= kept.model.card.raw
    assert lost.beside[0].because == because


def test_who_is_alone_is_told_apart() -> None:
    of = inventory(service("api", probes=PAIRED), service("own", probes={"http_paired": {}}))
    left = measured("http_paired", "own", has_reference=False, has_reference_because="none there")
    found = judged(of, compared(time_ratio=estimate(1.0)), left)
    assert [row.service for row in found.beside] == ["api"]
    assert alone(found.model.findings) == {"own": "none there"}
    assert "own was not compared: none there" in render(found)


def test_the_report_shows_both_and_escapes_what_the_other_is_called() -> None:
    against = {"name": "<b>Shop</b>", "version": "2|3", "environment": "production"}
    measurement = compared(
        time_ratio=estimate(1.25, 1.2, 1.3),
        shift_ms=estimate(2.5, 2.0, 3.0),
        p50_ms=estimate(12.5),
        reference_p50_ms=estimate(10.0),
        slower_probability=estimate(0.8),
        pairs=400,
    )
    text = render(judged(inventory(service(probes=PAIRED)), measurement, against=against))
    assert "## Against &lt;b&gt;Shop&lt;/b&gt; 2\\|3 (production)" in text
    assert "+2.5 (+2 to +3) | +25 % (+20 to +30) |" in text


def test_without_a_comparison_nothing_is_said_of_one() -> None:
    assert "Against" not in render(judged(inventory(service())))


@pytest.mark.parametrize(
    ("ends", "ms"),
    [
        ((-0.0004, -0.003, 0.0004), "0 (0 to 0)"),
        ((-1234.5, -12000.0, -3.0), "-1234 (-12000 to -3)"),
        ((None, None, None), "–"),
    ],
)
def test_a_difference_has_its_sign(ends: tuple[float | None, ...], ms: str) -> None:
    value, low, high = ends
    assert apart(Estimate(value=value, low=low, high=high, n=9)) == ms
    assert change(None) == "–"


def test_what_fails_beside_its_reference_keeps_a_release_from_ready() -> None:
    of = inventory(service(probes=PAIRED, owner="@ann"))
    slow = compared(time_ratio=estimate(1.4, 1.3, 1.5), failure_excess=estimate(0.0))
    found = judged(of, slow)
    names = [cap.because for cap in found.model.decision.caps]
    assert "regressed: Response time beside the reference on api" in names
    assert found.model.decision.value <= 84
    (condition,) = [c for c in found.conditions if "beside the reference" in c.text]
    assert condition.owner == "@ann"
    near = compared(time_ratio=estimate(1.1, 1.08, 1.12), failure_excess=estimate(0.0))
    assert not judged(of, near).model.standing.regressed
