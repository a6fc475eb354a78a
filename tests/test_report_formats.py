"""What machines read of an assessment is well-formed, whatever a server answers."""

import csv
import io
import json
import re
from xml.etree import ElementTree

from hypothesis import given

from readiness.assessment import assess
from readiness.criteria import bundled_criteria
from readiness.report import FORMATS
from tests import samples
from tests.golden import SAMPLES
from tests.hostile import FEW, HOSTILE, sendable, spoiled

CRITERIA = bundled_criteria()


def test_the_badge_is_an_endpoint_of_shields() -> None:
    found = {
        name: json.loads(FORMATS["badge"].render(assess(build(), CRITERIA)))
        for name, build in SAMPLES.items()
    }
    assert found["fixed"] == {
        "schemaVersion": 1,
        "label": "production readiness",
        "message": "ready, 100/100",
        "color": "brightgreen",
        "isError": False,
    }
    assert found["broken"]["message"] == "not ready, 59/100"
    assert found["broken"]["isError"] is True


def test_the_csv_has_a_row_for_each_finding() -> None:
    assessment = assess(samples.partial(), CRITERIA)
    table = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(assessment))))
    assert len(table) == len(assessment.model.findings)
    login = next(r for r in table if (r["check"], r["service"]) == ("login-accepted", "auth"))
    assert (login["outcome"], login["value"], login["blocker"]) == ("fail", "false", "true")
    assert login["waived_by"] == "'@dana"
    p50 = next(r for r in table if (r["check"], r["service"]) == ("latency-p50", "auth"))
    assert float(p50["low"]) <= float(p50["value"]) <= float(p50["high"])
    assert (p50["n"], p50["unit"], p50["target"]) == ("40", "ms", "100.0")


def test_junit_calls_the_unknown_an_error_and_the_waived_skipped() -> None:
    root = ElementTree.fromstring(FORMATS["junit"].render(assess(samples.partial(), CRITERIA)))
    assert root.tag == "testsuites"
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    assert len(cases) == int(root.get("tests", 0)) == sum(int(s.get("tests", 0)) for s in root)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(attribute, 0)) == len(list(root.iter(tag)))
    assert cases["postgres", "Database answers"][0].tag == "error"
    login = cases["auth", "Documented login works"][0]
    assert login.tag == "skipped"
    assert str(login.get("message")).startswith("waived by @dana until 2026-11-30: POST")
    assert cases["file-service", "Ready to take traffic"][0].tag == "system-out"
    assert len(cases["redis", "Cache answers"]) == 0


def test_prometheus_text_is_well_formed() -> None:
    for name, build in SAMPLES.items():
        text = FORMATS["prometheus"].render(assess(build(), CRITERIA))
        assert text.endswith("\n"), name
        label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
        sample = rf"readiness_[a-z_]+{{{label}(?:,{label})*}} -?\d+(?:\.\d+)?(?:e[-+]\d+)?"
        for line in text.splitlines():
            assert re.fullmatch(rf"# (?:HELP|TYPE) readiness_[a-z_]+ .+|{sample}", line), line
    assert 'readiness_score{system="PyAirtable",environment="staging"} 37' in text
    assert 'verdict="not_ready"} 1' in text
    assert (
        'readiness_service_available{system="PyAirtable",environment="staging",service="p'
        not in text
    )


@FEW
@given(text=HOSTILE)
def test_machines_can_read_every_format_whatever_a_server_answers(text: str) -> None:
    assessment = assess(spoiled(samples.partial(), sendable(text)), CRITERIA)
    ElementTree.fromstring(FORMATS["junit"].render(assessment))
    json.loads(FORMATS["badge"].render(assessment))
    table = list(csv.reader(io.StringIO(FORMATS["csv"].render(assessment))))
    assert {len(cells) for cells in table} == {21}
    assert not any(cell[:1] in ("=", "@") for cells in table for cell in cells)
    plain = FORMATS["prometheus"].render(assess(spoiled(samples.partial(), "x"), CRITERIA))
    assert len(FORMATS["prometheus"].render(assessment).splitlines()) == len(plain.splitlines())
