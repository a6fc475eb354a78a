"""GitHub's REST API -> the comments of one pull request."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from readiness.comment import Comment
from readiness.comment.answer import at, number, text
from readiness.comment.exchange import Exchange, Refused
from readiness.comment.target import Nowhere, Target

_ACTIONS = "github-actions[bot]"
"""Whom the token of a job is of, which may not ask; no user can be called so."""
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHub:
    """The comments of the pull request that `target` names."""

    def __init__(self, target: Target, deadline: float) -> None:
        headers = {**_HEADERS, "Authorization": f"Bearer {target.token}"}
        self.ask = Exchange(target.api, headers, target.token, deadline)
        self._target, self._number = target, target.number
        self._me: str | None = None
        self._repository = "/repos/" + "/".join(quote(p, "") for p in target.project.split("/"))

    def comments(self, beginning: str) -> Iterator[Comment]:
        """Yield the comments that begin with `beginning`, asking who we are once there is one."""
        for row in self.ask.rows(self._issue()):
            if text(row, "body").startswith(beginning):
                yield self._comment(row)

    def create(self, body: str) -> Comment:
        """Post a comment; not tried again."""
        return self._comment(self.ask.once("POST", self._issue(), body={"body": body}))

    def update(self, comment: Comment, body: str) -> Comment:
        """Replace the text of a comment."""
        path = f"{self._repository}/issues/comments/{comment.id}"
        return self._comment(self.ask.repeated("PATCH", path, body={"body": body}))

    def _issue(self) -> str:
        if self._number is None:
            self._number = self._find()
        return f"{self._repository}/issues/{self._number}/comments"

    def _find(self) -> int:
        head = self._target.head
        assert head is not None
        params = {"head": head.branch, "state": "open"}
        for pull in self.ask.rows(f"{self._repository}/pulls", params):
            if at(pull, "head", "sha") == head.commit:
                return number(pull, "number")
        raise Nowhere("no open pull request asks to merge the commit of that run")

    def _comment(self, data: Any) -> Comment:
        mine = at(data, "user", "login") == self._name()
        return Comment(number(data, "id"), text(data, "body"), text(data, "html_url"), mine)

    def _name(self) -> str:
        """Return the login the token is of; that of GitHub Actions where it is not told."""
        if self._me is None:
            try:
                self._me = text(self.ask.repeated("GET", "/user"), "login") or _ACTIONS
            except Refused:  # as an app's token is (403)
                self._me = _ACTIONS
        return self._me
