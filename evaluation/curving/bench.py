"""A worker's engines, and one search on them through the service's own loop.

Law: what is measured is what is served: the same loop, ledger, prompts and verdicts; nothing is stopped from outside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.budget import Budget
from domain.calibration import Calibration
from domain.errors import EngineError
from domain.events import Event, JobSubmitted, MoveSettled, MovesIssued
from domain.job import JobStatus
from domain.moves import FinishReason, Sampled
from domain.ports import Completion, ScoreRequest, StepScores
from domain.problem import text_problem
from evaluation.curving.checker import ExactVerifier, exact_scores, reading_of
from evaluation.curving.memo import MemoPolicy, MemoVerifier
from evaluation.curving.methods import METHODS
from evaluation.curving.nested import Pool
from evaluation.curving.pools import Block, Sampling, requests, search_seed
from evaluation.curving.rows import CHECKER, Row, Unit, row
from evaluation.quality.record import ProblemItem
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.extract import answer_of
from inference.answers.grade import Grader
from orchestrator.calibration import calibration_for
from orchestrator.engines import Engines
from orchestrator.local import solve

ROWS = 192
"""Solutions that one process samples at once."""


@dataclass
class Bench:
    policy: MemoPolicy
    verifier: MemoVerifier | None
    checker: MemoVerifier | None
    calibration: Calibration | None
    how: Sampling
    equivalence: SymbolicEquivalence = field(default_factory=SymbolicEquivalence)
    grader: Grader = field(default_factory=Grader)
    _hosts: Sequence[Any] = ()
    _graded: dict[tuple[str, str], bool] = field(default_factory=dict)

    @classmethod
    def open(cls, policy: str, verifier: str | None, how: Sampling, device: str = "cpu") -> Bench:
        """Raises ConfigurationError."""
        from inference.engines.factory import load_policy
        from inference.local import LocalPolicy, LocalVerifier
        from inference.verifiers.factory import load_verifier

        sampler = LocalPolicy(load_policy(policy, threads=1, device=device, rows=ROWS if device == "cpu" else None))
        if verifier is None:
            return cls(MemoPolicy(sampler), None, None, None, how, _hosts=(sampler,))
        core = load_verifier(verifier, threads=1, device=device)
        scorer = LocalVerifier(core)
        exact = ExactVerifier(scorer.info, reading_of(verifier, getattr(core, "keeps", False)))
        fitted = calibration_for(policy, sampler.info.id, scorer.info.id)
        return cls(
            MemoPolicy(sampler), MemoVerifier(scorer), MemoVerifier(exact), fitted, how, _hosts=(sampler, scorer)
        )

    async def close(self) -> None:
        await self.equivalence.close()
        await self.grader.close()
        for host in self._hosts:
            host.close()

    async def run(self, unit: Unit, item: ProblemItem) -> Row:
        """One search to its end. Raises EngineError when its calls failed: that is no result."""
        name, arm, n, seed, problem = unit
        spec = METHODS[name].spec(n, self.how)
        method = METHODS[name]
        submitted = JobSubmitted(text_problem(item.problem), spec, Budget(), method.target, search_seed(seed, problem))
        verifier = self.checker if arm == CHECKER else self.verifier
        engines = Engines(self.policy, verifier, self.equivalence, self.calibration)
        began = time.monotonic()
        stopped, events = await solve(submitted, engines, job="/".join(map(str, unit)))
        if stopped.status is JobStatus.FAILED:
            raise EngineError(f"{name} at {n} failed on problem {problem}: {stopped.message}", retryable=False)
        more: dict[str, Any] = await self._chain(item, events) if method.one_chain else {}
        if method.judged:
            more["confidence"] = stopped.verdict.confidence
        right = await self.is_right(item, stopped.verdict.answer)
        return row(
            unit, stopped.spend, right=right, seconds=round(time.monotonic() - began, 3),
            reason=stopped.reason.value, **more,
        )  # fmt: skip

    async def is_right(self, item: ProblemItem, answer: str | None) -> bool:
        """No answer is a wrong one."""
        if answer is None:
            return False
        key = (item.answer, answer)
        if key not in self._graded:
            gold, given = answer_of(item.answer), answer_of(answer)
            same = gold is not None and given is not None and gold.key == given.key
            self._graded[key] = same or await self.grader.grade(*key)
        return self._graded[key]

    async def fill(self, item: ProblemItem, seed: int, first: int, last: int) -> Block:
        """Sample these solutions and score what is finished, each text once. Raises EngineError."""
        asked = requests(item.problem, item.id, seed, first, last, self.how)
        samples = tuple(await asyncio.gather(*map(self.policy.sample, asked)))
        return Block(item.id, seed, first, samples, await self._scores(item, samples, f"{seed}/{first}"))

    async def pool(self, item: ProblemItem, seed: int, blocks: Mapping[int, Block]) -> Pool:
        """What the blocks hold, known to the memo as well."""
        samples: list[Completion] = []
        scores: dict[str, StepScores] = {}
        for first in sorted(blocks):
            self.policy.remember(item.problem, blocks[first], self.how)
            if self.verifier is not None:
                self.verifier.remember(item.problem, blocks[first].scores)
            samples += blocks[first].samples
            scores |= blocks[first].scores
        exact = None if self.checker is None else {text: exact_scores(item.problem, text) for text in scores}
        if self.checker is not None and exact is not None:
            # The same cost: it reads the same tokens.
            checked = {text: replace(scores[text], scores=exact[text]) for text in scores}
            self.checker.remember(item.problem, checked)
        return Pool(item.id, seed, samples, None if self.verifier is None else scores, exact)

    def forget(self, item: ProblemItem) -> None:
        for one in (self.policy, self.verifier, self.checker):
            if one is not None:
                one.forget(item.problem)

    async def _scores(self, item: ProblemItem, samples: Sequence[Completion], name: str) -> dict[str, StepScores]:
        if self.verifier is None:
            return {}
        texts = list(dict.fromkeys(one.text for one in samples if _is_finished(one)))
        asked = (ScoreRequest(f"pool/{item.id}/{name}/{at}", item.problem, text) for at, text in enumerate(texts))
        return dict(zip(texts, await asyncio.gather(*map(self.verifier.score, asked)), strict=True))

    async def _chain(self, item: ProblemItem, events: Sequence[Event]) -> dict[str, bool]:
        """Whether the first and the last attempt of the chain are right."""
        nodes = {move.id: move.node for event in events if isinstance(event, MovesIssued) for move in event.moves}
        told = (event.outcome for event in events if isinstance(event, MoveSettled))
        attempts = sorted((one for one in told if isinstance(one, Sampled)), key=lambda one: nodes[one.move_id])
        ends = [
            one.answer.text if one.answer and one.finish is FinishReason.END else None
            for one in (attempts[0], attempts[-1])
        ]
        return {"first_right": await self.is_right(item, ends[0]), "last_right": await self.is_right(item, ends[1])}


def _is_finished(one: Completion) -> bool:
    return one.finish is FinishReason.END and one.answer is not None
