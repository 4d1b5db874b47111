"""Runs whole searches on the problems of graded traces, for `deliberate calibrate --runs`.

    python -m evaluation.calibration_runs --traces FILE --out FILE --strategy '{"name": "beam", "n": 4}' … [--limit N]

Plain sampling needs no runs; searches over steps and revisions do, before a fit can choose them. The output is appended
to, and what is there already is not run again. The last line on stdout is JSON with each strategy's accuracy and cost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domain.budget import Budget
from domain.codec import encode
from domain.events import JobSubmitted, MoveSettled
from domain.moves import Sampled
from domain.problem import text_problem
from domain.recipe import StrategySpec, parse_strategy, spec_to_json
from domain.settings import from_environment
from domain.specs.parallel import SelfConsistency
from evaluation.report import say
from search.replay import fold
from search.stages import Stage, stage_solutions
from search.tree import Node, ScoreStatus

SIZING = 20
"""Problems on which the mean cost of a plain sample is measured."""
AT_ONCE = 16


async def run_all(
    lines: Sequence[dict[str, Any]], specs: Sequence[StrategySpec], engines: Any, grader: Any, out: Path, seed: int
) -> None:
    """Appends a line for each problem and strategy that is not there yet."""
    done = {(row["problem_id"], json.dumps(row["strategy"])) for row in _rows(out)}
    sample_flops = await _sample_flops(lines[:SIZING], engines, seed)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(line: dict[str, Any], spec: StrategySpec) -> None:
        if (line["problem_id"], json.dumps(spec_to_json(spec))) in done:
            return
        async with gate:
            row = await _row(line, spec, engines, grader, seed)
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row | {"sample_flops": sample_flops}, ensure_ascii=False) + "\n")

    for number, spec in enumerate(specs, start=1):
        await asyncio.gather(*(one(line, spec) for line in lines))
        say(f"{number} of {len(specs)} strategies done: {spec.name}")


async def _row(line: dict[str, Any], spec: StrategySpec, engines: Any, grader: Any, seed: int) -> dict[str, Any]:
    from orchestrator.local import solve

    submitted = JobSubmitted(text_problem(line["question"]), spec, Budget(), None, seed)
    stopped, events = await solve(submitted, engines, job=f"{line['problem_id']}/{spec.name}")
    evidence = stopped.verdict.evidence
    solutions = stage_solutions(Stage(spec, fold(events).state, 0))
    return {
        "problem_id": line["problem_id"],
        "strategy": spec_to_json(spec),
        "seed": seed,
        "correct": await grader.grade(line["gold"], stopped.verdict.answer),
        "flops": stopped.spend.flops,
        "evidence": None if evidence is None else encode(evidence),
        "solutions": [await _solution(node, line["gold"], grader) for node in solutions],
    }


async def _solution(node: Node, gold: str, grader: Any) -> dict[str, Any]:
    """As graded traces have it. A finished solution without a score counts as cut: the search could not weigh it."""
    answer = node.answer if node.finished and node.scoring is ScoreStatus.SCORED else None
    return {
        "text": node.text,
        "answer": None if answer is None else answer.text,
        "finish": "length" if answer is None else "end",
        "correct": answer is not None and await grader.grade(gold, answer.text),
        "prm_step_scores": list(node.scores),
        "completion_tokens": node.tokens,
    }


async def _sample_flops(lines: Sequence[dict[str, Any]], engines: Any, seed: int) -> float:
    from orchestrator.local import solve

    costs = []
    for line in lines:
        submitted = JobSubmitted(text_problem(line["question"]), SelfConsistency(n=8), Budget(), None, seed)
        _, events = await solve(submitted, engines, job=f"{line['problem_id']}/size")
        found = [event.outcome for event in events if isinstance(event, MoveSettled)]
        costs += [outcome.cost.flops for outcome in found if isinstance(outcome, Sampled)]
    return sum(costs) / len(costs)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


async def _main(given: argparse.Namespace) -> None:
    from inference.answers.equivalence import SymbolicEquivalence
    from inference.answers.grade import Grader
    from inference.local import LocalPolicy, LocalVerifier
    from orchestrator.calibration import read_calibration
    from orchestrator.engines import Engines

    settings = from_environment(os.environ)
    specs = [parse_strategy(json.loads(text)) for text in given.strategy]
    lines = [row for path in given.traces for row in _rows(path)][: given.limit]
    equivalence = SymbolicEquivalence()
    policy, verifier = LocalPolicy.open(settings.policy), LocalVerifier.open(settings.verifier)
    calibration = None if given.calibration is None else read_calibration(given.calibration)
    engines = Engines(policy, verifier, equivalence, calibration)
    grader = Grader()
    try:
        await run_all(lines, specs, engines, grader, given.out, given.seed)
    finally:
        await grader.close()
        await equivalence.close()
        policy.close()
        verifier.close()
    print(json.dumps(_summary(_rows(given.out))))


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(json.dumps(row["strategy"]), []).append(row)
    return {
        name: {
            "accuracy": sum(row["correct"] for row in group) / len(group),
            "cost": sum(row["flops"] / row["sample_flops"] for row in group) / len(group),
            "n": len(group),
        }
        for name, group in groups.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Run searches on the problems of graded traces.")
    parser.add_argument("--traces", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strategy", action="append", required=True, help="JSON of a strategy; repeatable.")
    parser.add_argument("--calibration", type=Path, help="For strategies that decide by one; left out: none.")
    parser.add_argument("--limit", type=int, help="Only the first so many problems.")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
