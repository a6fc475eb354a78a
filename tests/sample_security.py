"""What journeys and the probes from outside would measure of the sample system."""

from readiness.estimate import rate
from readiness.inventory import Journey
from readiness.measurement import Values
from readiness.probes import load
from readiness.probes._expectation import described
from readiness.probes._jwt_attack import facts, moot

REFUSED = ("expected 2xx", "body.username: field required")
KEY = ("expected 201", "the key differs from the one this gateway was configured with")
STOPS = {"session": (1, 422, REFUSED), "records": (0, 403, KEY)}
"""Journey -> index of the step at which the broken system stops it, the status, and why."""
LEFT = "user readiness-5f3c0a7d-1@journey.example"
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
    stop, status, because = (99, 0, ("", "")) if fixed else STOPS.get(of.name, (99, 0, ("", "")))
    found: Values = {"rounds": 1, "stays": 0, "left_nothing": True}
    passed = 0
    for n, step in enumerate(of.steps, 1):
        place = f"steps.{n}."
        found |= {f"{place}name": step.name, f"{place}request": step.shown}
        found |= {f"{place}service": step.service or of.service or ""}
        found |= {f"{place}expected": described(step.expect)}
        usual = step.expect.status[0].replace("xx", "00")
        if n - 1 < stop:
            passed += 1
            found |= {f"{place}outcome": "passed", f"{place}ms": 4.2 * n}
            found |= {f"{place}answered": f"{usual}, application/json, 64 bytes"}
        elif n - 1 == stop or step.name == "login-again":
            found |= {f"{place}outcome": "failed", f"{place}ms": 3.1}
            found |= {f"{place}outcome_because": ": ".join(because)}
            found |= {f"{place}answered": f"{status}, application/json, 96 bytes"}
        else:
            found[f"{place}outcome"] = "not reached"
    return found | _success(of, passed, stop, status, because)


def _success(of: Journey, passed: int, stop: int, status: int, because: tuple[str, str]) -> Values:
    found: Values = {"steps_passed": passed / len(of.steps)}
    if passed == len(of.steps):
        return found | {"succeeded": True, "success_rate": rate(1, 1), "round_ms": 37.8}
    step = of.steps[stop]
    where = f"step {stop + 1} of {len(of.steps)}, {step.name} on {of.service}: {step.shown}"
    found |= {"succeeded": False, "success_rate": rate(0, 1)}
    found["succeeded_because"] = f"{where} answered {status}: {because[1]}, {because[0]}"
    if of.name == "session":
        found |= {"left_nothing": False, "left_nothing_because": f"left behind: {LEFT}"}
    return found


LOGIN = "POST /auth/login answered 422: body.username: field required"
STEP = f"session, step 2 of 8, login on auth: {LOGIN}, expected 2xx"
_ROLES = ("nobody", "demo", "other", "admin")
_MAY = {"GET /auth/me": _ROLES[1:], "GET /auth/users": ("admin",)}
_CONTENT = "GET /api/v1/files/{{id}}/content"


def jwt(fixed: bool) -> Values:
    proven = [
        *("required", "malformed_refused", "payload_protected", "signature_required"),
        *("none_refused", "key_verified", "header_keys_ignored", "no_server_error"),
        *("strong_secret", "expires", "no_secrets_in_payload"),
    ]
    if not fixed:
        unknown: Values = {f"{name}_because": STEP for name in load("jwt").METRICS}
        return unknown | facts(moot(None, public=False, signing=False))
    known = [
        *("is_jwt", "symmetric", "control_accepted", "token_demanded", "token_read"),
        *("claims_sealed", "signature_demanded", "key_checked", "control_kept"),
    ]
    found: Values = {"algorithm": "HS256", "lifetime_ms": 900_000.0, "confusable": False}
    found |= {"confusable_because": "the token is signed with a shared secret"}
    found |= {"forgeries": 39, "forgeries_refused": 39}
    found |= dict.fromkeys((*known, *proven), True)
    return found | facts(moot(None, public=True, signing=False))


def session(fixed: bool) -> Values:
    proven = ("logout_invalidates", "refresh_rotates", "refresh_reuse_refused")
    if fixed:
        absent = ("cookie_session", "session_id_cookie")
        return {**dict.fromkeys(proven, True), **dict.fromkeys(absent, False)}
    return {f"{name}_because": STEP for name in load("session").METRICS}


def matrix(service: str, fixed: bool) -> Values:
    if service == "file-service":
        asked = "asked by demo: as demo"
        cells = [(f"file: {_CONTENT}", role, False) for role in ("demo", "nobody")]
        found: Values = {"objects_isolated": True}
        if not fixed:
            found = {"objects_isolated_because": f"file: {_CONTENT} {asked}: {LOGIN}"}
    else:
        cells = [(path, role, role in may) for path, may in _MAY.items() for role in _ROLES]
        found = dict.fromkeys(("for_strangers", "for_roles", "for_someone"), True)
        verdicts = ("anonymous_refused", "roles_refused", "roles_allowed")
        if fixed:
            found |= dict.fromkeys(verdicts, True)
        else:
            because = f"GET /auth/me was not asked as demo: {LOGIN}"
            found |= {f"{name}_because": because for name in verdicts}
    for n, (path, role, may) in enumerate(cells, 1):
        refused = "401" if role == "nobody" else "403"
        got = ("200" if may else refused) if fixed or role == "nobody" else "not asked"
        kept = "unknown" if got == "not asked" else "pass"
        told = {"path": path, "role": role, "expected": "allow" if may else "refuse"}
        told |= {"got": got, "kept": kept}
        found |= {f"cells.{n}.{key}": value for key, value in told.items()}
    return found
