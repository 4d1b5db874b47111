"""One search through the real loop: budgets, stops, retries, aborts, resume."""

import asyncio
import json

import pytest

from domain.budget import Budget, Spend
from domain.codec import encode
from domain.errors import EngineError
from domain.events import Event, JobStopped, JobSubmitted, MoveSettled, MovesIssued
from domain.ids import JobId
from domain.job import JobStatus
from domain.moves import Failed, FailureKind
from domain.ports import Claim, ScoreRequest, StepScores
from domain.problem import text_problem
from domain.recipe import StrategySpec
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.verdict import StopReason
from orchestrator.engines import Engines
from orchestrator.local import ListRecorder, solve
from orchestrator.run import Run
from search.replay import fold
from tests.support.engines import FakePolicy, FakeVerifier, call_key


def job(spec: StrategySpec, confidence: float | None = None, **budget: float) -> JobSubmitted:
    return JobSubmitted(text_problem("What is 3 * 4?"), spec, Budget(**budget), confidence, 42)  # type: ignore[arg-type]


def settled(events: list[Event]) -> list[MoveSettled]:
    return [event for event in events if isinstance(event, MoveSettled)]


async def test_best_of_n_samples_scores_and_completes() -> None:
    policy, verifier = FakePolicy(answers=("12", "13")), FakeVerifier()
    stopped, events = await solve(job(BestOfN(n=6)), Engines(policy, verifier))
    assert (stopped.status, stopped.reason) == (JobStatus.COMPLETED, StopReason.COMPLETE)
    assert stopped.verdict.answer == "12"
    assert (stopped.spend.rollouts, stopped.spend.verifier_calls) == (6, 6)
    assert stopped.spend.tokens == 6 * 10 + 6 * 20
    assert stopped.spend.flops == 2000 * (6 * 15 + 6 * 20)
    assert fold(events).verdict() == stopped.verdict


async def test_confidence_stops_early_and_the_aborted_rest_is_charged() -> None:
    policy = FakePolicy(delay_s=0.02)
    stopped, events = await solve(job(SelfConsistency(n=100), confidence=0.9), Engines(policy, None))
    assert stopped.reason is StopReason.CONFIDENCE
    assert stopped.verdict.confidence >= 0.9
    assert 9 <= stopped.spend.rollouts < 30
    assert sum((event.outcome.cost for event in settled(events)), Spend()) == stopped.spend
    assert fold(events).verdict() == stopped.verdict
    assert fold(events).in_flight == ()


async def test_confidence_not_reached_is_incomplete_with_the_best_answer() -> None:
    stopped, _ = await solve(job(SelfConsistency(n=4), confidence=0.99), Engines(FakePolicy(), None))
    assert (stopped.status, stopped.reason) == (JobStatus.INCOMPLETE, StopReason.BELOW_CONFIDENCE)
    assert stopped.verdict.answer == "12"


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"rollouts": 5}, StopReason.BUDGET_ROLLOUTS),
        ({"tokens": 95}, StopReason.BUDGET_TOKENS),
        ({"flops": 200_000.0}, StopReason.BUDGET_FLOPS),
    ],
)
async def test_a_budget_is_never_exceeded(budget: dict[str, float], reason: StopReason) -> None:
    spec = SelfConsistency(n=50, max_tokens=64)
    stopped, _ = await solve(job(spec, **budget), Engines(FakePolicy(delay_s=0.002), None))
    assert (stopped.status, stopped.reason) == (JobStatus.INCOMPLETE, reason)
    spent = {"rollouts": stopped.spend.rollouts, "tokens": stopped.spend.tokens, "flops": stopped.spend.flops}
    for unit, ceiling in budget.items():
        assert 0 < spent[unit] <= ceiling
    assert stopped.verdict.answer == "12"


async def test_a_budget_smaller_than_one_rollout_spends_nothing() -> None:
    stopped, _ = await solve(job(SelfConsistency(n=5), tokens=3), Engines(FakePolicy(), None))
    assert (stopped.reason, stopped.spend, stopped.verdict.answer) == (StopReason.BUDGET_TOKENS, Spend(), None)


