import pytest

from readiness.inventory import System, Tier
from readiness.safety import Refused, allowed_tiers

LOAD: tuple[Tier, ...] = ("load",)


def system(environment: str = "staging", allow: tuple[str, ...] = ()) -> System:
    return System.model_validate({"name": "s", "environment": environment, "allow": allow})


def test_outside_production_load_is_allowed_and_write_is_not() -> None:
    assert allowed_tiers(system()) == {"observe", "load"}


@pytest.mark.parametrize("asked", [("write",), ("intrusive",)])
def test_the_command_line_adds_tiers(asked: tuple[Tier, ...]) -> None:
    assert allowed_tiers(system(), asked) == {"observe", "load", *asked}


def test_the_inventory_adds_write() -> None:
    assert allowed_tiers(system(allow=("write",))) == {"observe", "load", "write"}


def test_production_is_only_observed_whatever_the_inventory_allows() -> None:
    assert allowed_tiers(system("production", ("load", "write"))) == {"observe"}
    assert allowed_tiers(system("staging", ("load",)), (), "production") == {"observe"}


def test_production_takes_load_only_when_the_command_line_says_both() -> None:
    with pytest.raises(Refused, match="--environment production"):
        allowed_tiers(system("production"), LOAD)
    assert allowed_tiers(system("production"), LOAD, "production") == {"observe", "load"}


def test_production_is_not_called_staging_to_get_around_it() -> None:
    with pytest.raises(Refused, match="Correct one"):
        allowed_tiers(system("production"), (), "staging")
