"""A line for the user, which nobody need be reading: a closed pipe never changes the outcome."""

import errno
import os
import sys

import typer


def say(text: str, *, err: bool = False) -> OSError | None:
    """Print `text`; where that fails, print no more to that stream.

    Returns the error if someone wanted to read it and cannot, as on a full disk.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return None
    try:
        typer.echo(text, err=err)
        stream.flush()
    except (OSError, ValueError) as error:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2 if err else 1)  # what is still buffered goes there when Python ends
        os.close(devnull)
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EBADF):
            return error
    return None
