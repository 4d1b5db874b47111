"""What a trace says of the solutions that are shown, whichever strategy made it."""

from __future__ import annotations

import random

import pytest

from domain.budget import Spend
from domain.events import Event, IssuedMove, MoveSettled, MovesIssued
from domain.moves import Answer, FinishReason, Sampled
from domain.recipe import SPECS
from search.replay import begin
from search.rollouts import distinct, finished_rollouts, tokens_of
from tests.search.laws import play, submitted


@pytest.mark.parametrize("name", SPECS)
def test_the_chosen_solution_of_every_strategy_is_found_with_its_tokens(name: str) -> None:
    found = 0
    for world in range(8):
        search, events = play(begin(submitted(SPECS[name](), world)), world, random.Random(world), rounds=60)
        verdict = search.verdict()
        if verdict.solution is None:
            continue
        rollouts = finished_rollouts(events)  # type: ignore[arg-type]
        found += 1
        assert tokens_of(verdict.solution, rollouts) >= 9
    assert found


def step(node: int, parent: int, text: str, finish: FinishReason, answer: str | None = None) -> list[Event]:
    found = None if answer is None else Answer(answer, answer)
    cost = Spend(generated_tokens=3, rollouts=1)
    moves = (
        IssuedMove(f"m{node}", "sample", node, parent, node, 9),
        IssuedMove(f"score-{node}", "score", node, node, 1, 0),
    )
    return [MovesIssued(2, moves), MoveSettled(f"k{node}", Sampled(f"m{node}", text, finish, found, -1.0, cost))]


def test_a_solution_is_the_path_of_its_steps_and_a_revision_stands_alone() -> None:
    stop, end = FinishReason.STOP, FinishReason.END
    trace = [
        *step(1, 0, "First.", stop),
        *step(2, 1, "Then.", stop),
        *step(3, 2, "Last.", end, "7"),
        *step(4, 1, "Otherwise.", end, "8"),
        *step(5, 3, "Again, from the start.", end),
        *step(6, 1, "Cut", FinishReason.LENGTH),
    ]
    rollouts = finished_rollouts(trace)
    assert [(one.text, one.answer, one.tokens) for one in rollouts] == [
        ("First.\n\nThen.\n\nLast.", "7", 9),
        ("First.\n\nOtherwise.", "8", 6),
        ("Again, from the start.", None, 3),
    ]


def test_the_chosen_one_comes_first_then_what_differs_then_repetitions() -> None:
    end = FinishReason.END
    texts = ["a", "b", "a", "c"]
    rollouts = finished_rollouts([event for at, text in enumerate(texts, 1) for event in step(at, 0, text, end)])
    assert [one.text for one in distinct("b", rollouts, 9)] == ["b", "a", "c", "a"]
    assert [one.text for one in distinct(None, rollouts, 2)] == ["a", "b"]
    assert [tokens_of(text, rollouts) for text in ("a", "Begin.\n\nb", "z", "", None)] == [3, 3, 0, 0, 0]
