import asyncio
import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr, ValidationError

from readiness import steps
from readiness.document import ConfigurationError, parse
from readiness.estimate import Estimate
from readiness.failure import classify
from readiness.inventory import Service, from_document
from readiness.probes import Context, load
from readiness.probes.mcp_stdio import METRICS, TIER, Settings, measure
from tests.states import judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).resolve().parent.parent / "stdio_server.py"
SDK = """
import sys
sys.path.insert(0, {root!r})
from tests.mcp_servers import sdk
sdk().run("stdio")
"""


def command(flaw: str = "", *more: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(SERVER), flaw, *more]


def service(settings: dict[str, Any]) -> Service:
    url = SecretStr("http://127.0.0.1:9/mcp")
    return Service(name="tools", kind="mcp", url=url, probes={"mcp_stdio": settings})


async def found(flaw: str, context: Context, **settings: Any) -> tuple[set[str], set[str]]:
    """Return the checks that fail or warn, and those that stay unknown."""
    one = service({"command": command(flaw), **settings})
    findings = await judged(one, context, ["mcp_stdio"])
    for finding in findings.values():
        assert "s3cret" not in finding.because
        assert len(finding.because) < 300
    assert not children()
    return troubled(findings), unknown(findings)


def children() -> bool:
    """Whether anything runs that this test started."""
    here = set(psutil.Process().children(recursive=True))
    return bool(here - OTHERS)


OTHERS: set[psutil.Process] = set()
"""What ran before a test: servers that other tests share."""


@pytest.fixture(autouse=True)
def _others() -> None:
    OTHERS.clear()
    OTHERS.update(psutil.Process().children(recursive=True))


# Sound programs


async def test_the_sdks_server(context: Context, tmp_path: Path) -> None:
    root = str(SERVER.parent.parent)
    program = [sys.executable, "-c", SDK.format(root=root)]
    settings = {"command": program, "tools": ["add", "echo"]}
    one = service(settings)
    values = await measure(one, Settings(**settings), replace(context, samples=80))
    told = {name for name in values if not name.endswith("_because")}
    assert told == set(METRICS) - {"tools_kept", "tools_changed", "tools_added"}
    assert (values["era"], values["protocol_version"]) == ("discover", "2026-07-28")
    assert values["tool_names"] == "add, echo, fail"
    held = {name for name, value in values.items() if value is True}
    assert {name for name in told if values[name] is False} == {"compared"}
    assert {"connected", "expected_tools_present", "stdout_clean", "ends_with_stdin"} <= held
    for name in ("p50_ms", "p95_ms"):
        p = values[name]
        assert isinstance(p, Estimate) and p.value and p.value > 0


@pytest.mark.parametrize(
    ("flaw", "era", "version"),
    [
        ("", "discover", "2026-07-28"),
        ("legacy", "initialize", "2025-06-18"),
        ("dropping", "initialize", "2025-06-18"),
        ("stderr", "discover", "2026-07-28"),
    ],
)
async def test_a_sound_program_of_either_era(
    flaw: str, era: str, version: str, context: Context
) -> None:
    """One that drops what it does not know is met with patience; stderr is its own affair."""
    context = replace(context, timeout=1.5, samples=80)
    values = (await measured(service({"command": command(flaw)}), "mcp_stdio", context)).values
    assert (values["era"], values["protocol_version"]) == (era, version)
    assert await found(flaw, context) == (set(), set())


# Programs with one flaw


@pytest.mark.parametrize(
    ("flaw", "check"),
    [
        ("noise", "mcp-stdio-clean"),
        ("unknown-result", "mcp-stdio-unknown-method"),
        ("unknown-dropped", "mcp-stdio-unknown-method"),
        ("schema", "mcp-stdio-schemas"),
        ("secret", "mcp-stdio-secrets"),
        ("stays", "mcp-stdio-ends"),
        ("stubborn", "mcp-stdio-ends"),
    ],
)
async def test_each_flaw_is_caught_by_its_check_and_by_no_other(
    flaw: str, check: str, context: Context
) -> None:
    context = replace(context, timeout=1.5, samples=80)
    assert await found(flaw, context) == ({check}, set())


async def test_tools_that_are_missing(context: Context) -> None:
    outcome = await found("", replace(context, samples=80), tools=["search", "fetch"])
    assert outcome == ({"mcp-stdio-expected-tools"}, set())


@pytest.mark.parametrize(
    ("flaw", "kind", "detail"),
    [
        ("silent", "timeout", "no answer within 0.6 s (initialize)"),
        ("hang-later", "timeout", "no answer within 0.6 s (tools/list)"),
        ("flood", "protocol", "wrote a line of more than 1 MiB"),
        ("flood-lines", "timeout", "no answer within 0.6 s (initialize)"),
        ("flood-messages", "timeout", "no answer within 0.6 s (initialize)"),
        ("exits", "protocol", "ended, or closed its pipes, before it answered"),
        ("deaf", "protocol", "ended, or closed its pipes, before it answered"),
        ("mute", "protocol", "ended, or closed its pipes, before it answered"),
        ("strange-version", "protocol", "initialize was answered with the version '1999-01-01'"),
        ("list-error", "protocol", "tools/list was answered with error -32603"),
        ("no-list", "protocol", "the result of tools/list holds no list of tools"),
    ],
)
async def test_programs_that_are_not_well(
    flaw: str, kind: str, detail: str, context: Context
) -> None:
    began = time.monotonic()
    one = service({"command": command(flaw)})
    outcome = await measured(one, "mcp_stdio", replace(context, timeout=0.6))
    assert outcome.failure and outcome.failure.kind == kind, outcome
    assert detail in outcome.failure.detail
    assert "s3cret" not in outcome.failure.detail
    assert time.monotonic() - began < 5
    assert not children()


