"""The times and commits that reports name, as they write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from readiness.probes._provenance import commit_of, moment, since_1970

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Lima"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put this machine into a zone: 0, 9 hours ahead of UTC, 5 behind."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00+00:00",
        "2026-03-01T12:00:00.000+02:00",
        " 2026-03-01T10:00:00.000Z ",
        "Sun, 01 Mar 2026 10:00:00 GMT",
    ],
)
def test_a_time_with_its_zone_is_the_same_everywhere(written: str, zone: str) -> None:
    assert moment(written) == TEN


def test_a_time_without_a_zone_is_never_taken_for_fresher_than_it_is(zone: str) -> None:
    hour = {"UTC": 10, "Asia/Tokyo": 1, "America/Lima": 10}[zone]
    assert moment("2026-03-01T10:00:00") == TEN.replace(hour=hour)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
        "a, b",
        "," * 50,
    ],
)
def test_what_is_no_time_is_none(written: str) -> None:
    assert moment(written) is None


def test_seconds_and_milliseconds_are_told_apart() -> None:
    assert since_1970(TEN.timestamp()) == since_1970(TEN.timestamp() * 1000) == TEN
    assert since_1970(0) is since_1970(1e15) is None


def test_commits() -> None:
    assert commit_of(" 1F8D5A0 ") == "1f8d5a0"
    assert commit_of("20260301") is commit_of("20260301101500") is None
    assert commit_of("main") is commit_of("1f8d5a") is commit_of("0" * 65) is None
