"""Assessment -> junit.xml: one test suite for each area, one test case for each finding."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from readiness.assessment import Assessment
from readiness.escape import line
from readiness.finding import Finding, Key, Outcome

FILE = "junit.xml"

_TAGS: Mapping[Outcome, str] = {
    "fail": "failure",
    "unknown": "error",
    "warn": "system-out",
    "not_applicable": "skipped",
}
"""What the test case of a finding holds. What is unknown is an error, never a pass."""


def render(assessment: Assessment) -> str:
    """Return XML as CI servers read it: waived findings are skipped, warnings pass with a note."""
    evidence = assessment.evidence
    root = Element("testsuites", name=line(f"readiness of {evidence.inventory.system.name}"))
    comparison = assessment.model.comparison
    worse = {c.key: c.because for c in comparison.regressed} if comparison else {}
    for area in assessment.model.card.areas:
        findings = [f for f in assessment.model.findings if f.area == area.id]
        if findings:
            suite = _suite(area.title, findings, worse)
            suite.set("timestamp", f"{evidence.finished_at:%Y-%m-%dT%H:%M:%S}")
            root.append(suite)
    _count(root, assessment.model.findings, worse)
    del root.attrib["skipped"]  # which only a suite counts
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


_Worse = Mapping[Key, str]
"""What has regressed since the baseline, and how far: a failure, whatever else is found."""


def _suite(title: str, findings: Sequence[Finding], worse: _Worse) -> Element:
    suite = Element("testsuite", name=title)
    _count(suite, findings, worse)
    for f in findings:
        case = SubElement(suite, "testcase", classname=line(f.service), name=line(f.title))
        tag = _tag(f, worse)
        since = worse.get((f.check, f.service))
        because = f"{f.because}; regressed: {since}" if since else f.because
        if tag == "system-out":
            SubElement(case, tag).text = line(because)
        elif tag:
            waived = f"waived by {f.waiver.owner} until {f.waiver.until}: " if f.waiver else ""
            # GitLab shows the text of the element, Jenkins the text and the message.
            told = SubElement(case, tag, message=line(waived + because), type=f.check)
            told.text = line(f"{waived}{because.rstrip('.')}. {f.fix.text}", 1000)
    return suite


def _tag(finding: Finding, worse: _Worse) -> str | None:
    if (finding.check, finding.service) in worse:
        return "failure"
    if finding.waived and finding.outcome in ("fail", "unknown"):
        return "skipped"
    return _TAGS.get(finding.outcome)


def _count(element: Element, findings: Sequence[Finding], worse: _Worse) -> None:
    tags = [_tag(f, worse) for f in findings]
    element.set("tests", str(len(tags)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(tags.count(tag)))
