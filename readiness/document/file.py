"""A regular file of bounded size -> its bytes, or a ConfigurationError that says what is wrong."""

import os
import stat
from pathlib import Path

MAX_DATA_BYTES = 256 << 20
"""Far above any evidence; below what would exhaust a machine."""


def read_bytes(path: Path, limit: int) -> bytes:
    """Return at most `limit` + 1 bytes of the regular file at `path`; raises OSError, ValueError.

    Pipes and devices are refused, for they can block or never end.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is no regular file")
        return file.read(limit + 1)


def read_text(path: Path, limit: int = MAX_DATA_BYTES) -> str:
    """Return the UTF-8 text of the file at `path`; raises OSError, ValueError."""
    raw = read_bytes(path, limit)
    if len(raw) > limit:
        raise OSError(0, f"it is larger than {limit} bytes")
    return raw.decode("utf-8")


def why(error: Exception) -> str:
    """Return the reason in `error`, raised by this module, as a part of a sentence."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    return str(getattr(error, "strerror", None) or "its path is not valid")
