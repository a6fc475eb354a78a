"""Saved evidence and what is made of it, compared as text; `python -m tests.golden.remake`."""

from pathlib import Path

from tests import samples

FOLDER = Path(__file__).parent
SAMPLES = {"broken": samples.broken, "fixed": samples.fixed, "partial": samples.partial}
