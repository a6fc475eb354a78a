"""`load`: its options; whatever needs more than typer is imported when it is called."""

from typing import Annotated

import typer

DURATION = "10s"
CONNECTIONS = 50


def command(
    url: Annotated[str, typer.Argument(help="What to ask, as in http://localhost:8000/health.")],
    connections: Annotated[
        int | None,
        typer.Option(
            *("-c", "--connections"),
            metavar="N",
            help="Users, each asking again once answered; with --rate, connections at most; "
            f"{CONNECTIONS} by default.",
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="R",
            help="Requests a second, answered or not: the open model. 100..1000 is a ramp.",
        ),
    ] = None,
    ramp_to: Annotated[
        float | None, typer.Option("--ramp-to", metavar="R", help="Let --rate grow to this.")
    ] = None,
    constant: Annotated[
        bool, typer.Option("--constant", help="Space requests evenly, not at random (Poisson).")
    ] = False,
    duration: Annotated[
        str | None,
        typer.Option(
            *("-d", "--duration"), metavar="TIME", help=f"Such as 30s or 2m; {DURATION} by default."
        ),
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option(*("-n", "--requests"), metavar="N", help="Time so many requests, then end."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(*("-X", "--method"), metavar="METHOD", help="GET, or POST with --data."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            *("-H", "--header"),
            metavar="LINE",
            help="As in 'Name: value'. Repeatable, never shown.",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The body to send, or @ and a file's name.")
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="A success has this: 200, text:WORD or $.path=value. Any 2xx if not given. "
            "Repeatable.",
        ),
    ] = None,
    knee: Annotated[
        str | None,
        typer.Option(
            metavar="OBJECTIVE",
            help="Search the greatest rate that holds 'p99<200ms', within -d (45s).",
        ),
    ] = None,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="What one request may take, its waiting included.")
    ] = "5s",
    processes: Annotated[
        int,
        typer.Option(
            *("-p", "--processes"),
            metavar="N",
            help="Share the load among so many, one for each core at best.",
        ),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Needed for any other machine: local, development, test, staging, production.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="TIER", help="Allow load (in production), write. Repeatable, or a,b."),
    ] = None,
) -> None:
    """Put load on one URL and say what it takes: throughput, response times, errors."""
    from readiness.cli.load.request import request
    from readiness.cli.load.run import run

    asked = request(
        url,
        connections=connections,
        rate=rate,
        ramp_to=ramp_to,
        constant=constant,
        duration=duration,
        knee=knee,
        requests=requests,
        method=method,
        headers=header or (),
        data=data,
        expect=expect or (),
        timeout=timeout,
        processes=processes,
        environment=environment,
        allow=allow or (),
    )
    if asked.objective is not None:
        from readiness.cli.load.knee import find

        raise typer.Exit(find(asked, asked.objective, as_json=as_json))
    raise typer.Exit(run(asked, as_json=as_json))
