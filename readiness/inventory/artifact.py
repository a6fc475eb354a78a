"""Files that tell of the system without asking it: how it is run, and what its tests found."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_serializer

from readiness.inventory.service import Bound, Criticality, Frozen, Line, Name, Quantity, Settings

ArtifactKind = Literal["compose", "kubernetes", "junit", "coverage", "sarif"]

ARTIFACT_PROBES: Mapping[ArtifactKind, str] = {
    "compose": "compose_file",
    "kubernetes": "kubernetes_manifests",
    "junit": "junit_results",
    "coverage": "coverage_report",
    "sarif": "sarif_results",
}
"""The probe that reads files of a kind."""

DESCRIBING: tuple[ArtifactKind, ...] = ("compose", "kubernetes")
"""Kinds whose files say of each service how it is run, so that each service is asked of them."""


def _listed(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


class Artifact(Frozen):
    """Files of one kind; paths and patterns begin at the inventory's folder."""

    name: Name
    kind: ArtifactKind = Field(description="What the files hold; decides which probe reads them.")
    files: Annotated[
        tuple[Line, ...],
        BeforeValidator(_listed),
        Field(
            min_length=1,
            max_length=50,
            description="Paths, or patterns such as reports/**/*.xml; later ones override.",
        ),
    ]
    criticality: Criticality = Field("normal", description="How much it weighs in the score.")
    owner: Line | None = Field(None, description="Who mends it.")
    probes: Mapping[Name, Settings] = Field(
        default_factory=dict, repr=False, description="Settings of the probe that reads it."
    )
    checks: Mapping[Name, Mapping[Bound, Quantity]] = Field(
        default_factory=dict, description="Targets and limits of its own, by check."
    )

    @property
    def health_probe(self) -> str:
        """The probe that reads it."""
        return ARTIFACT_PROBES[self.kind]

    @property
    def expected_probes(self) -> tuple[str, ...]:
        """Every probe a complete assessment of it needs."""
        usual = ARTIFACT_PROBES[self.kind]
        return (usual, *(name for name in self.probes if name != usual))

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The services it cannot work without: none."""
        return ()

    @field_serializer("probes")
    def _public_probes(self, probes: Mapping[str, Any]) -> dict[str, Any]:
        """Keep which settings were made, for checks that ask, and none of their values."""
        return {
            name: settings and {key: True for key, value in settings.items() if value is not None}
            for name, settings in probes.items()
        }
