"""The sample system: real servers as processes of their own, broken or fixed."""

from readiness.demo.store import StartError
from readiness.demo.system import running

__all__ = ["StartError", "running"]
