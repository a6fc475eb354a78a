"""Flaws of the work itself: what people do from end to end does not come out right."""

from typing import Any

from tests.mutants.accounts import User
from tests.mutants.call import Call, Refused, Reply, page, told
from tests.mutants.flaw import flaw
from tests.mutants.service import Service
from tests.mutants.work import Thing


@flaw("journey-succeeds", untestable=("jwt", "session"))
class RegistersNobody(Service):
    """Who registers is told so, and cannot log in."""

    def add_user(self, email: str, password: str, role: str = "user") -> User:
        if "readiness" in email:
            password += "x"
        return super().add_user(email, password, role)


@flaw("journey-succeeds", untestable=("jwt", "session", "journey"))
class RegistrationBreaks(Service):
    """Registration answers 500."""

    def register(self, call: Call) -> Reply:
        raise Refused(500, "internal error")


@flaw("journey-succeeds", untestable=("jwt", "session"))
class TellsSomeoneElse(Service):
    """Whoever asks who they are is told of the first user."""

    def me(self, call: Call) -> Reply:
        self.who(call)
        user = self.users["u1"]
        return told({"id": user.id, "email": user.email, "role": user.role})


@flaw("journey-succeeds", untestable=("access_matrix",))
class DocumentsLoseTheirName(Service):
    """A document comes back under another name."""

    def read_document(self, call: Call) -> Reply:
        return told({"id": call.last, "name": self.own(call).data[:9]})


@flaw("journey-succeeds", untestable=("access_matrix",))
class DocumentsAreLost(Service):
    """A document that was created is not there."""

    def create_document(self, call: Call) -> Reply:
        reply = super().create_document(call)
        self.things.popitem()
        return reply


@flaw("journey-succeeds", untestable=("access_matrix",))
class TruncatesFiles(Service):
    """The last byte of an uploaded file is lost."""

    def stored(self, content: bytes) -> bytes:
        return content[:-1]


@flaw("journey-succeeds")
class DeletesNothing(Service):
    """What is deleted is still there."""

    def forget(self, name: str) -> None:
        pass


@flaw("journey-succeeds", "journey-leaves-nothing")
class DeletingBreaks(Service):
    """Deleting answers 500, and what was made stays."""

    def delete(self, call: Call) -> Reply:
        raise Refused(500, "internal error")


@flaw("journey-succeeds")
class NeverCompletes(Service):
    """A workflow runs for ever."""

    def progress(self, workflow: Thing) -> str:
        return "running"


@flaw("journey-succeeds")
class WorkflowFails(Service):
    """A workflow ends in failure."""

    def progress(self, workflow: Thing) -> str:
        return "failed"


@flaw("journey-succeeds")
class NotCompensated(Service):
    """What a saga did before it failed is not undone."""

    def compensated(self, done: tuple[str, ...]) -> list[str]:
        return []


@flaw("journey-succeeds")
class CompensatedInOrder(Service):
    """A saga is undone in the order in which it was done."""

    def compensated(self, done: tuple[str, ...]) -> list[str]:
        return list(done)


@flaw("journey-succeeds")
class SagaIgnoresFailure(Service):
    """A saga whose step failed says that it is completed."""

    def outcome(self, fail_at: str | None) -> dict[str, Any]:
        return dict(super().outcome(None))


@flaw("journey-succeeds", untestable=("session",))
class RefreshBreaks(Service):
    """The refresh of an access token answers 500."""

    def refresh(self, call: Call) -> Reply:
        raise Refused(500, "internal error")


@flaw("journey-succeeds", untestable=("session",))
class ForgetsWhoSignedIn(Service):
    """Who has signed in on the page is asked to do so again."""

    def visit_of(self, call: Call, user: str) -> str:
        return self.new_visit()


@flaw(
    *("page-answers", "journey-succeeds"),
    untestable=("http_headers", "session", "web_page"),
)
class PageBreaks(Service):
    """The page answers 500."""

    def home(self, call: Call) -> Reply:
        return page("Something went wrong", 500)


@flaw("page-text", "journey-succeeds", untestable=("session",))
class PageIsAnError(Service):
    """The page shows an error with the status 200."""

    def welcome(self) -> str:
        return "Something went wrong"


@flaw("page-title")
class PageWithoutTitle(Service):
    """The page has no title."""

    def home(self, call: Call) -> Reply:
        reply = super().home(call)
        body = reply.body.replace(b"<title>Shop</title>", b"")
        return Reply(200, body, reply.media_type, reply.headers)


@flaw("page-size")
class PageTooBig(Service):
    """The page has more than a million bytes."""

    def welcome(self) -> str:
        return super().welcome() + " " * 1_000_000


@flaw("health-structured")
class HealthInAWord(Service):
    """The health path answers with a word."""

    def health(self, call: Call) -> Reply:
        return Reply(200, b"ok", "text/plain")


@flaw("health-honest", "health-ready")
class HealthContradictsItself(Service):
    """The health path says `down` with the status 200."""

    def health(self, call: Call) -> Reply:
        return told({"status": "down"})
