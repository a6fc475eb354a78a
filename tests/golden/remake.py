"""Write the golden files anew from the sample evidence; then review the diff."""

from readiness.assessment import assess
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence
from readiness.report import FORMATS
from tests.golden import FOLDER, SAMPLES


def made(evidence: Evidence) -> dict[str, str]:
    """Return the text of each golden file, by its suffix."""
    assessment = assess(evidence, bundled_criteria())
    return {
        "report.md": FORMATS["markdown"].render(assessment),
        "summary.md": FORMATS["summary"].render(assessment),
        "assessment.json": assessment.to_json(),
    }


def main() -> None:
    for name, build in SAMPLES.items():
        evidence = build()
        files = {"evidence.json": evidence.to_json(), **made(evidence)}
        for suffix, text in files.items():
            (FOLDER / f"{name}.{suffix}").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
