"""`deliberate replay`: what would this policy have cost and scored, on solutions that were sampled before?"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from evaluation.counterfactual import Policy
    from inference.engines.recording import Recording

MOST_SEEDS = 1000


def replay(
    source: Annotated[Path | None, typer.Option(help="JSONL of recorded samples, or a folder of such files.")] = None,
    job: Annotated[list[str] | None, typer.Option(help="A job of ours, from Postgres; repeatable.")] = None,
    metadata: Annotated[str | None, typer.Option("--metadata", "-m", help="All jobs with this name=value.")] = None,
    problems: Annotated[Path | None, typer.Option(help="JSONL with the jobs' gold answers {problem, answer}.")] = None,
    strategy: options.OneStrategy = "adaptive_voting",
    n: options.N = None,
    param: options.Parameters = None,
    tokens: options.Tokens = None,
    rollouts: options.Rollouts = None,
    confidence: options.Confidence = None,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Orders in which samples are dealt.")] = 3,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many problems.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the recorded samples here as JSONL, and stop.")] = None,
) -> None:
    """Replay a strategy on recorded samples, without any model; the last line is JSON."""
    from cli import request
    from domain.budget import parse_budget
    from domain.recipe import parse_strategy
    from evaluation.counterfactual import Policy, whole_solutions

    parameters = param or []
    spec = parse_strategy(request.strategy(strategy, n, parameters))
    recordings = _recordings(source, job or [], metadata, problems)[:limit]
    if export is not None:
        _export(recordings, export)
        return
    if not any(item.partition("=")[0].strip() == "max_tokens" for item in parameters):
        spec = whole_solutions(spec, recordings)
    budget = parse_budget(request.budget(tokens, None, rollouts, None))
    policy = Policy(spec, request.confidence(confidence), budget)
    result = asyncio.run(_replayed(recordings, policy, range(seeds)))
    typer.echo(json.dumps(result))


def _recordings(
    source: Path | None, jobs: Sequence[str], metadata: str | None, problems: Path | None
) -> list[Recording]:
    from domain.errors import InvalidRequest

    if source is not None and not jobs and metadata is None:
        from evaluation.recorded.readers import read_source

        return read_source(source)
    if source is None and (jobs or metadata is not None):
        return asyncio.run(_from_postgres(jobs, metadata, problems))
    raise InvalidRequest("say what to replay: either --source FILE_OR_FOLDER, or --job ID or --metadata name=value")


async def _from_postgres(jobs: Sequence[str], metadata: str | None, problems: Path | None) -> list[Recording]:
    from domain.settings import from_environment
    from evaluation.recorded.traces import find_recordings, read_golds
    from storage.database import Database

    golds = {} if problems is None else read_golds(problems)
    database = Database.open(_database_url(from_environment(os.environ)), pool_size=1)
    try:
        return await find_recordings(database, jobs, metadata, golds)
    finally:
        await database.close()


def _database_url(settings: Any) -> str:
    """The setting's, or that of the stack that runs in this DELIBERATE_HOME. Raises ConfigurationError."""
    from cli.stack.postgres import EmbeddedPostgres
    from cli.stack.record import Record
    from domain.errors import ConfigurationError

    if settings.database_url is not None:
        return str(settings.database_url)
    running = Record(settings.home).read()
    if running is None or not running.runtime:
        raise ConfigurationError(
            f"no stack runs in {settings.home}: start it with `deliberate up`, or set DELIBERATE_DATABASE_URL"
        )
    return EmbeddedPostgres(settings.home, Path(running.runtime)).url


def _export(recordings: Sequence[Recording], path: Path) -> None:
    from domain.errors import InvalidRequest
    from evaluation.recorded.traces import exported

    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(exported(recording)) + "\n" for recording in recordings)
    except FileExistsError:
        raise InvalidRequest(f"{path} is there already: choose another name, or remove it", param="export") from None
    except OSError as error:
        raise InvalidRequest(f"{path} can't be written ({type(error).__name__})", param="export") from None
    typer.echo(f"{len(recordings)} problems in {path}")


async def _replayed(recordings: Sequence[Recording], policy: Policy, seeds: Sequence[int]) -> dict[str, Any]:
    from evaluation.counterfactual import Replayer, summary
    from inference.answers.equivalence import SymbolicEquivalence
    from inference.answers.grade import Grader

    equivalence = SymbolicEquivalence()
    replayer = Replayer(Grader(equivalence), equivalence)
    try:
        played = await replayer.play(recordings, policy, seeds, _progress("replaying"))
        votes = await replayer.majority(recordings, seeds, _progress("voting with all samples"))
        single = await replayer.single_sample_accuracy(recordings)
    finally:
        await equivalence.close()
    result = summary(played, recordings)
    _warn(result)
    return result | {"pass1": single, "majority_all": summary(votes, recordings)["accuracy"], "seeds": len(seeds)}


def _progress(what: str) -> Callable[[int, int], None]:
    """A line on a terminal; nothing elsewhere."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{what}: {done} of {total} searches" + ("\n" if done == total else ""))
            sys.stderr.flush()

    return show


def _warn(result: dict[str, Any]) -> None:
    """What a reader of the numbers must know."""
    searches = result["searches"]
    if result["exhausted"]:
        sys.stderr.write(f"{result['exhausted']} of {searches} searches asked for more samples than are recorded\n")
    if result["graded"] < searches:
        sys.stderr.write(f"{searches - result['graded']} of {searches} searches can't be graded: no gold answer\n")
    if result["tokens_known"] < 1:
        sys.stderr.write(f"{result['tokens_known']:.0%} of the samples say how many tokens they have\n")
