"""GitLab's REST API -> the notes of one merge request."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from readiness.comment import Comment
from readiness.comment.answer import at, number, text
from readiness.comment.exchange import Exchange, Refused
from readiness.comment.target import Target


class GitLab:
    """The notes of the merge request that `target` names."""

    def __init__(self, target: Target, deadline: float) -> None:
        headers = {"PRIVATE-TOKEN": target.token}
        self.ask = Exchange(target.api, headers, target.token, deadline)
        self._me: int | None = None
        self._page = target.page
        project = quote(target.project, safe="")
        self._notes = f"/projects/{project}/merge_requests/{target.number}/notes"

    def comments(self, beginning: str) -> Iterator[Comment]:
        """Yield the notes that begin with `beginning`, asking who we are once there is one."""
        for row in self.ask.rows(self._notes, {"order_by": "created_at", "sort": "asc"}):
            if text(row, "body").startswith(beginning):
                yield self._comment(row)

    def create(self, body: str) -> Comment:
        """Post a note; not tried again."""
        return self._comment(self.ask.once("POST", self._notes, body={"body": body}))

    def update(self, comment: Comment, body: str) -> Comment:
        """Replace the text of a note."""
        path = f"{self._notes}/{comment.id}"
        return self._comment(self.ask.repeated("PUT", path, body={"body": body}))

    def _comment(self, data: Any) -> Comment:
        me = self._identity()
        mine = bool(me) and at(data, "author", "id") == me
        made = number(data, "id")
        return Comment(made, text(data, "body"), f"{self._page}#note_{made}", mine)

    def _identity(self) -> int:
        """Return the id of the user the token is of; 0, which is nobody's, if it may not ask."""
        if self._me is None:
            try:
                self._me = number(self.ask.repeated("GET", "/user"), "id")
            except Refused:
                self._me = 0
        return self._me
