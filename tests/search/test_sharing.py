"""One budget over lines that start one after the other: never exceeded, and passed on where it is not used."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.budget import Budget, Spend
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import BestOfN
from search.sharing import DEAREST, FEW, HELD, LEAST, REACH, Pool, grant, price, room

PLAIN, CLEVER = BestOfN(n=4), Adaptive(price=0.002)


def pool(
    tokens: int | None = 1000, *, spent: int = 0, held: int = 0, ended: int = 0, running: int = 0, waiting: int = 10
) -> Pool:
    return Pool(Budget(tokens=tokens), Spend(generated_tokens=spent), Budget(tokens=held), ended, running, waiting)


def test_without_a_budget_a_line_keeps_its_own() -> None:
    own = Budget(tokens=77, seconds=5.0)
    after, given = grant(pool(None), own, PLAIN) or (None, None)
    assert given is not None
    assert (given.budget, given.strategy) == (own, PLAIN)
    assert (after.running, after.waiting) == (1, 9)


def test_plain_lines_get_even_shares_and_what_others_left() -> None:
    _, first = grant(pool(), Budget(), PLAIN) or (None, None)
    assert first.budget.tokens == 100
    # Five lines have used 20 of their 100 tokens each.
    _, later = grant(pool(spent=100, ended=5, waiting=5), Budget(), PLAIN) or (None, None)
    assert later.budget.tokens == 180


def test_an_adaptive_line_may_reach_further_and_gets_the_common_price() -> None:
    _, given = grant(pool(100_000, waiting=1000), Budget(), CLEVER) or (None, None)
    assert given.budget.tokens == 100 * REACH
    dear = pool(10_000, spent=4000, ended=20, waiting=80)
    _, given = grant(dear, Budget(), CLEVER) or (None, None)
    assert given.strategy.price > CLEVER.price
    cheap = pool(10_000, spent=400, ended=20, waiting=80)
    _, given = grant(cheap, Budget(), CLEVER) or (None, None)
    assert given.strategy.price < CLEVER.price


def test_the_price_holds_still_until_enough_has_been_seen() -> None:
    assert price(pool(spent=900, ended=FEW - 1), 0.002) == 0.002
    assert price(pool(spent=900, ended=FEW), 0.002) > 0.002


def test_what_lines_cost_is_set_against_the_price_they_were_searched_at() -> None:
    on_target = replace(pool(spent=500, ended=10), paid=0.01)
    assert price(on_target, 0.002) == pytest.approx(0.01)
    assert price(replace(on_target, spent=Spend(generated_tokens=600)), 0.002) > 0.01
    assert price(replace(on_target, spent=Spend(generated_tokens=400)), 0.002) < 0.01
    assert price(replace(on_target, paid=5.0), 1.0) <= DEAREST


def test_running_lines_count_as_dear_ones() -> None:
    """The first to end are the cheap ones: that they cost half of their share says nothing of those that still run."""
    most_run = pool(10_000, spent=400, ended=8, running=80, waiting=12)
    all_wait = pool(10_000, spent=400, ended=8, running=0, waiting=92)
    assert price(all_wait, 0.002) < 0.002 < price(most_run, 0.002)
    even_dearer = pool(10_000, spent=600, ended=8, running=80, waiting=12)
    assert price(even_dearer, 0.002) > price(most_run, 0.002)


def test_running_lines_count_as_their_share_at_least() -> None:
    """However little the first ones cost, the price does not fall away while most still run."""
    most_run = pool(10_000, spent=8, ended=8, running=80, waiting=12)
    all_wait = pool(10_000, spent=8, ended=8, running=0, waiting=92)
    assert price(all_wait, 0.002) < 0.001 < price(most_run, 0.002) < 0.002


def test_few_adaptive_lines_run_until_some_have_ended() -> None:
    assert grant(pool(10_000, running=FEW, waiting=500), Budget(), CLEVER) is None
    assert grant(pool(10_000, running=FEW, waiting=500), Budget(), PLAIN) is not None
    assert grant(pool(10_000, ended=FEW + 1, running=FEW, waiting=500), Budget(), CLEVER) is not None
    assert grant(pool(None, running=FEW, waiting=500), Budget(), CLEVER) is not None


def test_no_more_adaptive_lines_run_than_can_hold_their_reach() -> None:
    lines = int(20 * REACH / HELD)
    late = pool(100_000, spent=50_000, ended=500, running=20, waiting=lines - 20)
    assert grant(late, Budget(), CLEVER) is None
    assert grant(replace(late, running=19, waiting=lines - 19), Budget(), CLEVER) is not None


def test_adaptive_lines_of_a_small_batch_get_no_less_than_even_shares() -> None:
    """The first ones must not hold what the others need."""
    now, ceilings = pool(1500, waiting=15), []
    while (given := grant(now, Budget(), CLEVER)) is not None:
        now, granted = given
        ceilings.append(granted.budget.tokens)
    assert ceilings == [100] * FEW


def test_a_window_is_filled_in_parts() -> None:
    assert room(pool(running=0), 128) == 32
    assert room(pool(running=108), 128) == 20
    assert room(pool(running=113), 128) == 0
    assert [room(pool(running=running), 3) for running in range(4)] == [1, 1, 1, 0]


def test_a_lines_own_budget_is_never_raised() -> None:
    _, given = grant(pool(10_000), Budget(tokens=50, rollouts=3), PLAIN) or (None, None)
    assert given.budget == Budget(tokens=50, rollouts=3)


def test_a_dry_pool_starts_nothing() -> None:
    assert grant(pool(1000, spent=1000 - LEAST["tokens"] + 1), Budget(), PLAIN) is None
    assert grant(pool(1000, spent=500, held=500), Budget(), CLEVER) is None


@given(
    tokens=st.integers(1, 100_000),
    lines=st.integers(1, 60),
    clever=st.booleans(),
    uses=st.lists(st.floats(0, 1), min_size=1, max_size=60),
    window=st.integers(1, 8),
)
def test_spent_and_held_never_exceed_the_budget(
    tokens: int, lines: int, clever: bool, uses: list[float], window: int
) -> None:
    now, held = pool(tokens, waiting=lines), []
    for step in range(200):
        given = grant(now, Budget(), CLEVER if clever else PLAIN) if now.waiting and now.running < window else None
        if given is not None:
            now, granted = given
            held.append(granted.budget.tokens)
        elif held:
            ceiling = held.pop(0)
            used = Spend(generated_tokens=int(ceiling * uses[step % len(uses)]))
            now = replace(
                now,
                spent=now.spent + used,
                reserved=Budget(tokens=now.reserved.tokens - ceiling),
                running=now.running - 1,
                ended=now.ended + 1,
            )
        else:
            break
        assert now.spent.tokens + now.reserved.tokens <= tokens
    assert now.waiting == 0 or now.dry
