"""A team's history: what it takes, what it says, and what it never says."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import pytest

from readiness.history import HistoryError, open_history, postgres
from tests.background import background
from tests.conftest import PASSWORD
from tests.history.runs import run
from tests.history.stores import execute
from tests.piping import Pipe
from tests.servers import silent


def at(url: str, **changes: str) -> str:
    return urlsplit(url)._replace(**changes).geturl()


def refused(url: str) -> str:
    with pytest.raises(HistoryError) as caught:
        open_history(url, {})
    told = str(caught.value)
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "postgres:", "wr0ng"):
        assert secret not in told
    return told


def test_the_url_is_shown_without_user_and_password(team: str) -> None:
    history = open_history(team + "?sslmode=prefer", {})
    assert history.where == f"postgresql://127.0.0.1:{urlsplit(team).port}/team"
    history.prepare()
    history.close()
    history.close()


def test_what_keeps_one_out_is_said_without_a_secret(team: str) -> None:
    place = urlsplit(team).netloc.rpartition("@")[2]
    for url, why in {
        at(team, netloc=f"postgres:wr0ng@{place}"): "refused the login",
        at(team, path="/nosuch"): "no such database",
        team + "?sslmode=require": "offers no TLS",
        at(team, netloc=f"postgres:{quote(PASSWORD, safe='')}@nosuch.invalid"): "resolve",
        team + "?application_name=x&nosuch_setting=1": "SQLSTATE 42704",
        f"postgresql://postgres:{PASSWORD.replace('/', '')}@h/db": "character no URL may hold",
        "postgresql://postgres:wr0ng@:5/db": "names no host",
    }.items():
        assert why in refused(url), url
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        told = refused(f"postgresql://u:wr0ng@127.0.0.1:{port}/db")
    assert f"postgresql://127.0.0.1:{port}/db cannot be used: connection refused" in told


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 0.05)
    with background(silent) as [port]:
        assert "no answer in time" in refused(f"postgresql://u:wr0ng@127.0.0.1:{port}/db")


@contextmanager
def role(team: str, *grants: str) -> Iterator[str]:
    """Yield the URL of a role with these grants alone."""
    execute(team, "CREATE ROLE ci LOGIN PASSWORD 'wr0ng'", *grants)
    try:
        yield at(team, netloc=f"ci:wr0ng@{urlsplit(team).netloc.rpartition('@')[2]}")
    finally:
        execute(team, "DROP OWNED BY ci", "DROP ROLE ci")


def test_a_role_that_may_not_make_tables_is_told_of_the_grants(team: str) -> None:
    with role(team) as url:
        told = refused(url)
    assert "refused the permission" in told
    assert "docs/history.md" in told


def test_one_that_may_add_runs_can_do_no_more(team: str) -> None:
    open_history(team, {}).close()
    with role(
        team,
        "GRANT USAGE ON SCHEMA readiness TO ci",
        "GRANT SELECT ON ALL TABLES IN SCHEMA readiness TO ci",
    ) as url:
        reader = open_history(url, {})
        assert reader.runs() == []
        with pytest.raises(HistoryError, match="refused the permission"):
            reader.prepare()
        execute(team, "GRANT INSERT ON ALL TABLES IN SCHEMA readiness TO ci")
        reader.prepare()
        reader.add(run("a1"))
        with pytest.raises(HistoryError, match="refused the permission"):
            reader.remove(["a1"])
        assert [one.run_id for one in reader.runs()] == ["a1"]
        reader.close()


def test_a_connection_that_was_lost_is_made_again(team: str) -> None:
    history = open_history(team, {})
    history.add(run("a1"))
    execute(
        team,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'readiness'",
    )
    history.add(run("b2", 1))
    assert [one.run_id for one in history.runs()] == ["b2", "a1"]
    history.close()


def test_a_server_that_falls_silent_is_given_up(team: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_history(team, {}).close()
    proxy = Pipe(team, mute=b"INSERT INTO runs")
    with background(proxy._connection) as [proxy.port]:
        history = open_history(proxy.through(), {})
        monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 0.2)
        monkeypatch.setattr(postgres, "_SLACK_SECONDS", 0.2)
        with pytest.raises(HistoryError, match="no answer in time"):
            history.add(run("a1"))
        history.close()


def test_who_writes_waits_its_turn_and_not_for_ever(
    team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = open_history(team, {})
    impatient = postgres._SET.replace("'lock_timeout', '30s'", "'lock_timeout', '50ms'")
    monkeypatch.setattr(postgres, "_SET", impatient)
    other = postgres.Postgres(team)
    other._await(other._connected().execute(f"SELECT pg_advisory_lock({postgres._TURN})"))
    try:
        with pytest.raises(HistoryError, match="others have kept it locked"):
            history.add(run("a1"))
        assert history.runs() == []
    finally:
        other.close()
    monkeypatch.undo()
    history.add(run("a1"))
    assert len(history.runs()) == 1
    history.close()


def test_a_run_that_a_rule_swallows_is_said_and_leaves_nothing(team: str) -> None:
    history = open_history(team, {})
    history.prepare()
    execute(team, "CREATE RULE swallow AS ON INSERT TO readiness.evidence DO INSTEAD NOTHING")
    with pytest.raises(HistoryError, match="did not keep run new as it was written"):
        history.add(run("new"))
    assert history.runs() == []
    history.close()
