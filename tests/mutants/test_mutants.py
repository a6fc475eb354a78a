"""The clean service, each flaw, and each decoy, assessed for real by the whole pipeline.

Every flaw must be caught by the checks meant for it and by no other; nothing may be found wrong
with the clean service and with what only looks odd.
"""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from readiness.report import FORMATS
from tests import servers
from tests.judging import CRITERIA
from tests.mutants import PROVEN, WITHOUT_SUBJECT
from tests.mutants.accounts import PASSWORDS
from tests.mutants.assess import Found, assess
from tests.mutants.flaws import DECOYS, FLAWS, PARTS, Flaw
from tests.mutants.flaws.transport import NoForwardSecrecy
from tests.mutants.service import Service
from tests.mutants.told import lasting, told

pytestmark = pytest.mark.anyio


class Recording(Service):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[servers.Request] = []

    def answer(self, request: servers.Request) -> bytes:
        self.asked.append(request)
        return super().answer(request)

    @property
    def methods(self) -> set[str]:
        return {request.method for request in self.asked}


def checks() -> set[str]:
    return {check.id for check in CRITERIA.checks.values() if check.probe in PROVEN}


async def test_nothing_is_found_wrong_with_the_clean_service(tmp_path: Path) -> None:
    found = await assess(Service(), tmp_path)
    _has_nothing_wrong(found, frozenset())
    assert checks() - found.passed == WITHOUT_SUBJECT
    assert found.residue == ()


async def test_its_positive_controls_pass(tmp_path: Path) -> None:
    """What refuses everyone refuses strangers too: each refusal needs someone who gets through."""
    found = await assess(Service(), tmp_path)
    values = {(m.service, m.probe): m.values for m in found.whole.evidence.measurements}
    assert values["shop", "jwt"]["control_accepted"] is True
    assert values["provider", "jwt"]["control_accepted"] is True
    assert values["shop", "jwt"]["forgeries"] == values["shop", "jwt"]["forgeries_refused"]
    assert values["shop", "http_access"]["credential_accepted"] is True
    assert values["shop", "access_matrix"]["roles_allowed"] is True
    assert all(journey.outcome == "pass" for journey in found.whole.journeys)


_OFFERED = {cipher["name"] for cipher in ssl.create_default_context().get_ciphers()}


def _params() -> Iterator[ParameterSet]:
    """Yield every flaw.

    Those that prove neither a blocker nor a probe for the first time are for `make thorough`.
    """
    proven: set[str] = set()
    for flaw in FLAWS:
        found = [CRITERIA.checks[check] for check in flaw.caught_by]
        new = {str(check.id if check.blocker else check.probe) for check in found} - proven
        marks = [] if new else [pytest.mark.thorough]
        if flaw.service is NoForwardSecrecy and NoForwardSecrecy.ciphers in _OFFERED:
            marks = [pytest.mark.skip(reason="this Python's own client offers such ciphers")]
        proven |= new
        yield pytest.param(flaw, id=flaw.name, marks=marks)


@pytest.mark.parametrize("flaw", list(_params()))
async def test_a_flaw_is_caught_by_its_checks_and_by_no_other(flaw: Flaw, tmp_path: Path) -> None:
    found = await assess(flaw.service(), tmp_path)
    assert set(found.caught) == flaw.caught_by, found.caught
    assert found.untested == flaw.untestable
    assert found.outages == ({flaw.outage} if flaw.outage else set())
    assert _plain(lasting(found)) == _plain(told()[flaw.name]), "python -m tests.mutants.told"


def _plain(reasons: Mapping[str, str]) -> dict[str, str]:
    """Return the reasons without those that quote this machine's OpenSSL."""
    return {
        check: text
        for check, text in reasons.items()
        if not check.startswith("tls-") and ": tls: " not in text
    }


HIDING = {"framed-by-itself", "refuses-with-forbidden", "redirects-strangers"}
"""Decoys whose answers leave nothing odd about those of others."""


@pytest.mark.parametrize("hiding", [True, False])
async def test_what_looks_odd_in_many_ways_is_not_blamed(hiding: bool, tmp_path: Path) -> None:
    ways = [decoy for decoy in DECOYS if (decoy.name in HIDING) is hiding]
    assert len(ways) == (len(HIDING) if hiding else len(DECOYS) - len(HIDING))
    odd = type("Odd", tuple(way.service for way in ways), {})
    _has_nothing_wrong(await assess(odd(), tmp_path), frozenset())


@pytest.mark.thorough
@pytest.mark.parametrize("decoy", DECOYS, ids=lambda decoy: decoy.name)
async def test_what_only_looks_odd_is_not_blamed(decoy: Flaw, tmp_path: Path) -> None:
    _has_nothing_wrong(await assess(decoy.service(), tmp_path), decoy.untestable)


def _has_nothing_wrong(found: Found, untestable: frozenset[str]) -> None:
    assert found.caught == {}
    assert found.untested == untestable
    assert found.outages == set()


def test_every_check_is_proven_by_a_flaw() -> None:
    assert checks() - {check for flaw in FLAWS for check in flaw.caught_by} == set()


def test_flaws_are_told_apart() -> None:
    names = [flaw.name for flaw in (*FLAWS, *DECOYS)]
    sentences = [flaw.told for flaw in (*FLAWS, *DECOYS)]
    assert len(set(names)) == len(names) and len(set(sentences)) == len(sentences)
    assert all(text.endswith(".") and ". " not in text for text in sentences)
    assert {flaw.service.__module__ for flaw in FLAWS} == {part.__name__ for part in PARTS}
    assert told().keys() == {flaw.name for flaw in FLAWS}
    assert all(flaw.caught_by for flaw in FLAWS)


async def test_without_permission_nothing_is_asked_that_changes_anything(tmp_path: Path) -> None:
    service = Recording()
    found = await assess(service, tmp_path, frozenset({"observe", "load"}))
    assert service.methods == {"GET", "HEAD", "OPTIONS", "TRACE"}
    assert found.caught == {}, "what was not tried is not blamed"
    assert {"jwt", "session", "journey", "brute_force"} <= found.untested


async def test_without_permission_no_password_is_guessed(tmp_path: Path) -> None:
    service = Recording()
    found = await assess(service, tmp_path, frozenset({"observe", "load", "write"}))
    assert not any(service.failures.values())
    assert found.untested == {"brute_force"}


async def test_no_secret_is_told(tmp_path: Path) -> None:
    service = Recording()
    found = await assess(service, tmp_path)
    texts = [form.render(found.whole) for form in FORMATS.values()]
    whole = "\n".join([*texts, found.whole.to_json(), found.whole.evidence.to_json()])
    sent = [request.headers.get("authorization", "") for request in service.asked]
    tokens = {word for text in sent if len(word := text.rpartition(" ")[2]) > 20}
    assert len(tokens) > 50
    secrets = [*PASSWORDS.values(), *tokens, *service.refreshable, *service.visits]
    assert [secret for secret in (*secrets, service.secret.decode()) if secret in whole] == []
