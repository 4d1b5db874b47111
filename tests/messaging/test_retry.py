"""The retry policy is a function: every answer of a receiver, every attempt, the same decision each time."""

import pytest

from messaging.retry import JITTER, LONGEST_RETRY_AFTER_S, SCHEDULE_S, Again, Dead, Delivered, decide

SEED = "whd_00000000000000000000000001"


def test_the_schedule_is_the_one_of_standard_webhooks() -> None:
    assert SCHEDULE_S == (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_is_success(status: int) -> None:
    assert decide(1, status, None, SEED) == Delivered()


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 302, 307, 400, 401, 404, 409, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert isinstance(decide(1, status, None, SEED), Again)


@pytest.mark.parametrize("attempt", range(1, len(SCHEDULE_S) + 1))
def test_each_attempt_has_its_delay_within_the_jitter(attempt: int) -> None:
    decision = decide(attempt, 500, None, SEED)
    assert isinstance(decision, Again)
    assert decision.delay_s == pytest.approx(SCHEDULE_S[attempt - 1], rel=JITTER)


def test_after_the_last_delay_it_is_dead() -> None:
    last = len(SCHEDULE_S) + 1
    assert decide(last, 500, None, SEED) == Dead(f"{last} attempts failed")
    assert decide(last, 200, None, SEED) == Delivered()


def test_gone_is_dead_at_once() -> None:
    assert isinstance(decide(1, 410, 5, SEED), Dead)


def test_retry_after_lengthens_but_never_shortens_and_is_capped() -> None:
    assert decide(1, 503, 100.0, SEED) == Again(100.0)
    assert decide(1, 503, 10.0**9, SEED) == Again(LONGEST_RETRY_AFTER_S)
    assert decide(1, 503, -5.0, SEED) == decide(1, 503, None, SEED) == decide(1, 503, 0.0, SEED)


def test_jitter_comes_from_the_seed_alone() -> None:
    assert decide(3, 500, None, SEED) == decide(3, 500, None, SEED)
    delays = {decide(3, 500, None, f"delivery {number}") for number in range(50)}
    assert len(delays) == 50
