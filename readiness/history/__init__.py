"""Assessments -> a history of runs that outlives their folders, and back."""

from readiness.history.run import History, Kept, Run

__all__ = ["History", "Kept", "Run"]
