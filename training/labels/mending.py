"""Chains of attempts as a search makes them, for a model that does nothing but revise.

Law: attempts come right and wrong as often as the policy itself draws them, so that what stands there says as much
about being right as it will in a search; the target is the right solution nearest to the last attempt, which is that
attempt itself where it is right. So it learns to keep what is right and, where something is wrong, to mend it in its
place. A chain that always ended in a mistake (`training.labels.revisions`) would teach to change whatever stands last.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.ids import derive_seed
from inference.prompts import MAX_ATTEMPTS
from training.labels.calls import Rollout
from training.labels.checks import at_least, distinct_problems, warm
from training.labels.distance import edit_distance
from training.labels.grading import Grader, gold_of
from training.labels.pools import Crew
from training.labels.revisions import Chain, is_whole, rows_of
from training.labels.rollouts import sample_many, solution_requests
from training.labels.work import Work, identity_of
from training.problems.files import ProblemRecord
from training.progress import say

Drawn = tuple[str, bool]
"""A finished attempt, and whether it is right."""


@dataclass(frozen=True, slots=True)
class MendingSettings:
    samples: int = 8
    """Solutions of each problem."""
    max_attempts: int = MAX_ATTEMPTS
    chains_per_problem: int = 8
    """Equal ones stay: how often a text comes is what tells how likely it is to be right."""
    temperature: float = 0.8
    """At which the strategies sample by default: attempts are to be those of a search."""
    max_tokens: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "max_attempts", "chains_per_problem", "max_tokens"):
            at_least(name, getattr(self, name), 1)
        warm(self.temperature)


def make_mending_chains(
    policy: str,
    problems: Sequence[ProblemRecord],
    settings: MendingSettings,
    out: Path,
    *,
    workers: int = 1,
    crew: Crew | None = None,
) -> Path:
    """As `training.labels.revisions.make_chains`: the same lines, other chains."""
    distinct_problems(problems)
    golds = [gold_of(problem) for problem in problems]
    crew = crew or Crew(workers)
    work = Work(out, identity_of("mending chains", settings, problems, crew, policy=policy))
    if work.is_done():
        return out
    with work.journal() as journal, crew.pool("policy", policy) as pool, Grader() as grader:
        s = settings
        requests = solution_requests(
            problems, s.samples, temperature=s.temperature, max_tokens=s.max_tokens, seed=s.seed
        )
        found = sample_many(pool, requests, journal, stage="solutions")
        drawn = [
            [(one.text.strip(), grader.right(one.answer, gold)) for one in found[at : at + s.samples] if _is_shown(one)]
            for at, gold in zip(range(0, len(found), s.samples), golds, strict=True)
        ]
        chains = [mending_chains(problem, some, s) for problem, some in zip(problems, drawn, strict=True)]
        counts = _counts(drawn, chains)
        say(f"{counts['chains']} chains: {counts}")
        return work.finish(rows_of(problems, chains), counts, journal)


def mending_chains(problem: ProblemRecord, drawn: Sequence[Drawn], settings: MendingSettings) -> list[Chain]:
    """The chains of one problem, each drawn from its own seed. Where no drawn solution is right, the problem's worked
    solution is the target, if it has one; without a target there is no chain."""
    rights = list(dict.fromkeys(text for text, right in drawn if right))
    targets = rights or ([problem.solution.strip()] if problem.solution else [])
    found: list[Chain] = []
    for index in range(settings.chains_per_problem if drawn and targets else 0):
        draw = random.Random(derive_seed(settings.seed, problem.id, "mending", index))
        attempts = _drawn(draw, [text for text, _ in drawn], draw.randint(1, settings.max_attempts))
        found.append(Chain(attempts, nearest(targets, attempts[-1])))
    return found


def _is_shown(one: Rollout) -> bool:
    """A search shows solutions that ended and name an answer."""
    return is_whole(one) and one.answer is not None


def nearest(targets: Sequence[str], attempt: str) -> str:
    """By edit distance; of equals, the first."""
    return attempt if attempt in targets else min(targets, key=lambda target: edit_distance(target, attempt))


def _drawn(draw: random.Random, texts: Sequence[str], wanted: int) -> tuple[str, ...]:
    """Up to `wanted` different ones in random order; how often the last one is a certain text is how often it came."""
    shuffled = draw.sample(texts, len(texts))
    return tuple(reversed(list(dict.fromkeys(shuffled))[:wanted]))


def _counts(drawn: Sequence[Sequence[Drawn]], chains: Sequence[Sequence[Chain]]) -> dict[str, Any]:
    flat = [chain for found in chains for chain in found]
    lengths = Counter(len(chain.attempts) for chain in flat)
    return {
        "chains": len(flat),
        "last_right": sum(chain.solution == chain.attempts[-1] for chain in flat),
        "attempts": {str(length): number for length, number in sorted(lengths.items())},
        "right": sum(right for some in drawn for _, right in some),
        "problems_all_right": sum(bool(some) and all(right for _, right in some) for some in drawn),
        "problems_all_wrong": sum(not any(right for _, right in some) for some in drawn),
        "problems_without_chain": sum(not found for found in chains),
    }
