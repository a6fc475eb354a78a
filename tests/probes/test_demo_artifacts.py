"""What the sample system's own files tell, broken and repaired."""

from pathlib import Path

import pytest

from readiness.demo import artifacts
from readiness.finding import Finding
from readiness.inventory import Artifact
from readiness.probes import Context
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio


async def found(folder: Path, context: Context, fixed: bool) -> dict[str, Finding]:
    paths = artifacts.write(folder, fixed)
    stack = Artifact(name="run", kind="compose", files=(paths["PYAIRTABLE_COMPOSE"],))
    suite = Artifact(name="tests", kind="junit", files=(paths["PYAIRTABLE_JUNIT"],))
    return {**await judged(stack, context), **await judged(suite, context)}


async def test_the_repaired_system_is_run_and_tested_well(tmp_path: Path, context: Context) -> None:
    told = await found(tmp_path, context, fixed=True)
    assert not troubled(told)
    assert not unknown(told)


async def test_the_broken_one_is_not_and_no_path_of_this_machine_is_told(
    tmp_path: Path, context: Context
) -> None:
    told = await found(tmp_path, context, fixed=False)
    assert troubled(told) == {
        *("compose-cpu", "compose-memory", "compose-image", "compose-data-ports", "tests-passed")
    }
    assert "compose-healthcheck" in unknown(told)
    text = "\n".join(f.because for f in told.values())
    assert "compose.yaml:" in text
    assert str(tmp_path) not in text
