"""From a models folder and problems to records: sample, revise, check, score."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError
from domain.ids import derive_seed
from domain.moves import FinishReason
from domain.ports import Completion, SampleRequest
from evaluation.quality.chain import Chain, Reviser
from evaluation.quality.classes import classes
from evaluation.quality.drive import sampled, scored
from evaluation.quality.exact import first_error
from evaluation.quality.record import ProblemItem, ProblemRecord, Solution
from evaluation.quality.surprise import listen

ROWS = 192
"""Solutions that one process samples at once."""


@dataclass(frozen=True, slots=True)
class Models:
    """Specs as `inference` loads them."""

    policy: str
    """Also the reviser: its prompt tells the two apart."""
    verifier: str
    orm: str | None = None


def models_in(folder: Path) -> Models:
    """Those of a folder with policy/, verifier/ and perhaps orm/. Raises ConfigurationError."""
    for part in ("policy", "verifier"):
        if not (folder / part).is_dir():
            raise ConfigurationError(f"{folder / part} is missing: name a folder with policy/ and verifier/")
    orm = folder / "orm"
    return Models(str(folder / "policy"), str(folder / "verifier"), str(orm) if orm.is_dir() else None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn. The same plan gives the same records, however many processes share the work."""

    models: Models
    samples: int
    chains: int
    revisions: int
    temperature: float
    max_tokens: int
    seed: int


def collect(plan: Plan, items: Sequence[ProblemItem], workers: int, name: str) -> list[ProblemRecord]:
    """In the order of `items`. Raises ConfigurationError or EngineError."""
    if workers == 1:
        return _collect(plan, items, name)
    os.environ["OMP_NUM_THREADS"] = "1"  # the children read it before torch does
    shares = [items[at::workers] for at in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_collect, plan, share, f"{name} {at + 1}") for at, share in enumerate(shares)]
        found = {record.item.id: record for job in running for record in job.result()}
    return [found[item.id] for item in items]


def _collect(plan: Plan, items: Sequence[ProblemItem], name: str) -> list[ProblemRecord]:
    from inference.engines.factory import load_policy

    engine = load_policy(plan.models.policy, threads=1, device="cpu", rows=ROWS)
    drawn = _draw(engine, plan, items, name)
    chains = _revise(engine, plan, items, drawn, name)
    del engine
    graded = asyncio.run(_graded(items, drawn, chains))
    return _scored(plan, graded, name)


def _draw(engine: Any, plan: Plan, items: Sequence[ProblemItem], name: str) -> list[list[Completion]]:
    requests = [
        SampleRequest(
            f"{at}/{index}", item.problem, "", derive_seed(plan.seed, item.id, index), plan.max_tokens,
            temperature=plan.temperature,
        )
        for at, item in enumerate(items)
        for index in range(plan.samples)
    ]  # fmt: skip
    found = sampled(engine, requests, f"{name}: solutions")
    return [[found[f"{at}/{index}"] for index in range(plan.samples)] for at in range(len(items))]


def _revise(
    engine: Any, plan: Plan, items: Sequence[ProblemItem], drawn: Sequence[Sequence[Completion]], name: str
) -> list[list[Chain]]:
    chains = [
        [Chain(item.problem, derive_seed(plan.seed, item.id, "chain", at), [some[at]]) for at in range(plan.chains)]
        for item, some in zip(items, drawn, strict=True)
    ]
    reviser = Reviser(engine, plan.revisions, plan.max_tokens, plan.temperature)
    reviser.run([chain for some in chains for chain in some], f"{name}: revisions")
    return chains


async def _graded(
    items: Sequence[ProblemItem], drawn: Sequence[Sequence[Completion]], chains: Sequence[Sequence[Chain]]
) -> list[ProblemRecord]:
    from inference.answers.equivalence import SymbolicEquivalence

    equivalence = SymbolicEquivalence()
    try:
        return [
            await _grade(item, some, chain, equivalence) for item, some, chain in zip(items, drawn, chains, strict=True)
        ]
    finally:
        await equivalence.close()


async def _grade(
    item: ProblemItem, drawn: Sequence[Completion], chains: Sequence[Chain], equivalence: Any
) -> ProblemRecord:
    from inference.answers.extract import answer_of

    exact = answer_of(item.answer)
    if exact is None:
        raise ConfigurationError(f"the answer of problem {item.id} can't be read: correct its line")
    every = [*drawn, *(one for chain in chains for one in chain.attempts)]
    keys = await classes([exact.key, *(one.answer.key for one in every if one.answer is not None)], equivalence)

    def right(one: Completion) -> bool:
        return _is_finished(one) and one.answer is not None and keys[one.answer.key] == exact.key

    solutions = [
        Solution(
            one.text, _is_finished(one), keys[one.answer.key] if one.answer and _is_finished(one) else None, right(one),
            one.cost.generated_tokens, one.logprob or 0.0,
        )
        for one in drawn
    ]  # fmt: skip
    return ProblemRecord(
        item,
        tuple(solutions),
        tuple(tuple(right(one) for one in chain.attempts) for chain in chains),
        sum(chain.shortened for chain in chains),
    )


def _is_finished(one: Completion) -> bool:
    return one.finish is FinishReason.END and one.answer is not None


def _scored(plan: Plan, records: Sequence[ProblemRecord], name: str) -> list[ProblemRecord]:
    from inference.verifiers.factory import load_verifier

    pairs = [(record.item.problem, one.text) for record in records for one in record.solutions if one.finished]
    errors = {pair: first_error(*pair) for pair in dict.fromkeys(pairs)}
    verifier = load_verifier(plan.models.verifier, threads=1, device="cpu")
    heard = listen(verifier)
    prm = scored(verifier, pairs, f"{name}: scores")
    orm: dict[tuple[str, str], tuple[float, ...]] = {}
    if plan.models.orm is not None:
        orm = scored(load_verifier(plan.models.orm, threads=1, device="cpu"), pairs, f"{name}: outcome scores")

    def complete(problem: str, one: Solution) -> Solution:
        if not one.finished:
            return one
        pair = (problem, one.text)
        return replace(
            one,
            first_error=errors[pair],
            prm=prm[pair],
            orm=orm[pair][-1] if orm else None,
            base=None if heard is None else heard[pair],
        )

    return [
        replace(record, solutions=tuple(complete(record.item.problem, one) for one in record.solutions))
        for record in records
    ]
