"""Voting and best-of-n at every n, read off one pool.

The i-th sample of these strategies depends on i and the search's seed alone, so that a search with n is the beginning
of every longer one. Law: answers and charges are those of the real loop at each n (a test compares them).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.budget import NO_COST, Spend
from domain.moves import Sample, Sampled
from domain.ports import AnswerEquivalence, Completion, StepScores
from domain.problem import text_problem
from domain.verdict import Verdict
from evaluation.curving.methods import MAJORITY, NESTED, Method
from evaluation.curving.pools import Sampling
from evaluation.curving.rows import CHECKER, VERIFIER, Row, row
from orchestrator.known import Known
from search.registry import strategy_for
from search.sampling import SamplingState
from search.tree import Node, ScoreStatus, with_sample

Grade = Callable[[str | None], Awaitable[bool]]

_WHOLE = Sample("", 0, 0, 0)
"""A call for a whole solution, as its job remembers it."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The solutions of one problem and seed, and what is thought of their texts."""

    problem: str
    """Its id."""
    seed: int
    samples: Sequence[Completion]
    scores: Mapping[str, StepScores] | None
    """The verifier's; None: there is none, and only votes are measured."""
    exact: Mapping[str, tuple[float, ...]] | None
    """The exact checker's; None: that arm is not measured."""


async def nested_rows(
    pool: Pool, sizes: Sequence[int], how: Sampling, grade: Grade, equivalence: AnswerEquivalence
) -> list[Row]:
    """A row for each method, arm and size that the pool is large enough for. Best-of-n needs scores."""
    nodes = await _nodes(pool.samples, equivalence)
    rights = [await grade(one.answer.text if one.answer else None) for one in pool.samples]
    scores = None if pool.scores is None else {text: one.scores for text, one in pool.scores.items()}
    sampling, reading = _charges(pool)
    found: list[Row] = []
    for method in NESTED:
        for arm, known in {VERIFIER: scores if method.guided else {}, CHECKER: pool.exact}.items():
            if known is None or (arm == CHECKER and not method.guided):
                continue
            judged = [_scored(node, known) for node in nodes]
            for n in (size for size in sizes if size <= len(nodes)):
                right = await grade(_verdict(method, judged[:n], n, how).answer)
                unit = (method.name, arm, n, pool.seed, pool.problem)
                if method.name == MAJORITY or scores is None:
                    share = sum(rights[:n]) / n
                    one = row(unit, sampling[n], right=right, seconds=0.0, reason="complete", share=share)
                else:  # the exact checker is charged what the verifier is
                    one = row(unit, sampling[n] + reading[n], right=right, seconds=0.0, reason="complete")
                found.append(one)
    return found


async def _nodes(samples: Sequence[Completion], equivalence: AnswerEquivalence) -> list[Node]:
    """As the loop makes them: each new answer is compared once with those before it."""
    nodes: list[Node] = []
    seen: set[str] = set()
    for at, one in enumerate(samples, start=1):
        same: tuple[str, ...] = ()
        if one.answer is not None and one.answer.key not in seen:
            same = await equivalence.equivalent(one.answer.key, sorted(seen)) if seen else ()
            seen.add(one.answer.key)
        outcome = Sampled(f"sample-{at}", one.text, one.finish, one.answer, one.logprob, one.cost, same)
        nodes.append(with_sample(Node(at), outcome))
    return nodes


def _scored(node: Node, scores: Mapping[str, tuple[float, ...]]) -> Node:
    found = scores.get(node.text) if node.finished else None
    return node if found is None else replace(node, scoring=ScoreStatus.SCORED, scores=found)


def _verdict(method: Method, nodes: Sequence[Node], n: int, how: Sampling) -> Verdict:
    spec: Any = method.spec(n, how)
    state: Any = SamplingState(text_problem("?"), spec, 0, tuple(nodes))
    return strategy_for(spec).verdict(state)


def _charges(pool: Pool) -> tuple[list[Spend], list[Spend]]:
    """What the first n samples cost a search, and what scoring them does, for n = 0, 1, …"""
    known = Known()
    sampling, reading, read = [NO_COST], [NO_COST], set()
    for one in pool.samples:
        sampling.append(sampling[-1] + known.sample(_WHOLE, one.text, one.finish, one.cost, one.ends))
        scored = (pool.scores or {}).get(one.text) if one.answer is not None and one.text not in read else None
        read.add(one.text)  # equal solutions are scored once
        cost = NO_COST if scored is None else known.score(one.text, scored.cost, scored.ends)
        reading.append(reading[-1] + cost)
    return sampling, reading
