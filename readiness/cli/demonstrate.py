"""`demo`: the sample system, started on this machine and assessed by the ordinary code path."""

import os
import tempfile
from pathlib import Path

from readiness import bundled, demo, ledger, loop
from readiness.cli import assess
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.evidence import INTERRUPTED_EXIT_CODES

HISTORY = "history.db"


def demo_run(fixed: bool, out: Path) -> int:
    """Assess the sample system; return 0 when that was completed, whatever the verdict."""
    own = str(out / HISTORY)  # the sample system's runs are none of the user's
    asked = assess.request(
        bundled.SERVICES, out, (), None, (), (), None, None, "2m", (), False, history=own
    )
    say(f"Starting the {'repaired ' if fixed else ''}sample system ...", err=True)
    with loop.Signals() as signals, tempfile.TemporaryDirectory() as state:
        kept = {ledger.VARIABLE: state}  # what is left in the sample system ends with it
        try:
            with demo.running(fixed) as variables:
                code = assess.run(asked, {**os.environ, **variables, **kept}, signals)
        except demo.StartError as error:
            raise ConfigurationError(f"{error}.") from None
    if code in (*INTERRUPTED_EXIT_CODES.values(), assess.NOT_SAVED):
        return code
    say(f"The gate's exit code is {code}; the demo's own is 0 once it has a verdict.")
    return 0
