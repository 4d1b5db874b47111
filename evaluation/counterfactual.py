"""What a search would have answered and cost on recorded samples: the service's own loop on a recorded engine.

Law: for each seed the samples of a problem are dealt in another order, without replacement; the same source, spec and
seeds give the same numbers. A strategy that needs what the record lacks is refused, not approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from domain.budget import Budget
from domain.errors import InvalidRequest
from domain.events import Event, JobSubmitted, MoveSettled, MovesIssued
from domain.ids import derive_seed
from domain.moves import Failed, Sampled
from domain.ports import AnswerEquivalence
from domain.problem import text_problem
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import SelfConsistency
from domain.verdict import Verdict
from evaluation.recorded.ports import DirectPolicy, DirectVerifier
from inference.answers.grade import Grader
from inference.engines.recorded import EXHAUSTED, WHOLE_ONLY, RecordedEngine
from inference.engines.recording import RecordedSample, Recording
from inference.verifiers.recorded import RecordedVerifier
from orchestrator.engines import VERIFIER_MISSING, Engines
from orchestrator.local import solve

MOST_VOTES = 4096
DEFAULT_LIMIT_TOKENS = 131_072
"""When no sample says how long it is, none is cut."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is replayed."""

    strategy: StrategySpec
    confidence: float | None = None
    budget: Budget = Budget()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Played:
    """One search over one problem's record."""

    problem: str
    seed: int
    verdict: Verdict
    correct: bool | None
    """None: neither the record nor a gold answer says so."""
    samples: int
    tokens: int
    """Completion tokens of the samples used."""
    verified_tokens: int
    reason: str
    exhausted: bool
    """It asked for more samples than are recorded."""
    order: tuple[str | None, ...] = ()
    """Answer keys of the samples used, in the order of the strategy's nodes."""


def whole_solutions(spec: StrategySpec, recordings: Sequence[Recording]) -> StrategySpec:
    """The spec with a token limit that cuts no recorded solution (unless the caller gave one: then don't call this)."""
    if not any(item.name == "max_tokens" for item in fields(spec)):
        return spec
    longest = max((sample.tokens or 0 for one in recordings for sample in one.samples), default=0)
    limit = min(longest, DEFAULT_LIMIT_TOKENS) if longest else DEFAULT_LIMIT_TOKENS
    changed: Any = replace(spec, max_tokens=limit)
    return changed  # type: ignore[no-any-return]


