"""A summary -> the one comment of a pull or merge request that holds it, posted or updated."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from readiness.comment.exchange import Exchange, Refused, Unanswered
from readiness.report import summary as summaries

__all__ = ["Comment", "Host", "Put", "Refused", "Unanswered", "put"]

_RETIRED = "Posted twice, by runs at the same time. What counts is told in {url}\n"


class Comment(NamedTuple):
    """One comment as a code host has it; `mine` if it is by whom the token is of."""

    id: int
    body: str
    url: str
    mine: bool


class Host(Protocol):
    """The comments of one pull or merge request. All raise Refused and Unanswered."""

    ask: Exchange

    def comments(self, beginning: str) -> Iterator[Comment]:
        """Yield the comments that begin with `beginning`."""
        ...

    def create(self, body: str) -> Comment:
        """Post a comment. Not tried again: who gets no answer cannot know whether it is there."""
        ...

    def update(self, comment: Comment, body: str) -> Comment:
        """Replace the text of a comment."""
        ...


class Put(NamedTuple):
    """What became of a summary: posted, updated, or left alone because a later one is there."""

    what: Literal["posted", "updated", "outrun"]
    url: str


def put(host: Host, summary: str) -> Put:
    """Put `summary` into the oldest comment of ours with its marker, or post one.

    Nothing is deleted and nobody else's comment is touched. Raises Refused if the host will not
    have it, Unanswered if it does not answer in time, ValueError if `summary` has no marker.
    """
    marker = summaries.marker(summary)
    if marker is None:
        raise ValueError("no marker")
    attempt = 0
    while True:
        try:
            return _once(host, marker, summary)
        except Unanswered as error:
            host.ask.pause(attempt, error)
            attempt += 1


def _once(host: Host, marker: str, summary: str) -> Put:
    before = _ours(host, marker)
    if before:
        return _renew(host, before[0], summary)
    made = host.create(summary)
    first = min((*_ours(host, marker), made), key=lambda comment: comment.id)
    if first.id == made.id:
        return Put("posted", made.url)
    # Another run posted meanwhile. All runs agree on the oldest; ours must not stay and grow old.
    outcome = _renew(host, first, summary)
    host.update(made, _RETIRED.format(url=first.url))
    return outcome


def _renew(host: Host, comment: Comment, summary: str) -> Put:
    if summaries.measured(comment.body) > summaries.measured(summary):
        return Put("outrun", comment.url)
    return Put("updated", host.update(comment, summary).url)


def _ours(host: Host, marker: str) -> list[Comment]:
    """Return our comments whose first line is `marker`, the oldest first."""
    found = [c for c in host.comments(marker) if c.mine and summaries.marker(c.body) == marker]
    return sorted(found, key=lambda comment: comment.id)
