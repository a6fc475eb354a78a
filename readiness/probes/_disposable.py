"""An account that may end up locked -> what else in the inventory needs it."""

from readiness.inventory import Identity, Inventory
from readiness.probes import load


def other_user(name: str, inventory: Inventory) -> str:
    """Return what else needs the account that is guessed at, empty if nothing does."""
    guessed = inventory.identities[name]
    alike = {n for n, one in inventory.identities.items() if _same_account(one, guessed)}
    for who, identity in inventory.identities.items():
        if any(step.identity in alike for step in identity.steps):
            return f"the identity {who}"
    for journey in inventory.journeys:
        if alike & {journey.identity, *(step.identity for step in journey.steps)}:
            return f"the journey {journey.name}"
    for service in inventory.services:
        for probe, written in service.probes.items():
            if written and probe != "brute_force":
                settings = load(probe).Settings.model_validate(written)
                named = {n for _, n, _, noun in settings.named(inventory) if noun in _NOUNS}
                own = guessed.login and getattr(settings, "login", None) == guessed.login
                if alike & named or own:
                    return f"{probe} of {service.name}"
    return ""


_NOUNS = ("identity", "role")


def _same_account(one: Identity, other: Identity) -> bool:
    return one is other or (one.service == other.service and one.login == other.login)
