"""Who may do what, tokens under attack, and what one failure keeps others from finding out."""

from typing import Any

import pytest

from readiness.assessment import Assessment
from readiness.assessment.access import MatrixCell, TokenRow, matrix, tokens
from readiness.measurement import Measurement
from tests.judging import healthy, inventory, judged, measured, service

LOGIN = "POST /login answered 422: body.username: field required"


def cell(n: int, **more: str) -> dict[str, Any]:
    told = {"path": "GET /me", "role": "ann", "expected": "allow", "got": "200", "kept": "pass"}
    return {f"cells.{n}.{key}": value for key, value in (told | more).items()}


def test_the_matrix_has_a_row_for_each_path_and_a_cell_for_each_role() -> None:
    values = {
        **cell(1),
        **cell(2, role="nobody", got="401"),
        **cell(3, path="GET /users", got="200", kept="fail"),
        **cell(10, path="GET /users", role="bob", got="not asked", kept="unknown"),
    }
    me, users = matrix([measured("access_matrix", **values)])
    assert (me.service, me.path) == ("api", "GET /me")
    assert me.cells == {
        "ann": MatrixCell(got="200", kept="pass"),
        "nobody": MatrixCell(got="401", kept="pass"),
    }
    assert [(role, c.kept) for role, c in users.cells.items()] == [
        ("ann", "fail"),
        ("bob", "unknown"),
    ]


def test_what_a_cell_was_judged_as_is_never_guessed() -> None:
    [row] = matrix([measured("access_matrix", **cell(1, kept="perhaps"))])
    assert row.cells["ann"].kept == "unknown"


@pytest.mark.parametrize(("kept", "expected"), [(True, True), (False, False), (None, False)])
def test_a_token_is_told_with_its_control(kept: bool | None, expected: bool) -> None:
    values: dict[str, Any] = {"algorithm": "HS256", "forgeries": 27, "forgeries_refused": 26}
    values |= {"lifetime_ms": 900_000.0} | ({} if kept is None else {"control_kept": kept})
    row = TokenRow(
        service="api", algorithm="HS256", kept=expected, minutes=15, forgeries=27, refused=26
    )
    assert tokens([measured("jwt", **values)]) == (row,)


def test_a_token_that_nobody_forged_is_not_told_of() -> None:
    assert tokens([measured("jwt", is_jwt=False), measured("http_health")]) == ()


ACCESS: dict[str, Any] = {"http_access": {"protected": ["/p"], "login": {"path": "/login"}}}


def stuck(because: str, **login: Any) -> Assessment:
    """A login that is refused, and a session of which nothing is known for `because`."""
    of = inventory(service(probes={**ACCESS, "session": {"journey": "j", "logout": "out"}}))
    found: list[Measurement] = [m for m in healthy() if m.probe != "http_access"]
    refused: dict[str, Any] = {"anonymous_refused": True, "public_answered": True}
    refused |= {"login_accepted": False, "login_accepted_because": LOGIN} | login
    session: dict[str, Any] = {"logout_invalidates_because": because, "cookie_session": False}
    return judged(of, *found, measured("http_access", **refused), measured("session", **session))


def mended_with_the_login(found: Assessment) -> set[str]:
    [work] = [w for w in found.work if w.head.check == "login-accepted"]
    return {check for check, _ in work.keys}


def test_what_quotes_a_refused_login_is_mended_with_it() -> None:
    found = stuck(f"j, step 2 of 3, login on api: {LOGIN}, expected 2xx")
    assert "session-logout" in mended_with_the_login(found)


@pytest.mark.parametrize("because", ["the logout was not understood", LOGIN, "step 2"])
def test_what_has_reasons_of_its_own_is_not(because: str) -> None:
    assert "session-logout" not in mended_with_the_login(stuck(because))


def test_a_short_reason_is_found_in_others_by_chance() -> None:
    found = stuck("it was refused, and more", login_accepted_because="refused")
    assert "session-logout" not in mended_with_the_login(found)


def test_what_takes_more_than_was_declared_is_listed_as_not_tested() -> None:
    of = inventory(service(probes={"jwt": {"journey": "j", "captured": "t", "step": "me"}}))
    facts: dict[str, Any] = {"is_jwt": True, "forgeable": False}
    facts["forgeable_because"] = "not tested: without a signing_key any would be refused"
    found = judged(of, *healthy(), measured("jwt", **facts))
    told = [n.because for n in found.not_tested if n.because.startswith("not tested: ")]
    assert any("signing_key" in because for because in told)
