"""Programs that well-known images lack, each verified in the image's own documentation or source.

Only what is sure: an image that is not named here may hold anything.
"""

import re

from readiness.probes._containers.image import Image

_SHELLS = frozenset({"sh", "bash", "ash"})
_FETCHERS = frozenset({"curl", "wget"})
_SMALL = frozenset({"curl", "bash"})
"""Alpine brings busybox, whose shell is ash and which has a wget of its own."""


_UNCHECKED = frozenset(
    {
        *("alpine", "bash", "buildpack-deps", "busybox", "caddy", "cassandra", "debian", "drupal"),
        *("eclipse-temurin", "ghost", "golang", "haproxy", "httpd", "joomla", "mariadb"),
        *("memcached", "mongo", "mysql", "nats", "nextcloud", "nginx", "node", "openjdk", "php"),
        *("postgres", "python", "rabbitmq", "redis", "redmine", "registry", "ruby", "tomcat"),
        *("traefik", "ubuntu", "wordpress"),
    }
)
"""Docker's Official Images add no HEALTHCHECK (docker-library, FAQ); a few others of them do."""


def without_healthcheck(image: Image) -> bool:
    """Whether the image surely brings no healthcheck of its own."""
    return image.official and image.short in _UNCHECKED


def lacks(image: Image, program: str) -> bool:
    """Whether `program` is surely absent from `image`."""
    return program in _absent(image)


def _absent(image: Image) -> frozenset[str]:
    repository = image.repository.removeprefix("docker.io/").removeprefix("library/")
    if repository.startswith("gcr.io/distroless/"):
        return frozenset() if "debug" in image.tag else _SHELLS | _FETCHERS
    if repository in ("alpine", "busybox"):
        return _SMALL
    if repository in ("postgres", "node", "python") and "alpine" in image.tag:
        return frozenset({"curl"})
    if repository in ("node", "python", "debian") and re.search(r"-slim$|^slim$", image.tag):
        return _FETCHERS
    return frozenset()
