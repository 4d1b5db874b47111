"""Limits, prices, scopes and the pace of requests, as pure rules."""

from __future__ import annotations

from typing import Any

import pytest

from domain.budget import Spend
from domain.errors import InvalidRequest
from domain.limits import FREE, LIMIT_NAMES, Prices, parse_limits
from domain.pacing import pace
from domain.scopes import OF_TENANTS, SCOPES, parse_scopes


def test_limits_are_whole_positive_numbers_or_none() -> None:
    given = {"weight": 2.5, "max_running": 0, "max_queued": 10, "cost_per_day": 1.5, "retention_days": None}
    assert parse_limits(given) == given
    assert parse_limits(dict.fromkeys(set(LIMIT_NAMES) - {"weight"})) == dict.fromkeys(set(LIMIT_NAMES) - {"weight"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", 0), ("weight", -1), ("weight", 1001), ("weight", None), ("weight", "2"), ("weight", True),
        ("weight", float("nan")), ("max_running", -1), ("max_running", 1.5), ("max_queued", 2**31),
        ("tokens_per_day", float("inf")), ("cost_per_day", -0.1), ("requests_per_minute", 0), ("retention_days", []),
        ("speed", 1),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_limits({name: value})
    assert caught.value.param == name


def test_prices_are_per_million_tokens_and_per_exaflop() -> None:
    spend = Spend(prompt_tokens=1_000_000, generated_tokens=2_000_000, verified_tokens=500_000, flops=3e18)
    assert Prices(prompt=1, generated=2, verified=4, exaflop=8).cost(spend) == 1 + 4 + 2 + 24
    assert FREE.cost(spend) == 0


def test_scopes_are_known_and_at_least_one() -> None:
    assert parse_scopes(["admin", "jobs:read", "jobs:read"]) == ("jobs:read", "admin")
    assert "admin" not in OF_TENANTS
    assert {*OF_TENANTS, "admin"} == set(SCOPES)
    for wrong in ([], ["jobs"], ["jobs:read", 1], [["admin"]] * 0 + [None]):
        with pytest.raises(InvalidRequest):
            parse_scopes(wrong)


def test_a_whole_limit_may_come_at_once_and_then_the_rate() -> None:
    due_s, now_s = 0.0, 1000.0
    lefts = []
    for _ in range(6):
        due_s, standing = pace(due_s, now_s, 6)
        assert standing.allowed
        lefts.append(standing.left)
    assert lefts == [5, 4, 3, 2, 1, 0]
    due_s, standing = pace(due_s, now_s, 6)
    assert (standing.allowed, standing.left, round(standing.retry_in_s, 6)) == (False, 0, 10.0)
    assert round(standing.renewed_in_s, 6) == 60
    due_s, standing = pace(due_s, now_s + 10, 6)
    assert standing.allowed
    assert not pace(due_s, now_s + 10, 6)[1].allowed


def test_after_a_pause_no_more_than_the_limit() -> None:
    due_s, allowed = 0.0, 0
    for _ in range(50):
        due_s, standing = pace(due_s, 10_000.0, 6)
        allowed += standing.allowed
    assert allowed == 6
