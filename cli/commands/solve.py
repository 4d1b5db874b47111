"""`deliberate solve`: one search in this process, with a live tree; no server, no database."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.view.search import SearchView
    from domain.events import JobStopped, JobSubmitted

REFRESH_PER_S = 8


def solve(
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
    seed: options.Seed = None,
    policy: Annotated[str | None, typer.Option(help="Model folder or id, instead of DELIBERATE_POLICY.")] = None,
    verifier: Annotated[str | None, typer.Option(help="Folder or id, or `none`; for DELIBERATE_VERIFIER.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Solve one problem here and now and show the search while it runs."""
    from cli import request
    from domain.budget import parse_budget
    from domain.effort import parse_search
    from domain.events import JobSubmitted
    from domain.problem import parse_problem
    from domain.settings import from_environment

    submitted = JobSubmitted(
        problem=parse_problem(request.read_problem(problem)),
        strategy=parse_search(request.strategy(strategy, n, param or [], effort), effort),
        budget=parse_budget(request.budget(tokens, flops, rollouts, seconds)),
        confidence=request.confidence(confidence),
        seed=secrets.randbits(63) if seed is None else seed,
    )
    settings = from_environment(os.environ)
    asyncio.run(_solve(submitted, policy or settings.policy, verifier or settings.verifier, as_json))


async def _solve(submitted: JobSubmitted, policy: str, verifier: str, as_json: bool) -> None:
    from rich.console import Console

    from inference.answers.equivalence import SymbolicEquivalence
    from orchestrator.calibration import calibration_for
    from orchestrator.engines import Engines

    console = Console(stderr=as_json)
    with console.status("loading the models"):
        writer, reader = await asyncio.gather(_load_policy(policy), _load_verifier(verifier))
    equivalence, began = SymbolicEquivalence(), time.monotonic()
    try:
        calibration = calibration_for(policy, writer.info.id, None if reader is None else reader.info.id)
        stopped = await _search(submitted, Engines(writer, reader, equivalence, calibration), console)
    finally:
        await equivalence.close()
        writer.close()
        if reader is not None:
            reader.close()
    _show(stopped, time.monotonic() - began, console, as_json)


async def _search(submitted: JobSubmitted, engines: Any, console: Any) -> JobStopped:
    from rich.live import Live

    from cli.view.live import end_live, picture
    from cli.view.search import SearchView
    from domain.codec import encode
    from orchestrator.local import solve as search

    view = SearchView()
    with Live(picture(view), console=console, auto_refresh=False) as live:
        refreshing = asyncio.create_task(_refresh(view, live))
        try:
            stopped, _ = await search(submitted, engines, lambda event, _: view.see(encode(event)))
        finally:
            refreshing.cancel()
            live.update(picture(view), refresh=True)
    end_live(console)
    return stopped


async def _refresh(view: SearchView, live: Any) -> None:
    from cli.view.live import picture

    while True:
        live.update(picture(view), refresh=True)
        await asyncio.sleep(1 / REFRESH_PER_S)


async def _load_policy(spec: str) -> Any:
    from inference.local import LocalPolicy

    return await asyncio.to_thread(LocalPolicy.open, spec, threads=1)


async def _load_verifier(spec: str) -> Any:
    from domain.settings import NO_VERIFIER

    if spec == NO_VERIFIER:
        return None
    from inference.local import LocalVerifier

    return await asyncio.to_thread(LocalVerifier.open, spec, threads=1)


def _show(stopped: JobStopped, seconds: float, console: Any, as_json: bool) -> None:
    import json

    from cli.view.live import print_result
    from domain.codec import encode

    if as_json:
        typer.echo(json.dumps(encode(stopped), indent=2, ensure_ascii=False))
        return
    verdict, spend = stopped.verdict, stopped.spend
    job = {
        "status": stopped.status.value,
        "answer": verdict.answer,
        "confidence": verdict.confidence,
        "confidence_kind": verdict.confidence_kind.value,
        "stop_reason": stopped.reason.value,
        "why": verdict.why,
        "usage": encode(spend) | {"seconds": seconds},
        "error": None if stopped.message is None else {"message": stopped.message},
    }
    print_result(console, job)
