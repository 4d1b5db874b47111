"""Chains of attempts for a reviser: wrong ones, then a right one (arXiv 2408.03314, section 6.1).

Law: attempts are what the policy itself samples, since those are what it will be shown; the last wrong one is the one
nearest to the right one, so that there is something to learn from it. All attempts of a chain differ.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.ids import derive_seed
from domain.moves import Answer, FinishReason, split_steps
from inference.prompts import MAX_ATTEMPTS
from training.labels.calls import Rollout
from training.labels.checks import at_least, distinct_problems, share, warm
from training.labels.distance import edit_distance
from training.labels.grading import Grader, gold_of
from training.labels.pools import Crew
from training.labels.rollouts import sample_many, solution_requests
from training.labels.work import Work, identity_of
from training.problems.files import ProblemRecord
from training.progress import say


@dataclass(frozen=True, slots=True)
class ChainSettings:
    samples: int = 16
    """Solutions of each problem."""
    max_attempts: int = MAX_ATTEMPTS
    chains_per_problem: int = 4
    """At most; equal chains of a problem are kept once."""
    temperature: float = 1.0
    max_tokens: int = 256
    seed: int = 0
    right_to_right: float = 0.15
    """Share of chains whose last attempt is right and is to be said again. The paper's reviser saw wrong attempts only
    and turned about 38 % of right answers wrong: in its data what comes last is always a mistake, so that it learns to
    change whatever stands there."""
    use_worked: bool = True
    """Where no sampled solution is right, the problem's worked solution is the target, if it has one."""

    def __post_init__(self) -> None:
        for name in ("samples", "max_attempts", "chains_per_problem", "max_tokens"):
            at_least(name, getattr(self, name), 1)
        warm(self.temperature)
        share("right_to_right", self.right_to_right)


@dataclass(frozen=True, slots=True)
class Chain:
    attempts: tuple[str, ...]
    """Oldest first."""
    solution: str


def make_chains(
    policy: str,
    problems: Sequence[ProblemRecord],
    settings: ChainSettings,
    out: Path,
    *,
    workers: int = 1,
    crew: Crew | None = None,
) -> Path:
    """Writes {"problem_id", "problem", "attempts": [text], "solution"} lines and `OUT.manifest.json`.

    Goes on after a kill. Raises InvalidRequest, ConfigurationError, EngineError or Unavailable.
    """
    distinct_problems(problems)
    golds = [gold_of(problem) for problem in problems]
    crew = crew or Crew(workers)
    work = Work(out, identity_of("revision chains", settings, problems, crew, policy=policy))
    if work.is_done():
        return out
    with work.journal() as journal, crew.pool("policy", policy) as pool, Grader() as grader:
        s = settings
        requests = solution_requests(
            problems, s.samples, temperature=s.temperature, max_tokens=s.max_tokens, seed=s.seed
        )
        found = sample_many(pool, requests, journal, stage="solutions")
        sets = [sorted_out(found[at * s.samples : (at + 1) * s.samples], gold, grader) for at, gold in enumerate(golds)]
        chains = [chains_of(problem, *both, settings) for problem, both in zip(problems, sets, strict=True)]
        counts = _counts(sets, chains)
        say(f"{counts['chains']} chains: {counts}")
        return work.finish(rows_of(problems, chains), counts, journal)


def sorted_out(rollouts: Sequence[Rollout], gold: Answer, grader: Grader) -> tuple[list[str], list[str]]:
    """Distinct right and wrong solutions, in sampling order; what did not finish is neither."""
    rights: dict[str, None] = {}
    wrongs: dict[str, None] = {}
    for one in rollouts:
        if is_whole(one):
            (rights if grader.right(one.answer, gold) else wrongs)[one.text.strip()] = None
    return list(rights), list(wrongs)


def is_whole(one: Rollout) -> bool:
    """Whether it is a finished solution."""
    return one.finish is FinishReason.END and bool(split_steps(one.text))


def chains_of(
    problem: ProblemRecord, rights: Sequence[str], wrongs: Sequence[str], settings: ChainSettings
) -> list[Chain]:
    """Distinct chains of one problem; each is drawn from its own seed."""
    found: dict[Chain, None] = {}
    for index in range(settings.chains_per_problem):
        draw = random.Random(derive_seed(settings.seed, problem.id, "chain", index))
        chain = _drawn(draw, problem, rights, wrongs, settings)
        if chain is not None:
            found[chain] = None
    return list(found)


def _drawn(
    draw: random.Random,
    problem: ProblemRecord,
    rights: Sequence[str],
    wrongs: Sequence[str],
    settings: ChainSettings,
) -> Chain | None:
    """None where the problem has not what this chain needs."""
    repeats = draw.random() < settings.right_to_right
    wanted = draw.randint(0, settings.max_attempts)
    if repeats:
        return _repeated(draw, rights, wrongs, min(wanted, settings.max_attempts - 1)) if rights else None
    worked = problem.solution if settings.use_worked and not rights else None
    if not wrongs or not (rights or worked):
        return None
    target = worked.strip() if worked else draw.choice(list(rights))
    return Chain(leading_to(target, wrongs, wanted, draw), target)


def leading_to(target: str, wrongs: Sequence[str], wanted: int, draw: random.Random) -> tuple[str, ...]:
    """Up to `wanted` distinct wrong attempts, the one nearest to the target last; of equals, the first sampled."""
    if not wanted:
        return ()
    nearest = min(wrongs, key=lambda wrong: edit_distance(wrong, target))
    others = [wrong for wrong in wrongs if wrong != nearest]
    return (*draw.sample(others, min(wanted - 1, len(others))), nearest)


def _repeated(draw: random.Random, rights: Sequence[str], wrongs: Sequence[str], wanted: int) -> Chain:
    target = draw.choice(list(rights))
    return Chain((*draw.sample(list(wrongs), min(wanted, len(wrongs))), target), target)


def rows_of(problems: Sequence[ProblemRecord], chains: Sequence[Sequence[Chain]]) -> Iterator[dict[str, Any]]:
    """The lines of a file of chains."""
    for problem, found in zip(problems, chains, strict=True):
        for chain in found:
            yield {
                "problem_id": problem.id,
                "problem": problem.problem,
                "attempts": list(chain.attempts),
                "solution": chain.solution,
            }


def _counts(sets: Sequence[tuple[list[str], list[str]]], chains: Sequence[Sequence[Chain]]) -> dict[str, Any]:
    flat = [chain for found in chains for chain in found]
    lengths = Counter(len(chain.attempts) for chain in flat)
    return {
        "chains": len(flat),
        "right_to_right": sum(chain.solution in chain.attempts for chain in flat),
        "attempts": {str(length): number for length, number in sorted(lengths.items())},
        "problems_with_both": sum(bool(rights and wrongs) for rights, wrongs in sets),
        "problems_all_right": sum(bool(rights and not wrongs) for rights, wrongs in sets),
        "problems_all_wrong": sum(bool(wrongs and not rights) for rights, wrongs in sets),
        "problems_without_chain": sum(not found for found in chains),
    }
