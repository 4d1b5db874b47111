"""Calls that wait for an engine: they go when one comes up, and cost nothing when they are aborted before."""

import asyncio

import pytest

from domain.errors import EngineError
from domain.ports import SampleRequest
from workers.fleet import Pool


async def test_a_call_that_waits_for_an_engine_is_aborted_at_no_cost() -> None:
    pool = Pool("policy", "model")
    waiting = [asyncio.create_task(pool.call(SampleRequest(key, "?", "", 1, 8))) for key in ("a", "b")]
    await asyncio.sleep(0.01)
    pool.abort(["a", "unknown"])
    with pytest.raises(EngineError) as caught:
        await asyncio.wait_for(waiting[0], 1)
    assert (caught.value.retryable, caught.value.cost) == (False, None)
    assert not waiting[1].done()
    waiting[1].cancel()


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.fleet.PATIENCE_S", 0.02)
    with pytest.raises(EngineError, match="no policy engine came up"):
        await Pool("policy", "model").call(SampleRequest("k", "?", "", 1, 8))
