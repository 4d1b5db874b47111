"""Adaptive voting on recorded samples: what each stop rule keeps of majority@40, and at which share of its samples.

    python -m evaluation.replay [--quick] [--data FOLDER]

Keys: `adaptive_voting_loss_points` and `adaptive_voting_saving` (default rule, Llama-3.1-8B on MATH-500),
`beta_stop_lengths_checked` and `beta_stop_lengths_equal` (against `evaluation.beta_reference`), and for each data set
`pass1`, `any_right`, `majority40` and its `rules`: accuracy, loss in points with a 95 % interval, mean samples, saving.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from domain.specs.adaptive_voting import AdaptiveVoting
from evaluation.beta_reference import Stop, integrated_stop, package_stop, stop_length
from evaluation.counterfactual import Played, Policy, Replayer, whole_solutions
from evaluation.recorded.place import GAME24, GAME24_TREES, LLAMA_8B, data_file
from evaluation.recorded.readers import read_source
from evaluation.report import finish, say
from evaluation.statistics import Bootstrap
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.grade import Grader
from inference.engines.recorded import deck_of
from inference.engines.recording import Recording

N = 40
QUICK_SEEDS, FULL_SEEDS = 2, 5
RULES = {
    "horizon 0.95 (default)": AdaptiveVoting(n=N),
    "beta 0.95": AdaptiveVoting(n=N, rule="beta"),
    "beta 0.99": AdaptiveVoting(n=N, rule="beta", threshold=0.99),
    "dirichlet 0.95": AdaptiveVoting(n=N, rule="dirichlet"),
    "margin 4": AdaptiveVoting(n=N, rule="margin"),
    "window 5": AdaptiveVoting(n=N, rule="window"),
}
DEFAULT, BETA = "horizon 0.95 (default)", "beta 0.95"


@dataclass
class Bench:
    """One data set under all rules."""

    name: str
    recordings: Sequence[Recording]
    seeds: Sequence[int]
    replayer: Replayer
    equivalence: SymbolicEquivalence

    async def measured(self) -> tuple[dict[str, Any], dict[str, list[Played]]]:
        votes = await self.replayer.majority(self.recordings, self.seeds, n=N)
        say(f"{self.name}: majority@{N} is counted ({len(votes)} searches)")
        played: dict[str, list[Played]] = {}
        for rule, spec in RULES.items():
            policy = Policy(whole_solutions(spec, self.recordings))
            played[rule] = await self.replayer.play(self.recordings, policy, self.seeds)
            say(f"{self.name}: {rule} is replayed")
        result = {
            "pass1": await self.replayer.single_sample_accuracy(self.recordings),
            "any_right": _mean(any(sample.correct for sample in one.samples) for one in self.recordings),
            f"majority{N}": _mean(bool(one.correct) for one in votes),
            "problems": len(self.recordings),
            "seeds": len(self.seeds),
            "rules": {rule: self._compared(found, votes) for rule, found in played.items()},
        }
        return result, played

    def _compared(self, played: Sequence[Played], votes: Sequence[Played]) -> dict[str, Any]:
        problems = len(self.recordings)
        losses = [bool(vote.correct) - bool(one.correct) for one, vote in zip(played, votes, strict=True)]
        by_problem = [sum(losses[at::problems]) / len(self.seeds) for at in range(problems)]
        interval = Bootstrap(problems).mean(by_problem).scaled(100)
        samples = _mean(one.samples for one in played)
        return {
            "accuracy": _mean(bool(one.correct) for one in played),
            "loss_points": interval.value,
            "loss_points_interval": [interval.low, interval.high],
            "mean_samples": samples,
            "saving": _mean(one.samples for one in votes) / samples,
            "mean_tokens": _mean(one.tokens for one in played) or None,  # not recorded for Game of 24
            "token_saving": _ratio(sum(one.tokens for one in votes), sum(one.tokens for one in played)),
        }

    async def stop_lengths(self, played: Sequence[Played]) -> dict[str, Any]:
        """The Beta rule's stop lengths against both references, on every problem and seed."""
        references: dict[str, Stop] = {"numerical integration": integrated_stop}
        if (package := package_stop()) is not None:
            references["AdaptiveConsistency"] = package
        unequal = dict.fromkeys(references, 0)
        by_id = {one.id: one for one in self.recordings}
        for one in played:
            recording = by_id[one.problem]
            deck = deck_of(recording.samples, one.seed, recording.question)
            dealt = [None if sample.answer is None else sample.answer.key for sample in deck.samples]
            same = await self._same(dealt[:N])
            for name, stop in references.items():
                unequal[name] += stop_length(dealt, same, stop, N) != one.samples
        return {"checked": len(played), "equal": not any(unequal.values()), "unequal": unequal}

    async def _same(self, dealt: Sequence[str | None]) -> Callable[[str, str], bool]:
        keys = sorted({key for key in dealt if key is not None})
        pairs = {(left, right) for left in keys for right in keys if await self.equivalence.equal(left, right)}
        return lambda left, right: (left, right) in pairs


