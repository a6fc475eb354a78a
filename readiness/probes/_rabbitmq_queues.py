"""What RabbitMQ tells of its fullest queues -> which nobody empties, and how full they are."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._few import few
from readiness.probes._monitoring import Told, count, most

METRICS: Mapping[str, str] = {
    "queues": "count: queues of all virtual hosts that the user may see",
    "queued": "true or false: there is a queue whose messages are counted",
    "emptied": "true or false: of these there is one that is not named in parking",
    "attended": "true or false: every queue with messages ready has a consumer",
    "deepest_queue": "count: messages ready in the queue with most of them",
    "unacknowledged": "count: messages given to consumers and not acknowledged, of the worst queue",
    "messages_unacknowledged": "count: those of all queues read",
    "unacknowledged_growth": "count: by how many they have grown since the run before",
}
_MOST = 500
PATH = (
    f"/api/queues?page=1&page_size={_MOST}&sort=messages&sort_reverse=true&columns="
    "name,vhost,type,consumers,messages,messages_ready,messages_unacknowledged"
)
_SHOWN = 60

Queue = Mapping[str, Any]


def hidden(told: Told, totals: Any) -> str:
    """Return which queues are seen if they are not all; a tenth may have come or gone since."""
    seen = count(told.fields.get("total_count"))
    total = count(totals.get("queues")) if isinstance(totals, Mapping) else None
    if seen is None or total is None or seen >= 0.9 * total:
        return ""
    return f"{seen} of {total} queues"


def unseen(seen: str) -> Values:
    """Return why nothing is known of the queues, of which the user sees `seen`."""
    how = "give it the tag monitoring, and permissions on every virtual host"
    why = f"not tested: the user sees {seen}: {how}"
    return {f"{metric}_because": why for metric in ("queues", "queued", "emptied")}


def values(told: Told, parking: Sequence[str], previous: Values) -> Values:
    """Return METRICS. Streams keep what was read, so that they are no queues here.

    Queues of `parking`, names or patterns, need no consumer and may be deep.
    """
    items = told.fields.get("items")
    if not isinstance(items, list):
        judged = ("queues", "queued", "emptied")
        return {f"{metric}_because": told.untold for metric in judged}
    rows = [one for one in items if isinstance(one, Mapping)]
    total = count(told.fields.get("total_count")) or len(rows)
    found: Values = {"queues": total}
    counted = [
        queue
        for queue in rows
        if queue.get("type") != "stream" and count(queue.get("messages_ready")) is not None
    ]
    if not counted:
        return found | _none(rows)
    emptied = [queue for queue in counted if not _parked(queue, parking)]
    found |= {"queued": True, **_filled(emptied), **_held(counted, previous)}
    if total > len(rows) and count(rows[-1].get("messages")):
        return _of_a_part(found, len(rows))
    return found


def _of_a_part(found: Values, seen: int) -> Values:
    """Take out what more queues with messages than were read may belie."""
    because = f"not tested: more than {seen} queues hold messages"
    for metric, value in (("attended", True), ("emptied", False)):
        if found.get(metric) is value:
            del found[metric]
            found[f"{metric}_because"] = because
    return found


def _none(rows: Sequence[Queue]) -> Values:
    if any(queue.get("type") != "stream" for queue in rows):
        why = "no messages are counted: queues are new, or their statistics are switched off"
        return {f"{fact}_because": f"not tested: {why}" for fact in ("queued", "emptied")}
    why = "there are streams only" if rows else "no queue"
    return {"queued": False, "queued_because": why, "emptied": False, "emptied_because": why}


def _parked(queue: Queue, parking: Sequence[str]) -> bool:
    return any(fnmatchcase(str(queue.get("name")), pattern) for pattern in parking)


def _filled(emptied: Sequence[Queue]) -> Values:
    """Judge what is to be emptied; where all is parked there is nothing to earn by it."""
    if not emptied:
        why = "not tested: every queue is named in parking"
        return {"emptied": False, "emptied_because": why}
    ready = {_name(queue): count(queue.get("messages_ready")) or 0 for queue in emptied}
    left = [
        f"{_name(queue)} ({ready[_name(queue)]} ready)"
        for queue in emptied
        if ready[_name(queue)] and count(queue.get("consumers")) == 0
    ]
    found: Values = {"emptied": True, "attended": not left}
    if left:
        found["attended_because"] = f"without a consumer: {few(left, between=', ')}"
    deepest = most({name: float(n) for name, n in ready.items()})
    found["deepest_queue"] = int(deepest[1]) if deepest else 0
    if deepest and deepest[1]:
        found["deepest_queue_because"] = f"in {deepest[0]}"
    return found


def _held(counted: Sequence[Queue], previous: Values) -> Values:
    held = {_name(queue): count(queue.get("messages_unacknowledged")) or 0 for queue in counted}
    name, worst = max(held.items(), key=lambda pair: pair[1])
    total = sum(held.values())
    found: Values = {"unacknowledged": worst, "messages_unacknowledged": total}
    if worst:
        found["unacknowledged_because"] = f"in {name}"
    before = count(previous.get("messages_unacknowledged"))
    if before is not None:
        found["unacknowledged_growth"] = max(0, total - before)
        grown = f"{before} in the run before, {total} now"
        found["unacknowledged_because"] = f"in {name}; of all queues {grown}"
    return found


def _name(queue: Queue) -> str:
    """Return the queue's name, with its virtual host where that is not the default one."""
    host = str(queue.get("vhost", "/"))
    return line(str(queue.get("name")) if host == "/" else f"{host}/{queue.get('name')}", _SHOWN)
