"""What the report tells of the backends of observability."""

from typing import Any

from readiness.report import FORMATS
from tests.judging import inventory, judged, measured, service
from tests.test_report import row, section


def test_backends_of_observability_show_their_facts() -> None:
    of = inventory(
        service("api", criticality="critical"),
        service("metrics", "prometheus", url="http://localhost:9090"),
        service("alerts", "alertmanager", url="http://localhost:9093"),
        service("logs", "loki", url="http://localhost:3100"),
        service("traces", "tempo", url="http://localhost:3200"),
        service("boards", "grafana", url="http://localhost:3000"),
    )
    scraped: dict[str, Any] = {
        "services": 2,
        "services_scraped_ratio": 0.5,
        "rules": 1,
        "watchdog_firing": False,
    }
    found = (
        measured("prometheus", "metrics", answers=True, version="2.42.0", **scraped),
        measured("alertmanager", "alerts", answers=True, receivers=2, watchdog_arrived=True),
        measured("loki", "logs", services=2, services_logging_ratio=1.0, oldest_line_ms=1500.0),
        measured("tempo", "traces", spans=1, trace_ms=2300.0),
        measured("grafana", "boards", failure="refused"),
    )
    text = section(FORMATS["markdown"].render(judged(of, *found)), "Monitoring and observability")
    assert row(text, "metrics")[1:] == [
        *("✅\xa0up", "prometheus 2.42.0"),
        "1 of 2 critical services scraped; 1 alert rule; no watchdog fires.",
    ]
    assert row(text, "alerts")[3] == "2 receivers; watchdog arrives."
    assert row(text, "logs")[3].startswith("2 of 2 critical services log; newest line of the")
    assert row(text, "traces")[3] == "1 span; our trace found after 2.3 s."
    assert row(text, "boards")[2:] == ["–", "–"]
