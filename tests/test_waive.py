"""`waive` as its user meets it: the file it changes, what it refuses, and by which words."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from readiness import inventory
from readiness.cli import excuse, rewrite
from readiness.document import ConfigurationError
from readiness.inventory import Waiver
from tests.program import readiness

TODAY = datetime.now(UTC).date()
SOON = str(TODAY + timedelta(days=20))
LATER = str(TODAY + timedelta(days=40))
GONE = str(TODAY - timedelta(days=40))

HEAD = """version: 1
system: {name: Shop, environment: test}   # kept as it is
services:
  api: {kind: http, url: "${NOWHERE_URL}", criticality: critical}
  web: {kind: web, url: "http://127.0.0.1:1"}
  db: {kind: postgres, url: "postgres://127.0.0.1:1/app"}
"""


def file(folder: Path, more: str = "") -> Path:
    path = folder / "services.yaml"
    path.write_text(HEAD + more, newline="")
    return path


def asked(path: Path, **changes: Any) -> excuse.Request:
    usual: dict[str, Any] = {
        "check": "latency-p95",
        "service": "api",
        "owner": "@dana",
        "reason": "batch only",
        "until": SOON,
        "inventory": path,
        "packs": (),
        "extend": False,
        "dry_run": False,
    }
    return excuse.Request(**usual | changes)


def waivers(path: Path) -> tuple[Waiver, ...]:
    return inventory.load(path, {"NOWHERE_URL": "http://h"}).waivers


def test_it_writes_a_waiver_and_says_where(tmp_path: Path) -> None:
    path = file(tmp_path)
    words = ("--service", "api", "--owner", "@dana", "--reason", 'costs $5: "x"', "--until", "30d")
    done = readiness("waive", "latency-p95", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    until = datetime.now(UTC).date() + timedelta(days=30)
    assert done.stdout == (
        f"services.yaml:8: latency-p95 on api is waived until {until} (30 days) by @dana.\n"
    )
    assert path.read_text().startswith(HEAD + "waivers:\n  - check: latency-p95\n")
    parts = ("latency-p95", "api", 'costs $5: "x"', "@dana")
    mine = waivers(path)[0]
    assert (mine.check, mine.service, mine.reason, mine.owner) == parts
    assert mine.until >= until - timedelta(days=1)


def test_a_dry_run_shows_the_change_and_writes_nothing(tmp_path: Path) -> None:
    path = file(tmp_path)
    words = ("--owner", "o", "--reason", "r", "--until", SOON, "--dry-run")
    done = readiness("waive", "latency-p95", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    added = [line for line in done.stdout.splitlines() if re.match(r"\+[^+]", line)]
    assert added == [
        *("+waivers:", "+  - check: latency-p95", "+    reason: r", "+    owner: o"),
        f"+    until: {SOON}",
    ]
    assert "would be waived" in done.stdout
    assert path.read_text() == HEAD


def test_a_mistake_is_exit_code_2_and_no_traceback(tmp_path: Path) -> None:
    file(tmp_path)
    done = readiness("waive", "latency-p59", "--until", SOON, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "readiness: unknown check 'latency-p59'. Did you mean 'latency-p99'?\n"


def test_all_services_and_the_check_of_a_pack(tmp_path: Path) -> None:
    path = file(tmp_path)
    pack = tmp_path / "ours.yaml"
    pack.write_text(
        "checks:\n  ours: {title: Ours, probe: http_health, metric: status, area: performance, "
        "severity: low, one_of: [200], why: So., fix: {text: Do., effort_hours: 1}}\n"
    )
    excuse.run(asked(path, service=None))
    with pytest.raises(ConfigurationError, match="unknown check 'ours'"):
        excuse.run(asked(path, check="ours"))
    excuse.run(asked(path, check="ours", packs=(pack,)))
    assert [(w.check, w.service) for w in waivers(path)] == [
        ("latency-p95", None),
        ("ours", "api"),
    ]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown service": ({"service": "apy"}, "--service does not know 'apy'. Did you mean 'api'?"),
    "foreign check": (
        {"service": "db"},
        "check 'latency-p95' is not made of db. It is made of: api, web.",
    ),
    "check of nothing": (
        {"check": "redis-up", "service": None},
        "check 'redis-up' is not made of anything in the inventory. Name another check.",
    ),
    "no owner": ({"owner": None}, "--owner is missing."),
    "no reason": ({"reason": None}, "--reason is missing."),
    "empty owner": ({"owner": " "}, "--owner must have at least 1 character"),
    "empty reason": ({"reason": ""}, "--reason must have at least 1 character"),
    "long reason": ({"reason": "x" * 201}, "--reason must have at most 200 character"),
    "two lines": ({"reason": "a\nb"}, "--reason must be a single line of text."),
    "control character": ({"owner": "a\x1b[2J"}, "--owner holds a control character."),
    "not UTF-8": ({"reason": os.fsdecode(b"a\xff")}, "--reason holds a control character."),
    "direction change": ({"reason": "a\u202eb"}, "--reason must be a single line of text."),
    "no date": ({"until": "soon"}, "--until must be a date or days from now. Write it as in"),
    "no such day": ({"until": "2027-02-30"}, "--until must be a date or days from now."),
    "week date": ({"until": "2027-W01-1"}, "--until must be a date or days from now."),
    "today": ({"until": "0d"}, "--until is not in the future."),
    "past": ({"until": GONE}, "--until is not in the future."),
    "nothing to extend": ({"extend": True}, "there is no waiver of latency-p95 on api to extend."),
    "missing pack": ({"packs": (Path("nowhere.yaml"),)}, "nowhere.yaml"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_explained_and_changes_nothing(case: str, tmp_path: Path) -> None:
    path = file(tmp_path)
    changes, text = WRONG[case]
    with pytest.raises(ConfigurationError) as error:
        excuse.run(asked(path, **changes))
    assert text in str(error.value)
    assert path.read_text() == HEAD


def test_a_wrong_inventory_is_explained_with_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, "waivers: {a: 1}\n")
    with pytest.raises(ConfigurationError, match=r"services.yaml:7: 'waivers' must be a list"):
        excuse.run(asked(path))
    path.write_text(HEAD.replace("kind: web", "kind: wbe"))
    with pytest.raises(ConfigurationError, match=r"services.yaml:5: .* Did you mean 'web'"):
        excuse.run(asked(path))
    with pytest.raises(ConfigurationError, match="there is no such file"):
        excuse.run(asked(tmp_path / "nowhere.yaml"))
    with pytest.raises(ConfigurationError, match="this is a folder"):
        excuse.run(asked(tmp_path))


ONE = '  - {check: latency-p95, service: api, reason: r, owner: o, until: "2026-01-01"} # x\n'


def test_a_second_waiver_of_the_same_says_so(tmp_path: Path) -> None:
    path = file(tmp_path, "waivers:\n" + ONE)
    with pytest.raises(ConfigurationError) as error:
        excuse.run(asked(path))
    assert str(error.value) == (
        f"{path}:8: a waiver of latency-p95 on api is there already, until 2026-01-01. "
        "Add --extend to move its end."
    )


def test_a_waiver_of_one_service_is_not_written_beside_one_of_all(tmp_path: Path) -> None:
    path = file(tmp_path)
    excuse.run(asked(path, service=None, until=LATER))
    with pytest.raises(ConfigurationError, match=r"yaml:8: latency-p95 is waived on all services"):
        excuse.run(asked(path))
    excuse.run(asked(path, until="90d"))
    assert len(waivers(path)) == 2


def test_extending_moves_the_end_and_what_else_is_said(tmp_path: Path) -> None:
    path = file(tmp_path, "waivers:\n" + ONE)
    excuse.run(asked(path, extend=True, owner=None, reason=None))
    assert path.read_text() == HEAD + "waivers:\n" + ONE.replace('"2026-01-01"', SOON)
    with pytest.raises(ConfigurationError, match=rf":8: this waiver holds until {SOON} already"):
        excuse.run(asked(path, extend=True))
    excuse.run(asked(path, extend=True, until=LATER, reason="more: of it"))
    assert path.read_text() == HEAD + "waivers:\n" + ONE.replace('"2026-01-01"', LATER).replace(
        "reason: r", 'reason: "more: of it"'
    ).replace("owner: o", 'owner: "@dana"')
    assert waivers(path)[0].reason == "more: of it"


@pytest.mark.parametrize(
    ("policy", "criticality", "text"),
    [
        ("policy: {tier: regulated}\n", "critical", "no blocker may be waived"),
        ("policy: {waivers: {longest: 10d}}\n", "low", "it ends more than 10 days from the run"),
        ("policy: {waivers: {blockers: false}}\n", "critical", "no blocker may be waived"),
        ("policy: {waivers: {blockers: false}}\n", "low", ""),
        ("policy: {waivers: {longest: 20d}}\n", "low", ""),
    ],
)
def test_what_the_policy_refuses_is_not_written(
    policy: str, criticality: str, text: str, tmp_path: Path
) -> None:
    path = file(tmp_path)
    before = HEAD.replace("critical}", f"{criticality}}}") + policy
    path.write_text(before)
    if not text:
        excuse.run(asked(path, check="health-ready"))
        assert len(waivers(path)) == 1
        return
    with pytest.raises(ConfigurationError) as error:
        excuse.run(asked(path, check="health-ready"))
    assert f"{path}:7: the policy" in str(error.value)
    assert text in str(error.value)
    assert path.read_text() == before


def test_a_waiver_accepted_of_some_services_names_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, "policy: {waivers: {blockers: false}, blockers: {latency-p95: true}}\n")
    excuse.run(asked(path, service=None))
    assert "not accepted on api: no blocker may be waived." in capsys.readouterr().err


# The file itself.


def test_line_ends_and_the_byte_order_mark_are_kept(tmp_path: Path) -> None:
    path = file(tmp_path)
    before = b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").rstrip().encode()
    path.write_bytes(before)
    excuse.run(asked(path))
    after = path.read_bytes()
    assert after.startswith(before + b"\r\nwaivers:\r\n  - check: latency-p95\r\n")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert not after.endswith(b"\n")


def test_a_link_stays_one_and_so_do_the_permissions(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    target = file(real)
    target.chmod(0o640)
    link = tmp_path / "services.yaml"
    link.symlink_to(target)
    excuse.run(asked(link))
    assert link.is_symlink()
    assert len(waivers(target)) == 1
    assert target.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in real.iterdir()] == ["services.yaml"]


def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    path = file(tmp_path)
    path.chmod(0o444)
    with pytest.raises(ConfigurationError, match=r"cannot be written \(it is read-only\)"):
        excuse.run(asked(path))
    assert path.read_text() == HEAD
    excuse.run(asked(path, dry_run=True))


def test_a_full_disk_leaves_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path)
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        excuse.run(asked(path))
    assert path.read_text() == HEAD
    assert [p.name for p in tmp_path.iterdir()] == ["services.yaml"]


def _full(_: int) -> None:
    raise OSError(28, os.strerror(28))


def test_a_file_that_changed_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    path = file(tmp_path, "# someone else was here\n")
    with pytest.raises(ConfigurationError, match="it has changed in the meantime"):
        rewrite.save(path, HEAD, HEAD + "x: 1\n")
    assert path.read_text().endswith("# someone else was here\n")


def test_what_cannot_be_written_safely_is_shown_to_be_written_by_hand(tmp_path: Path) -> None:
    """A text kept with its blank lines would take in the line end that parts it from the list."""
    more = "capabilities: {a: {title: A, services: [api]}}\nobjectives: {}\nwaivers:\n"
    item = "  - check: a-check\n    service: web\n    until: 2026-01-01\n    owner: o\n"
    path = file(
        tmp_path, more + (item + "    reason: |+\n      r\n\n").replace("a-check", "success-rate")
    )
    before = path.read_text()
    with pytest.raises(ConfigurationError) as error:
        excuse.run(asked(path))
    assert "cannot be written here without changing something else" in str(error.value)
    assert "Write it by hand: {check: latency-p95, service: api," in str(error.value)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "start",
    [
        lambda t: json.dumps(json.loads(json.dumps(t))),
        lambda t: json.dumps(t, indent=1),
        lambda t: json.dumps({**t, "waivers": []}, indent=2),
        lambda t: json.dumps({**t, "waivers": None}),
    ],
)
def test_an_inventory_in_json_is_changed_too(
    start: Callable[[dict[str, Any]], str], tmp_path: Path
) -> None:
    data = {
        "version": 1,
        "system": {"name": "Shop"},
        "services": {"api": {"kind": "http", "url": "http://h"}},
    }
    path = file(tmp_path)
    path.write_text(start(data))
    excuse.run(asked(path))
    assert waivers(path)[0].owner == "@dana"
