"""Commands that talk to a running service: submit, watch, result, cancel, list."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.view.search import FINAL
from domain.errors import InvalidRequest

if TYPE_CHECKING:
    from cli.service import Service

POLL_S = 0.3
LONGEST_WAIT_S = 20


def submit(
    problem: options.Problem,
    strategy: options.Strategy = None,
    effort: options.Effort = None,
    n: options.N = None,
    param: options.Parameters = None,
    tokens: options.Tokens = None,
    flops: options.Flops = None,
    rollouts: options.Rollouts = None,
    seconds: options.Seconds = None,
    confidence: options.Confidence = None,
    webhook: Annotated[str | None, typer.Option(help="URL that is told when the job ends.")] = None,
    seed: options.Seed = None,
    priority: Annotated[int | None, typer.Option(help="Higher ones go first.")] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", "-m", help="name=value; repeatable.")] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the end and print the result.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Store a problem to be solved; prints the job's id."""
    from cli import request

    body: dict[str, Any] = {
        "problem": request.read_problem(problem),
        "strategy": request.strategy(strategy, n, param or [], effort),
        "effort": effort,
        "budget": request.budget(tokens, flops, rollouts, seconds),
        "confidence": request.confidence(confidence),
        "webhook_url": webhook,
        "seed": seed,
        "priority": priority,
        "metadata": dict(map(_pair, metadata or [])),
    }
    with _service(url) as service:
        job = service.submit({name: value for name, value in body.items() if value is not None})
        if wait:
            _print_job(_ended(service, job["id"]), as_json)
        elif as_json:
            _print_json(job)
        else:
            typer.echo(job["id"])


def watch(job_id: options.JobId, url: options.Url = None) -> None:
    """Show a job live until it ends, then its result."""
    from rich.console import Console
    from rich.live import Live

    from cli.view.live import end_live, picture, print_result
    from cli.view.search import SearchView

    console, view, after = Console(), SearchView(), -1
    with _service(url) as service:
        with Live(picture(view), console=console, refresh_per_second=8, transient=False) as live:
            while not view.over:
                page = service.trace(job_id, after)
                for event in page["data"]:
                    view.see(event)
                after = page["next_after"]
                live.update(picture(view))
                if not page["has_more"] and not view.over:
                    time.sleep(POLL_S)
        end_live(console)
        print_result(console, service.job(job_id))


def result(
    job_id: options.JobId,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until the job has ended.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Print a job's answer, its certainty, why it stopped and what it cost."""
    with _service(url) as service:
        _print_job(_ended(service, job_id) if wait else service.job(job_id), as_json)


def cancel(job_id: options.JobId, as_json: options.AsJson = False, url: options.Url = None) -> None:
    """End a job; what was found until then is kept."""
    with _service(url) as service:
        job = service.cancel(job_id)
    if as_json:
        _print_json(job)
    elif job["status"] in FINAL:
        typer.echo(f"{job_id} is {job['status']}")
    else:
        typer.echo(f"{job_id} will stop soon")


def list_jobs(
    status: Annotated[str | None, typer.Option(help="queued, in_progress, completed, incomplete, failed …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """The newest jobs."""
    with _service(url) as service:
        page = service.page(status, limit)
    if as_json:
        _print_json(page)
        return
    for job in page["data"]:
        answer = "–" if job["answer"] is None else " ".join(job["answer"].split())[:40]
        typer.echo(f"{job['id']}  {job['status']:<11}  {job['strategy']['name']:<16}  {answer}")


def _service(url: str | None) -> Service:
    from cli.service import Service, find

    return Service(find(url))


def _ended(service: Service, job_id: str) -> dict[str, Any]:
    job = service.job(job_id, LONGEST_WAIT_S)
    while job["status"] not in FINAL:
        job = service.job(job_id, LONGEST_WAIT_S)
    return job


def _print_job(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(job)
        return
    from rich.console import Console

    from cli.view.live import print_result

    print_result(Console(), job)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name:
        raise InvalidRequest(f"{item!r} is no metadata: write -m name=value", param="metadata")
    return name, value
