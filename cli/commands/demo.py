"""`deliberate demo`: a stack of its own in a temporary folder solves the example problems by two strategies."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cli.service import Service
    from cli.showcase.problems import Example
    from cli.showcase.receiver import Receiver
    from cli.showcase.tables import Solved
    from cli.stack.background import BackgroundStack
    from domain.settings import Settings

FAILED = 1
POLL_S = 0.25
WIDTH = 132
WEBHOOK_WITHIN_S = 20.0
RAN = ("completed", "incomplete")


def demo(
    problems: Annotated[Path | None, typer.Option(help="JSON lines with problem, answer, level.")] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=256, help="Solutions to sample for each problem.")] = 16,
    within: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 600.0,
) -> None:
    """Start everything in a temporary folder, solve the example problems, show a table, and stop everything."""
    from rich.console import Console

    from cli.showcase.problems import EXAMPLES, read_examples
    from domain.settings import from_environment

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    examples = read_examples(problems or EXAMPLES)
    given = from_environment(os.environ)
    home = Path(tempfile.mkdtemp(prefix="deliberate-demo-"))
    settings = replace(given, home=home, port=0, webhook_allowed_networks=(ip_network("127.0.0.0/8"),))
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        good = _show(console, settings, examples, n, within)
    except KeyboardInterrupt:
        # After an error it is kept, since the message names a log in it.
        shutil.rmtree(home, ignore_errors=True)
        raise
    console.print(f"everything is stopped; the demo took {time.monotonic() - began:.0f} s")
    if not good:
        console.print(f"the logs are in {home / 'logs'}")
        raise typer.Exit(FAILED)
    shutil.rmtree(home, ignore_errors=True)


def _show(console: Console, settings: Settings, examples: list[Example], n: int, within_s: float) -> bool:
    from cli.service import Place, Service
    from cli.showcase.receiver import Receiver
    from cli.stack.background import BackgroundStack

    stack, began = BackgroundStack(settings), time.monotonic()
    try:
        with console.status("starting Postgres, Redis, Ray, the API, the workers and the engines"):
            stack.start()
            stack.wait_ready()
        console.print(f"the stack was ready after {time.monotonic() - began:.1f} s at {stack.url}")
        with Receiver() as receiver, Service(Place(stack.url, stack.api_key)) as service:
            solved = _solve(console, service, examples, n, receiver.url, within_s)
            return _report(console, stack, receiver, solved)
    finally:
        stack.stop()


def _solve(
    console: Console, service: Service, examples: list[Example], n: int, webhook: str, within_s: float
) -> list[Solved]:
    """Submit all, wait for all; the last one tells its end to `webhook`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from cli.showcase.tables import Solved
    from domain.specs.parallel import BestOfN, SelfConsistency

    wanted = [(name, example) for example in examples for name in (BestOfN.name, SelfConsistency.name)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{len(examples)} problems, two strategies", total=len(wanted))
        ids: list[str] = []
        for index, (name, example) in enumerate(wanted):
            body: dict[str, Any] = {"problem": example.problem, "strategy": {"name": name, "n": n}, "seed": index}
            if index == len(wanted) - 1:
                body["webhook_url"] = webhook
            ids.append(service.submit(body)["id"])
        ended = _wait(service, ids, within_s, lambda count: progress.update(bar, completed=count))
    return [Solved(example, name, ended[one]) for (name, example), one in zip(wanted, ids, strict=True)]


def _wait(service: Service, ids: list[str], within_s: float, show: Any) -> dict[str, dict[str, Any]]:
    """The jobs as they ended. Raises Unavailable when they have not all ended in time."""
    from cli.view.search import FINAL
    from domain.errors import Unavailable

    deadline, ended = time.monotonic() + within_s, dict[str, dict[str, Any]]()
    while len(ended) < len(ids):
        ended |= {job["id"]: job for job in service.all_jobs() if job["status"] in FINAL}
        show(len(ended))
        if time.monotonic() > deadline:
            raise Unavailable(f"{len(ids) - len(ended)} of {len(ids)} jobs did not end within {within_s:g} s")
        time.sleep(POLL_S)
    return ended


def _report(console: Console, stack: BackgroundStack, receiver: Receiver, solved: list[Solved]) -> bool:
    from cli.showcase.tables import job_table, totals_table

    console.print(job_table(solved))
    console.print(totals_table(solved))
    failed = [one for one in solved if one.job["status"] not in RAN]
    delivery = receiver.verified(stack.webhook_secret, WEBHOOK_WITHIN_S)
    if delivery is None:
        console.print("[red]no webhook with a right signature arrived[/]")
    else:
        console.print(f"webhook {delivery} arrived on loopback and its signature was verified")
    if failed:
        console.print(f"[red]{len(failed)} jobs failed: {failed[0].job['error']}[/]")
    return delivery is not None and not failed
