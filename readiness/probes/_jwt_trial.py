"""Forgeries shown one after another -> which rules hold, as far as the answers tell."""

import asyncio

from readiness.measurement import Values
from readiness.probes._jwt_forgery import Forgery, Group
from readiness.probes._shown_token import Doorkeeper, Reply, Showing

_MOST_SILENT = 3
_MOST_AGAIN = 3
_SHOWN = 5


class Trial:
    """What became of each forgery, by the metric that it bears on."""

    def __init__(self, door: Doorkeeper, showing: Showing, until: float) -> None:
        """Stop showing at loop time `until`."""
        self.door, self._showing, self._until = door, showing, until
        self._shown: dict[str, list[tuple[Forgery, Reply]]] = {}
        self._untried: dict[str, str] = {}
        self._silent = 0
        self._broke_twice: list[tuple[Forgery, Reply]] = []
        self._broke_once = ""
        self.halted = ""
        """Why nothing more is shown."""
        self.doubt = ""
        """Why refusals prove nothing."""

    @property
    def counts(self) -> Values:
        """How many forgeries were shown, and how many of them refused."""
        replies = [reply for tried in self._shown.values() for _, reply in tried]
        refused = sum(reply.reaction == "refused" for reply in replies)
        return {"forgeries": len(replies), "forgeries_refused": refused}

    def accepted(self, metric: str) -> bool:
        """Whether one of the forgeries was let in."""
        return any(reply.reaction == "accepted" for _, reply in self._shown.get(metric, ()))

    async def show(self, metric: str, group: Group) -> bool:
        """Show the forgeries of a group; return whether none was let in."""
        if isinstance(group, str):
            self._untried[metric] = group
            return True
        for forgery in group:
            if self._over():
                self._untried[metric] = self.halted
                break
            if forgery.token != self._showing.token:
                reply = await self._ask(forgery)
                self._shown.setdefault(metric, []).append((forgery, reply))
                self._take_in(metric, reply)
        return not self.accepted(metric)

    async def close(self) -> None:
        """Show again what the service failed at, and the right token.

        Only while that is let in do refusals and failures tell anything.
        """
        await self._again()
        reply = await self.door.ask(self._showing.asked)
        if reply.reaction != "accepted":
            self.doubt = (
                "the token itself is not accepted any more after the forgeries "
                f"({reply.said}), so that refusals prove nothing"
            )

    def verdict(self, metric: str, where: str) -> Values:
        """Return whether the rule held at the step `where`, or why that is not known."""
        tried = self._shown.get(metric, [])
        let_in = [(f.name, reply.said) for f, reply in tried if reply.reaction == "accepted"]
        if let_in:
            named = ", ".join(name for name, _ in let_in[:_SHOWN])
            more = f" and {len(let_in) - _SHOWN} more" if len(let_in) > _SHOWN else ""
            because = f"{where} let in {named}{more} ({let_in[0][1]})"
            return {metric: False, f"{metric}_because": because}
        untold = self._untried.get(metric) or self.doubt
        unsaid = [one for one in tried if one[1].reaction in ("silent", "unclear")]
        refused = any(reply.reaction == "refused" for _, reply in tried)
        if refused and not unsaid and not untold:  # failures are `broken`'s to tell
            return {metric: True}
        shown = (unsaid or tried)[:_SHOWN]
        told = "; ".join(dict.fromkeys(f"{f.name}: {reply.said}" for f, reply in shown))
        unclear = f"the answers tell neither acceptance nor refusal: {told}" if told else ""
        return {f"{metric}_because": untold or unclear or "a simpler forgery is let in"}

    def broken(self, metric: str, where: str) -> Values:
        """Return whether no forgery made the service fail; a failure must have come again."""
        if self._broke_twice and not self.doubt:
            forgery, reply = self._broke_twice[0]
            more = f", and to {self._broke - 1} more" if self._broke > 1 else ""
            because = f"{where} answered {reply.said} to {forgery.name}, twice{more}"
            return {metric: False, f"{metric}_because": because}
        untold = self.halted or self.doubt or self._broke_once
        return {f"{metric}_because": untold} if untold else {metric: True}

    @property
    def _broke(self) -> int:
        replies = [reply for tried in self._shown.values() for _, reply in tried]
        return sum(reply.reaction == "broke" for reply in replies)

    async def _again(self) -> None:
        """Show some of what the service failed at again; what it says then is what counts."""
        broke = [
            (metric, n)
            for metric, tried in self._shown.items()
            for n, (_, reply) in enumerate(tried)
            if reply.reaction == "broke"
        ]
        for metric, n in broke[:_MOST_AGAIN]:
            if self._over():
                return
            forgery, first = self._shown[metric][n]
            again = await self._ask(forgery)
            self._shown[metric][n] = forgery, again
            self._take_in(metric, again)
            if again.reaction == "broke":
                self._broke_twice.append((forgery, again))
            else:
                self._broke_once = (
                    f"{forgery.name} was answered {first.said} once and {again.said} after that"
                )

    async def _ask(self, forgery: Forgery) -> Reply:
        showing = self._showing
        asked = showing.without() if forgery.token is None else showing.showing(forgery.token)
        return await self.door.ask(asked)

    def _over(self) -> bool:
        if not self.halted and asyncio.get_running_loop().time() >= self._until:
            self.halted = "not tested: no time was left"
        return bool(self.halted)

    def _take_in(self, metric: str, reply: Reply) -> None:
        """Stop where the service asks for it, or answers nothing more."""
        self._silent = self._silent + 1 if reply.reaction == "silent" else 0
        if reply.reaction == "limited":
            self.halted = f"the service limits how much may be asked ({reply.said})"
            self._untried[metric] = self.halted
        elif self._silent >= _MOST_SILENT:
            self.halted = f"{_MOST_SILENT} forgeries in a row got {reply.said}"
