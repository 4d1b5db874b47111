"""What the service costs: tokens/s of 64 concurrent jobs through all of it ÷ tokens/s of the engine alone.

    python -m evaluation.overhead [--quick]

Both run the same rollouts (same problems, seeds and parameters) on the same number of one-thread engines, in turn and
several times in one run; the ratio is the median of the pairs. The CPU seconds of each process say where the rest goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from domain.budget import Budget
from domain.codec import encode
from domain.events import JobSubmitted
from domain.moves import Sample
from domain.ports import SampleRequest
from domain.problem import text_problem
from domain.recipe import spec_to_json
from domain.settings import from_environment
from domain.specs.parallel import SelfConsistency
from evaluation.report import finish, say
from evaluation.stack import RunningStack, running_stack
from search.replay import begin

JOBS = 64
PROBLEMS = Path(__file__).resolve().parent.parent / "examples" / "problems.jsonl"


@dataclass(frozen=True, slots=True)
class Measured:
    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def jobs(rollouts: int, round_number: int) -> list[JobSubmitted]:
    """64 jobs over the example problems; other seeds in each round, so that nothing can be remembered."""
    problems = [json.loads(line)["problem"] for line in PROBLEMS.read_text().splitlines()]
    spec = SelfConsistency(n=rollouts, max_tokens=256)
    return [
        JobSubmitted(text_problem(problems[index % len(problems)]), spec, Budget(), None, 1000 * round_number + index)
        for index in range(JOBS)
    ]


async def through_the_service(stack: RunningStack, submitted: list[JobSubmitted]) -> Measured:
    """Submit all at once, wait for all; from the first creation to the last end, by the database's clock."""
    async with stack.client() as client:

        async def one(job: JobSubmitted) -> dict[str, Any]:
            body = {"problem": job.problem.text, "strategy": spec_to_json(job.strategy), "seed": job.seed}
            created = await client.post("/v1/reasoning/jobs", json=body)
            created.raise_for_status()
            url, state = created.json()["status_url"], created.json()
            while state["status"] in ("queued", "in_progress"):
                state = (await client.get(url, headers={"Prefer": "wait=60"})).json()
            return state

        ended = await asyncio.gather(*map(one, submitted))
    wrong = [state["status"] for state in ended if state["status"] != "completed"]
    if wrong:
        raise SystemExit(f"{len(wrong)} jobs did not complete: {Counter(wrong)}")
    seconds = max(map(_ended_at, ended)) - min(_time(state["created_at"]) for state in ended)
    return Measured(sum(state["usage"]["generated_tokens"] for state in ended), seconds)


def _ended_at(state: dict[str, Any]) -> float:
    return _time(state["ended_at"])


def _time(value: str | float) -> float:
    return float(value) if isinstance(value, int | float) else datetime.fromisoformat(value).timestamp()


def engine_alone(policy: str, submitted: list[JobSubmitted], engines: int) -> Measured:
    """The same rollouts, dealt out over as many engine processes as the service has replicas."""
    lines = [json.dumps(encode(request)) for job in submitted for request in rollouts_of(job)]
    command = [sys.executable, "-m", "evaluation.engine_alone", policy]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(engines)
    ]
    for index, process in enumerate(processes):
        assert process.stdin is not None
        process.stdin.write("\n".join(lines[index::engines]))
        process.stdin.close()
    results = [json.loads(_last_line(process)) for process in processes]
    return Measured(sum(one["tokens"] for one in results), max(one["seconds"] for one in results))


def _last_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    if process.wait() != 0 or not lines:
        raise SystemExit("the engine failed; see its message above")
    return lines[-1]


def rollouts_of(job: JobSubmitted) -> list[SampleRequest]:
    """What the job's strategy asks: the same moves that the orchestrator dispatches."""
    _, moves = begin(job).ask(10_000)
    return [
        SampleRequest(
            f"{job.seed}-{move.id}", job.problem.text, move.prefix, move.seed, move.max_tokens, move.stop,
            move.temperature, move.top_p,
        )
        for move in moves
        if isinstance(move, Sample)
    ]  # fmt: skip


