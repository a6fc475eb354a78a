"""The name of an image -> its parts, and whether they say which version it is."""

import re
from typing import NamedTuple

from readiness.probes._containers.template import HOLE

_RELEASES = re.compile(
    r"bookworm|bullseye|buster|trixie|forky|jammy|noble|focal|bionic|plucky|resolute"
)
_OS = ("debian", "ubuntu", "buildpack-deps")
"""Images whose tags may name a release by its word."""


class Image(NamedTuple):
    """A reference as in `registry:5000/team/app:1.2@sha256:...`."""

    repository: str
    tag: str
    digest: str

    @property
    def short(self) -> str:
        """The last part of the repository."""
        return self.repository.rpartition("/")[2]

    @property
    def official(self) -> bool:
        """Whether it is one of Docker's Official Images, which have no namespace."""
        return self.repository.removeprefix("docker.io/").removeprefix("library/") == self.short


def parse(reference: str) -> Image:
    """Return the parts of `reference`; those not written are empty."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return Image(repository, tag, digest)


def floating(reference: str) -> str:
    """Return why `reference` may be another image tomorrow, empty where it names a version.

    A tag without any digit names a channel, such as latest, stable or main. What a variable
    without default gives is decided where it is deployed, and not by the file.
    """
    image = parse(reference)
    if image.digest:
        known = HOLE in image.digest or re.fullmatch(r"[a-z0-9+._-]+:[0-9a-f]+", image.digest)
        return "" if known else "has after its @ what is no digest"
    if not image.tag:
        return "" if HOLE in image.short or image.repository[-1:] == HOLE else "has no tag"
    if HOLE in image.tag or re.search(r"\d", image.tag):
        return ""
    if image.short in _OS and _RELEASES.search(image.tag):
        return ""
    return f"has the tag {image.tag[:40]}, which names no version"
