"""Calls at the edge of a stop: what had not begun does not begin, what waits costs nothing, retries stay in budget."""

import asyncio
import time

import pytest

from domain.budget import Budget, Spend
from domain.errors import EngineError
from domain.events import JobStopped, JobSubmitted
from domain.ids import JobId
from domain.moves import Sample
from domain.ports import Claim, Completion, SampleRequest
from domain.problem import text_problem
from domain.specs.parallel import SelfConsistency
from domain.verdict import StopReason
from inference.engines.script import parse_script
from inference.engines.scripted import ScriptedEngine
from inference.local import LocalPolicy
from orchestrator.calls import Calls
from orchestrator.engines import Engines
from orchestrator.known import Known
from orchestrator.ledger import Ledger
from orchestrator.local import ListRecorder, solve
from orchestrator.run import Run
from tests.support.engines import FakePolicy


def job(n: int, **budget: float) -> JobSubmitted:
    problem = text_problem("What is 3 * 4?")
    return JobSubmitted(problem, SelfConsistency(n=n, max_tokens=64), Budget(**budget), None, 42)  # type: ignore[arg-type]


def calls_of(policy: FakePolicy, ledger: Ledger, count: int = 3) -> Calls:
    calls = Calls("j", "?", Engines(policy, None), ledger)
    calls.queue(tuple(Sample(f"sample-{node}", node, node, 512) for node in range(1, count + 1)))
    return calls


async def test_calls_that_had_not_begun_at_the_stop_do_not_begin_after_it() -> None:
    policy, ledger = FakePolicy(delay_s=30), Ledger(Budget())
    calls = calls_of(policy, ledger)
    calls.interrupt(StopReason.CANCELLED)
    calls.dispatch()
    assert await calls.news() == []
    began = time.monotonic()
    assert len(await calls.wind_down()) == 3
    assert (policy.calls, ledger.spent, ledger.reserved) == ([], Spend(), {})
    assert time.monotonic() - began < 1, "nothing waits for an engine that has seen nothing"


async def test_no_time_left_starts_nothing() -> None:
    """A job that is claimed again after its time is over."""
    policy, first = FakePolicy(delay_s=9), job(32, seconds=5)
    recorder = ListRecorder(events=[first])
    await Run(Claim(JobId("j"), 2, (first,), 6.0), "w", Engines(policy, None), recorder).run()
    stopped = recorder.events[-1]
    assert isinstance(stopped, JobStopped)
    assert (stopped.reason, policy.calls) == (StopReason.BUDGET_SECONDS, [])


async def test_a_call_between_two_attempts_is_not_tried_again_after_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.attempts.BACKOFF_S", (60.0,))
    policy = FakePolicy(fail=lambda request, attempt: EngineError("busy", cost=Spend(generated_tokens=3)))
    began = time.monotonic()
    stopped, _ = await solve(job(2, seconds=0.1), Engines(policy, None))
    assert time.monotonic() - began < 1
    assert (len(policy.calls), stopped.spend) == (2, Spend(generated_tokens=6))


async def test_retries_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.attempts.BACKOFF_S", (0.0, 0.0, 0.0))

    def lossy(request: SampleRequest, attempt: int) -> EngineError | None:
        return EngineError("lost", cost=Spend(5, 10, 0, 30_000.0, 1)) if attempt < 2 else None

    stopped, _ = await solve(job(50, tokens=700, rollouts=7), Engines(FakePolicy(fail=lossy), None))
    assert 0 < stopped.spend.rollouts <= 7
    assert stopped.spend.tokens <= 700


async def test_a_call_that_is_asked_again_does_not_join_its_aborted_run() -> None:
    """The engine has not yet taken in the abort when the new attempt of the same call arrives."""
    spec = "scripted:delay_ms=300,accuracy=1"
    policy = LocalPolicy(ScriptedEngine(parse_script(spec), spec))
    engines = Engines(policy, None)
    move = Sample("sample-1", 1, 7, 64)
    first = asyncio.create_task(engines.attempt(move, "key", "What is 3 * 4?", 64, Known()))
    await asyncio.sleep(0.02)
    engines.abort(["key"])
    second = await asyncio.wait_for(engines.attempt(move, "key", "What is 3 * 4?", 64, Known()), 5)
    assert second.answer is not None  # type: ignore[union-attr]
    assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], EngineError)
    policy.close()


class Slow:
    """A symbolic comparison that takes its time, or can't be made."""

    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error

    async def equivalent(self, key: str, others: object) -> tuple[str, ...]:
        if self.error is not None:
            raise self.error
        await asyncio.sleep(self.seconds)
        return ()


async def test_the_clock_is_heard_during_comparisons() -> None:
    policy = FakePolicy(answers=tuple(map(str, range(97))))
    began = time.monotonic()
    stopped, _ = await solve(job(32, seconds=0.3), Engines(policy, None, Slow(0.2)))
    assert time.monotonic() - began < 2
    assert stopped.reason is StopReason.BUDGET_SECONDS


@pytest.mark.parametrize("error", [EngineError("no child"), OSError(), TimeoutError()])
async def test_a_comparison_that_can_not_be_made_costs_no_job(error: Exception) -> None:
    policy = FakePolicy(answers=("12", "12", "13"))
    stopped, _ = await solve(job(10), Engines(policy, None, Slow(0, error)))
    assert (stopped.reason, stopped.verdict.answer) == (StopReason.COMPLETE, "12")


async def test_attempts_leave_nothing_behind() -> None:
    engines = Engines(FakePolicy(delay_s=0.01), None)
    await solve(job(20), engines)
    assert engines._attempts == {}


async def test_the_answer_of_an_aborted_call_is_not_used_but_charged() -> None:
    class Late(FakePolicy):
        async def _completion(self, request: SampleRequest) -> Completion:
            while request.key not in self.aborted:
                await asyncio.sleep(0.002)
            self.aborted.clear()
            return await super()._completion(request)

    stopped, _ = await solve(job(1, seconds=0.05), Engines(Late(), None))
    assert (stopped.verdict.answer, stopped.spend.generated_tokens) == (None, 10)
