"""Environment, inventory and command line -> the tiers of traffic this run may send."""

from collections.abc import Collection

from readiness.inventory import Environment, System, Tier


class Refused(Exception):
    """The run asks for more than is safe; nothing has been sent."""


def allowed_tiers(
    system: System, asked: Collection[Tier] = (), environment: Environment | None = None
) -> frozenset[Tier]:
    """Return the tiers allowed on `system`; `asked` and `environment` are the command line's.

    Raises Refused for more than observation of production, unless the command line names
    both the tier and production, and for calling production anything less.
    """
    if system.environment == "production" and environment not in (None, "production"):
        raise Refused(
            f"services.yaml says that {system.name} is production, the command line says "
            f"{environment}. Correct one of them."
        )
    if (environment or system.environment) != "production":
        inventory_may = {t for t in system.allow if t != "intrusive"}
        return frozenset({"observe", "load", *inventory_may, *asked})
    more = sorted(set(asked) - {"observe"})
    if more and environment != "production":
        raise Refused(
            f"{system.name} is production: --allow {','.join(more)} needs --environment production "
            "beside it."
        )
    return frozenset({"observe", *asked})