def _mean(values: Any) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found)


def _ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def tree_of_thoughts(path: Path) -> float:
    """Share of puzzles of which one of the final five thoughts is right."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    return _mean(any(info["r"] for info in row["infos"]) for row in rows)


async def measure(data: Path | None, seeds: Sequence[int]) -> tuple[dict[str, Any], str]:
    """Raises ConfigurationError when the data is not there."""
    sources = {"math500_llama3.1_8b": data_file(LLAMA_8B, data), "game24_gpt4": data_file(GAME24, data)}
    trees = data_file(GAME24_TREES, data)
    equivalence = SymbolicEquivalence()
    replayer = Replayer(Grader(equivalence), equivalence)
    result: dict[str, Any] = {}
    checks: list[dict[str, Any]] = []
    try:
        for name, path in sources.items():
            bench = Bench(name, read_source(path), seeds, replayer, equivalence)
            result[name], played = await bench.measured()
            checks.append(await bench.stop_lengths(played[BETA]))
    finally:
        await equivalence.close()
    result["game24_gpt4"]["tree_of_thoughts"] = tree_of_thoughts(trees)
    return _headlines(result, checks) | result, _table(result, checks)


def _headlines(result: dict[str, Any], checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    ours = result["math500_llama3.1_8b"]["rules"][DEFAULT]
    return {
        "adaptive_voting_loss_points": ours["loss_points"],
        "adaptive_voting_saving": ours["saving"],
        "beta_stop_lengths_checked": sum(check["checked"] for check in checks),
        "beta_stop_lengths_equal": all(check["equal"] for check in checks),
        "beta_references": sorted({name for check in checks for name in check["unequal"]}),
    }


def _table(result: dict[str, Any], checks: Sequence[dict[str, Any]]) -> str:
    lines = []
    for name, found in result.items():
        lines += [
            f"## {name}",
            "",
            f"{found['problems']} problems, {found['seeds']} orders of dealing. pass@1 {found['pass1']:.2%},"
            f" majority@{N} {found[f'majority{N}']:.2%}, any right {found['any_right']:.0%}"
            + (f", tree of thoughts {found['tree_of_thoughts']:.0%}" if "tree_of_thoughts" in found else "")
            + ".",
            "",
            "| rule | accuracy | loss in points [95 %] | samples | saving | tokens |",
            "|---|---|---|---|---|---|",
            *(_row(rule, one) for rule, one in found["rules"].items()),
            "",
        ]
    checked = sum(check["checked"] for check in checks)
    unequal = {name: sum(check["unequal"][name] for check in checks) for name in checks[0]["unequal"]}
    said = ", ".join(f"{name}: {count} differ" for name, count in unequal.items())
    return "\n".join([*lines, f"Stop lengths of the Beta rule at 0.95, {checked} searches: {said}."])


def _row(rule: str, one: dict[str, Any]) -> str:
    low, high = one["loss_points_interval"]
    tokens = f"{one['mean_tokens']:,.0f}" if one["mean_tokens"] else "–"
    return (
        f"| {rule} | {one['accuracy']:.2%} | {one['loss_points']:.2f} [{low:.2f}, {high:.2f}] |"
        f" {one['mean_samples']:.1f} | {one['saving']:.2f}× | {tokens} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m evaluation.replay", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} orders of dealing; nothing is written")
    parser.add_argument("--data", type=Path, help="folder of the recorded data; default: ../shared/data")
    options = parser.parse_args()
    seeds = range(QUICK_SEEDS if options.quick else FULL_SEEDS)
    try:
        result, table = asyncio.run(measure(options.data, seeds))
    except DeliberateError as error:
        say(error.message)
        return 2
    finish("replay", "python -m evaluation.replay", result, table, full=not options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
