"""Whether what searches over steps are charged is what the engines read, and what keeping beginnings is worth.

    python -m evaluation.prefixes [--quick] [--strategy particles] [--n 16]

Searches on test problems run through the service's own loop, all at once, on the shipped models: once with engines that
keep what they read and wrote, once with engines that keep nothing, in turns. `policy_read_per_charged` and
`verifier_read_per_charged` compare the tokens that went through the models with those that the ledgers charged: at most
1.05, or more is evicted than the rule of charging allows for. `flops_ratio` is what is charged over what would be
charged if all was read; `cpu_ratio` compares the CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.budget import NO_COST, Budget, Spend
from domain.events import JobSubmitted
from domain.problem import text_problem
from domain.recipe import StrategySpec, parse_strategy
from domain.settings import MODELS
from evaluation.quality.problems import TEST, read_items
from evaluation.quality.record import ProblemItem
from evaluation.report import finish, say
from inference.checks import Head
from inference.engines.admission import Limits
from inference.engines.fast.engine import FastEngine
from inference.loading import load
from inference.local import LocalPolicy, LocalVerifier
from inference.verifiers.kept_likelihood import KeptLikelihoodVerifier
from inference.verifiers.step_likelihood import load_parts
from orchestrator.engines import Engines
from orchestrator.local import solve

LIMIT = 1.05
POLICY, VERIFIER = str(MODELS / "policy"), str(MODELS / "verifier")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of all searches."""

    spend: Spend
    policy_read: int
    verifier_read: int
    cpu_s: float


async def measure(spec: StrategySpec, items: Sequence[ProblemItem], kept_tokens: int | None) -> Measured:
    """`kept_tokens` 0: nothing is kept."""
    model = load(POLICY, Head.CAUSAL_LM, threads=1, device="cpu")
    policy = FastEngine(model, POLICY, Limits(), kept_tokens=kept_tokens)
    loaded, head = load_parts(VERIFIER, threads=1, device="cpu")
    verifier = KeptLikelihoodVerifier(loaded, VERIFIER, head, kept_tokens=kept_tokens)
    hosts = LocalPolicy(policy), LocalVerifier(verifier)

    async def spent(at: int, item: ProblemItem) -> Spend:
        submitted = JobSubmitted(text_problem(item.problem), spec, Budget(), None, at)
        stopped, _ = await solve(submitted, Engines(*hosts), job=item.id)
        return stopped.spend

    began = time.process_time()
    try:
        found = await asyncio.gather(*(spent(at, item) for at, item in enumerate(items)))
    finally:
        for host in hosts:
            host.close()
    return Measured(sum(found, NO_COST), policy.read_tokens, verifier.read_tokens, time.process_time() - began)


def compared(kept: Sequence[Measured], bare: Sequence[Measured], searches: int) -> dict[str, Any]:
    """Charges and reads of the first run; times are medians over the runs."""
    first, spend = kept[0], kept[0].spend
    policy = spend.prompt_tokens + spend.generated_tokens - spend.cached_prompt_tokens
    verifier = spend.verified_tokens - spend.cached_verified_tokens
    cpu_s, without = (statistics.median(one.cpu_s for one in runs) for runs in (kept, bare))
    return {
        "policy_read_per_charged": round(first.policy_read / policy, 4),
        "verifier_read_per_charged": round(first.verifier_read / verifier, 4) if verifier else None,
        "flops_ratio": round(spend.flops / uncached_flops(spend), 4),
        "cpu_ratio": round(cpu_s / without, 3),
        "cpu_s": round(cpu_s, 2),
        "cpu_s_without": round(without, 2),
        "policy_read_ratio": round(first.policy_read / bare[0].policy_read, 4),
        "verifier_read_ratio": round(first.verifier_read / bare[0].verifier_read, 4) if verifier else None,
        "prompt_tokens": round(spend.prompt_tokens / searches, 1),
        "cached_prompt_tokens": round(spend.cached_prompt_tokens / searches, 1),
        "generated_tokens": round(spend.generated_tokens / searches, 1),
        "verified_tokens": round(spend.verified_tokens / searches, 1),
        "cached_verified_tokens": round(spend.cached_verified_tokens / searches, 1),
        "gflops": round(spend.flops / searches / 1e9, 3),
    }


def uncached_flops(spend: Spend) -> float:
    """At the same FLOPs a token: the shipped verifier is as large as the policy, but for its head."""
    return spend.flops / spend.processed_tokens * (spend.processed_tokens + spend.cached_tokens)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strategy", default="particles")
    parser.add_argument("--n", type=int, default=16)
    given = parser.parse_args()
    problems, rounds = (8, 1) if given.quick else (50, 3)
    items = read_items(TEST)
    items = items[:: len(items) // problems][:problems]
    spec = parse_strategy({"name": given.strategy, "n": given.n, "max_tokens": 384})
    kept, bare = [], []
    for at in range(rounds):
        kept.append(asyncio.run(measure(spec, items, None)))
        bare.append(asyncio.run(measure(spec, items, 0)))
        say(f"round {at + 1}: {kept[-1].cpu_s:.1f} s of CPU, {bare[-1].cpu_s:.1f} s with nothing kept")
    result = {"strategy": given.strategy, "n": given.n, "problems": len(items), **compared(kept, bare, len(items))}
    table = "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in result.items())
    command = f"python -m evaluation.prefixes --strategy {given.strategy} --n {given.n}"
    finish("prefixes", command, result, table, full=not given.quick)
    shares = (result["policy_read_per_charged"], result["verifier_read_per_charged"])
    return int(any(share is not None and share > LIMIT for share in shares))


if __name__ == "__main__":
    raise SystemExit(main())
