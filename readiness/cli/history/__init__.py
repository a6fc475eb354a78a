"""`history`: its commands and their options; what needs more than typer is imported when called."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="history",
    help="List the runs that were kept, show one, take them along, forget them.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

Where = Annotated[
    str | None,
    typer.Option(
        "--history",
        metavar="WHERE",
        help="Where runs are kept: a file, postgresql://host/database, or none (docs/history.md).",
    ),
]
Runs = Annotated[
    str, typer.Argument(metavar="RUN", help="An id or its beginning, last, or pinned.")
]
System = Annotated[
    str | None, typer.Option("--system", metavar="NAME", help="Runs of this system only.")
]
EnvironmentName = Annotated[
    str | None,
    typer.Option("--environment", metavar="NAME", help="Runs in this environment only."),
]


def _where(context: typer.Context, named: str | None) -> str | None:
    """Return where the history is by this command's option, else by that before the command."""
    found: str | None = context.obj if named is None else named
    return found


@app.callback()
def listing(
    context: typer.Context,
    history: Where = None,
    system: System = None,
    environment: EnvironmentName = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="So many of the newest.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the runs that were kept, the newest first; or do what the command says."""
    context.obj = history
    if context.invoked_subcommand is None:
        from readiness.cli.history import table

        table.show(history, system, environment, limit, as_json)


@app.command()
def show(
    context: typer.Context,
    run: Runs,
    history: Where = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write its report, assessment and evidence again."),
    ] = None,
) -> None:
    """Show one run, judged by the criteria of its time."""
    from readiness.cli.history import one

    one.show(_where(context, history), run, out)


@app.command()
def export(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]... [FILE]",
            help="Runs, or else all; a file, with a dot or slash in its name, or else stdout.",
        ),
    ] = None,
    history: Where = None,
) -> None:
    """Write runs as JSON lines, each with all that it takes to judge it again."""
    from readiness.cli.history import transfer

    transfer.export(_where(context, history), words or ())


@app.command("import")
def import_(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Of export, or an evidence.json; - is stdin."),
    ],
    history: Where = None,
) -> None:
    """Add the runs of these files, all or none; those that are there stay as they are."""
    from readiness.cli.history import transfer

    transfer.import_(_where(context, history), files)


@app.command()
def prune(
    context: typer.Context,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Of each system and environment, the newest N."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Forget what is older, as in 90d or 12w.")
    ] = None,
    system: System = None,
    environment: EnvironmentName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    history: Where = None,
) -> None:
    """Forget old runs, never a pinned one, nor what a run that stays was compared with."""
    from readiness.cli.history import pruning

    pruning.prune(_where(context, history), keep, older_than, system, environment, dry_run)


@app.command()
def pin(context: typer.Context, run: Runs, history: Where = None) -> None:
    """Make a run the baseline of its system and environment, and keep it from prune."""
    from readiness.cli.history import one

    one.pin(_where(context, history), run, True)


@app.command()
def unpin(context: typer.Context, run: Runs, history: Where = None) -> None:
    """Take the pin from a run."""
    from readiness.cli.history import one

    one.pin(_where(context, history), run, False)
