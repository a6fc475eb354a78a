"""The part of the service that people use it for: documents, files, workflows, sagas."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.mutants.accounts import Accounts
from tests.mutants.call import Call, Refused, Reply, told

STEPS = ("reserve", "charge", "ship")


@dataclass
class Thing:
    """Whatever someone has made."""

    owner: str
    data: Any
    seen: int = 0
    """How often its owner has looked: work goes on in between."""


class Work(Accounts):
    """Things that belong to who made them, and that nobody else can see."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, Thing] = {}

    def made(self, call: Call, data: Any) -> str:
        """Keep `data` as something of whoever asks; return its id."""
        owner = str(self.who(call)["sub"])
        name = f"t{next(self.numbers)}"
        self.things[name] = Thing(owner, data)
        return name

    def own(self, call: Call) -> Thing:
        """Return the thing that the path names; Refused unless it is of whoever asks."""
        who, thing = self.who(call), self.things.get(call.last)
        if thing is None or not self.may_see(str(who["sub"]), thing):
            raise Refused(404, "there is no such thing")
        return thing

    def may_see(self, user: str, thing: Thing) -> bool:
        return thing.owner == user

    def create_document(self, call: Call) -> Reply:
        name = call.data.get("name")
        if not isinstance(name, str):
            raise Refused(422, "a document has a name")
        return told({"id": self.made(call, name), "name": name}, 201)

    def list_documents(self, call: Call) -> Reply:
        user = str(self.who(call)["sub"])
        return told([n for n, thing in self.things.items() if self.may_see(user, thing)])

    def read_document(self, call: Call) -> Reply:
        return told({"id": call.last, "name": self.own(call).data})

    def upload(self, call: Call) -> Reply:
        return told({"id": self.made(call, self.stored(call.request.body))}, 201)

    def stored(self, content: bytes) -> bytes:
        return content

    def download(self, call: Call) -> Reply:
        return Reply(200, self.own(call).data, "application/octet-stream")

    def delete(self, call: Call) -> Reply:
        self.own(call)
        self.forget(call.last)
        return Reply(204)

    def forget(self, name: str) -> None:
        del self.things[name]

    def start_workflow(self, call: Call) -> Reply:
        return told({"id": self.made(call, "workflow"), "status": "running"}, 202)

    def read_workflow(self, call: Call) -> Reply:
        thing = self.own(call)
        thing.seen += 1
        return told({"id": call.last, "status": self.progress(thing)})

    def progress(self, workflow: Thing) -> str:
        return "completed" if workflow.seen > 1 else "running"

    def start_saga(self, call: Call) -> Reply:
        return told({"id": self.made(call, call.data.get("fail_at")), "status": "running"}, 202)

    def read_saga(self, call: Call) -> Reply:
        return told({"id": call.last, **self.outcome(self.own(call).data)})

    def outcome(self, fail_at: str | None) -> Mapping[str, Any]:
        """Return how a saga ends: what was done before a step failed is undone in reverse."""
        if fail_at not in STEPS:
            return {"status": "completed", "done": STEPS, "undone": []}
        done = STEPS[: STEPS.index(fail_at)]
        return {"status": "compensated", "done": done, "undone": self.compensated(done)}

    def compensated(self, done: tuple[str, ...]) -> list[str]:
        return list(reversed(done))
