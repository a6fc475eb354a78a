"""The command line: parses, calls one function per stage, prints."""

from pathlib import Path
from typing import Annotated

import typer

from readiness.cli import history, load

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
Against = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Compare with the services of this inventory, asked side by side."
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
BY_SOME = "by-some-checks"
"""The folder in it for what is no report of the whole."""


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
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Let no metric regress since: last, main, pinned, a run's id, or a file of a run.",
        ),
    ] = None,
    against: Against = None,
    fail_on: FailOn = None,
    deadline: Annotated[
        str, typer.Option(metavar="TIME", help="The whole run ends by then: 90s, 5m.")
    ] = "5m",
    formats: Formats = None,
    no_gate: NoGate = False,
    history: history.Where = None,
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
        history,
        baseline,
        confidence,
        against=against,
    )
    raise typer.Exit(assess.run(request))


@app.command()
def report(
    evidence: Annotated[Path, typer.Argument(help="An evidence.json that `run` has written.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help=f"Folder for the report. [default: {REPORT}]"),
    ] = None,
    checks: Packs = None,
    only_checks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NEW",
            help="Judge by this pack alone, or by these checks: an id, or a pattern. Repeatable.",
        ),
    ] = None,
    fail_on: FailOn = None,
    formats: Formats = None,
    no_gate: NoGate = False,
) -> None:
    """Judge saved evidence again, without the network."""
    from readiness.cli import assess

    where = out or (REPORT / BY_SOME if only_checks else REPORT)
    only = only_checks or ()
    raise typer.Exit(assess.replay(evidence, where, checks, only, fail_on, formats or (), no_gate))


@app.command()
def backtest(
    new: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[NEW]...", help="Packs of checks: YAML files or folders."),
    ] = None,
    fail_on: FailOn = None,
    history: history.Where = None,
    system: history.System = None,
    environment: history.EnvironmentName = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="So many of the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell which past runs new checks, or a stricter gate, would have blocked."""
    from readiness.cli import trial

    trial.run(new or (), fail_on, history, system, environment, limit, as_json)


@app.command()
def plan(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="An evidence.json or its folder, or a kept run: its id, last, or pinned.",
        ),
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="SCORE", help="From 1 to 100, or ready.")
    ] = "ready",
    hours: Annotated[
        str | None, typer.Option(metavar="N", help="The hours there are: the best within them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    history: history.Where = None,
) -> None:
    """Find the least work that brings a run to a score."""
    from readiness.cli import least

    least.run(run, REPORT, history, target, hours, as_json)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="A run's id, last, main, pinned, or a file of a run.")],
    b: Annotated[str, typer.Argument(help="The run to explain; likewise.")],
    history: history.Where = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Explain why the score of run B is not that of run A."""
    from readiness.cli import compare

    compare.show(a, b, history, as_json)


@app.command()
def validate(
    inventory: Inventory = SERVICES,
    checks: Packs = None,
    no_env: Annotated[
        bool, typer.Option("--no-env", help="List missing variables instead of failing.")
    ] = False,
    against: Against = None,
) -> None:
    """Check inventory and criteria without any traffic."""
    from readiness.cli import inspect

    inspect.validate(inventory, checks or (), no_env, against)


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


@app.command("comment")
def _comment(
    summary: Annotated[
        Path, typer.Argument(help="The summary.md that --format summary has written.")
    ] = REPORT / "summary.md",
    pr: Annotated[
        int | None,
        typer.Option(metavar="N", help="The pull or merge request, unless the job tells."),
    ] = None,
    deadline: Annotated[str, typer.Option(metavar="TIME", help="It ends by then: 30s, 1m.")] = "1m",
) -> None:
    """Post the summary to the pull request, or update the comment that is there."""
    from readiness.cli import comment

    raise typer.Exit(comment.run(summary, pr, deadline))


@app.command()
def waive(
    check: Annotated[str, typer.Argument(help="The check whose findings are excused.")],
    until: Annotated[
        str, typer.Option(metavar="DAY", help="The waiver's last day: 2027-01-31, or 30d from now.")
    ],
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="On this service; all where left out.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it, as in @dana.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it can wait.")] = None,
    inventory: Annotated[
        Path, typer.Option("--inventory", metavar="FILE", help="The file to write it into.")
    ] = SERVICES,
    checks: Packs = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Move the end of the waiver that is there.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the change and write nothing.")
    ] = False,
) -> None:
    """Write a waiver into the inventory, and touch nothing else in it."""
    from readiness.cli import excuse

    excuse.run(
        excuse.Request(
            check, service, owner, reason, until, inventory, checks or (), extend, dry_run
        )
    )


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


app.add_typer(history.app)

app.command("load")(load.command)
