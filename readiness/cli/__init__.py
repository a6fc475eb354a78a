"""The command line: parses, calls one function per stage, prints."""

from pathlib import Path
from typing import Annotated

import typer

from readiness.cli import load

app = typer.Typer(
    name="readiness",
    help="Is this running system ready for production, how do we know, and what would it take?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Inventory = Annotated[Path, typer.Argument(help="The service inventory.")]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for the report and its data.")
]
Packs = Annotated[
    list[Path] | None,
    typer.Option("--checks", metavar="FILE", help="Add a checks pack: a YAML file or folder."),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format", metavar="NAME", help="Also write this format (docs/ci.md). Repeatable."
    ),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="VERDICT",
        help="Exit 1 from here on: not-ready (default) or conditional.",
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="TIER",
        help="Allow a tier: load, write, intrusive. Repeatable, or a,b.",
    ),
]
EnvironmentName = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="NAME",
        help="local, development, test, staging or production, over the inventory's word.",
    ),
]
NoGate = Annotated[bool, typer.Option("--no-gate", help="Exit 0 where the gate would exit 1.")]

REPORT = Path("readiness-report")
SERVICES = Path("services.yaml")


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from readiness import __version__

        typer.echo(f"readiness {__version__}")
        raise typer.Exit


@app.command()
def run(
    inventory: Inventory = SERVICES,
    out: Out = REPORT,
    allow: Allow = None,
    environment: EnvironmentName = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="SERVICE", help="Measure this service only. Repeatable."),
    ] = None,
    checks: Packs = None,
    previous: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The assessment.json to compare with.")
    ] = None,
    fail_on: FailOn = None,
    deadline: Annotated[
        str, typer.Option(metavar="TIME", help="The whole run ends by then: 90s, 5m.")
    ] = "5m",
    formats: Formats = None,
    no_gate: NoGate = False,
    confidence: Annotated[
        str,
        typer.Option(metavar="RATIO", help="How sure the gate is of all checks: 95%, 0.99."),
    ] = "0.95",
) -> None:
    """Probe a running system, report, and gate by exit code."""
    from readiness.cli import assess

    request = assess.request(
        inventory,
        out,
        allow or (),
        environment,
        only or (),
        checks or (),
        previous,
        fail_on,
        deadline,
        formats or (),
        no_gate,
        confidence,
    )
    raise typer.Exit(assess.run(request))


@app.command()
def report(
    evidence: Annotated[Path, typer.Argument(help="An evidence.json that `run` has written.")],
    out: Out = REPORT,
    checks: Packs = None,
    fail_on: FailOn = None,
    formats: Formats = None,
    no_gate: NoGate = False,
) -> None:
    """Judge saved evidence again, without the network."""
    from readiness.cli import assess

    raise typer.Exit(assess.replay(evidence, out, checks, fail_on, formats or (), no_gate))


@app.command()
def validate(
    inventory: Inventory = SERVICES,
    checks: Packs = None,
    no_env: Annotated[
        bool, typer.Option("--no-env", help="List missing variables instead of failing.")
    ] = False,
) -> None:
    """Check inventory and criteria without any traffic."""
    from readiness.cli import inspect

    inspect.validate(inventory, checks or (), no_env)


@app.command()
def schema() -> None:
    """Print the JSON Schema of services.yaml."""
    from readiness.cli import inspect

    inspect.schema()


@app.command()
def explain(
    check: Annotated[str | None, typer.Argument(help="The check; none lists all.")] = None,
    checks: Packs = None,
) -> None:
    """Say what a check measures, why, and how to fix what it finds."""
    from readiness.cli import inspect

    inspect.explain(check, checks or ())


@app.command()
def cleanup(
    inventory: Inventory = SERVICES,
    allow: Allow = None,
    environment: EnvironmentName = None,
) -> None:
    """Take away what journeys of killed runs have left in the system."""
    from readiness.cli import leftovers

    raise typer.Exit(leftovers.run(inventory, allow or (), environment))


@app.command()
def demo(
    fixed: Annotated[bool, typer.Option("--fixed", help="Assess the repaired system.")] = False,
    out: Out = REPORT,
) -> None:
    """Assess the sample system, started on this machine."""
    from readiness.cli import demonstrate

    raise typer.Exit(demonstrate.demo_run(fixed, out))


app.command("load")(load.command)
