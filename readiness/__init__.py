"""readiness: probe a running system, judge it, report it, gate on it."""

__version__ = "0.1.0"