class Replayer:
    """Replays policies over recordings; answers are compared and graded by one process that it shares."""

    def __init__(self, grader: Grader, equivalence: AnswerEquivalence) -> None:
        self._grader, self._equivalence = grader, equivalence
        self._graded: dict[tuple[str, str], bool] = {}

    async def play(
        self,
        recordings: Sequence[Recording],
        policy: Policy,
        seeds: Sequence[int],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Played]:
        """Every problem under every seed. Raises InvalidRequest for a strategy that the record can't serve."""
        played: list[Played] = []
        for seed in seeds:
            for recording in recordings:
                played.append(await self.play_one(recording, policy, seed))
                progress(len(played), len(seeds) * len(recordings))
        return played

    async def majority(
        self,
        recordings: Sequence[Recording],
        seeds: Sequence[int],
        progress: Callable[[int, int], None] = lambda done, total: None,
        n: int | None = None,
    ) -> list[Played]:
        """Plain votes of all samples of each problem, or of the first `n` that each seed deals."""
        played: list[Played] = []
        for seed in seeds:
            for recording in recordings:
                size = min(n or MOST_VOTES, len(recording.samples), MOST_VOTES)
                spec = whole_solutions(SelfConsistency(n=size), [recording])
                played.append(await self.play_one(recording, Policy(spec), seed))
                progress(len(played), len(seeds) * len(recordings))
        return played

    async def play_one(self, recording: Recording, policy: Policy, seed: int) -> Played:
        engine = RecordedEngine([recording], "recorded", seed=seed)
        scored = any(sample.step_scores for sample in recording.samples)
        verifier = DirectVerifier(RecordedVerifier([recording], "recorded")) if scored else None
        submitted = JobSubmitted(
            text_problem(recording.question),
            policy.strategy,
            policy.budget,
            policy.confidence,
            derive_seed(seed, "replay", recording.id),
        )
        engines = Engines(DirectPolicy(engine), verifier, self._equivalence)
        stopped, events = await solve(submitted, engines, job=f"replay-{recording.id}-{seed}")
        outcomes = [event.outcome for event in events if isinstance(event, MoveSettled)]
        failures = {outcome.message for outcome in outcomes if isinstance(outcome, Failed)}
        _refuse(failures, policy.strategy)
        drawn = list(engine.decks[recording.question].drawn.values())
        return Played(
            problem=recording.id,
            seed=seed,
            verdict=stopped.verdict,
            correct=await self.is_right(recording, stopped.verdict, drawn),
            samples=len(drawn),
            tokens=stopped.spend.generated_tokens,
            verified_tokens=stopped.spend.verified_tokens,
            reason=stopped.reason.value,
            exhausted=EXHAUSTED in failures,
            order=_order(events),
        )

    async def is_right(self, recording: Recording, verdict: Verdict, drawn: Sequence[RecordedSample]) -> bool | None:
        """As recorded for the solution that gave the answer; else by the grader. No answer is a wrong one."""
        if verdict.answer is None:
            return False if self._can_grade(recording) else None
        source = next((sample for sample in drawn if sample.answer and sample.answer.text == verdict.answer), None)
        return None if source is None else await self.sample_is_right(recording, source)

    async def sample_is_right(self, recording: Recording, sample: RecordedSample) -> bool | None:
        if sample.correct is not None:
            return sample.correct
        if recording.gold is None:
            return None
        if sample.answer is None:
            return False
        key = (recording.gold, sample.answer.text)
        if key not in self._graded:
            self._graded[key] = await self._grader.grade(*key)
        return self._graded[key]

    async def single_sample_accuracy(self, recordings: Sequence[Recording]) -> float | None:
        """Mean over problems of the share of right samples; None when nothing can be graded."""
        shares: list[float] = []
        for recording in recordings:
            verdicts = [await self.sample_is_right(recording, sample) for sample in recording.samples]
            known = [verdict for verdict in verdicts if verdict is not None]
            if known:
                shares.append(sum(known) / len(known))
        return sum(shares) / len(shares) if shares else None

    def _can_grade(self, recording: Recording) -> bool:
        return recording.gold is not None or any(sample.correct is not None for sample in recording.samples)


def _refuse(failures: set[str], strategy: StrategySpec) -> None:
    if WHOLE_ONLY in failures:
        raise InvalidRequest(
            f"{strategy.name} needs step expansions or revisions, and this record holds whole solutions only:"
            " choose self_consistency, best_of_n or adaptive_voting",
            param="strategy",
        )
    if VERIFIER_MISSING in failures and not isinstance(strategy, Adaptive):  # which goes on by votes alone
        raise InvalidRequest(
            f"{strategy.name} needs a verifier, and this record has no prm_step_scores: choose self_consistency,"
            " adaptive_voting or adaptive",
            param="strategy",
        )


def _order(events: Sequence[Event]) -> tuple[str | None, ...]:
    nodes = {move.id: move.node for event in events if isinstance(event, MovesIssued) for move in event.moves}
    outcomes = (event.outcome for event in events if isinstance(event, MoveSettled))
    sampled = sorted((one for one in outcomes if isinstance(one, Sampled)), key=lambda one: nodes[one.move_id])
    return tuple(None if one.answer is None else one.answer.key for one in sampled)


def summary(played: Sequence[Played], recordings: Sequence[Recording]) -> dict[str, Any]:
    """Means over all searches; accuracy over those that can be graded (None: none of them)."""
    graded = [one.correct for one in played if one.correct is not None]
    counted = [sample.tokens is not None for one in recordings for sample in one.samples]
    return {
        "accuracy": sum(graded) / len(graded) if graded else None,
        "mean_samples": sum(one.samples for one in played) / len(played),
        "mean_tokens": sum(one.tokens for one in played) / len(played) if any(counted) else None,
        "mean_verified_tokens": sum(one.verified_tokens for one in played) / len(played),
        "mean_confidence": sum(one.verdict.confidence for one in played) / len(played),
        "n": len(recordings),
        "tokens_known": sum(counted) / len(counted),
        "searches": len(played),
        "graded": len(graded),
        "exhausted": sum(one.exhausted for one in played),
    }
