"""A line for the user, which nobody need be reading: a closed pipe never changes the outcome.

Whoever reads it, no line is a command to the runner of a CI, wherever its words come from.
"""

import errno
import os
import sys

import typer

from readiness.escape import inert


def say(text: str, *, err: bool = False, raw: bool = False) -> OSError | None:
    """Print `text`; where that fails, print no more to that stream.

    `raw` is for commands that are meant, and for data that must not change.
    Returns the error if someone wanted to read it and cannot, as on a full disk.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return None
    try:
        typer.echo(text if raw else inert(text), err=err)
        stream.flush()
    except (OSError, ValueError) as error:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2 if err else 1)  # what is still buffered goes there when Python ends
        os.close(devnull)
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EBADF):
            return error
    return None
