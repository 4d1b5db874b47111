"""What orchestrating costs: CPU time of a move at 64 moves a job, and the size of a tree of 1,000 nodes.

    python -m evaluation.decisions [--quick]

Each strategy runs through the service's own loop (ask, reserve, dispatch, settle, tell, verdict, stop) on engines that
answer at once, and each event is encoded as it is stored. A confidence that is never reached is asked for, so that the
verdict is looked at after each outcome, as in the dearest jobs. `cpu_ms_per_move` is the process's CPU time by move of
the worst strategy (the median of several rounds); `bytes_1000_nodes` is the pickled state plus the stored events of the
largest tree.
"""

from __future__ import annotations

import argparse
import asyncio
import pickle
import statistics
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any

from domain.budget import Budget, Spend
from domain.calibration import Calibration
from domain.events import Event, JobSubmitted, MoveSettled, MovesIssued
from domain.problem import text_problem
from domain.recipe import SPECS, StrategySpec
from domain.settings import MODELS
from evaluation.instant import InstantPolicy, InstantVerifier
from evaluation.report import finish, say
from orchestrator.calibration import FILE, read_calibration
from orchestrator.engines import Engines
from orchestrator.local import solve
from search.replay import fold
from storage.json_text import json_text

MOVES = 64
NODES = 1000
NEVER = 1.0
"""A confidence that no search reaches: agreement is shrunk, and a fitted one stays below it."""
LARGEST = 256
PROBLEM = "Compute $17 \\cdot 23 + 5 \\cdot (41 - 12)$, and give the remainder of the result modulo $13$."
LIMIT_MS, LIMIT_BYTES = 1.0, 2_000_000
FLAT = frozenset({"self_consistency", "adaptive_voting"})
"""They have no tree: their solutions stand side by side and nothing is scored."""


async def run_job(
    spec: StrategySpec, seed: int, budget: Budget, confidence: float | None, *, fitted: bool = True
) -> list[Event]:
    """One job; each of its events is encoded as the store does it, and is then forgotten."""

    def stored(event: Event, _: Spend) -> None:
        json_text(event)

    submitted = JobSubmitted(text_problem(PROBLEM), spec, budget, confidence, seed)
    engines = Engines(InstantPolicy(), InstantVerifier(), calibration=_calibration() if fitted else None)
    _, events = await solve(submitted, engines, stored, f"job-{seed}")
    return events


@cache
def _calibration() -> Calibration | None:
    """The shipped one, whatever it was fitted for: reading it is part of a decision's cost."""
    path = MODELS / "policy" / FILE
    return read_calibration(path) if path.is_file() else None


def moves_in(events: Sequence[Event]) -> int:
    return sum(isinstance(event, MoveSettled) for event in events)


def sized(spec: StrategySpec, n: int) -> StrategySpec:
    """The strategy with `n` solutions; beams keep at most that many."""
    changes: dict[str, Any] = {"n": n}
    if spec.name == "adaptive":
        changes |= {"price": 0.0, "confidence": NEVER}  # else it would stop while it is still cheap
    if spec.name == "adaptive_voting":
        changes |= {"rule": "margin", "margin": LARGEST}
    return replace(spec, **changes)


def job_of(spec: StrategySpec, moves: int) -> StrategySpec:
    """The strategy at the least n with which a job makes at least this many moves."""

    def made(n: int) -> int:
        return moves_in(asyncio.run(run_job(sized(spec, n), 1, Budget(), NEVER)))

    return sized(spec, bisect_left(range(LARGEST), moves, lo=1, key=made))


def cpu_ms(spec: StrategySpec, jobs: int, rounds: int) -> tuple[float, float]:
    """CPU milliseconds by move (median over the rounds), and moves by job."""

    async def round_of(first: int) -> tuple[float, int]:
        began = time.process_time()
        moves = [moves_in(await run_job(spec, first + at, Budget(), NEVER)) for at in range(jobs)]
        return time.process_time() - began, sum(moves)

    found = [asyncio.run(round_of(number * jobs)) for number in range(rounds)]
    return statistics.median(1000 * seconds / moves for seconds, moves in found), found[0][1] / jobs


def tree_bytes(spec: StrategySpec, nodes: int) -> dict[str, int]:
    """The size of a search's state and of its stored events when its tree has about this many nodes."""
    large = sized(spec, _roomy(spec, nodes))
    # The fitted choices of compute-optimal search are smaller than any tree of interest.
    events = asyncio.run(run_job(large, 1, Budget(rollouts=nodes), None, fitted=spec.name != "compute_optimal"))
    issued = {move.node for event in events if isinstance(event, MovesIssued) for move in event.moves}
    state = len(pickle.dumps(fold(events).state, protocol=pickle.HIGHEST_PROTOCOL))
    stored = sum(len(json_text(event)) for event in events)
    return {"nodes": len(issued), "state": state, "events": stored, "bytes": state + stored}


def _roomy(spec: StrategySpec, nodes: int) -> int:
    """Enough solutions that the rollouts end the search, and few enough of those that grow by steps to go deep."""
    stepwise = any(item.name == "max_steps" for item in fields(spec))
    return nodes // 4 if stepwise else nodes


def measured(rounds: int, jobs: int, nodes: int, moves_by_job: int = MOVES) -> dict[str, Any]:
    strategies: dict[str, dict[str, float]] = {}
    for name, kind in SPECS.items():
        cpu, moves = cpu_ms(job_of(kind(), moves_by_job), jobs, rounds)
        strategies[name] = {"cpu_ms_per_move": round(cpu, 4), "moves": moves}
        if name not in FLAT:
            strategies[name] |= tree_bytes(kind(), nodes)
        say(f"{name}: {strategies[name]}")
    slowest = max(strategies, key=lambda name: strategies[name]["cpu_ms_per_move"])
    largest = max((name for name in strategies if name not in FLAT), key=lambda name: strategies[name]["bytes"])
    return {
        "cpu_ms_per_move": strategies[slowest]["cpu_ms_per_move"],
        "slowest": slowest,
        "bytes_1000_nodes": strategies[largest]["bytes"],
        "largest": largest,
        "within_limits": bool(
            strategies[slowest]["cpu_ms_per_move"] <= LIMIT_MS and strategies[largest]["bytes"] <= LIMIT_BYTES
        ),
        "strategies": strategies,
    }


def table(result: dict[str, Any]) -> str:
    lines = [
        "| strategy | CPU ms by move | moves by job | nodes | state, kB | stored events, kB | together, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in sorted(result["strategies"].items(), key=lambda item: -item[1]["cpu_ms_per_move"]):
        sizes = "| – | – | – | – |"
        if "bytes" in row:
            sizes = (
                f"| {row['nodes']} | {row['state'] / 1e3:.0f} | {row['events'] / 1e3:.0f} | {row['bytes'] / 1e6:.2f} |"
            )
        lines.append(f"| {name} | {row['cpu_ms_per_move']:.3f} | {row['moves']:.0f} {sizes}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evaluation.decisions", description="What orchestrating costs.")
    parser.add_argument("--quick", action="store_true", help="fewer jobs and rounds; nothing is written")
    quick = parser.parse_args().quick
    result = measured(rounds=3 if quick else 9, jobs=4 if quick else 16, nodes=NODES)
    finish("decisions", "python -m evaluation.decisions", result, table(result), full=not quick)


if __name__ == "__main__":
    main()
