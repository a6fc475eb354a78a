"""The program's entry: whatever goes wrong becomes one message and the right exit code."""

import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

USAGE, INTERNAL, REFUSED, INTERRUPTED = 2, 3, 5, 130


def main() -> NoReturn:
    """Run the command line; a crash exits 3, so that no gate mistakes it for a verdict."""
    try:
        from readiness.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(INTERRUPTED)
    except Exception as error:
        code, text = _explained(error)
        if sys.stderr:
            sys.stderr.write(text + "\n")
        sys.exit(code)
    sys.exit(0)


def _explained(error: Exception) -> tuple[int, str]:
    from readiness.document import ConfigurationError
    from readiness.escape import inert
    from readiness.safety import Refused

    if isinstance(error, ConfigurationError):
        return USAGE, inert(f"readiness: {error}")
    if isinstance(error, Refused):
        return REFUSED, inert(f"readiness: refused for safety: {error}")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return INTERNAL, (
        f"readiness: internal error ({type(error).__name__} at {place}). "
        "This is a defect of readiness, not of your system: please report it."
    )


if __name__ == "__main__":
    main()