async def test_a_new_program_that_is_slow_to_start_is_not_taken_for_an_old_one(
    context: Context,
) -> None:
    settings = {"command": command("slow")}
    values = (await measured(service(settings), "mcp_stdio", replace(context, timeout=1.0))).values
    assert values["era"] == "discover"


async def test_a_list_without_end_is_not_read_for_ever(context: Context) -> None:
    one = service({"command": command("loop"), "tools": ["rare"]})
    values = (await measured(one, "mcp_stdio", context)).values
    assert values["list_ends_because"] == "page 2 gives an earlier cursor again"
    assert "expected_tools_present" not in values


# What is started, and what is left of it


async def test_it_gets_its_own_variables_and_folder_and_no_others(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, concealed: list[str]
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.setenv("READINESS_TEST_PRIVATE", "1")
    program = command("env", str(tmp_path / "inner"))
    settings = {"command": program, "env": {"API_TOKEN": "s3cret-t0ken"}, "folder": "inner"}
    outcome = await measured(service(settings), "mcp_stdio", replace(context, folder=tmp_path))
    assert outcome.failure is None, outcome
    assert concealed == ["s3cret-t0ken"]
    assert "s3cret" not in repr(Settings.model_validate(settings))
    assert "s3cret" not in service(settings).model_dump_json()


async def test_nothing_is_left_of_what_it_started(context: Context, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    one = service({"command": command("child", str(told))})
    outcome = await measured(one, "mcp_stdio", replace(context, timeout=0.5))
    assert outcome.values["ends_with_stdin"] is False
    assert _is_gone(int(told.read_text()))
    assert not children()


async def test_a_cancelled_probe_leaves_nothing(context: Context, tmp_path: Path) -> None:
    settings = {"command": command("silent")}
    task = asyncio.create_task(measure(service(settings), Settings(**settings), context))
    until = time.monotonic() + 5
    while not children() and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert children()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)
    assert not children()


def _is_gone(pid: int) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
                continue
        return True
    return False


@pytest.mark.parametrize(
    "settings",
    [
        {"command": ["/no/such/pr0gram", "s3cret"]},
        {"command": [sys.executable], "folder": "no-such-folder"},
    ],
)
async def test_what_is_not_here_is_not_the_servers_fault(
    settings: dict[str, Any], context: Context
) -> None:
    outcome = await measured(service(settings), "mcp_stdio", context)
    assert outcome.failure and outcome.failure.kind == "not_installed"
    assert "s3cret" not in outcome.failure.detail


async def test_what_may_not_be_run_is_denied(context: Context, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    outcome = await measured(service({"command": [str(plain)]}), "mcp_stdio", context)
    assert outcome.failure and outcome.failure.kind == "denied"


def test_a_program_is_started_only_where_writing_is_allowed() -> None:
    assert TIER == "write"
    assert load("mcp_stdio").TIER == "write"
    with pytest.raises(ValidationError):
        Settings.model_validate({"command": []})
    with pytest.raises(ValidationError):
        Settings.model_validate({"command": "npx server"})


async def test_without_the_validator_the_extra_is_named(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(Exception) as raised:
        await measure(service({}), Settings(command=("x",)), context)
    assert classify(raised.value).kind == "not_installed"


# A service that is nothing but a program


def alone(**probes: Any) -> Service:
    url = SecretStr("stdio://search")
    return Service(name="search", kind="mcp", url=url, probes=probes)


async def test_a_program_alone_is_asked_over_its_pipes_only(context: Context) -> None:
    one = alone(mcp_stdio={"command": command()})
    assert one.expected_probes == ("mcp_stdio",)
    assert (one.health_probe, one.address, one.port) == ("mcp_stdio", "stdio://search", None)
    findings = await judged(one, replace(context, samples=80))
    assert troubled(findings) == unknown(findings) == set()
    assert len(findings) > 15


@pytest.mark.parametrize("probe", ["mcp_handshake", "mcp_tools", "mcp_protocol", "mcp_call"])
async def test_a_program_alone_has_no_endpoint_to_ask(probe: str, context: Context) -> None:
    settings = {"tool": "search"} if probe == "mcp_call" else {}
    one = alone(**{probe: settings}, mcp_stdio={"command": command()})
    outcome = await measured(one, probe, context)
    assert outcome.failure and outcome.failure.kind == "not_allowed"


async def test_tools_are_compared_with_the_run_before(context: Context) -> None:
    one = alone(mcp_stdio={"command": command()})
    before = (await measured(one, "mcp_stdio", context)).values
    changed = alone(mcp_stdio={"command": command("secret")})
    again = replace(context, previous=dict(before), samples=80)
    assert troubled(await judged(one, again)) == set()
    assert troubled(await judged(changed, again)) == {
        *("mcp-stdio-secrets", "mcp-stdio-tools-changed")
    }


@pytest.mark.parametrize("written", ["", "mcp_stdio: {folder: x}", "mcp_stdio: {command: serve x}"])
def test_a_program_alone_must_be_declared(written: str) -> None:
    text = (
        "version: 1\nsystem: {name: x}\nservices:\n"
        f"  search: {{kind: mcp, url: 'stdio://search', probes: {{{written}}}}}\n"
    )
    document = parse(text, "services.yaml")
    with pytest.raises(ConfigurationError, match="command"):
        steps.plan(from_document(document, {}), document, frozenset({"observe"}))
