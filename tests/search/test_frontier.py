"""What a search step by step finds depends on what the engines say and on nothing else: not on order, not on timing.

And its state stays small and cheap, however large the tree.
"""

from __future__ import annotations

import pickle
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.codec import encode
from domain.events import Event, MoveSettled, MovesIssued
from domain.moves import Answer, FinishReason, Move, Outcome, Sample, Sampled, Scored, split_steps
from domain.specs.tree import Beam, Dvts, Lookahead, Rebase, StepSearch
from domain.verdict import Verdict
from search.replay import Search, issued
from tests.support.searching import FREE, cut, failed, started

SPECS: tuple[StepSearch, ...] = (
    Beam(n=8, width=4, max_steps=4),
    Beam(n=8, width=2, max_steps=4, finished="free"),
    Lookahead(n=6, width=3, lookahead=2, max_steps=4),
    Dvts(n=8, width=4, max_steps=4),
    Rebase(n=8, max_steps=4),
)


def world(move: Move) -> Outcome:
    """Engines that go by the seed alone (and by the text, where nothing is drawn)."""
    rng = random.Random(f"{move.prefix}" if isinstance(move, Sample) and move.temperature == 0 else move.seed)
    draw = rng.random()
    if not isinstance(move, Sample):
        return failed(move) if draw < 0.1 else Scored(move.id, tuple(rng.random() for _ in _steps(move)), FREE)
    if draw < 0.1:
        return failed(move) if draw < 0.05 else cut(move)
    if draw < 0.3 + 0.2 * len(split_steps(move.prefix)):
        value = str(rng.randrange(4))
        return Sampled(move.id, f"={value}", FinishReason.END, Answer(value, value), None, FREE)
    return Sampled(move.id, rng.choice("abc"), FinishReason.STOP, None, None, FREE)


def _steps(move: Move) -> tuple[str, ...]:
    return () if isinstance(move, Sample) else split_steps(move.solution)


def run(spec: StepSearch, seed: int, timing: random.Random) -> Verdict:
    search, pending = started(spec, seed), list[Move]()
    while True:
        search, moves = search.ask(timing.randint(1, 12))
        pending += moves
        if not pending:
            return search.verdict()
        for _ in range(timing.randint(1, len(pending))):
            search = search.tell(world(pending.pop(timing.randrange(len(pending)))))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.name}-{spec.n}")
def test_timing_does_not_change_the_verdict(spec: StepSearch) -> None:
    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**40), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
    def law(seed: int, one: random.Random, other: random.Random) -> None:
        assert run(spec, seed, one) == run(spec, seed, other)

    law()


@pytest.mark.parametrize(
    "spec",
    [
        Beam(n=3, width=3, max_steps=2),
        Beam(n=3, width=1, max_steps=2),
        Lookahead(n=2, width=2, max_steps=2),
        Dvts(n=3, width=1, max_steps=2),
        Rebase(n=3, max_steps=2),
    ],
    ids=lambda spec: f"{spec.name}-{spec.width if hasattr(spec, 'width') else ''}",
)
@pytest.mark.parametrize("seed", range(4))
def test_every_schedule_ends_alike(spec: StepSearch, seed: int) -> None:
    """All orders in which calls can end, with a question after each: one verdict, whichever way is taken."""
    verdicts, seen, paths = set(), set(), [started(spec, seed)]
    while paths:
        search, _ = paths.pop().ask(2)
        if search.state in seen:
            continue
        seen.add(search.state)
        if not search.in_flight:
            verdicts.add(search.verdict())
        paths += [search.tell(world(move)) for move in search.in_flight]
    assert len(verdicts) == 1


def test_a_step_that_comes_while_its_twin_is_read_is_not_read_again() -> None:
    """Whether the score is still to be asked for, on its way, there, or failed."""
    search, moves = started(Beam(n=4, width=4), 1).ask(4)
    same = [Sampled(move.id, "a", FinishReason.STOP, None, None, FREE) for move in moves]
    search, (score,) = search.tell(same[2]).ask(4)
    search, nothing = search.tell(same[0]).ask(4)
    search = search.tell(Scored(score.id, (0.5,), FREE))
    search, more = search.tell(same[1]).ask(4)
    assert (nothing, more, score.id) == ((), (), "score-3")
    assert search.tell(same[3]).state.unscored == ()
    assert [node.scores for node in search.state.nodes] == [(0.5,)] * 3 + [()]


def large(spec: StepSearch, limit: int = 32) -> tuple[Search, list[Event], float]:
    """A search of distinct steps of about sixty characters, its events, and CPU milliseconds a move."""
    search, events, count, spent = started(spec), list[Event](), 0, 0.0
    while True:
        began = time.process_time()
        search, moves = search.ask(limit)
        spent += time.process_time() - began
        if not moves:
            return search, events, spent * 1000 / count
        events.append(MovesIssued(limit, tuple(map(issued, moves))))
        for move in moves:
            outcome = long_step(move)
            events.append(MoveSettled("0" * 32, outcome))
            began = time.process_time()
            search, count = search.tell(outcome), count + 1
            spent += time.process_time() - began


def long_step(move: Move) -> Outcome:
    if not isinstance(move, Sample):
        return Scored(move.id, tuple(0.5 + move.seed % 97 / 200 for _ in split_steps(move.solution)), FREE)
    if len(split_steps(move.prefix)) < 15:
        text = f"Step {move.node}: take 7 from both sides and divide by 12."
        return Sampled(move.id, text, FinishReason.STOP, None, -12.5, FREE)
    return Sampled(move.id, f"\\boxed{{{move.node % 5}}}", FinishReason.END, Answer("7", "q:7"), -1.5, FREE)


@pytest.mark.parametrize(
    "spec", [Beam(n=64), Beam(n=64, width=1), Dvts(n=64), Rebase(n=64), Lookahead(n=32)], ids=lambda spec: spec.name
)
def test_a_tree_of_a_thousand_nodes_is_small_and_a_move_is_cheap(spec: StepSearch) -> None:
    """The state and the events together, as they would be stored: 2 MB at most; 1 ms of CPU a move at most."""
    search, events, ms_per_move = large(spec)
    assert len(search.state.nodes) >= 992
    size = len(pickle.dumps(search.state)) + sum(len(str(encode(event))) for event in events)
    print(f"{spec.name}: {len(search.state.nodes)} nodes, {size / 1e6:.2f} MB, {ms_per_move:.3f} ms a move")
    assert size <= 2_000_000
    assert ms_per_move <= 1.0