async def test_the_clock_stops_a_search_that_waits() -> None:
    policy = FakePolicy(delay_s=30)
    stopped, _ = await solve(job(SelfConsistency(n=5), seconds=0.05), Engines(policy, None))
    assert stopped.reason is StopReason.BUDGET_SECONDS
    assert stopped.spend.rollouts == 5, "the aborted calls are charged"
    assert policy.running == 0


async def test_transient_failures_are_retried_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.attempts.BACKOFF_S", (0.0, 0.0, 0.0))
    policy = FakePolicy(fail=lambda request, attempt: EngineError("busy") if attempt < 2 else None)
    stopped, events = await solve(job(SelfConsistency(n=3)), Engines(policy, None))
    assert stopped.reason is StopReason.COMPLETE
    assert len(policy.calls) == 9
    assert len({call_key(call) for call in policy.calls}) == 3
    assert stopped.spend.rollouts == 3


async def test_what_failed_attempts_used_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.attempts.BACKOFF_S", (0.0,))
    lost = Spend(generated_tokens=7, rollouts=0)
    policy = FakePolicy(fail=lambda request, attempt: EngineError("lost", cost=lost) if attempt == 0 else None)
    stopped, _ = await solve(job(SelfConsistency(n=3)), Engines(policy, None))
    assert (stopped.spend.generated_tokens, stopped.spend.rollouts) == (3 * 17, 3)


async def test_refusals_are_not_retried_and_all_failed_is_a_failed_job() -> None:
    policy = FakePolicy(fail=lambda request, attempt: EngineError("too long", retryable=False))
    stopped, events = await solve(job(SelfConsistency(n=3)), Engines(policy, None))
    assert (stopped.status, stopped.reason) == (JobStatus.FAILED, StopReason.ENGINE_FAILED)
    assert len(policy.calls) == 3
    kinds = {event.outcome.kind for event in settled(events) if isinstance(event.outcome, Failed)}
    assert kinds == {FailureKind.INVALID}


async def test_a_verifier_that_fails_gives_no_score() -> None:
    verifier = FakeVerifier(error=EngineError("broken", retryable=False))
    stopped, events = await solve(job(BestOfN(n=3)), Engines(FakePolicy(), verifier))
    assert stopped.reason is StopReason.COMPLETE
    assert "nothing is scored" in stopped.verdict.why


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.5, float("inf")])
async def test_what_is_no_probability_is_no_score(score: float) -> None:
    class Odd(FakeVerifier):
        async def score(self, request: ScoreRequest) -> StepScores:
            return StepScores(request.key, (score,), Spend(verified_tokens=20, verifier_calls=1))

    stopped, events = await solve(job(BestOfN(n=2)), Engines(FakePolicy(), Odd()))
    assert "nothing is scored" in stopped.verdict.why
    assert stopped.spend.verified_tokens == 40, "a useless answer is charged all the same"
    assert json.loads(json.dumps([encode(event) for event in events], allow_nan=False))


async def test_a_strategy_that_needs_a_verifier_says_so_without_one() -> None:
    _, events = await solve(job(BestOfN(n=2)), Engines(FakePolicy(), None))
    messages = {event.outcome.message for event in settled(events) if isinstance(event.outcome, Failed)}
    assert messages == {"this stack has no verifier: choose a strategy without one"}


async def test_in_flight_moves_are_bounded() -> None:
    policy = FakePolicy(delay_s=0.01)
    await solve(job(SelfConsistency(n=200)), Engines(policy, None))
    assert policy.most_running == 32


async def test_all_rollouts_of_a_truncating_policy_give_no_answer() -> None:
    stopped, _ = await solve(job(SelfConsistency(n=3, max_tokens=4)), Engines(FakePolicy(), None))
    assert (stopped.status, stopped.reason) == (JobStatus.INCOMPLETE, StopReason.NO_ANSWER)


