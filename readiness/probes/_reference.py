"""What a service is compared with: where it is, what it is asked, and how gently."""

from typing import TypeVar

from pydantic import Field, SecretStr, field_validator, model_validator

from readiness.inventory import Environment, Service
from readiness.inventory.service import Line
from readiness.inventory.url import fault
from readiness.probes._load import READING, LoadSettings

_T = TypeVar("_T", bound=LoadSettings)
_EXPECTED = ("expect_status", "expect_text", "expect_json")


def only_read(settings: _T) -> _T:
    """Return `settings`; ValueError if they ask for anything but reading."""
    if settings.request and settings.request.partition(" ")[0] not in READING:
        raise ValueError("a reference is only read. Compare by GET or HEAD")
    return settings


class Reference(LoadSettings):
    """What a service is compared with. Only read, and with headers of its own."""

    url: SecretStr = Field(description="where it is")
    system: Line | None = Field(None, description="what it is called")
    version: Line | None = Field(None, description="which version of it")
    environment: Environment = Field(
        "production", description="in production it is asked gently, and so is the service then"
    )

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: SecretStr) -> SecretStr:
        if wrong := fault(value.get_secret_value(), "http"):
            raise ValueError(wrong)
        return value

    _read = model_validator(mode="after")(only_read)

    @property
    def called(self) -> str:
        """How it is told from others, without its address."""
        name = " ".join(filter(None, (self.system, self.version)))
        return f"{name}, {self.environment}" if name else self.environment

    def asked_like(self, settings: LoadSettings, service: Service) -> "Reference":
        """Return it with the request and the success of `settings`, where it names none."""
        more = {} if self.request else {"request": " ".join(settings.asked(service))}
        expected = {n: getattr(settings, n) for n in _EXPECTED} if not self._expects else {}
        return self.model_copy(update={**more, **expected})

    @property
    def _expects(self) -> bool:
        return any(getattr(self, name) for name in _EXPECTED)
