"""`deliberate batch …`: many problems from one file, against a running service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from domain.errors import InvalidRequest

if TYPE_CHECKING:
    from cli.batch_service import BatchService

app = typer.Typer(help="Many problems from one file.", no_args_is_help=True, rich_markup_mode=None)

BatchId = Annotated[str, typer.Argument(metavar="ID", help="A batch's id, as `batch run` printed it.")]
FORMATS = ("jsonl", "csv", "parquet")
NOT_COMPLETED = 1


@app.command()
def run(
    problems: Annotated[Path, typer.Argument(help='JSON lines such as {"id": "a", "problem": "1 + 1 = ?"}.')],
    strategy: options.Strategy = None,
    effort: options.Effort = None,
    n: options.N = None,
    param: options.Parameters = None,
    tokens: Annotated[int | None, typer.Option(help="Budget of all lines together, in tokens.")] = None,
    flops: Annotated[float | None, typer.Option(help="Budget of all lines together, in FLOPs.")] = None,
    rollouts: Annotated[int | None, typer.Option(help="Budget of all lines together, in rollouts.")] = None,
    confidence: options.Confidence = None,
    window: Annotated[str, typer.Option(help="Time in which it must end, such as 30m, 24h or 7d.")] = "24h",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Results; left out: beside the problems.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Run nothing if one line is wrong.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the batch of an earlier run.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the id and leave; --resume comes back.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Run a file of problems and write the results as they come. Ctrl-C leaves the batch running: --resume."""
    from rich.console import Console

    from cli import batch_run, request
    from cli.view.batch import BatchBar

    chosen = (
        None if strategy is effort is n is None and not param else request.strategy(strategy, n, param or [], effort)
    )
    body: dict[str, Any] = {
        "strategy": chosen,
        "effort": effort,
        "confidence": request.confidence(confidence),
        "budget": request.budget(tokens, flops, rollouts, None) or None,
        "completion_window": window,
        "on_invalid_line": "fail" if strict else "skip",
    }
    places = batch_run.places_of(problems, out)
    with _service(url) as service:
        given = {name: value for name, value in body.items() if value is not None}
        batch_id = batch_run.begin(service, places, given, resume=resume)
        if detach:
            typer.echo(batch_id)
            return
        console = Console(stderr=True)
        console.print(f"{batch_id} → {places.output}", highlight=False, soft_wrap=True)
        try:
            with BatchBar(console) as bar:
                batch = batch_run.follow(service, batch_id, places, bar)
        except KeyboardInterrupt:
            console.print(f"{batch_id} goes on; come back with --resume, or end it: deliberate batch cancel {batch_id}")
            raise
    _print(batch, as_json)
    if batch["status"] != "completed":
        raise typer.Exit(NOT_COMPLETED)


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20, as_json: options.AsJson = False, url: options.Url = None
) -> None:
    """The newest batches."""
    with _service(url) as service:
        page = service.batches(limit)
    if as_json:
        _print_json(page)
        return
    for batch in page["data"]:
        counts = batch["counts"]
        done = counts["completed"] + counts["failed"]
        typer.echo(f"{batch['id']}  {batch['status']:<11}  {done}/{counts['total']}  {counts['failed']} failed")


@app.command()
def show(batch_id: BatchId, as_json: options.AsJson = False, url: options.Url = None) -> None:
    """Progress, cost so far, and what was wrong with its lines."""
    with _service(url) as service:
        _print(service.batch(batch_id), as_json)


@app.command()
def cancel(batch_id: BatchId, url: options.Url = None) -> None:
    """End a batch; what is finished is kept."""
    _steer(batch_id, "cancel", url)


@app.command()
def pause(batch_id: BatchId, url: options.Url = None) -> None:
    """Start no more lines for now."""
    _steer(batch_id, "pause", url)


@app.command()
def resume(batch_id: BatchId, url: options.Url = None) -> None:
    """Go on with a paused batch."""
    _steer(batch_id, "resume", url)


@app.command()
def results(
    batch_id: BatchId,
    kind: Annotated[str, typer.Option("--format", "-f", help=f"One of {', '.join(FORMATS)}.")] = "jsonl",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; left out: standard output.")] = None,
    url: options.Url = None,
) -> None:
    """Results so far, one row for each line, in the order of the problems."""
    import sys

    if kind not in FORMATS:
        raise InvalidRequest(f"unknown format {kind!r}: use one of {', '.join(FORMATS)}", param="format")
    with _service(url) as service:
        if out is None:
            for part in service.results(batch_id, kind):
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
            return
        with out.open("wb") as file:
            for part in service.results(batch_id, kind):
                file.write(part)


def _steer(batch_id: str, verb: str, url: str | None) -> None:
    with _service(url) as service:
        batch = service.steer(batch_id, verb)
    typer.echo(f"{batch_id} is {'paused' if batch['paused'] else batch['status']}")


def _service(url: str | None) -> BatchService:
    from cli.batch_service import BatchService
    from cli.service import find

    return BatchService(find(url))


def _print(batch: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(batch)
        return
    from cli.view.batch import rows

    for name, value in rows(batch):
        typer.echo(f"{name:<8}  {value}")


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
