"""How fast the policy engine is: tokens/s of 64 problems × 16 rollouts, beside what else can run the same model.

    python -m evaluation.engine [--quick]

One thread each, in one process, in turn, several rounds; medians. Peers: transformers' `generate` and its continuous
batching, and llama.cpp (extra `peers`), each at the best of several batch sizes. All draw at temperature 1 until the
model ends; a token counts when it was drawn for a rollout that had not ended.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.ports import Completion, SampleRequest
from domain.settings import from_environment
from evaluation.report import finish, say
from inference.engines.paths import VARIABLE

PROBLEMS = Path(__file__).resolve().parent.parent / "examples" / "problems.jsonl"
MAX_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Work:
    problems: tuple[str, ...]
    rollouts: int
    rounds: int
    sizes: tuple[int, ...]
    """Batch sizes that peers may choose from."""


Runner = Callable[[int], int]
"""Runs all rollouts with the seeds of a round; gives the number of tokens drawn."""


def engine_runner(policy: str, path: str, work: Work, rows: int | None = None) -> Runner:
    from inference.engines.factory import load_policy

    os.environ[VARIABLE] = path
    engine = load_policy(policy, threads=1, device="cpu", rows=rows)

    def run(round_number: int) -> int:
        for at, problem in enumerate(work.problems):
            for rollout in range(work.rollouts):
                seed = (round_number * len(work.problems) + at) * work.rollouts + rollout
                engine.add(SampleRequest(f"{at}-{rollout}", problem, "", seed, MAX_TOKENS))
        results: list[Any] = []
        while engine.pending:
            results += engine.step()
        failed = [result for result in results if not isinstance(result, Completion)]
        if failed:
            raise SystemExit(f"{len(failed)} rollouts failed: {failed[0]}")
        return sum(result.cost.generated_tokens for result in results)

    return run


def contestants(policy: str, work: Work) -> dict[str, Runner | str]:
    """By name; a text says why a peer does not take part."""
    from evaluation.llama_cpp_peer import llama_cpp_runners
    from evaluation.transformers_peers import continuous_runners, generate_runners

    field: dict[str, Runner | str] = {
        "deliberate": engine_runner(policy, "auto", work),
        "deliberate, 128 rows": engine_runner(policy, "auto", work, rows=128),
        "deliberate, plain path": engine_runner(policy, "plain", work),
    }
    return field | generate_runners(policy, work) | continuous_runners(policy, work) | llama_cpp_runners(policy, work)


def measured(field: dict[str, Runner | str], rounds: int) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Tokens/s of each contestant by round, and why others have none."""
    rates: dict[str, list[float]] = {}
    absent = {name: runner for name, runner in field.items() if isinstance(runner, str)}
    for round_number in range(rounds):
        for name, runner in field.items():
            if isinstance(runner, str) or name in absent:
                continue
            try:
                started = time.perf_counter()
                tokens = runner(round_number)
                rate = tokens / (time.perf_counter() - started)
            except (RuntimeError, ValueError, NotImplementedError) as error:
                absent[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
                continue
            rates.setdefault(name, []).append(rate)
            say(f"round {round_number + 1}: {name}: {rate:,.0f} tokens/s ({tokens:,} tokens)")
    return rates, absent


def summary(rates: dict[str, list[float]], absent: dict[str, str]) -> dict[str, Any]:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ours = medians["deliberate"]
    generate = _best(medians, "generate")
    continuous = _best(medians, "continuous batching")
    llama = _best(medians, "llama.cpp")
    best = max((rate for rate in (generate, continuous) if rate is not None), default=None)
    return {
        "tokens_per_s": ours,
        "ratio_best_transformers": ours / best if best else None,
        "ratio_generate": ours / generate if generate else None,
        "ratio_continuous_batching": ours / continuous if continuous else None,
        "ratio_llama_cpp": ours / llama if llama else None,
        "ratio_plain_path": ours / medians["deliberate, plain path"],
        "all_tokens_per_s": medians,
        "absent": absent,
    }


def _best(medians: dict[str, float], kind: str) -> float | None:
    return max((rate for name, rate in medians.items() if name.startswith(kind)), default=None)


def table(rates: dict[str, list[float]], absent: dict[str, str]) -> str:
    lines = ["| engine | tokens/s (median) | lowest | highest |", "|---|---|---|---|"]
    for name, values in sorted(rates.items(), key=lambda item: -statistics.median(item[1])):
        lines.append(f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} | {max(values):,.0f} |")
    return "\n".join([*lines, *(f"| {name} | – ({why}) | | |" for name, why in absent.items())])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evaluation.engine", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer problems, sizes and rounds")
    quick = parser.parse_args().quick
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.disable(logging.WARNING)
    problems = [json.loads(line)["problem"] for line in PROBLEMS.read_text().splitlines()]
    count = 16 if quick else 64
    spread = [problems[index * len(problems) // count] for index in range(count)]
    work = Work(tuple(spread), 16, 2 if quick else 3, (64, 256) if quick else (32, 64, 128, 256))
    policy = from_environment(os.environ).policy
    rates, absent = measured(contestants(policy, work), work.rounds)
    command = "python -m evaluation.engine" + (" --quick" if quick else "")
    finish("engine", command, summary(rates, absent), table(rates, absent), full=not quick)


if __name__ == "__main__":
    main()
