"""What a service is built from: its Dockerfile, where that lies on this disk."""

from functools import lru_cache
from pathlib import Path

from readiness.probes._compose.stack import Container
from readiness.probes._containers.dockerfile import Built, built
from readiness.probes._containers.template import HOLE


def dockerfile(container: Container) -> Built | None:
    """Return what the Dockerfile of a service says, None if there is none to read."""
    build = container.at("build")
    if build is None:
        return None
    context = container.text("build") or container.text("build", "context") or "."
    name = container.text("build", "dockerfile") or "Dockerfile"
    target = container.text("build", "target")
    if "://" in context or HOLE in context + name or container.at("build", "dockerfile_inline"):
        return None
    written = container.at("build", "context") or build
    path = container.stack.home(written) / context / name
    try:
        told = path.stat()
    except (OSError, ValueError):
        return None
    return _read(path, target, told.st_mtime_ns)


@lru_cache(maxsize=256)
def _read(path: Path, target: str, changed: int) -> Built | None:
    return built(path, target)