@pytest.mark.parametrize("cut", range(0, 40, 3))
async def test_resume_from_any_cut_charges_every_call_once(cut: int) -> None:
    """The events up to a crash, then a new run from them: the same end as without the crash."""
    first = job(BestOfN(n=8))
    whole, events = await solve(first, Engines(FakePolicy(answers=("12", "13")), FakeVerifier()), job="j")
    policy = FakePolicy(answers=("12", "13"))
    recorder = ListRecorder(events=list(events[: 1 + cut]))
    kept = tuple(event for event in recorder.events if not isinstance(event, JobStopped))
    run = Run(Claim(JobId("j"), 2, kept, 1.0), "w2", Engines(policy, FakeVerifier()), recorder)
    await run.run()
    stopped = recorder.events[-1]
    assert isinstance(stopped, JobStopped)
    assert (stopped.spend, stopped.verdict.answer) == (whole.spend, whole.verdict.answer)
    keys = [event.call_key for event in settled(list(kept)) + settled(recorder.events[1 + cut :])]
    assert len(keys) == len(set(keys)) == 16


async def test_cancel_interrupts_a_waiting_search() -> None:
    policy, recorder = FakePolicy(delay_s=30), ListRecorder()
    run = Run(Claim(JobId("j"), 1, (job(SelfConsistency(n=5)),), 0.0), "w", Engines(policy, None), recorder)
    task = asyncio.create_task(run.run())
    await asyncio.sleep(0.01)
    run.stop(StopReason.CANCELLED)
    await asyncio.wait_for(task, 1)
    stopped = recorder.events[-1]
    assert isinstance(stopped, JobStopped)
    assert stopped.status is JobStatus.CANCELLED


async def test_an_engine_that_ignores_aborts_is_charged_its_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.calls.ABORT_S", 0.02)

    class Deaf(FakePolicy):
        def abort(self, keys: object) -> None: ...

    stopped, events = await solve(
        job(SelfConsistency(n=2, max_tokens=64), seconds=0.02), Engines(Deaf(delay_s=9), None)
    )
    assert stopped.spend.generated_tokens == 128
    assert "reservation is charged" in settled(events)[0].outcome.message  # type: ignore[union-attr]


async def test_equivalent_answers_are_found_once_and_kept_in_the_trace() -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    class Symbolic:
        async def equivalent(self, key: str, others: tuple[str, ...]) -> tuple[str, ...]:
            asked.append((key, tuple(others)))
            return tuple(others)

    engines = Engines(FakePolicy(answers=("12", "13", "14")), None, Symbolic())  # type: ignore[arg-type]
    stopped, events = await solve(job(SelfConsistency(n=30)), engines)
    assert len(asked) == 2, "once for each answer after the first"
    assert stopped.verdict.candidates[0].votes == 30
    assert fold(events).verdict() == stopped.verdict


async def test_the_window_is_in_the_trace() -> None:
    _, events = await solve(job(SelfConsistency(n=40)), Engines(FakePolicy(), None))
    issued = [event for event in events if isinstance(event, MovesIssued)]
    assert issued[0].limit == 32
    assert sum(len(event.moves) for event in issued) == 40


@pytest.mark.parametrize(
    ("deadline_s", "seconds", "reason"),
    [
        (0.6, None, StopReason.DEADLINE),
        (5.0, 0.5, StopReason.BUDGET_SECONDS),
        (0.6, 60.0, StopReason.DEADLINE),
        (-5.0, None, StopReason.DEADLINE),
    ],
)
async def test_a_deadline_ends_the_search_in_time_with_its_best_answer(
    deadline_s: float, seconds: float | None, reason: StopReason
) -> None:
    """Whichever comes first; one that is over already ends at once."""
    budget = {} if seconds is None else {"seconds": seconds}
    recorder, submitted = ListRecorder(), job(SelfConsistency(n=300), **budget)
    claim = Claim(JobId("job_x"), 1, (submitted,), 0.0, deadline_s=deadline_s)
    run = Run(claim, "worker", Engines(FakePolicy(delay_s=0.2), None), recorder)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await run.run()
    assert loop.time() - began < max(deadline_s, 0.0) + 5
    stopped = recorder.events[-1]
    assert isinstance(stopped, JobStopped)
    assert (stopped.status, stopped.reason) == (JobStatus.INCOMPLETE, reason)
    assert (stopped.verdict.answer == "12") == (deadline_s > 0)
