"""Steps of which the policy is nearly sure, by hand: what is sampled, what is taken for granted, what counts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from domain.moves import Move, Outcome, Sample, Score, split_steps
from domain.recipe import StrategySpec
from domain.specs.stochastic import Particles
from domain.specs.tree import Beam, Dvts, Rebase
from tests.support.searching import cut, failed, played, samples_in, scores, solution, started, step

SURE = math.log(0.85)


def world(first: float | None, second: float | None) -> object:
    """A first step "A" and an end, which the policy gives these log-probabilities; every sample says the same."""

    def answer(move: Move) -> Outcome:
        if isinstance(move, Score):
            return scores(move, *[0.5] * len(split_steps(move.solution)))
        if not move.prefix:
            return replace(step(move, "A"), logprob=first)
        return replace(solution(move, "7", text="end"), logprob=second)

    return answer


@pytest.mark.parametrize("spec", [Particles(n=8), Beam(n=8, width=8), Rebase(n=8), Dvts(n=8)])
def test_what_is_sure_is_sampled_once_and_counts_as_often_as_it_was_wanted(spec: StrategySpec) -> None:
    drawn, asked = played(started(spec), world(SURE, SURE))  # type: ignore[arg-type]
    sure, saved = played(started(replace(spec, certain=0.8)), world(SURE, SURE))  # type: ignore[arg-type, call-arg]
    assert len(samples_in(saved)) < len(samples_in(asked)) / 2
    assert len([move for move in saved if isinstance(move, Score)]) <= 2 * 2
    assert sure.verdict().evidence == drawn.verdict().evidence


def test_what_is_not_sure_is_sampled_as_ever() -> None:
    for first, second in ((None, None), (math.log(0.79), -1.0)):
        search, asked = played(started(Particles(n=4, certain=0.8)), world(first, second))  # type: ignore[arg-type]
        assert len(samples_in(asked)) == 8
        assert len({move.seed for move in samples_in(asked)}) == 8
        assert search.verdict().candidates[0].votes == 4


def test_a_failed_or_cut_sample_is_never_taken_for_the_others() -> None:
    for ending in (failed, lambda move: cut(move, logprob=0.0)):

        def answer(move: Move, ending=ending) -> Outcome:  # type: ignore[no-untyped-def]
            return ending(move) if isinstance(move, Sample) else scores(move, 0.5)

        _, asked = played(started(Particles(n=4, certain=0.5)), answer)
        assert len(samples_in(asked)) == 4


def test_the_rest_waits_for_the_first_samples() -> None:
    search, moves = started(Dvts(n=8, width=4, certain=0.8)).ask(32)
    assert [move.id for move in moves] == ["sample-1", "sample-2"]
    search = search.tell(replace(step(moves[0], "A"), logprob=SURE))
    assert search.ask(32)[1] == search.ask(32)[1]
    assert not samples_in(search.ask(32)[1])
    search = search.tell(replace(step(moves[1], "B"), logprob=-3.0))
    assert [move.id for move in samples_in(search.ask(32)[1])] == ["sample-6", "sample-7", "sample-8"]
