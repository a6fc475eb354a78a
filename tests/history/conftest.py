"""Fixtures of the tests of the history."""

from tests.history.stores import team, team_url, where

__all__ = ["team", "team_url", "where"]
