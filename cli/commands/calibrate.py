"""`deliberate calibrate`: fit confidence, difficulty and the worth of actions from graded traces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from domain.calibration import Calibration


def calibrate(
    traces: Annotated[list[Path], typer.Option(help="Graded traces, one JSON object a problem; repeatable.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: calibration.json beside the policy.")
    ] = None,
    runs: Annotated[list[Path] | None, typer.Option(help="Graded runs of other strategies; repeatable.")] = None,
    score_cost: Annotated[
        float | None, typer.Option(help="Verifying a solution ÷ sampling one; left out: by the models' sizes.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="Model folder or id, instead of DELIBERATE_POLICY.")] = None,
    verifier: Annotated[str | None, typer.Option(help="Folder or id, or `none`; for DELIBERATE_VERIFIER.")] = None,
) -> None:
    """Refit everything that a search decides by; never give it problems that you will test on."""
    from domain.recipe import REVISING
    from domain.settings import from_environment
    from evaluation.calibration_fit.fit import fit
    from evaluation.calibration_fit.runs import read_runs
    from evaluation.calibration_fit.traces import read_traces, without_scores
    from orchestrator.calibration import FILE, calibration_text

    _check_cost(score_cost)
    problems, graded_runs = read_traces(traces), read_runs(runs or [])
    settings = from_environment(os.environ)
    chosen = policy or settings.policy
    revised = any(isinstance(run.strategy, REVISING) for run in graded_runs)
    ids, cost = _models(chosen, verifier or settings.verifier, revised=revised)
    if not ids[1]:
        problems = [without_scores(problem) for problem in problems]
    fitted = fit(
        problems,
        policy=ids[0],
        verifier=ids[1],
        score_cost=cost if score_cost is None else score_cost,
        runs=graded_runs,
    )
    target = out or Path(chosen) / FILE
    _write(target, calibration_text(fitted))
    typer.echo(_summary(fitted, target))


def _check_cost(score_cost: float | None) -> None:
    import math

    from domain.errors import InvalidRequest

    if score_cost is not None and not 0 <= score_cost < math.inf:
        raise InvalidRequest("score-cost must be a number of at least 0", param="score_cost")


def _models(policy: str, verifier: str, *, revised: bool) -> tuple[tuple[str, str], float]:
    """The checksums of both models, and the verifier's size over the policy's. A reviser counts where one was run."""
    from domain.calibration import checksum, solver_checksum
    from domain.settings import NO_VERIFIER
    from inference.engines.factory import load_policy
    from inference.verifiers.factory import load_verifier

    writer = load_policy(policy, threads=1).info
    name = (checksum if revised else solver_checksum)(writer.id)
    if verifier == NO_VERIFIER:
        return (name, ""), 1.0
    reader = load_verifier(verifier, threads=1).info
    return (name, checksum(reader.id)), round(reader.parameters / writer.parameters, 3)


def _write(target: Path, text: str) -> None:
    from domain.errors import ConfigurationError

    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        remedy = "name another file with --out"
        raise ConfigurationError(f"{target} can't be written ({type(error).__name__}): {remedy}") from None


def _summary(fitted: Calibration, target: Path) -> str:
    families = ", ".join(one.family for one in fitted.confidence)
    return f"{target}: fitted on {fitted.problems} problems; confidence of {families}; {len(fitted.choices)} choices"
