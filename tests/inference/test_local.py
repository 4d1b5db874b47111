"""The ports in this process: results, errors as EngineError, and cancelling as abort."""

from __future__ import annotations

import asyncio

import pytest

from domain.errors import EngineError
from domain.ports import SampleRequest, ScoreRequest
from inference.local import LocalPolicy, LocalVerifier


def sample(key: str, seed: int = 1) -> SampleRequest:
    return SampleRequest(key, "What is 3 + 4 * 2?", "", seed=seed, max_tokens=100)


async def test_many_samples_at_once() -> None:
    policy = LocalPolicy.open("scripted:accuracy=1,delay_ms=2")
    results = await asyncio.gather(*(policy.sample(sample(f"k{i}", seed=i)) for i in range(100)))
    assert [result.key for result in results] == [f"k{i}" for i in range(100)]
    assert {result.answer.key for result in results if result.answer} == {"q:11"}
    policy.close()


async def test_failures_are_engine_errors() -> None:
    policy = LocalPolicy.open("scripted:fail=1")
    with pytest.raises(EngineError) as caught:
        await policy.sample(sample("k"))
    assert caught.value.retryable
    policy.close()


async def test_cancelling_the_awaiting_task_aborts_the_call() -> None:
    policy = LocalPolicy.open("scripted:hang_after=0")
    task = asyncio.create_task(policy.sample(sample("k")))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if policy._host.pending == 0:
            break
        await asyncio.sleep(0.01)
    assert policy._host.pending == 0
    policy.close()


async def test_abort_raises_in_the_awaiter() -> None:
    policy = LocalPolicy.open("scripted:hang_after=0")
    task = asyncio.create_task(policy.sample(sample("k")))
    await asyncio.sleep(0.05)
    policy.abort(["k"])
    with pytest.raises(EngineError, match="aborted"):
        await task
    policy.close()


async def test_scores() -> None:
    verifier = LocalVerifier.open("scripted:auc=0.99")
    solution = "Step 1: 4 * 2 = 8.\n\nStep 2: 3 + 8 = 12. The answer is \\boxed{12}."
    result = await verifier.score(ScoreRequest("s", "What is 3 + 4 * 2?", solution))
    assert len(result.scores) == 2
    assert result.cost.verifier_calls == 1
    verifier.close()
