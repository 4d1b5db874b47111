"""The fairness benchmark: what it makes of its times, and a tiny run of it against a stack."""

from __future__ import annotations

import httpx
import pytest

from cli.stack.background import BackgroundStack
from evaluation import fairness
from evaluation.fairness import Plan, Times, percentile, summary, table


def test_percentiles_are_nearest_ranks() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 1.0)] == [50, 95, 100]
    assert percentile([7.0], 0.95) == 7


def test_a_ratio_counts_only_while_the_big_tenant_waits() -> None:
    alone, slow = Times((0.1,) * 20, (0.5,) * 20), Times((0.2,) * 20, (1.4,) * 20)
    result = summary(Plan(20, 0.5), alone, slow, True)
    assert (result["p95_ratio"], result["queue_p95_ratio"], result["within_limit"]) == (2.8, 2.0, True)
    assert "2.8 × its time alone" in table(result)
    assert not summary(Plan(20, 0.5), alone, slow, False)["within_limit"], "nothing was measured"
    assert "NOT full" in table(summary(Plan(20, 0.5), alone, slow, False))
    assert not summary(Plan(20, 0.5), alone, Times((0.2,), (1.6,)), True)["within_limit"]


@pytest.mark.integration
async def test_a_tiny_run(stack: BackgroundStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "RATIO", 5)

    class Running:
        url = stack.url

        def client(self) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {stack.api_key}"}
            return httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60.0, trust_env=False)

    result = await fairness.measure(Running(), Plan(4, 0.05, rollouts=2))  # type: ignore[arg-type]
    assert result["p95_ratio"] > 0
    assert (result["small_jobs"], result["big_jobs"]) == (4, 20)
    async with Running().client() as operator:
        usage = (await operator.get("/v1/admin/usage", params={"tenant": "small"})).json()["data"]
    assert sum(day["rollouts"] for day in usage) == (3 + 4 + 4) * 2