def cpu_seconds(stack: RunningStack) -> Counter[str]:
    """CPU used so far by each kind of process of the stack."""
    used: Counter[str] = Counter()
    for process in [stack.process, *stack.process.children(recursive=True)]:
        try:
            times = process.cpu_times()
            used[kind_of(process.cmdline())] += times.user + times.system
        except psutil.Error:
            continue
    return used


def kind_of(command: list[str]) -> str:
    line = " ".join(command)
    patterns = {
        "ray::EngineActor": "engine actors",
        "api.app": "api",
        "workers.control": "control",
        "workers.orchestrator": "orchestrator",
        "workers.gpu": "engines' keeper",
        "postgres": "postgres",
        "redis": "redis",
        "cli.main": "supervisor",
        "ray": "ray itself",
    }
    return next((name for pattern, name in patterns.items() if pattern in line), "other")


def measure(rounds: int, rollouts: int, engines: int) -> dict[str, Any]:
    policy = from_environment(os.environ).policy
    pairs: list[tuple[Measured, Measured]] = []
    cpu: Counter[str] = Counter()
    with running_stack({"DELIBERATE_POLICY": policy, "DELIBERATE_POLICY_REPLICAS": str(engines)}) as stack:
        say("warming up")
        asyncio.run(through_the_service(stack, jobs(2, 999)))
        for number in range(rounds):
            submitted = jobs(rollouts, number)
            before = cpu_seconds(stack)
            service = asyncio.run(through_the_service(stack, submitted))
            cpu += cpu_seconds(stack) - before
            alone = engine_alone(policy, submitted, engines)
            pairs.append((service, alone))
            say(f"round {number + 1}/{rounds}: service {service.rate:.0f}, alone {alone.rate:.0f} tokens/s")
    return _summary(pairs, cpu, rollouts, engines)


def _summary(pairs: list[tuple[Measured, Measured]], cpu: Counter[str], rollouts: int, engines: int) -> dict[str, Any]:
    ratios = [service.rate / alone.rate for service, alone in pairs]
    wall = sum(service.seconds for service, _ in pairs)
    return {
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "service_tokens_per_s": round(statistics.median(service.rate for service, _ in pairs)),
        "engine_tokens_per_s": round(statistics.median(alone.rate for _, alone in pairs)),
        "same_tokens": all(service.tokens == alone.tokens for service, alone in pairs),
        "tokens": [service.tokens for service, _ in pairs],
        "jobs": JOBS,
        "rollouts_per_job": rollouts,
        "engines": engines,
        "cores": os.cpu_count(),
        "cpu_s_per_s": {name: round(seconds / wall, 3) for name, seconds in cpu.most_common()},
    }


def table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['jobs']} concurrent jobs × {result['rollouts_per_job']} rollouts, {result['engines']} engine(s), "
        f"{result['cores']} cores.",
        "",
        "| | tokens/s (median) |",
        "|---|---|",
        f"| through the service | {result['service_tokens_per_s']} |",
        f"| engine alone | {result['engine_tokens_per_s']} |",
        f"| **ratio** (median of {len(result['ratios'])} pairs: {result['ratios']}) | **{result['ratio']}** |",
        "",
        "Where the cores go while the service runs (CPU seconds per second):",
        "",
        "| process | cores |",
        "|---|---|",
        *(f"| {name} | {share} |" for name, share in result["cpu_s_per_s"].items()),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short pair, nothing written to docs/results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rollouts", type=int, default=32)
    arguments = parser.parse_args()
    rounds, rollouts = (1, 12) if arguments.quick else (arguments.rounds, arguments.rollouts)
    engines = max(1, (os.cpu_count() or 1) - 1)
    result = measure(rounds, rollouts, engines)
    finish("overhead", "python -m evaluation.overhead", result, table(result), full=not arguments.quick)


if __name__ == "__main__":
    main()
