"""Finds checks/, report_templates/ and services.yaml, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_bundled"
_ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent

CHECKS = _ROOT / "checks"
REPORT_TEMPLATES = _ROOT / "report_templates"
SERVICES = _ROOT / "services.yaml"
