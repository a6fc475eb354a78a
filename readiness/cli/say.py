"""A line for the user, which nobody need be reading: a closed pipe never changes the outcome."""

import os
import sys

import typer


def say(text: str, *, err: bool = False) -> None:
    """Print `text`; where that fails, print no more to that stream."""
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    try:
        typer.echo(text, err=err)
        stream.flush()
    except (OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2 if err else 1)  # what is still buffered goes there when Python ends
        os.close(devnull)
