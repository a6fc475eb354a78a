"""The `up` series of a Prometheus -> whose targets are there, answer, and were scraped lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._few import few
from readiness.probes._watched import NOBODY, Watched, ratio

TARGET_METRICS: Mapping[str, str] = {
    "services_scraped_ratio": "ratio of critical services that have an `up` series",
    "targets_up_ratio": "ratio of its targets that are up, of the critical service that is worst",
    "oldest_scrape_ms": "ms since the newest scrape of the critical service that is worst",
    "others_unscraped": "count of services that are not critical and have no `up` series",
    "targets": "count of all targets",
    "targets_down": "count of all targets that are down",
}
"""What `scraped`, `others` and `census` measure."""


@dataclass(frozen=True)
class Target:
    """One `up` series: its labels, whether the last scrape went well, and how long ago it was."""

    labels: Mapping[str, str]
    up: bool
    age: float


Owned = Mapping[Watched, Sequence[tuple[Target, str]]]
"""Service -> its targets, each with the label that told so."""


def owned(services: Sequence[Watched], targets: Sequence[Target]) -> Owned:
    """Return whose each target is."""
    return {
        service: [(one, label) for one in targets if (label := service.by(one.labels))]
        for service in services
    }


def labels_used(targets: Owned) -> dict[str, str]:
    """Return the labels by which each service was found."""
    return {
        service.name: " and ".join(dict.fromkeys(label for _, label in mine))
        for service, mine in targets.items()
        if mine
    }


def scraped(targets: Owned) -> Values:
    """Say whether every service has targets, that are up, and scraped lately."""
    found = {service: [one for one, _ in mine] for service, mine in targets.items() if mine}
    missing = [
        f"{service.name} has no `up` series (looked for {service.sought})"
        for service in targets
        if service not in found
    ]
    values = ratio(
        "services_scraped_ratio", (service.name for service in found), missing, len(targets)
    )
    if not found:
        because = "not tested: no critical service has a target" if targets else NOBODY
        return values | {"targets_up_ratio_because": because, "oldest_scrape_ms_because": because}
    return values | _up(found) | _fresh(found)


def _up(found: Mapping[Watched, Sequence[Target]]) -> Values:
    shares = {service: sum(t.up for t in mine) / len(mine) for service, mine in found.items()}
    down = [
        f"{service.name}: {sum(not t.up for t in found[service])} of {len(found[service])} down"
        for service, share in sorted(shares.items(), key=lambda each: each[1])
        if share < 1
    ]
    values: Values = {"targets_up_ratio": min(shares.values())}
    return values | ({"targets_up_ratio_because": line(few(down))} if down else {})


def _fresh(found: Mapping[Watched, Sequence[Target]]) -> Values:
    ages = {service.name: min(t.age for t in mine) for service, mine in found.items()}
    oldest = sorted(ages.items(), key=lambda each: -each[1])
    told = few(f"{name} was scraped {age:.0f} s ago" for name, age in oldest)
    return {"oldest_scrape_ms": max(0.0, oldest[0][1] * 1000), "oldest_scrape_ms_because": told}


def others(targets: Owned) -> Values:
    """Count the services that are not critical and are not watched."""
    missing = [service.name for service, mine in targets.items() if not mine]
    values: Values = {"others_unscraped": len(missing)}
    return values | ({"others_unscraped_because": line(few(missing, 20))} if missing else {})


def census(targets: Sequence[Target]) -> Values:
    """Count all targets, and name the jobs of those that are down."""
    down = [t.labels.get("job", "?") for t in targets if not t.up]
    values: Values = {"targets": len(targets), "targets_down": len(down)}
    return values | ({"targets_down_because": line(few(down, 10))} if down else {})
