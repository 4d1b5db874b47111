"""Buying a batch's actions, worked out on paper."""

import pytest

from search.allocation import Batch, Offer, buy, pay


def test_the_best_bargains_are_bought_first() -> None:
    offers = {0: Offer(0.1, 10.0), 1: Offer(0.1, 2.0), 2: Offer(0.3, 10.0)}
    batch, bought = buy(Batch(100.0), offers, 2)
    assert bought == (1, 2)
    assert batch.price == pytest.approx(0.03)
    assert batch.left == pytest.approx(88.0)


def test_what_does_not_fit_is_passed_over() -> None:
    assert buy(Batch(5.0), {0: Offer(0.9, 6.0), 1: Offer(0.1, 5.0)}, 9)[1] == (1,)


def test_reservations_count_until_they_are_paid() -> None:
    batch, _ = buy(Batch(10.0), {3: Offer(0.5, 8.0)}, 1)
    assert buy(batch, {4: Offer(0.5, 8.0)}, 1)[1] == ()
    batch = pay(batch, 3, 1.5)
    assert batch.left == pytest.approx(8.5)
    assert buy(batch, {4: Offer(0.5, 8.0)}, 1)[1] == (4,)


def test_no_gain_is_never_bought_and_equals_go_to_the_earlier() -> None:
    offers = {2: Offer(0.2, 1.0), 1: Offer(0.2, 1.0), 0: Offer(0.0, 1.0)}
    assert buy(Batch(100.0), offers, 9)[1] == (1, 2)
