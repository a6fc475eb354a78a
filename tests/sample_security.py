"""What journeys and the probes from outside would measure of the sample system."""

from readiness.estimate import rate
from readiness.inventory import Journey
from readiness.measurement import Values
from readiness.probes._expectation import described

REFUSED = "expected 2xx: body.username: field required"
KEY = "expected 201: the key differs from the one this gateway was configured with; INVALID_API_KEY"
STOPS = {"session": (1, 422, REFUSED), "records": (0, 403, KEY)}
"""Journey -> index of the step at which the broken system stops it, the status, and why."""
OPEN_PAGE = "Content-Security-Policy is not sent, so that any injected script runs"


def headers(page: bool, fixed: bool) -> Values:
    found: Values = {"status": 200, "page": page, "has_body": True, "nosniff": True}
    found |= {"content_type_right": True, "scripts_restricted": True, "frames_restricted": True}
    found |= {"referrer_kept": True, "foreign_scripts": False, "hsts_heeded": False}
    found |= {"sets_cookies": False, "sets_session_cookies": False, "version_hidden": True}
    if page and not fixed:
        found |= {"scripts_restricted": False, "scripts_restricted_because": OPEN_PAGE}
    return found


def cors() -> Values:
    return {"strangers_refused": True, "any_origin": False, "reflects_origin": False}


def exposure() -> Values:
    names = ("secrets", "operations", "docs")
    return {
        "catch_all": False,
        **{f"{name}_hidden": True for name in names},
        "error_pages_quiet": True,
        "trace_refused": True,
    }


def journey(of: Journey, fixed: bool) -> Values:
    stop, status, because = (len(of.steps), 0, "") if fixed else STOPS.get(of.name, (99, 0, ""))
    found: Values = {"rounds": 1, "stays": 0, "left_nothing": True}
    passed = 0
    for n, step in enumerate(of.steps, 1):
        place = f"steps.{n}."
        found |= {f"{place}name": step.name, f"{place}request": step.shown}
        found |= {f"{place}service": step.service or of.service or ""}
        found |= {f"{place}expected": described(step.expect)}
        if n - 1 < stop:
            passed += 1
            found |= {f"{place}outcome": "passed", f"{place}ms": 4.2 * n}
            found |= {
                f"{place}answered": f"{step.expect.status[0][0]}00, application/json, 64 bytes"
            }
        elif n - 1 == stop:
            found |= {f"{place}outcome": "failed", f"{place}ms": 3.1}
            found |= {f"{place}outcome_because": because}
            found |= {f"{place}answered": f"{status}, application/json, 96 bytes"}
        else:
            found[f"{place}outcome"] = "not reached"
    return found | _success(of, passed, stop, status, because)


def _success(of: Journey, passed: int, stop: int, status: int, because: str) -> Values:
    found: Values = {"steps_passed": passed / len(of.steps)}
    if passed == len(of.steps):
        return found | {"succeeded": True, "success_rate": rate(1, 1), "round_ms": 37.8}
    step = of.steps[stop]
    where = f"step {stop + 1} of {len(of.steps)}, {step.name}: {step.shown} on {of.service}"
    found |= {"succeeded": False, "success_rate": rate(0, 1)}
    found["succeeded_because"] = f"{where} answered {status}, {because}"
    if of.name == "session":
        name = "user readiness-5f3c0a7d9b1e4c62-1@journey.example"
        found |= {"left_nothing": False, "left_nothing_because": f"left behind: {name}"}
    return found
